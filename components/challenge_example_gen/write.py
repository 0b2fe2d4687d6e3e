"""Files of labelled texts as shards of tf.Examples, without what was trained on. Needs no TFX."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import itertools
import logging
import tempfile
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from components.challenges import ChallengeConfig, ChallengeRows, ChallengeSource
from components.errors import InputError
from components.labelled_csv.digests import file_digest
from components.labelled_csv.rows import Fault, Row, read_rows
from components.record_batches import read_values
from components.slices import CHALLENGE, column_features
from components.titles import title_key
from serving.versions.stores import download, is_url
from trainer import features

logger = logging.getLogger("components")

CONFLICT = "conflict"
"""The rule that rows of one title with both labels fail."""

_SHARD_ROWS = 65_536
_KEY = "Q"  # unsigned, 64 bits


@dataclasses.dataclass(frozen=True)
class _Trained:
    """The titles of the training rows: 8 bytes each, whatever their length, for there may be millions."""

    exact: np.ndarray
    folded: np.ndarray


def write_challenges(
    settings: Sequence[ChallengeConfig], sources: Sequence[ChallengeSource], train: str | Path, target: str | Path
) -> list[ChallengeRows]:
    """Writes gzipped TFRecords of the rows that a model may be measured on.

    Args:
      settings: how each file is read.
      sources: where each is, by the name in `settings`.
      train: folder of the rows that the model is trained on.
      target: folder for the shards; where no row is left, one without rows.

    Returns:
      The counts of each challenge.

    Raises:
      InputError: a file cannot be read as such a CSV, has changed since the run began, or has no settings.
      StoreError: an object store cannot be read.
    """
    trained = _read_trained(train)
    counts: list[ChallengeRows] = []
    by_name = {challenge.name: challenge for challenge in settings}
    if unknown := [source.name for source in sources if source.name not in by_name]:
        raise InputError(
            f"A challenge must be in evaluation.challenges. Received: {', '.join(unknown)}, which is not. Give "
            f"{' and '.join(by_name)}."
        )
    Path(target).mkdir(parents=True, exist_ok=True)
    # Each row has the features of all, for readers go by those of the first one.
    read = (by_name[source.name].slice_columns or () for source in sources)
    columns = [*dict.fromkeys(itertools.chain.from_iterable(read))]
    rows = itertools.chain.from_iterable(
        _read_challenge(by_name[source.name], source, columns, trained, counts) for source in sources
    )
    _write_shards(rows, Path(target))
    return counts


def _read_challenge(
    challenge: ChallengeConfig,
    source: ChallengeSource,
    columns: Sequence[str],
    trained: _Trained,
    counts: list[ChallengeRows],
) -> Iterator[bytes]:
    """Yields the rows that are measured, with features for all `columns`, and adds their counts.

    The file is read twice, so that no title has to stay in memory: what is left out is known by 64-bit keys.
    """
    own = challenge.slice_columns or ()
    with _local_file(source.path) as path:
        exact, folded, labels, rules = array(_KEY), array(_KEY), array("b"), Counter[str]()
        for row in read_rows(path, challenge):
            if isinstance(row, Fault):
                rules[row.rule] += 1
                continue
            exact.append(_exact_key(row.title))
            folded.append(title_key(row.title).order)
            labels.append(row.label)
        kept, row_counts = _choose(np.asarray(exact), np.asarray(folded), np.asarray(labels), trained)
        if conflicts := row_counts.pop(CONFLICT):
            rules[CONFLICT] = conflicts
        accepted = (row for row in read_rows(path, challenge) if isinstance(row, Row))
        for row in itertools.compress(accepted, kept):
            cells = dict(zip(own, row.slices, strict=True))
            slices = column_features(columns, [cells.get(column, "") for column in columns])
            yield _serialized_example(row, {CHALLENGE: challenge.name, **slices})
        if file_digest(path) != source.sha256:
            raise InputError(
                f"A challenge must have the content of its digest {source.sha256}. Received: {source.path}, which has "
                "changed since the run began. Run again."
            )
    rejected = rules.total()
    result = ChallengeRows(
        name=challenge.name,
        path=source.path,
        sha256=source.sha256,
        read=len(exact) + rejected - rules[CONFLICT],
        rejected=rejected,
        rejected_by_rule=dict(sorted(rules.items())),
        rows=int(kept.sum()),
        clickbait=int(np.asarray(labels)[kept].sum()),
        slice_columns=(*own,),
        **row_counts,
    )
    logger.info("%s: %s", source.path, result)
    counts.append(result)


def _choose(
    exact: np.ndarray, folded: np.ndarray, labels: np.ndarray, trained: _Trained
) -> tuple[np.ndarray, dict[str, int]]:
    """Decides row by row: of a title with both labels none stays, of a repeated one the first, if it is not trained on.

    Returns:
      Whether each row stays, bool [rows]; and the counts of the others.
    """
    _, first, inverse = np.unique(exact, return_index=True, return_inverse=True)
    clickbait = np.bincount(inverse, labels, len(first))
    conflict = ((clickbait > 0) & (clickbait < np.bincount(inverse, minlength=len(first))))[inverse]
    is_first = np.zeros(len(exact), bool)
    is_first[first] = True
    is_trained = np.isin(folded, trained.folded)
    left_out = is_first & ~conflict & is_trained
    counts = {
        CONFLICT: int(conflict.sum()),
        "repeats": int((~is_first & ~conflict).sum()),
        "trained_on": int(left_out.sum()),
        "trained_on_exactly": int((left_out & np.isin(exact, trained.exact)).sum()),
    }
    return is_first & ~conflict & ~is_trained, counts


def _read_trained(folder: str | Path) -> _Trained:
    exact, folded = array(_KEY), array(_KEY)
    for batch in read_values(folder, {features.TITLE: tf.string}):
        for encoded in batch[features.TITLE]:
            title = encoded.decode()
            exact.append(_exact_key(title))
            folded.append(title_key(title).order)
    return _Trained(np.unique(np.asarray(exact)), np.unique(np.asarray(folded)))


def _exact_key(title: str) -> int:
    return int.from_bytes(hashlib.blake2b(title.encode(), digest_size=8).digest(), "big")


@contextlib.contextmanager
def _local_file(location: str) -> Iterator[str]:
    if not is_url(location):
        yield location
        return
    with tempfile.TemporaryDirectory(prefix="clickbait-") as folder:
        copy = Path(folder, location.rpartition("/")[2])
        download(location, copy)
        yield str(copy)


def _write_shards(rows: Iterable[bytes], target: Path) -> None:
    rows = iter(rows)
    for number in itertools.count():
        written = 0
        with tf.io.TFRecordWriter(str(target / f"data_tfrecord-{number:05d}.gz"), "GZIP") as writer:
            for example in itertools.islice(rows, _SHARD_ROWS):
                writer.write(example)
                written += 1
        if written < _SHARD_ROWS:
            return


def _serialized_example(row: Row, names: Mapping[str, str]) -> bytes:
    example = tf.train.Example()
    feature = example.features.feature
    feature[features.TITLE].bytes_list.value.append(row.title.encode())
    feature[features.LABEL].int64_list.value.append(row.label)
    for name, value in names.items():
        feature[name].bytes_list.value.append(value.encode())
    return example.SerializeToString(deterministic=True)
