"""The variants of all splits by Beam, for an engine: a file is one worker's."""

from __future__ import annotations

from collections.abc import Sequence

import apache_beam as beam

from components.beam_jobs import WriteResults, take_results
from components.record_batches import count_rows, list_files, remove_partial_files
from components.variant_example_gen.write import SplitToWrite, write_file

_File = tuple[SplitToWrite, int]
"""A split, and the number of a file in it."""


def write_on_beam(pipeline: beam.Pipeline, splits: Sequence[SplitToWrite], scratch: str) -> dict[str, int]:
    """Runs the pipeline, which writes the very files of `write_variants`, and returns how many rows each split has.

    Args:
      pipeline: not yet run.
      splits: what is written.
      scratch: a path for the result.
    """
    files = [(split, number) for split in splits for number in range(len(list_files(split.source)))]
    with pipeline:
        spread = pipeline | "Files" >> beam.Create(files) | "Spread" >> beam.Reshuffle()
        counts = spread | "Count" >> beam.Map(_count)
        _ = spread | "Write" >> beam.Map(_write, beam.pvalue.AsList(counts))
        _ = counts | "Counts" >> WriteResults(scratch)
    remove_partial_files(split.target for split in splits)
    rows = {split.name: 0 for split in splits}
    for name, _, count in take_results(scratch):
        rows[name] += count
    return rows


def _count(element: _File) -> tuple[str, int, int]:
    split, number = element
    return split.name, number, count_rows(list_files(split.source)[number])


def _write(element: _File, counts: Sequence[tuple[str, int, int]]) -> None:
    split, number = element
    before = (count for name, earlier, count in counts if name == split.name and earlier < number)
    write_file(split, number, sum(before))
