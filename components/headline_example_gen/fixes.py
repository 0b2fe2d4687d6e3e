"""`data.label_fixes`: people's answers in files of `clickbait review`, which stand for the labels of the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pydantic import JsonValue

from components.errors import InputError
from components.headline_example_gen.files import find_csv_files
from components.headline_example_gen.report import Tally
from components.headline_example_gen.settings import DataConfig
from components.labelled_csv.digests import file_digest
from components.labelled_csv.rows import ANSWER, Fault, read_rows

_SHOWN_TITLES = 5
_SHOWN_CHARACTERS = 120


class LabelFixes(NamedTuple):
    """The answers of some files."""

    labels: Mapping[str, int] = {}
    """By the exact title."""
    places: Mapping[str, str] = {}
    """File and line of a title's first answer."""
    digests: Sequence[str] = ()
    """Of the files."""

    def report(self, answered: set[str], total: Tally) -> dict[str, JsonValue] | None:
        """Returns what the answers did, for the ingest's report; None without files.

        Args:
          answered: the titles that the data has.
          total: of all files.
        """
        if not self.digests:
            return None
        absent = [title for title in self.labels if title not in answered]
        shown: list[JsonValue] = [
            {"place": self.places[title], "title": title[:_SHOWN_CHARACTERS]} for title in absent[:_SHOWN_TITLES]
        ]
        counts = {name: sum(counts[name] for counts in total.files.values()) for name in ("answered", "relabelled")}
        return {"answers": len(self.labels), **counts, "absent": len(absent), "shown": shown}


class _Answers(DataConfig):
    """The columns of a review file in place of those of the data."""

    @property
    def columns(self) -> dict[str, str]:
        """The texts' column, and that of the answers."""
        return {"--text-column": self.text_column, f"`{ANSWER}`": ANSWER}


def read_fixes(location: str | None, settings: DataConfig) -> LabelFixes:
    """Reads the answers of files of `clickbait review`; an empty answer is none.

    An answer is a value of `data.labels`, or 0 or 1 where these do not say otherwise.

    Args:
      location: a file, a folder or a pattern, as `find_csv_files` takes it; None has no answers.
      settings: the section `data`.

    Raises:
      InputError: a file cannot be read, a row is at fault, an answer is no label, or a title has two answers; with
        file and row.
    """
    if location is None:
        return LabelFixes()
    try:
        paths = find_csv_files(location).paths
    except InputError as error:
        raise InputError(str(error).replace("--data", "data.label_fixes")) from error
    reading = _Answers(
        text_column=settings.text_column,
        label_column=ANSWER,
        labels={"0": 0, "1": 1, **settings.labels},
        max_title_characters=settings.max_title_characters,
        max_row_lines=settings.max_row_lines,
    )
    labels: dict[str, int] = {}
    places: dict[str, str] = {}
    for path in paths:
        for row in read_rows(path, reading):
            place = f"{path}:{row.line}"
            if isinstance(row, Fault):
                if row.rule == "blank_label":
                    continue
                raise InputError(
                    f"{place}: an answer of data.label_fixes must be {' or '.join(reading.labels)}, or empty, in a "
                    f"whole row. Received: {row.reason}. Mend the row."
                )
            if labels.setdefault(row.title, row.label) != row.label:
                raise InputError(
                    f"{place}: a title must have one answer in data.label_fixes. Received: {row.label} here and "
                    f"{labels[row.title]} in {places[row.title]} for {row.title[:_SHOWN_CHARACTERS]!r}. Keep one."
                )
            places.setdefault(row.title, place)
    # Last, so that a file that grows while it is read does not pass for what it was.
    return LabelFixes(labels, places, [*map(file_digest, paths)])
