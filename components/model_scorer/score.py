"""The splits with the scores of the models, and the most confident errors among them. Needs no TFX."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import tensorflow as tf

from components.baseline_scorer.models import BASELINES
from components.behaviours import Behaviours, ScoredBehaviours
from components.record_batches import (
    Split,
    add_columns,
    numbers,
    parts_of_splits,
    read_split,
    read_values,
    texts,
)
from components.slices import AS_IS, CHALLENGE, ROW, VARIANT
from serving.word_effects import explain_texts
from trainer import features

AS_IS_PROBABILITY = "as_is_probability"
"""The candidate's, of the same row as it is."""

LAST_BLESSED = "last_blessed"
"""The probability by the last blessed model."""

THRESHOLD = 0.5

Scorer = Callable[[Sequence[str]], np.ndarray]

Scores = dict[str, dict[str, np.float32]]
"""Of texts, by the names of the scores."""

Errors = list[dict[str, Any]]
"""As `Explanations` has them, without their words."""


def score_splits(
    sources: Mapping[str, str], targets: Mapping[str, str], candidate: Scorer, last_blessed: Scorer | None
) -> None:
    """Writes the rows with `probability`, `as_is_probability` and, where there is such a model, `last_blessed`.

    Args:
      sources: the folders of the splits, by name; each row has a copy whose variant is `as_is`.
      targets: the folders of the splits that are written.
      candidate: scores texts; called once, with each distinct text once, and again for each part of the challenges:
        so a row's batch, and its score to the last bit, does not depend on them.
      last_blessed: the same.
    """
    home = dict(sources)
    parts: list[Mapping[str, Split]] = [home]
    if CHALLENGE in home:
        parts += parts_of_splits({CHALLENGE: home.pop(CHALLENGE)})
    for part in parts:
        _score_rows(part, targets, candidate, last_blessed)


def _score_rows(
    sources: Mapping[str, Split], targets: Mapping[str, str], candidate: Scorer, last_blessed: Scorer | None
) -> None:
    originals, titles = read_titles(sources)
    scorers = {features.PROBABILITY: candidate, LAST_BLESSED: last_blessed}
    scores = {
        name: dict(zip(titles, score(titles), strict=True)) for name, score in scorers.items() if score is not None
    }
    write_scores(sources, targets, originals, scores)


def read_titles(sources: Mapping[str, Split]) -> tuple[dict[str, dict[int, str]], list[str]]:
    """Returns the titles as they are, by split and row; and each distinct text once, in the order of scoring.

    Originals of a length go together, so that a batch pads little, each beside its variants: an encoder may compute
    once what they share, and an exported model score once those that casing alone tells apart. The order depends on
    the rows alone, and with it each score, to the last bit.
    """
    originals: dict[str, dict[int, str]] = {}
    first_row: dict[str, tuple[str, int]] = {}
    for split, source in sources.items():
        as_is = originals[split] = {}
        for batch in read_values(source, {features.TITLE: tf.string, ROW: tf.int64, VARIANT: tf.string}):
            for row, encoded, variant in zip(batch[ROW].tolist(), batch[features.TITLE], batch[VARIANT], strict=True):
                title = encoded.decode()
                first_row.setdefault(title, (split, row))
                if variant == AS_IS.encode():
                    as_is[row] = title

    def place(title: str) -> tuple[int, str, str, str]:
        split, row = first_row[title]
        original = originals[split][row]
        return len(original), original, title.lower(), title

    return originals, sorted(first_row, key=place)


def write_scores(
    sources: Mapping[str, Split],
    targets: Mapping[str, str],
    originals: Mapping[str, Mapping[int, str]],
    scores: Scores,
) -> None:
    """Writes the rows with their scores, as `score_splits` does.

    Args:
      sources: the splits, or parts of them, by name.
      targets: the folders of the splits that are written.
      originals: the titles as they are, by split and row.
      scores: of all titles, the candidate's as `probability`.
    """
    for split, source in sources.items():

        def columns_of(batch: pa.RecordBatch, as_is: Mapping[int, str] = originals[split]) -> dict[str, np.ndarray]:
            written = texts(batch, features.TITLE)
            as_they_are = [as_is[row] for row in numbers(batch, ROW).tolist()]
            return {
                **{name: _look_up(found, written) for name, found in scores.items()},
                AS_IS_PROBABILITY: _look_up(scores[features.PROBABILITY], as_they_are),
            }

        add_columns(source, targets[split], columns_of)


def read_errors(split: Split) -> Iterator[dict[str, Any]]:
    """Yields the errors on the rows as they are of a scored split. A score that is no number is none."""
    for batch in read_split(split):
        others = {name: numbers(batch, name) for name in (*BASELINES, LAST_BLESSED) if name in batch.schema.names}
        probability, label = numbers(batch, features.PROBABILITY), numbers(batch, features.LABEL)
        is_as_is = np.array([variant == AS_IS for variant in texts(batch, VARIANT)], bool)
        wrong = is_as_is & np.isfinite(probability) & ((probability > THRESHOLD) != (label == 1))
        rows, titles = numbers(batch, ROW), texts(batch, features.TITLE) if wrong.any() else []
        for place in np.flatnonzero(wrong).tolist():
            yield {
                "row": int(rows[place]),
                "title": titles[place],
                "label": int(label[place]),
                "probability": float(probability[place]),
                "others": {name: _finite(float(values[place])) for name, values in others.items()},
            }


def confident_errors(errors: Iterable[dict[str, Any]], count: int) -> Errors:
    """Returns the most confident of these errors, the surest first, `count` at most."""
    return heapq.nsmallest(count, errors, key=lambda error: (-abs(error["probability"] - THRESHOLD), error["row"]))


def explain_errors(errors: Errors, candidate: Scorer) -> dict[str, Any]:
    """Returns what `Explanations` holds: the errors with the effect of each of their words.

    Args:
      errors: see `confident_errors`.
      candidate: scores texts.
    """
    explained = explain_texts([error["title"] for error in errors], candidate)
    for error, explanation in zip(errors, explained, strict=True):
        error["words"] = [{"word": word.text, "effect": _finite(word.effect)} for word in explanation.words]
        error["words_left"] = explanation.words_left
    return {"threshold": THRESHOLD, "errors": errors}


def score_behaviours(behaviours: Behaviours, candidate: Scorer) -> ScoredBehaviours:
    """Returns the cases with the candidate's scores."""
    scores = map(float, candidate(behaviours.texts))
    return ScoredBehaviours(
        behaviours=behaviours, scores=dict(zip(behaviours.texts, map(_finite, scores), strict=True))
    )


def _look_up(scores: Mapping[str, np.float32], titles: Sequence[str]) -> np.ndarray:
    return np.array([scores[title] for title in titles], np.float32)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None  # JSON knows no other numbers
