"""The data: where the headlines come from, which rows are taken, and how they are split."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from components.labelled_csv.rules import MAX_ROW_LINES, MAX_TITLE_CHARACTERS, both_classes, check_slice_columns
from trainer.section import Section

LOCATIONS = frozenset({"path", "eval_data", "label_fixes", "schema_file"})
"""Settings that only locate files; a run goes by the digests of these."""

NOT_THE_ROWS = frozenset({"slice_columns"})
"""Settings that change neither which rows there are nor their title, label and split."""


class DataConfig(Section):
    """Where the headlines come from and how they are split."""

    path: str | None = Field(
        None,
        min_length=1,
        description="CSV file, folder or glob, also s3://, gs:// or minio://, with {SPAN}, {DATE} or {YYYY}, {MM}, "
        "{DD}, and {VERSION}, where data comes in spans; null: the fetched CSV, else the bundled sample.",
    )
    window_spans: int = Field(1, ge=1, description="How many spans are taken, the newest version of each.")
    last_span: str | None = Field(
        None, min_length=1, description="Newest span that is taken, a number or an ISO date; null: the newest there is."
    )
    eval_data: str | None = Field(
        None,
        min_length=1,
        description="CSV file, folder or glob, or a URL as of path, whose rows evaluate; all rows of path train. Of "
        "spans the newest. null: path has the rows of both splits.",
    )
    label_fixes: str | None = Field(
        None,
        min_length=1,
        description="CSV file, folder or glob of `clickbait review`, or a URL as of path: its answers stand for the "
        "labels of rows with exactly their titles. null: labels are as the data has them.",
    )
    text_column: str = Field("title", min_length=1, description="Name of the CSV column that holds the headline.")
    label_column: str = Field("label", min_length=1, description="Name of the CSV column that holds the label.")
    labels: dict[str, Literal[0, 1]] = Field(
        {"0": 0, "1": 1},
        min_length=2,
        description="The label column's values, in any casing, to 0 and 1 (1 is clickbait).",
    )
    split_column: str | None = Field(
        None,
        min_length=1,
        description="Name of the CSV column that says which split a row is in, in any casing: train or training; "
        "eval, evaluation, val, valid, validation, dev, test or testing. null: the hash of the title, or eval_data.",
    )
    group_column: str | None = Field(
        None,
        min_length=1,
        description="Name of a CSV column, as of the source or story: rows of one value, in any casing, stay in one "
        "split, which is by the hash of the value; rows without one by that of the title. With "
        "split_column or eval_data, a group in both splits is refused. null: by the title.",
    )
    slice_columns: list[Annotated[str, Field(min_length=1)]] = Field(
        [],
        description="Names of CSV columns, as of the source or the language: the values of each are slices of the "
        "evaluation, such as source=bbc. The model does not see them.",
    )
    max_title_characters: int = Field(
        MAX_TITLE_CHARACTERS, ge=1, le=1_000_000, description="Longer titles are rejected, in characters."
    )
    max_row_lines: int = Field(
        MAX_ROW_LINES,
        ge=1,
        description="A row that spans more lines is rejected: its quote was closed by another row's.",
    )
    schema_file: str | None = Field(
        None, min_length=1, description="Schema that the data must fit; null: data/schema.pbtxt."
    )
    limit_rows: int | None = Field(None, ge=10, description="Use at most this many rows; null: all rows.")
    train_buckets: int = Field(
        7,
        ge=1,
        le=99,
        description="Hash buckets of titles, or of groups, whose rows train; 7 buckets beside 3 are a 70/30 split.",
    )
    eval_buckets: int = Field(3, ge=1, le=99, description="Hash buckets of titles, or of groups, whose rows evaluate.")

    @property
    def label_names(self) -> tuple[str, str]:
        """A value of the label column for 0, and one for 1."""
        of_class: dict[int, str] = {label: name for name, label in reversed([*self.labels.items()])}
        return of_class[0], of_class[1]

    @property
    def train_share(self) -> float | None:
        """Share of the rows that the split train should have; None where the data says what evaluates."""
        if self.split_column or self.eval_data:
            return None
        return self.train_buckets / (self.train_buckets + self.eval_buckets)

    @property
    def columns(self) -> dict[str, str]:
        """The columns that are read, by the option or setting that names each: text, label, split, group and slices.

        A column is there once: a slice column that another setting names, too, stands under that one.
        """
        named = {
            "--text-column": self.text_column,
            "--label-column": self.label_column,
            "data.split_column": self.split_column,
            "data.group_column": self.group_column,
        }
        columns = {option: column for option, column in named.items() if column is not None}
        slices = {f"data.slice_columns[{place}]": column for place, column in enumerate(self.slice_columns)}
        return columns | {option: column for option, column in slices.items() if column not in columns.values()}

    def to_json(self) -> str:
        """Returns HeadlineExampleGen's parameter: without `LOCATIONS`, and slice columns only where there are some.

        So the cache knows the examples of versions that had no such setting.
        """
        return self.model_dump_json(exclude={*LOCATIONS, *(() if self.slice_columns else ("slice_columns",))})

    @property
    def split_by(self) -> str:
        """What decides the split of a row, for people; empty for the hash of its title."""
        if self.split_column:
            return f"the column {self.split_column!r}"
        if self.eval_data:
            return "data.eval_data"
        return f"the hash of the column {self.group_column!r}" if self.group_column else ""

    _both_classes = field_validator("labels")(both_classes)

    @model_validator(mode="after")
    def _one_split(self) -> Self:
        if self.split_column and self.eval_data:
            raise ValueError(
                "split_column and eval_data must not be given together, for each says which rows evaluate. Received: "
                f"split_column={self.split_column!r} and eval_data={self.eval_data!r}. Leave one out."
            )
        return self

    @model_validator(mode="after")
    def _columns_of_slices(self) -> Self:
        check_slice_columns(self.slice_columns, self.text_column, self.label_column)
        return self
