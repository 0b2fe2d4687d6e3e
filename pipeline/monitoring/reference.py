"""A version's scores of its evaluation split, which served scores are compared with."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import tensorflow as tf

from components.record_batches import read_values
from components.text_scorer import TextScorer
from serving.whole_file import write_whole
from trainer import features

_SCHEMA_VERSION = 1
_BATCH_ROWS = 256


def reference_scores(cache: Path, model: Path, digest: str, examples: str, most_rows: int) -> list[float]:
    """Scores the split, and caches the scores.

    Args:
      cache: a folder of files, one a model.
      model: the version's folder.
      digest: of the model.
      examples: the folder of the split's tf.Examples.
      most_rows: at most so many of them are scored.
    """
    identity = {"schema_version": _SCHEMA_VERSION, "digest": digest, "examples": examples, "most_rows": most_rows}
    file = cache / f"{digest.removeprefix('sha256:')[:16]}.json"
    if file.is_file():
        known = json.loads(file.read_text(encoding="utf-8"))
        if {name: known.get(name) for name in identity} == identity:
            return known["scores"]
    scores = _score(model, examples, most_rows)
    cache.mkdir(parents=True, exist_ok=True)
    write_whole(file, json.dumps({**identity, "scores": scores}))
    return scores


def _score(model: Path, examples: str, most_rows: int) -> list[float]:
    titles = (text for batch in read_values(examples, {features.TITLE: tf.string}) for text in batch[features.TITLE])
    scores = TextScorer(model, _BATCH_ROWS)([title.decode() for title in itertools.islice(titles, most_rows)])
    if not np.isfinite(scores).all():
        raise ValueError(f"A model's scores must be numbers. Received: others, from {model} on {examples}.")
    return scores.tolist()
