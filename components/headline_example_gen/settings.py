"""The data: where the headlines come from, which rows are taken, and how they are split."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from trainer.section import Section


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
    text_column: str = Field("title", min_length=1, description="Name of the CSV column that holds the headline.")
    label_column: str = Field("label", min_length=1, description="Name of the CSV column that holds the label.")
    labels: dict[str, Literal[0, 1]] = Field(
        {"0": 0, "1": 1},
        min_length=2,
        description="The label column's values, in any casing, to 0 and 1 (1 is clickbait).",
    )
    max_title_characters: int = Field(
        10_000, ge=1, le=1_000_000, description="Longer titles are rejected, in characters."
    )
    max_row_lines: int = Field(
        20,
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
        description="Hash buckets of titles whose rows train; 7 buckets beside 3 are a 70/30 split.",
    )
    eval_buckets: int = Field(3, ge=1, le=99, description="Hash buckets of titles whose rows evaluate.")

    @property
    def label_names(self) -> tuple[str, str]:
        """A value of the label column for 0, and one for 1."""
        of_class: dict[int, str] = {label: name for name, label in reversed([*self.labels.items()])}
        return of_class[0], of_class[1]

    @property
    def train_share(self) -> float:
        """Share of the rows that the split train should have."""
        return self.train_buckets / (self.train_buckets + self.eval_buckets)

    @field_validator("labels")
    @classmethod
    def _both_classes(cls, labels: dict[str, int]) -> dict[str, int]:
        mapped = {name.strip().lower(): label for name, label in labels.items()}
        contradictory = any(mapped[name.strip().lower()] != label for name, label in labels.items())
        if set(mapped.values()) != {0, 1} or "" in mapped or contradictory:
            raise ValueError("must name both classes, each label once")
        return mapped
