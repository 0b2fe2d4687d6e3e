"""The texts without labels that a run scores."""

from __future__ import annotations

from pydantic import Field

from trainer.section import Section


class BulkConfig(Section):
    """Texts without labels that a run scores by its model, once that is blessed."""

    path: str | None = Field(
        None, min_length=1, description="A .csv, .jsonl, .parquet or .txt file, the first two also as .gz; null: none."
    )
    text_column: str = Field("title", min_length=1, description="Name of its column that holds the text.")
