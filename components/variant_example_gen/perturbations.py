"""Variants of a title with other casing, punctuation or spelling.

Each is a pure function of one title, so that the copies of a row do not depend on the other rows or their order. What
would leave nothing of a title leaves it as it is.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable

from components.slices import AS_IS

_WORD = re.compile(r"\S+")
_LONG_WORD = re.compile(r"[^\W\d_]{4,}")
_APOSTROPHES = "'\u2019\u2018\u02bc"
_NEGATION = re.compile(r"\b(?!ai)(\w+)n['\u2019](t)\b", re.IGNORECASE)
_STEMS = {"wo": "will", "ca": "can", "sha": "shall"}
_CONTRACTION = re.compile(
    r"\b(I|you|he|she|it|we|they|who|what|that|there|here|where|how|let)['\u2019](re|ve|ll|m|s)\b", re.IGNORECASE
)
_ENDINGS = {"re": "are", "ve": "have", "ll": "will", "m": "am", "s": "is"}
_STRAIGHT = str.maketrans({"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"'})
_QUOTE = re.compile("['\"]")
_OPENS = re.compile(r"(?:^|[\s(\[{\u2014\u2013-])$")
_CURLY = {"'": ("\u2018", "\u2019"), '"': ("\u201c", "\u201d")}
_EMOJI = ("\U0001f602", "\U0001f62e", "\U0001f525", "\U0001f44d", "\u2764\ufe0f", "\U0001f64f", "\U0001f389")


def perturb(title: str, variant: str) -> str:
    """Returns a variant of a title; never empty where the title is not.

    Args:
      title: any text.
      variant: one of `slices.VARIANTS`.
    """
    written = _PERTURBATIONS[variant](title)
    return written if written.strip() else title


def title_case(title: str) -> str:
    """Returns each word with its first character upper, the rest lower ("You're"), as `trainer.casing.title_case`."""
    return _WORD.sub(lambda word: word[0][:1].upper() + word[0][1:].lower(), title)


def strip_punctuation(title: str) -> str:
    """Returns the title without punctuation: an apostrophe joins ("Youre"), any other separates words."""
    closed = "".join(character for character in title if character not in _APOSTROPHES)
    parted = "".join(" " if unicodedata.category(sign).startswith("P") else sign for sign in closed)
    return " ".join(parted.split())


def misspell(title: str) -> str:
    """Drops, doubles or swaps one letter inside a word of four or more; the title's digest decides."""
    words = list(_LONG_WORD.finditer(title))
    if not words:
        return title
    draw = _digest(title)
    draw, chosen = divmod(draw, len(words))
    word = words[chosen]
    draw, place = divmod(draw, len(word[0]) - 3)  # the first letter and the last one stay
    here = word.start() + 1 + place
    before, letter, following, after = title[:here], title[here], title[here + 1], title[here + 2 :]
    edits: tuple[str, ...] = (following, letter + letter + following, following + letter)
    if letter == following:  # a swap would change nothing
        edits = edits[:2]
    return before + edits[draw % len(edits)] + after


def mask_digits(title: str) -> str:
    """Replaces every decimal digit, of any script, by `#`."""
    return "".join("#" if character.isdecimal() else character for character in title)


def requote(title: str) -> str:
    """Expands contractions ("You are"), and turns straight quotes curly, and curly ones straight."""
    title = _CONTRACTION.sub(_expand, _NEGATION.sub(_expand_negation, title))
    if title.translate(_STRAIGHT) != title:
        return title.translate(_STRAIGHT)
    return _QUOTE.sub(_curl, title)


def surround_with_space(title: str) -> str:
    """Surrounds the title with white space, also of a kind that is no blank."""
    return f" \t{title}\u00a0 \n"


def add_emoji(title: str) -> str:
    """Appends an emoji, chosen by the title's digest."""
    return f"{title} {_EMOJI[_digest(title) % len(_EMOJI)]}"


def _expand_negation(found: re.Match[str]) -> str:
    stem, ending = found.groups()
    if full := _STEMS.get(stem.lower()):
        stem = full.upper() if stem.isupper() else stem[0] + full[1:]
    return f"{stem} {'NOT' if ending.isupper() else 'not'}"


def _expand(found: re.Match[str]) -> str:
    stem, ending = found.groups()
    word = "us" if stem.lower() == "let" else _ENDINGS[ending.lower()]
    return f"{stem} {word.upper() if ending.isupper() else word}"


def _curl(found: re.Match[str]) -> str:
    opening, closing = _CURLY[found[0]]
    return opening if _OPENS.search(found.string[: found.start()]) else closing


def _digest(title: str) -> int:
    return int.from_bytes(hashlib.blake2b(title.encode(errors="surrogatepass"), digest_size=16).digest(), "big")


_PERTURBATIONS: dict[str, Callable[[str], str]] = {
    AS_IS: str,
    "lower": str.lower,
    "upper": str.upper,
    "title": title_case,
    "no_punctuation": strip_punctuation,
    "typo": misspell,
    "no_digits": mask_digits,
    "quotes": requote,
    "white_space": surround_with_space,
    "emoji": add_emoji,
}
