"""Rows for tuning: a part of the training rows is held out, and of the others there are nested smaller parts."""

from __future__ import annotations

import contextlib
import hashlib
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import tensorflow as tf

from trainer import features
from trainer.settings import SettingsError

MIN_VALIDATION_ROWS = 20


class Holdout(NamedTuple):
    """The files of a holdout, gzipped TFRecords."""

    train: dict[int, str]
    """By the divisor of the part: 1 holds all rows that are not held out, 2 half of them."""
    validation: str
    """Each held-out row twice: as it is, and lower-cased."""


def hold_out(
    files: Sequence[str], folder: Path, *, share: float, parts: Sequence[int], seed: int, fold: int = 0
) -> Holdout:
    """Splits the rows by their titles' hash, so that equal titles in whatever casing stay together.

    Args:
      files: of the split train. The split eval is not used: rows that tuned a model cannot judge it.
      folder: for the parts.
      share: of the rows that is held out.
      parts: divisors.
      seed: of the hash.
      fold: another one holds out other rows, as long as all folds together hold out no more than there are.

    Raises:
      SettingsError: there are too few rows, or rows of one class only, to hold out or to train a part on.
    """
    holdout = Holdout({part: str(folder / f"train-{part}.gz") for part in parts}, str(folder / "validation.gz"))
    counts = {path: [0, 0] for path in [*holdout.train.values(), holdout.validation]}
    with contextlib.ExitStack() as stack:
        writers = {path: stack.enter_context(tf.io.TFRecordWriter(path, "GZIP")) for path in counts}
        for record in tf.data.TFRecordDataset(list(files), compression_type="GZIP").as_numpy_iterator():
            example = tf.train.Example.FromString(record)
            title = example.features.feature[features.TITLE].bytes_list.value[0]
            label = example.features.feature[features.LABEL].int64_list.value[0]
            position = (_position(title, seed) + fold * share) % 1
            if position < share:
                example.features.feature[features.TITLE].bytes_list.value[0] = title.decode().lower().encode()
                written = [(holdout.validation, record), (holdout.validation, example.SerializeToString())]
            else:
                position = (position - share) / (1 - share)
                written = [(path, record) for part, path in holdout.train.items() if position < 1 / part]
            for path, content in written:
                writers[path].write(content)
                counts[path][label] += 1
    held_out = sum(counts[holdout.validation]) // 2
    if held_out < MIN_VALIDATION_ROWS or not all(all(of_label) for of_label in counts.values()):
        raise SettingsError(
            f"A search must hold out {MIN_VALIDATION_ROWS} training rows or more, and have rows of both classes in "
            f"each part. Received: {held_out} held out and, in the smallest part to train on, "
            f"{sum(counts[holdout.train[max(parts)]])}. Give more rows, or leave out what searches: --tune, and "
            "training.words, learning_rates and early_stopping_patience (the preset own has them)."
        )
    return holdout


def _position(title: bytes, seed: int) -> float:
    key = " ".join(unicodedata.normalize("NFKC", title.decode()).casefold().split())
    return int.from_bytes(hashlib.sha256(f"{seed}:{key}".encode()).digest()[:8], "big") / 2**64
