"""Examples as VariantExampleGen leaves them, and what stands in files of tf.Examples."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from tests.helpers.examples import serialized_example


def write_titles(folder: Path, *files: Iterable[tuple[str, int]]) -> Path:
    """A split of `(title, label)` rows as HeadlineExampleGen writes it, a file for each argument."""
    folder.mkdir(parents=True)
    for number, rows in enumerate(files):
        name = f"data_tfrecord-{number:05d}-of-{len(files):05d}.gz"
        with tf.io.TFRecordWriter(str(folder / name), "GZIP") as writer:
            for title, label in rows:
                writer.write(serialized_example(title, label))
    return folder


def write_variant_splits(
    base: Path, train: Sequence[tuple[str, int]], evaluation: Sequence[tuple[str, int]], variants: Sequence[str]
) -> dict[str, str]:
    """The folders of both splits by name, as the scorers read them."""
    from components.variant_example_gen.write import SplitToWrite, write_variants

    for split, rows, made in (("train", train, variants[:1]), ("eval", evaluation, variants)):
        source = write_titles(base / "titles" / f"Split-{split}", rows)
        write_variants(SplitToWrite(split, source, base / "variants" / f"Split-{split}", made))
    return splits_of(base / "variants")


def splits_of(artifact: Path) -> dict[str, str]:
    """The folders of an artifact's splits, by name."""
    return {split: str(artifact / f"Split-{split}") for split in ("train", "eval")}


def read_rows(folder: str | Path) -> list[dict[str, Any]]:
    """The rows of a split, by TensorFlow's own parser, in the order of the files; each feature has one value."""
    rows = []
    for file in sorted(Path(folder).glob("*.gz")):
        for record in tf.data.TFRecordDataset(str(file), "GZIP").as_numpy_iterator():
            found = tf.train.Example.FromString(record).features.feature
            rows.append({name: _value(feature) for name, feature in found.items()})
    return rows


def _value(feature: tf.train.Feature) -> Any:
    (value,) = getattr(feature, feature.WhichOneof("kind")).value
    return value.decode() if isinstance(value, bytes) else value
