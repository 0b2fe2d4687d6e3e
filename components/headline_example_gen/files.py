"""The CSV files of `--data`, as TFX's pair of an input base and a pattern below it."""

from __future__ import annotations

import glob
import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from components.errors import InputError
from components.headline_example_gen.spans import SpanVersion, expand_date, parse_specs
from components.labelled_csv.digests import explained, file_digest

_ENDINGS = (".csv", ".csv.gz")
# The pattern of a folder. No glob can say "either ending", so this one is filtered; it is spelled as nobody spells
# it, so that a user's own `*.csv*` is a glob.
FOLDER_PATTERN = "*[.]csv*"


class CsvInput(NamedTuple):
    """The input of FileBasedExampleGen: a folder, a pattern relative to it, and the files that match now."""

    base: str
    """The deepest folder that is no pattern."""
    pattern: str
    """With its specs, so that `resolve_pattern` can find the files again."""
    paths: tuple[str, ...]
    """By span, then by name."""
    spans: tuple[SpanVersion, ...] = ()
    """The oldest first; empty for a pattern without specs."""

    @property
    def location(self) -> str:
        """What `find_csv_files` finds these files by."""
        if self.pattern == FOLDER_PATTERN:
            return self.base
        if len(self.paths) == 1:
            return self.paths[0]
        return str(Path(glob.escape(self.base).replace("{", "[{]")) / self.pattern)

    @property
    def span(self) -> int | None:
        """The newest."""
        return self.spans[-1].span if self.spans else None

    @property
    def version(self) -> int | None:
        """The newest span's."""
        return self.spans[-1].version if self.spans else None


def find_csv_files(path: str, *, window_spans: int = 1, last_span: int | str | None = None) -> CsvInput:
    """Resolves `--data`.

    Args:
      path: a file of any name, a folder that holds .csv or .csv.gz files, or a pattern: globs, also `**`, and specs
        of spans (see `spans`). What exists under the very name is itself, whatever it looks like.
      window_spans: how many of the newest spans to take.
      last_span: the newest span to take, a number or, where the pattern has dates, also a day as 2024-01-31; None
        takes the newest there is.

    Raises:
      InputError: nothing is there, the specs are at fault, or spans are asked for and there are no specs.
    """
    with explained(path):
        base, pattern = _split(Path(path).expanduser(), path)
    return resolve_pattern(base, pattern, window_spans=window_spans, last_span=last_span)


def resolve_pattern(base: str, pattern: str, *, window_spans: int = 1, last_span: int | str | None = None) -> CsvInput:
    """Finds the files of a `CsvInput` as they are now; the same ones in any process.

    Args:
      base: as in CsvInput.
      pattern: as in CsvInput.
      window_spans: as in `find_csv_files`.
      last_span: as in `find_csv_files`.

    Raises:
      InputError: as `find_csv_files`.
    """
    shown = base if pattern == FOLDER_PATTERN else str(Path(base) / pattern)
    if window_spans < 1:
        raise InputError(f"data.window_spans must be at least 1 span. Received: {window_spans}.")
    specs = parse_specs(pattern, shown)
    if specs is None and (window_spans > 1 or last_span is not None):
        raise InputError(
            "data.window_spans and data.last_span must be used with data in spans. Received: "
            f"window_spans={window_spans} and last_span={last_span} for {shown}, which has none. "
            "Leave them out, or put {SPAN} or {DATE} into --data."
        )
    with explained(shown):
        names = _glob(base, specs.glob if specs else pattern)
    if not names and pattern == FOLDER_PATTERN:
        raise InputError(
            f"A data folder must hold .csv or .csv.gz files. Received: {shown}, which holds neither. Give another "
            "--data."
        )
    if not names:
        raise InputError(
            f"The data must be there. Received: {shown}, a pattern that matches no file. Give another --data."
        )
    chosen = specs.newest(names, window_spans, last_span) if specs else {}
    if specs:
        names = [name for group in chosen.values() for name in group]
    return CsvInput(base, pattern, tuple(str(Path(base) / name) for name in names), tuple(chosen))


def data_digest(paths: Sequence[str], eval_paths: Sequence[str] = (), fix_paths: Sequence[str] = ()) -> str:
    """Returns `files_digest` of the files at `paths`, of `data.eval_data` and of `data.label_fixes`, in their order.

    Raises:
      InputError: a file cannot be read, or is in both.
    """
    digests = [*map(file_digest, (*paths, *eval_paths))]
    require_apart((*paths, *eval_paths), digests, len(paths))
    return files_digest(digests[: len(paths)], digests[len(paths) :], [*map(file_digest, fix_paths)])


def require_apart(paths: Sequence[str], digests: Sequence[str], first_of_eval: int) -> None:
    """Refuses a file of `data.eval_data` that is one of `data.path`, too, under whatever name.

    Args:
      paths: of all files.
      digests: of all files.
      first_of_eval: the number of the first file of `data.eval_data`.

    Raises:
      InputError: names both.
    """
    for path, digest in zip(paths[first_of_eval:], digests[first_of_eval:], strict=True):
        if digest in digests[:first_of_eval]:
            raise InputError(
                f"--eval-data must be no part of --data, for it would be trained on. Received: {path}, whose content "
                f"is that of {paths[digests.index(digest)]}. Give another, or take it out of --data."
            )


def files_digest(digests: Iterable[str], eval_digests: Sequence[str] = (), fix_digests: Sequence[str] = ()) -> str:
    """Returns one digest for files of these digests, in their order; the files' names do not count.

    One file's stays what it is. That of more is what `sha256sum FILES | cut -c-64 | sha256sum` prints, so that two
    files are not the same as one that holds both. With files of `data.eval_data` it is what `sha256sum` prints of the
    two lines `train DIGEST` and `eval DIGEST`, each digest without its `sha256:`; files of `data.label_fixes` add a
    line `fixes DIGEST`.
    """
    digests = list(digests)
    if eval_digests or fix_digests:
        parts = {"train": digests, "eval": eval_digests, "fixes": fix_digests}
        lines = "".join(
            f"{name} {files_digest(part).removeprefix('sha256:')}\n" for name, part in parts.items() if part
        )
    elif len(digests) == 1:
        return digests[0]
    else:
        lines = "".join(digest.removeprefix("sha256:") + "\n" for digest in digests)
    return f"sha256:{hashlib.sha256(lines.encode()).hexdigest()}"


def _split(place: Path, given: str) -> tuple[str, str]:
    if place.is_file():
        # Neither a glob nor a spec.
        return str(place.parent.resolve()), glob.escape(place.name).replace("{", "[{]")
    if place.is_dir():
        return str(place.resolve()), FOLDER_PATTERN
    if not _is_pattern(place):
        raise InputError(
            f"The data must be there. Received: {given}, where there is nothing. Give --data FILE-or-folder."
        )
    base = next(folder for folder in place.parents if not _is_pattern(folder))
    return str(base.absolute()), expand_date(str(place.relative_to(base)))


def _is_pattern(place: Path) -> bool:
    return glob.has_magic(str(place)) or ("{" in str(place) and not place.is_dir())


def _glob(base: str, pattern: str) -> list[str]:
    # As glob, and so TFX, matches: no hidden files such as the `._a.csv` of macOS.
    found = {name for name in glob.glob(pattern, root_dir=base, recursive=True) if (Path(base) / name).is_file()}
    if not found:
        next(Path(base).iterdir(), None)  # glob takes a folder that may not be listed for an empty one
    if pattern == FOLDER_PATTERN:
        found = {name for name in found if name.endswith(_ENDINGS)}
    return sorted(found)
