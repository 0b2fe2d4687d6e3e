"""A split and the variants of its rows, as files of tf.Examples. Needs no TFX."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from components.record_batches import list_files, open_writer, read_batches, texts, with_columns
from components.slices import AS_IS, CHALLENGE, ROW, SPLIT, VARIANT, slice_title
from components.variant_example_gen.perturbations import perturb
from trainer import features


class SplitToWrite(NamedTuple):
    """What is written of a split."""

    name: str
    source: str
    """Its folder."""
    target: str
    """The folder for its variants."""
    variants: Sequence[str]
    """What is written of each row, see `perturbations`."""
    shares: Mapping[str, float] = {}
    """By challenge, of its rows, evenly spread, which all variants but the rows as they are have; else all have."""


def write_variants(split: SplitToWrite) -> int:
    """Writes a file for each file and variant, and returns how many rows the split has."""
    rows = 0
    for number in range(len(list_files(split.source))):
        rows += write_file(split, number, rows)
    return rows


def write_file(split: SplitToWrite, number: int, first_row: int) -> int:
    """Writes the variants of a file, and returns how many rows it has.

    Args:
      split: what is written.
      number: of the file among the split's.
      first_row: how many rows the files before it have.
    """
    files, rows = list_files(split.source), first_row
    count = len(files) * len(split.variants)
    names = (f"data_tfrecord-{n:05d}-of-{count:05d}.gz" for n in range(number, count, len(files)))
    with contextlib.ExitStack() as stack:
        writers = [stack.enter_context(open_writer(Path(split.target, name))) for name in names]
        for batch in read_batches(files[number]):
            titles = texts(batch, features.TITLE)
            slices = [slice_title(title) for title in titles]
            of_the_rows: dict[str, np.ndarray | list[str]] = {
                name: [natural[name] for natural in slices] for name in slice_title("")
            }
            numbers = np.arange(rows, rows + len(titles))
            of_the_rows |= {SPLIT: [split.name] * len(titles), ROW: numbers}
            share = np.ones(len(titles))
            if split.shares:
                share = np.array([split.shares[name] for name in texts(batch, CHALLENGE)])
            sampled = pa.array(np.floor((numbers + 1) * share) > np.floor(numbers * share))
            for variant, write in zip(split.variants, writers, strict=True):
                written = [perturb(title, variant) for title in titles]
                columns = {**of_the_rows, features.TITLE: written, VARIANT: [variant] * len(titles)}
                whole = with_columns(batch, columns)
                write(whole if variant == AS_IS else whole.filter(sampled))
            rows += len(titles)
    return rows - first_row
