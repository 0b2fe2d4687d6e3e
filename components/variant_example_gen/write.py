"""A split and the variants of its rows, as files of tf.Examples. Needs no TFX."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from components.record_batches import list_files, open_writer, read_batches, texts, with_columns
from components.slices import AS_IS, CHALLENGE, ROW, SPLIT, VARIANT, slice_title
from components.variant_example_gen.perturbations import perturb
from trainer import features


def write_variants(
    source: str | Path, target: str | Path, split: str, variants: Sequence[str], shares: Mapping[str, float] = {}
) -> int:
    """Writes a file for each file and variant, and returns how many rows the split has.

    Args:
      source: folder of the split.
      target: folder for its variants.
      split: its name.
      variants: what to write of each row, see `perturbations`.
      shares: by challenge, of its rows, evenly spread, which all variants but the rows as they are have; else all have.
    """
    files, rows = list_files(source), 0
    count = len(files) * len(variants)
    for number, file in enumerate(files):
        names = (f"data_tfrecord-{n:05d}-of-{count:05d}.gz" for n in range(number, count, len(files)))
        with contextlib.ExitStack() as stack:
            writers = [stack.enter_context(open_writer(Path(target, name))) for name in names]
            for batch in read_batches(file):
                titles = texts(batch, features.TITLE)
                slices = [slice_title(title) for title in titles]
                of_the_rows: dict[str, np.ndarray | list[str]] = {
                    name: [natural[name] for natural in slices] for name in slice_title("")
                }
                numbers = np.arange(rows, rows + len(titles))
                of_the_rows |= {SPLIT: [split] * len(titles), ROW: numbers}
                share = np.array([shares[name] for name in texts(batch, CHALLENGE)]) if shares else np.ones(len(titles))
                sampled = pa.array(np.floor((numbers + 1) * share) > np.floor(numbers * share))
                for variant, write in zip(variants, writers, strict=True):
                    written = [perturb(title, variant) for title in titles]
                    columns = {**of_the_rows, features.TITLE: written, VARIANT: [variant] * len(titles)}
                    whole = with_columns(batch, columns)
                    write(whole if variant == AS_IS else whole.filter(sampled))
                rows += len(titles)
    return rows
