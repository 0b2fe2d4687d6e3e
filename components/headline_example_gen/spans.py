"""TFX's spans and versions in a path: `{SPAN}` or a date, and `{VERSION}`, as FileBasedExampleGen's patterns have them.

A span is a numbered slice of the data, say a day's; a version is a later delivery of the same span.
"""

from __future__ import annotations

import dataclasses
import datetime
import fnmatch
import re
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from components.errors import InputError

_KNOWN = "{SPAN}, {SPAN:3} (3 digits), {DATE}, {YYYY}, {MM}, {DD}, {VERSION} or {VERSION:2}"
_SPEC = re.compile(r"(?P<name>SPAN|VERSION)(:(?P<width>[1-9][0-9]?))?|(?P<date>YYYY|MM|DD)")
_DATE_DIGITS = {"YYYY": 4, "MM": 2, "DD": 2}
_EPOCH = datetime.date(1970, 1, 1)  # TFX's day 0
_SHOWN_SPANS = 5
# Sets come first: what stands in one is no spec. `**/` is a glob's "any folders", if nothing else is in its place.
_TOKEN = re.compile(
    r"(?P<set>\[!?[^/][^]/]*\])|(?P<spec>\{[^{}]*\})|(?P<folders>(?<![^/])\*\*(/|$))|(?P<star>\*+)|(?P<character>.)",
    re.DOTALL,
)


class SpanVersion(NamedTuple):
    """A span's number, for dates the days since 1970-01-01, and its version if the pattern has one."""

    span: int
    version: int | None


@dataclasses.dataclass(frozen=True)
class SpanPattern:
    """A pattern that holds specs. Made by `parse_specs`."""

    shown: str
    """The pattern as messages quote it."""
    glob: str
    """Matches all that the pattern does, and names whose span is no number."""
    regex: re.Pattern[str]
    has_dates: bool

    def read(self, name: str) -> SpanVersion | None:
        """Returns the span and version in a name that `glob` matches; None where they are no numbers, or no day."""
        match = self.regex.fullmatch(name)
        if match is None:
            return None
        place = {spec: int(digits) for spec, digits in match.groupdict().items()}
        version = place.get("VERSION")
        if not self.has_dates:
            return SpanVersion(place["SPAN"], version)
        try:
            return SpanVersion((datetime.date(place["YYYY"], place["MM"], place["DD"]) - _EPOCH).days, version)
        except ValueError:  # the 30th of February
            return None

    def newest(
        self, names: Iterable[str], window_spans: int, last_span: int | str | None
    ) -> dict[SpanVersion, list[str]]:
        """Returns the newest version of each of the newest spans, up to `last_span`, with its files.

        Returns:
          At most `window_spans` spans, the oldest first, each with its names sorted.

        Raises:
          InputError: no name has a span, or none has `last_span`.
        """
        names = sorted(names)
        files: dict[SpanVersion, list[str]] = defaultdict(list)
        for name in names:
            if place := self.read(name):
                files[place].append(name)
        if not files:
            needs = "a date" if self.has_dates else "numbers"
            raise InputError(
                f"The file names must have {needs} where the pattern has {{...}}. Received: {self.shown}, "
                f"which matches only names such as {names[0]}. Rename the files or change --data."
            )
        versions = {place.span: place for place in sorted(files)}  # of each span the last, so the newest
        last = max(versions) if last_span is None else self._number(last_span)
        if last not in versions:
            there = [self.span_name(span) for span in versions]
            raise InputError(
                f"The data must hold the span data.last_span. Received: {last_span} for {self.shown}, "
                f"whose {'newest spans are' if len(there) > 1 else 'span is'} {', '.join(there[-_SHOWN_SPANS:])}. "
                "Give one of its spans, or none for the newest."
            )
        window = [place for span, place in versions.items() if span <= last][-window_spans:]
        return {place: files[place] for place in window}

    def span_name(self, span: int) -> str:
        """Returns a span's name for people: the day, or the number."""
        return (_EPOCH + datetime.timedelta(days=span)).isoformat() if self.has_dates else str(span)

    def _number(self, last_span: int | str) -> int:
        try:
            return int(last_span)
        except ValueError:
            pass
        try:
            day = datetime.date.fromisoformat(str(last_span)) if self.has_dates else None
        except ValueError:
            day = None
        if day is None:
            kind = "a day such as 2024-01-31, or its number since 1970-01-01" if self.has_dates else "a number"
            raise InputError(f"data.last_span must be {kind}. Received: {last_span} for {self.shown}.")
        return (day - _EPOCH).days


def expand_date(pattern: str) -> str:
    """Spells out `{DATE}`, the one spec that TFX does not know."""
    return pattern.replace("{DATE}", "{YYYY}-{MM}-{DD}")


def parse_specs(pattern: str, shown: str | None = None) -> SpanPattern | None:
    """Reads the specs of a pattern, beside which there may be globs.

    Args:
      pattern: relative to a base folder.
      shown: how messages quote it; as it is when not given.

    Returns:
      None for a pattern without specs.

    Raises:
      InputError: a spec is unknown or stands where it may not.
    """
    shown = shown or pattern
    names, regex, wildcards = [], "", ""
    for token in _TOKEN.finditer(expand_date(pattern)):
        kind, text = token.lastgroup, token.group()
        # `?*` and not `*`, so that neighbours never make up a `**`.
        wildcards += "?*" if kind == "spec" else text
        if kind == "spec":
            spec = _SPEC.fullmatch(text[1:-1])
            if spec is None:
                raise InputError(
                    f"A {{...}} in --data must be one of {_KNOWN}. Received: {text} in {shown}. "
                    "For a name that holds braces write [{] for {."
                )
            name = spec["name"] or spec["date"]
            width = spec["width"] or _DATE_DIGITS.get(name)
            names.append(name)
            regex += f"(?P<{name}>[0-9]{f'{{{width}}}' if width else '+'})"
        elif kind == "folders":
            regex += "(?:.*/)?" if text.endswith("/") else ".*"
        elif kind == "star":
            regex += "[^/]*?"  # few, so that `*{SPAN}` leaves the span all its digits
        else:
            regex += "[^/]" if text == "?" else fnmatch.translate(text).removesuffix(r"\Z")
    if not names:
        return None
    spans = sorted(name for name in names if name != "VERSION")
    if spans not in (["SPAN"], sorted(_DATE_DIGITS)) or names.count("VERSION") > 1:
        raise InputError(
            "--data must have {SPAN}, or one date ({DATE}, or {YYYY}, {MM} and {DD}), once, and {VERSION} at most "
            f"once. Received: {shown}."
        )
    if "{SPAN}{VERSION}" in pattern or "{VERSION}{SPAN}" in pattern:
        raise InputError(
            f"A span and a version must have something between them. Received: {shown}. "
            "Separate them, or give one a width, as {SPAN:3} has."
        )
    return SpanPattern(shown, wildcards, re.compile(regex, re.DOTALL), has_dates="SPAN" not in names)
