"""Labelled rows that fit into memory, outside of a run: read by its rules, each title once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from components.headline_example_gen.resolve import Candidate, make_candidate, resolve
from components.headline_example_gen.settings import DataConfig
from components.labelled_csv.rows import Fault, read_rows


class LabelledRows(NamedTuple):
    """The rows of labelled files, and the counts of what is left out of them."""

    kept: list[Candidate]
    """A row for each text, in the order of `Candidate`."""
    rows: int
    """Of the files."""
    rejected: Counter[str]
    """Rows that a run would reject, by rule."""
    repeats: int
    """Rows that say again what another says."""
    contradictory: int
    """Rows of texts that have both labels."""

    @property
    def left_out(self) -> int:
        """How many rows are not kept, for whatever reason."""
        return self.rows - len(self.kept)


def read_labelled(
    paths: Sequence[str], settings: DataConfig, eval_paths: Sequence[str] = (), split: str | None = None
) -> LabelledRows:
    """Reads labelled CSV files.

    Args:
      paths: of the files.
      settings: of the data; `limit_rows` and `slice_columns` are not looked at.
      eval_paths: of those of `data.eval_data`.
      split: of all rows, where their own does not count: a text that is in both splits is kept then.

    Raises:
      InputError: a file cannot be read.
    """
    settings = settings.model_copy(update={"slice_columns": []})
    names = [*paths, *eval_paths]
    candidates: list[Candidate] = []
    rejected: Counter[str] = Counter()
    for file, path in enumerate(names):
        for row in read_rows(path, settings):
            if isinstance(row, Fault):
                rejected[row.rule] += 1
                continue
            candidate = make_candidate(row, file, settings, is_eval_data=file >= len(paths))
            candidates.append(candidate if split is None else candidate._replace(split=split))
    kept, repeats, contradictory = [], 0, 0
    for resolution in resolve(candidates, names, settings.label_names):
        if resolution.kept:
            kept.append(resolution.kept)
        repeats += len(resolution.repeats)
        contradictory += len(resolution.conflicts)
    return LabelledRows(kept, len(candidates) + rejected.total(), rejected, repeats, contradictory)
