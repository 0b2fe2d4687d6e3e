"""The rules that a row of labelled texts is read by, as the sections of the configuration declare them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

from trainer.features import EVAL_SPLIT, TRAIN_SPLIT

MAX_TITLE_CHARACTERS = 10_000
MAX_ROW_LINES = 20

SPLIT_NAMES = {
    **dict.fromkeys(("train", "training"), TRAIN_SPLIT),
    **dict.fromkeys(("eval", "evaluation", "val", "valid", "validation", "dev", "test", "testing"), EVAL_SPLIT),
}
"""Values of a column of splits, as `normalize` leaves them, to the splits."""


class RowRules(Protocol):
    """The columns that are read, and what a row must keep; see `DataConfig` for what each means."""

    @property
    def text_column(self) -> str: ...

    @property
    def label_column(self) -> str: ...

    @property
    def labels(self) -> Mapping[str, Literal[0, 1]]: ...

    @property
    def split_column(self) -> str | None: ...

    @property
    def group_column(self) -> str | None: ...

    @property
    def slice_columns(self) -> Sequence[str]: ...

    @property
    def max_title_characters(self) -> int: ...

    @property
    def max_row_lines(self) -> int: ...

    @property
    def columns(self) -> Mapping[str, str]:
        """The columns that are read, by the option or setting that names each: text, label, and others."""


def both_classes(labels: dict[str, Literal[0, 1]]) -> dict[str, Literal[0, 1]]:
    """Returns the values of a label column, as they are compared, to 0 and 1; a validator of pydantic.

    Raises:
      ValueError: a class has no value, or a value both classes.
    """
    mapped = {name.strip().lower(): label for name, label in labels.items()}
    contradictory = any(mapped[name.strip().lower()] != label for name, label in labels.items())
    if set(mapped.values()) != {0, 1} or "" in mapped or contradictory:
        raise ValueError("must name both classes, each label once")
    return mapped
