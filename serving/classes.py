"""The class that a score stands for, and the band of scores that are too unsure for one."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import NamedTuple

from serving.versions import version_folder

THRESHOLD = 0.5
NEWS, CLICKBAIT = NAMES = ("news", "clickbait")
UNSURE = "unsure"
NO_NUMBER = "?"
"""The class of a score that is NaN or infinite."""

_PAIR = re.compile(r"\s*([0-9.eE+-]+)\s*,\s*([0-9.eE+-]+)\s*")


class UnsureError(ValueError):
    """A band of unsure scores cannot be read."""

    exit_code = 2


class Unsure(NamedTuple):
    """A band of scores: below `begin` is news, from `end` on is clickbait, between is `unsure`."""

    begin: float
    end: float

    @classmethod
    def parse(cls, text: str) -> Unsure:
        """Reads `0.3,0.8`, or the band that `clickbait threshold choose` wrote into a version's card.

        Args:
          text: two scores, or the path of a card or of the folder of its version.

        Raises:
          UnsureError: it is neither.
        """
        if pair := _PAIR.fullmatch(text):
            try:
                return cls(float(pair[1]), float(pair[2])).checked()
            except ValueError as error:
                raise UnsureError(_rule(text)) from error
        path = Path(text)
        try:
            content = (path / version_folder.CARD if path.is_dir() else path).read_bytes()
        except OSError as error:
            raise UnsureError(_rule(f"{text}: {error.strerror}")) from error
        card = version_folder.parse_card(content)
        if card is None or card.threshold is None:
            raise UnsureError(_rule(f"{text}, {'no card' if card is None else 'a card without a threshold'}"))
        return cls(*card.threshold.unsure).checked()

    def checked(self) -> Unsure:
        """Returns the band itself.

        Raises:
          UnsureError: its ends are no scores in order.
        """
        if not 0 <= self.begin <= self.end <= 1:
            raise UnsureError(_rule(f"{self.begin:g},{self.end:g}"))
        return self


def class_of(score: float, unsure: Unsure | None = None) -> str:
    """Returns the name of a score's class; without a band that is clickbait above 0.5."""
    if not math.isfinite(score):
        return NO_NUMBER
    if unsure is None:
        return NAMES[score > THRESHOLD]
    return NEWS if score < unsure.begin else CLICKBAIT if score >= unsure.end else UNSURE


def _rule(received: str) -> str:
    return (
        "A band of unsure scores must be FROM,TO with 0 <= FROM <= TO <= 1, e.g. 0.3,0.8, or a version's card with a "
        f"threshold. Received: {received}. Give such, or type `clickbait threshold choose`."
    )
