"""Faults of the data, as messages for the user."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class InputError(Exception):
    """The input cannot be read as what it was said to be: no such file, column or format."""

    exit_code = 2


class DataRefused(Exception):  # noqa: N818  the contract's own words
    """The input was read and its rows are not fit for training.

    Attributes:
      findings: what the gate found, as dicts of `Finding`.
    """

    exit_code = 3

    def __init__(self, message: str, findings: Sequence[dict[str, Any]] = ()):
        super().__init__(message)
        self.findings = list(findings)
