"""Challenges: labelled texts from elsewhere, on which a model is measured and never trained. Light: no TensorFlow."""

from __future__ import annotations

from pydantic.dataclasses import dataclass

from components.recorded import KEEPS_UNKNOWN, Recorded


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
