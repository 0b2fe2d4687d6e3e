"""The Beam steps of an ingest: read and check files, sample, compare the titles of a shard and write its rows.

What they count and set aside goes into small files, the parts, each laid whole into its place, which the executor
merges. So they work on any runner, a bundle may be tried twice, and no list of faults has to fit in memory.
"""

from __future__ import annotations

import contextlib
import json
import pickle
from collections.abc import Iterable, Iterator, Mapping, Sequence

import apache_beam as beam
import numpy as np
import tensorflow as tf
from pydantic import JsonValue
from tfx.dsl.io import fileio

from components.errors import InputError
from components.headline_example_gen.groups import GroupCounter, GroupRows, count_groups
from components.headline_example_gen.rejects import PartWriter
from components.headline_example_gen.report import Tally, first_pairs
from components.headline_example_gen.resolve import CONFLICT, Candidate, Resolution, make_candidate, resolve
from components.headline_example_gen.settings import DataConfig
from components.labelled_csv.digests import file_digest
from components.labelled_csv.rows import Fault, read_rows
from components.slices import column_features
from trainer import features

GROUPS = "groups"
"""Tag of ReadFile's batches of `GroupRows`, where there is `data.group_column`."""

_BATCH_ROWS = 4096

Batch = tuple[int, bytes]
"""A shard's number, and pickled tuples of some of its candidates: Beam costs per element, so rows go in batches."""


class ReadFile(beam.DoFn):
    """A file's number and path to batches of candidates.

    Args:
      settings: what a row must keep, and what decides its split.
      shards: how many shards the titles are spread over.
      first_of_eval: the number of the first file of `data.eval_data`.
      parts: the folder of the parts.
      answers: labels by title, which stand for those of the rows.
    """

    def __init__(
        self, settings: DataConfig, shards: int, first_of_eval: int, parts: str, answers: Mapping[str, int] = {}
    ):
        self._settings = settings
        self._shards = shards
        self._first_of_eval = first_of_eval
        self._parts = parts
        self._answers = answers

    def process(self, element: tuple[int, str]) -> Iterator[Batch | beam.pvalue.TaggedOutput]:
        number, path = element
        name = f"file-{number:05}"
        groups = GroupCounter()
        tally, faults, answered = Tally(), PartWriter(f"{self._parts}/{name}.csv"), set[str]()
        outcome: dict[str, JsonValue] = {}
        batches: list[list[tuple[object, ...]]] = [[] for _ in range(self._shards)]
        read = rejected = rejected_lines = 0
        try:
            for row in read_rows(path, self._settings):
                read += 1
                if isinstance(row, Fault):
                    faults.write(number, row)
                    tally.rules[row.rule] += 1
                    rejected += 1
                    rejected_lines += row.lines
                    continue
                answer = self._answers.get(row.title)
                if answer is not None:
                    answered.add(row.title)
                    tally.count(number, "answered")
                    tally.count(number, "relabelled", answer != row.label)
                    row = row._replace(label=answer)
                candidate = make_candidate(row, number, self._settings, is_eval_data=number >= self._first_of_eval)
                batch = batches[candidate.order % self._shards]
                batch.append(tuple(candidate))
                if len(batch) == _BATCH_ROWS:
                    yield candidate.order % self._shards, pickle.dumps(batch)
                    batch.clear()
                if self._settings.group_column:
                    groups.add(candidate)
                    if len(groups) == _BATCH_ROWS:
                        yield from self._group_batches(groups)
            # Last, so that a file that grows while it is read does not pass for what it was.
            outcome |= {"digest": file_digest(path), "answered": [*sorted(answered)]}
        except (InputError, OSError) as error:
            outcome["refused"] = str(error)  # an exception would leave Beam as another one
        yield from ((shard, pickle.dumps(batch)) for shard, batch in enumerate(batches) if batch)
        yield from self._group_batches(groups)
        tally.count(number, "read", read)
        tally.count(number, "rejected", rejected)
        tally.count(number, "rejected_lines", rejected_lines)
        faults.close()
        _lay(f"{self._parts}/tally-{name}.json", tally.to_json())
        _lay(f"{self._parts}/outcome-{number:05}.json", json.dumps(outcome))

    def _group_batches(self, groups: GroupCounter) -> Iterator[beam.pvalue.TaggedOutput]:
        batches: dict[int, list[tuple[object, ...]]] = {}
        for rows in groups.take():
            batches.setdefault(rows.key % self._shards, []).append(tuple(rows))
        for shard, batch in batches.items():
            yield beam.pvalue.TaggedOutput(GROUPS, (shard, pickle.dumps(batch)))


def write_group_counts(element: tuple[int, Iterable[bytes]], parts: str) -> None:
    """Counts the groups of a shard, and writes the counts as a part."""
    shard, batches = element
    counts = count_groups(GroupRows(*rows) for batch in batches for rows in pickle.loads(batch))
    _lay(f"{parts}/groups-{shard:05}.json", json.dumps(counts))


@beam.ptransform_fn
def FirstLeftOut(  # noqa: N802
    grouped: beam.PCollection, paths: Sequence[str], labels: Sequence[str], limit: int
) -> beam.PCollection:
    """Returns the smallest `TitleKey.order` that a sample of `limit` rows leaves out, or None.

    It does not depend on the order of rows and files, and equal titles go in or stay out together.
    """

    def orders(element: tuple[int, Iterable[bytes]]) -> bytes:
        kept = (found.kept.order for found in _resolutions(element[1], paths, labels) if found.kept)
        return np.fromiter(kept, np.uint64).tobytes()

    def first_left_out(arrays: Iterable[bytes]) -> int | None:
        every = np.concatenate([np.frombuffer(array, np.uint64) for array in arrays] or [np.empty(0, np.uint64)])
        return int(np.partition(every, limit)[limit]) if len(every) > limit else None

    return grouped | "Orders" >> beam.Map(orders) | beam.combiners.ToList() | "Cut" >> beam.Map(first_left_out)


class WriteShard(beam.DoFn):
    """All rows of a shard, each title once, to one TFRecord of tf.Examples a split, in an order of no meaning.

    Args:
      paths: the data's files, by number.
      labels: `DataConfig.label_names`.
      shards: how many shards there are.
      folders: of each split.
      parts: the folder of the parts.
      slice_columns: as the setting of that name.
    """

    def __init__(
        self,
        paths: Sequence[str],
        labels: Sequence[str],
        shards: int,
        folders: dict[str, str],
        parts: str,
        slice_columns: Sequence[str] = (),
    ):
        self._paths = paths
        self._labels = labels
        self._shards = shards
        self._folders = folders
        self._parts = parts
        self._slice_columns = slice_columns

    def process(self, element: tuple[int, Iterable[bytes]], left_out: int | None = None) -> None:
        shard, batches = element
        name = f"shard-{shard:05}"
        tally = Tally()
        conflicts: list[tuple[int, Fault]] = []
        with contextlib.ExitStack() as stack:
            writers = {
                split: stack.enter_context(tf.io.TFRecordWriter(f"{self._parts}/{name}-{split}", "GZIP"))
                for split in self._folders
            }
            for kept, repeats, faults, in_eval in _resolutions(batches, self._paths, self._labels):
                conflicts += faults
                for repeat in repeats:
                    tally.count(repeat.file, "duplicates")
                for row, _ in in_eval:
                    tally.count(row.file, "duplicates")
                    tally.count(row.file, "in_eval")
                if in_eval:
                    pairs = ((row.file, row.line, other.file, other.line) for row, other in in_eval)
                    tally.in_eval = first_pairs([*tally.in_eval, *pairs])
                if kept is None:
                    continue
                tally.count(kept.file, "accepted")
                if left_out is not None and kept.order >= left_out:
                    tally.count(kept.file, "left_out")
                    continue
                writers[kept.split].write(_serialized_example(kept, self._slice_columns))
                tally.count_split(kept.split, kept.label)
        for split, folder in self._folders.items():
            target = f"{folder}/data_tfrecord-{shard:05}-of-{self._shards:05}.gz"
            fileio.rename(f"{self._parts}/{name}-{split}", target, overwrite=True)
        with contextlib.closing(PartWriter(f"{self._parts}/{name}.csv")) as rejects:
            for file, fault in sorted(conflicts):
                rejects.write(file, fault)
                tally.count(file, "rejected")
                tally.count(file, "rejected_lines")
        if conflicts:
            tally.rules[CONFLICT] = len(conflicts)
        _lay(f"{self._parts}/tally-{name}.json", tally.to_json())


def _resolutions(batches: Iterable[bytes], paths: Sequence[str], labels: Sequence[str]) -> Iterator[Resolution]:
    return resolve((Candidate(*row) for batch in batches for row in pickle.loads(batch)), paths, labels)


def _serialized_example(row: Candidate, slice_columns: Sequence[str]) -> bytes:
    example = tf.train.Example()
    feature = example.features.feature
    feature[features.TITLE].bytes_list.value.append(row.title.encode())
    feature[features.LABEL].int64_list.value.append(row.label)
    for name, value in column_features(slice_columns, row.slices).items():
        feature[name].bytes_list.value.append(value.encode())
    return example.SerializeToString(deterministic=True)


def _lay(path: str, text: str) -> None:
    with fileio.open(f"{path}.partial", "w") as stream:
        stream.write(text)
    fileio.rename(f"{path}.partial", path, overwrite=True)
