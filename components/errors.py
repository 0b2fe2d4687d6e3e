"""Errors in the data, as messages for the user; and the message of any error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from components.beam_faults import explain_beam

if TYPE_CHECKING:
    from pydantic import JsonValue

EXIT_FAILED = 1


class InputError(Exception):
    """The input cannot be read: there is no such file, column or format."""

    exit_code = 2


class DataRefused(Exception):  # noqa: N818  the contract's own words
    """The input was read and its rows are not fit for training.

    Attributes:
      findings: what the gate found, as JSON has it: `Finding.as_dict()` each.
    """

    exit_code = 3

    def __init__(self, message: str, findings: Sequence[Mapping[str, JsonValue]] = ()):
        super().__init__(message)
        self.findings = list(findings)


def describe_failure(error: BaseException) -> tuple[int, str]:
    """Returns exit code and message of the first exception in the chain that is for the user, else of the error."""
    seen: BaseException | None = error
    while seen is not None:
        if hasattr(seen, "exit_code"):
            return seen.exit_code, str(seen)
        if message := explain_beam(seen):
            return EXIT_FAILED, message
        seen = seen.__cause__ or seen.__context__
    if isinstance(error, ImportError):
        return EXIT_FAILED, _explain_import(error)
    return EXIT_FAILED, f"{type(error).__name__}: {_first_line(error)}"


def _explain_import(error: ImportError) -> str:
    while isinstance(error.__cause__, ImportError):  # TFX says which class it wanted, its cause why there is none
        error = error.__cause__
    return (
        f"{error.name or 'All that a run needs'} must be importable. Received: {_first_line(error)}. "
        "`clickbait doctor` checks the installation and says what to do."
    )


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [""])[0]
