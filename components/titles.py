"""The key of a title, by which rows are split, sampled and ordered; equal titles have equal keys."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from typing import NamedTuple

# Default_Ignorable_Code_Point (Unicode's DerivedCoreProperties.txt), as far as it is assigned: what shows nothing.
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)


class TitleKey(NamedTuple):
    """A title's two hashes, independent of each other; titles that `normalize` makes equal have equal keys."""

    split: int
    """From 0 to 2**64 - 1; its remainder by the number of buckets is the title's bucket."""
    order: int
    """From 0 to 2**64 - 1; the place in a sample and in a split's files."""


def normalize(title: str) -> str:
    """Returns a title without differences of compatibility form, casing, invisible characters and white space.

    Follows the compatibility caseless match of the Unicode Standard (section 3.13, definition D146).
    """
    if title.isascii():
        return " ".join(title.lower().split())
    shown = _INVISIBLE.sub("", title)  # first: U+034F would keep accents from being ordered
    folded = _nfkd(_nfkd(unicodedata.normalize("NFD", shown).casefold()).casefold())
    return " ".join(folded.split())


def title_key(title: str) -> TitleKey:
    """Returns the key of a title, the same in every process and on every machine."""
    digest = hashlib.blake2b(normalize(title).encode(), digest_size=16).digest()
    return TitleKey(int.from_bytes(digest[:8], "big"), int.from_bytes(digest[8:], "big"))


def _nfkd(text: str) -> str:
    return unicodedata.normalize("NFKD", text)
