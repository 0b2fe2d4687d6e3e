"""Challenges: labelled texts from elsewhere, on which a model is measured and never trained. Light: no TensorFlow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, TypeAdapter, field_validator, model_validator
from pydantic.dataclasses import dataclass

from components.labelled_csv.rules import MAX_ROW_LINES, MAX_TITLE_CHARACTERS, both_classes, check_slice_columns
from components.recorded import KEEPS_UNKNOWN, Recorded
from trainer.section import Section

CHALLENGES_PROPERTY = "challenges"
"""The property of Examples with a split of challenges: its `ChallengeRows` as JSON, see `rows_to_json`."""


class ChallengeConfig(Section):
    """Labelled texts from elsewhere. Their columns are read as those of `data`, and by the same rules."""

    name: str = Field(
        pattern="^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$",
        description="What it is called in the verdict and the report; each has a name of its own.",
    )
    path: str = Field(min_length=1, description="CSV file, plain or gzip, also s3://, gs:// or minio://.")
    text_column: str = Field("title", min_length=1, description="Name of its column that holds the text.")
    label_column: str = Field("label", min_length=1, description="Name of its column that holds the label.")
    labels: dict[str, Literal[0, 1]] = Field(
        {"0": 0, "1": 1},
        min_length=2,
        description="The label column's values, in any casing, to 0 and 1 (1 is clickbait).",
    )
    slice_columns: list[Annotated[str, Field(min_length=1)]] | None = Field(
        None,
        description="Names of its columns whose values are slices, all of which it must have; null: those of "
        "data.slice_columns that it has.",
    )
    min_auc: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Least area under the ROC curve on it, as a share from 0 to 1; null: shown, and no rule.",
    )
    max_auc_below_linear: float | None = Field(
        None,
        ge=0,
        le=1,
        description="How far the area under the ROC curve may lie below that of the linear model on lower-cased text, "
        "as a share from 0 to 1; null: no rule.",
    )

    _both_classes = field_validator("labels")(both_classes)

    @model_validator(mode="after")
    def _columns_of_slices(self) -> Self:
        check_slice_columns(self.slice_columns or (), self.text_column, self.label_column)
        return self

    @property
    def split_column(self) -> None:
        """None: all rows are measured."""

    @property
    def group_column(self) -> None:
        """None, as `split_column`."""

    @property
    def max_title_characters(self) -> int:
        """As the default of `data`."""
        return MAX_TITLE_CHARACTERS

    @property
    def max_row_lines(self) -> int:
        """As the default of `data`."""
        return MAX_ROW_LINES

    @property
    def columns(self) -> dict[str, str]:
        """The columns that are read, by the setting that names each."""
        place = f"of {self.name} in evaluation.challenges"
        slices = {f"slice_columns[{at}] {place}": column for at, column in enumerate(self.slice_columns or ())}
        return {f"text_column {place}": self.text_column, f"label_column {place}": self.label_column, **slices}

    def with_slices(self, header: Sequence[str], columns: Sequence[str]) -> ChallengeConfig:
        """Returns the settings with the columns whose values are slices.

        Args:
          header: all columns of its file.
          columns: `data.slice_columns`, of which those that the file has are taken where it names none of its own.
        """
        if self.slice_columns is not None:
            return self
        taken = [name for name in columns if name in header and name not in (self.text_column, self.label_column)]
        return self.model_copy(update={"slice_columns": taken})


class ChallengeSource(Section):
    """Where the rows of a challenge are, and the content that they must have."""

    name: str
    path: str
    """File or URL."""
    sha256: str


@dataclass(frozen=True, config=KEEPS_UNKNOWN, kw_only=True)
class ChallengeRows(Recorded):
    """Counts of a challenge's rows: read = rejected + repeats + trained_on + rows."""

    name: str
    path: str
    """File or URI."""
    sha256: str
    read: int
    rejected: int
    rejected_by_rule: dict[str, int]
    repeats: int
    """Rows whose title came before, letter by letter, with the same label."""
    trained_on: int
    """Rows left out because the model was trained on their title, in whatever casing and white space."""
    trained_on_exactly: int
    """Those of them whose title is the same letter by letter."""
    rows: int
    """Which are measured."""
    clickbait: int
    """How many of them are clickbait."""
    slice_columns: Sequence[str] = ()
    """Its columns whose values are slices."""


def settings_to_json(settings: Sequence[ChallengeConfig]) -> str:
    """Returns the parameter `settings` of ChallengeExampleGen, with columns of slices only where there are some.

    So the cache knows the examples of versions that had no such setting.
    """
    without = {at: {"slice_columns"} for at, challenge in enumerate(settings) if not challenge.slice_columns}
    return _SETTINGS.dump_json([*settings], exclude=without).decode()


def settings_from_json(text: str) -> list[ChallengeConfig]:
    """Reads what `settings_to_json` returned."""
    return _SETTINGS.validate_json(text)


def sources_to_json(sources: Sequence[ChallengeSource]) -> str:
    """Returns the parameter `sources` of ChallengeExampleGen."""
    return _SOURCES.dump_json([*sources]).decode()


def sources_from_json(text: str) -> list[ChallengeSource]:
    """Reads what `sources_to_json` returned.

    Raises:
      pydantic.ValidationError: it is something else.
    """
    return _SOURCES.validate_json(text)


def rows_to_json(rows: Sequence[ChallengeRows]) -> str:
    """Returns the value of `CHALLENGES_PROPERTY`."""
    return _ROWS.dump_json([*rows]).decode()


def rows_from_json(text: str) -> list[ChallengeRows]:
    """Reads what `rows_to_json` returned; of an empty text none."""
    return _ROWS.validate_json(text) if text else []


_SETTINGS = TypeAdapter(list[ChallengeConfig])
_SOURCES = TypeAdapter(list[ChallengeSource])
_ROWS = TypeAdapter(list[ChallengeRows])
