"""The rules that a row of labelled texts is read by, as the sections of the configuration declare them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

from components.slices import NATURAL_SLICES, VARIANT
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
    def slice_columns(self) -> Sequence[str] | None: ...

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


def check_slice_columns(names: Sequence[str], text_column: str, label_column: str) -> None:
    """Checks the names of columns whose values are slices; for a validator of pydantic.

    Raises:
      ValueError: one is that of the text or the label, of a slice that is there already, has a `=`, or is there twice.
    """
    own = {VARIANT, *NATURAL_SLICES}
    faults = {
        "which is the text or the label": {text_column, label_column},
        f"which names slices of the evaluation's own, as {', '.join(sorted(own))} do": own,
        "which has a =, by which a slice is named": {name for name in names if "=" in name},
        "twice": {name for name in names if names.count(name) > 1},
    }
    for fault, refused in faults.items():
        if wrong := [name for name in names if name in refused]:
            raise ValueError(
                "slice_columns must name columns of slices, each once. Received: "
                f"{wrong[0]!r}, {fault}. Leave it out, or rename the column."
            )
