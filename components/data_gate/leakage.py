"""Titles that are in both splits, found by Beam over the examples themselves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import apache_beam as beam
import numpy as np
import tensorflow as tf
from tfx.dsl.io import fileio

from components.beam_jobs import WriteResults, take_results
from components.record_batches import read_values
from components.titles import title_key
from trainer import features

_SHARDS = 64
_SHOWN_TITLES = 5


def find_leaks(pipeline: beam.Pipeline, splits: Mapping[str, str], scratch: str) -> tuple[int, list[str]]:
    """Runs the pipeline over the examples of two splits.

    Args:
      pipeline: not yet run.
      splits: name to folder of TFRecords of tf.Examples.
      scratch: a path for the result; 8 bytes a leak lie beside it until this returns.

    Returns:
      How many titles are in more than one split, and some of them.
    """
    files = [(split, file) for split, folder in splits.items() for file in sorted(fileio.glob(f"{folder}/*"))]
    with pipeline:
        _ = (
            pipeline
            | "Files" >> beam.Create(files)
            | "Spread" >> beam.Reshuffle()
            | "Keys" >> beam.FlatMap(_read_keys)
            | "ByShard" >> beam.GroupByKey()
            | "Common" >> beam.FlatMap(_common, scratch)
            | "Results" >> WriteResults(scratch)
        )
    shards = [_take_keys(path) for path in sorted(take_results(scratch))]
    if not shards:
        return 0, []
    keys = np.sort(np.concatenate(shards))
    return len(keys), _titles(keys, files[-1][0], files)


def _read_keys(element: tuple[str, str]) -> Iterator[tuple[int, tuple[str, bytes]]]:
    split, file = element
    keys = np.fromiter((title_key(title).order for title in _read_titles(file)), np.uint64)
    for shard in range(_SHARDS):
        yield shard, (split, keys[keys % _SHARDS == shard].tobytes())


def _common(element: tuple[int, Iterable[tuple[str, bytes]]], scratch: str) -> Iterator[str]:
    """Writes the keys that both splits have into a file, and yields its path; without any there is none."""
    shard, packed_keys = element
    by_split: dict[str, list[np.ndarray]] = {}
    for split, packed in packed_keys:
        by_split.setdefault(split, []).append(np.frombuffer(packed, np.uint64))
    if len(by_split) < 2:
        return
    first, second = (np.concatenate(arrays) for arrays in by_split.values())
    keys = np.intersect1d(first, second)
    if len(keys):
        path = f"{scratch}-{shard:02}"
        with fileio.open(f"{path}.partial", "wb") as stream:
            stream.write(keys.tobytes())
        fileio.rename(f"{path}.partial", path, overwrite=True)
        yield path


def _take_keys(path: str) -> np.ndarray:
    with fileio.open(path, "rb") as stream:
        keys = np.frombuffer(stream.read(), np.uint64)
    fileio.remove(path)
    return keys


def _titles(keys: np.ndarray, split: str, files: list[tuple[str, str]]) -> list[str]:
    shown: list[str] = []
    for name, file in files:
        for title in _read_titles(file) if name == split else ():
            key = np.uint64(title_key(title).order)
            place = np.searchsorted(keys, key)
            if place < len(keys) and keys[place] == key:
                shown.append(title)
            if len(shown) == _SHOWN_TITLES:
                return shown
    return shown


def _read_titles(file: str) -> Iterator[str]:
    for batch in read_values([Path(file)], {features.TITLE: tf.string}):
        yield from (title.decode() for title in batch[features.TITLE])
