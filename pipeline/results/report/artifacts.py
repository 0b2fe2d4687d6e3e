"""Reads what a report shows of a run's artifacts: statistics, scores and explained errors. Imports TFX."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from ml_metadata.proto import metadata_store_pb2 as mlmd
from tensorflow_metadata.proto.v0 import statistics_pb2
from tfx.utils.path_utils import serving_model_path

from components.baseline_scorer.models import BASELINES, TFIDF_LOWER
from components.model_scorer.explanations import EXPLANATIONS_FILE
from components.model_scorer.score import LAST_BLESSED, THRESHOLD
from components.record_batches import numbers, read_split, texts
from components.slices import AS_IS, CHALLENGE, VARIANT
from components.statistics_gen.derived import TITLE_CASING, TITLE_LENGTH
from pipeline.results.lineage import split_uris
from pipeline.results.report.curves import Curves, comparable, describe_scores, reliability, roc_points
from pipeline.results.report.facts import (
    CHALLENGE_ERRORS,
    LIKELY_LABEL_ERRORS,
    ChallengeFacts,
    ExplainedError,
    LabelError,
    Lengths,
    SplitStatistics,
)
from trainer import features

CANDIDATE = "candidate"
_SURE = 0.9  # a likely label error: all models give the other class at least this much
_KEPT_SHARE_DIGITS = 6
_SHOWN_CHARACTERS = 300  # of a text from elsewhere, which need not be a headline
_CHALLENGE_SCORES = {CANDIDATE: features.PROBABILITY, TFIDF_LOWER: TFIDF_LOWER, LAST_BLESSED: LAST_BLESSED}
"""The models that score challenges, and the features of their probabilities."""


def model_bytes(model: mlmd.Artifact) -> int:
    """Returns the bytes of the exported SavedModel on disk."""
    return sum(file.stat().st_size for file in Path(serving_model_path(model.uri)).rglob("*") if file.is_file())


def statistics_facts(statistics: mlmd.Artifact) -> dict[str, SplitStatistics]:
    """Reads each split's statistics out of TFDV's protos."""
    facts: dict[str, SplitStatistics] = {}
    for split, uri in split_uris(statistics).items():
        read = statistics_pb2.DatasetFeatureStatisticsList.FromString(Path(uri, "FeatureStats.pb").read_bytes())
        (dataset,) = read.datasets
        known = {feature.path.step[0]: feature for feature in dataset.features}
        length = known.get(TITLE_LENGTH)
        facts[split] = SplitStatistics(
            int(dataset.num_examples),
            _shares(known[features.LABEL]) if features.LABEL in known else None,
            _shares(known[TITLE_CASING]) if TITLE_CASING in known else None,
            _lengths(length.num_stats) if length and length.num_stats.common_stats.num_non_missing else None,
        )
    return facts


def score_facts(predictions: mlmd.Artifact, shown: Callable[[str], str]) -> tuple[Curves, list[LabelError]]:
    """Computes curves, and likely label errors, of the evaluation rows as they are.

    Args:
      predictions: ModelScorer's.
      shown: returns a title as it may be shown.
    """
    titles, scores = evaluation_scores(split_uris(predictions)[features.EVAL_SPLIT])
    labels = scores.pop(features.LABEL)
    scores = {CANDIDATE: scores.pop(features.PROBABILITY), **scores}
    doubtful = likely_label_errors(titles, labels, {name: scores[name] for name in (CANDIDATE, *BASELINES)})
    return describe_scores(labels, scores, CANDIDATE), [
        LabelError(shown(error.title), error.label, error.scores) for error in doubtful
    ]


def evaluation_scores(folder: str | Path) -> tuple[list[str], dict[str, np.ndarray]]:
    """Reads the titles of the rows as they are, and their labels and all models' scores by column, float64 [rows].

    Args:
      folder: of a split of ModelScorer's predictions.
    """
    titles: list[str] = []
    columns: dict[str, list[np.ndarray]] = {}
    for batch in read_split(folder):
        as_is = np.array([variant == AS_IS for variant in texts(batch, VARIANT)], bool)
        if not as_is.any():
            continue
        titles += [title for title, taken in zip(texts(batch, features.TITLE), as_is, strict=True) if taken]
        for name in (features.LABEL, features.PROBABILITY, *BASELINES, LAST_BLESSED):
            if name in batch.schema.names:
                columns.setdefault(name, []).append(numbers(batch, name)[as_is].astype(np.float64))
    return titles, {name: np.concatenate(parts) for name, parts in columns.items()}


def likely_label_errors(titles: Sequence[str], labels: np.ndarray, scores: dict[str, np.ndarray]) -> list[LabelError]:
    """Returns rows on which all models are sure that the label is the other one, the surest first."""
    against = np.array([np.where(labels == 1, 1 - values, values) for values in scores.values()])
    doubt = np.nan_to_num(against, nan=0.0).min(axis=0)
    order = np.argsort(-doubt, kind="stable")[:LIKELY_LABEL_ERRORS]
    return [
        LabelError(titles[row], int(labels[row]), {name: float(values[row]) for name, values in scores.items()})
        for row in order.tolist()
        if doubt[row] >= _SURE
    ]


def explanation_facts(explanations: mlmd.Artifact, shown: Callable[[str], str]) -> list[ExplainedError]:
    """Reads the most confident errors with the effects of their words."""
    read = json.loads(Path(explanations.uri, EXPLANATIONS_FILE).read_text(encoding="utf-8"))
    errors = [ExplainedError.from_dict(error) for error in read["errors"]]
    return [
        dataclasses.replace(
            error,
            title=shown(error.title),
            words=[dataclasses.replace(word, word=shown(word.word)) for word in error.words],
        )
        for error in errors
    ]


def challenge_facts(predictions: mlmd.Artifact, shown: Callable[[str], str]) -> list[ChallengeFacts] | None:
    """Computes curves, and the most confident errors, of each challenge's texts as they are.

    A challenge without rows is left out. Of all rows only the numbers are held: 13 bytes each at most.

    Args:
      predictions: ModelScorer's; without challenges there are no facts.
      shown: returns a text as it may be shown.
    """
    folder = split_uris(predictions).get(CHALLENGE)
    if folder is None:
        return None
    labels: dict[str, list[np.ndarray]] = {}
    scores: dict[str, dict[str, list[np.ndarray]]] = {}
    errors: dict[str, list[ExplainedError]] = {}
    for batch in read_split(folder):
        as_is = np.array([variant == AS_IS for variant in texts(batch, VARIANT)], bool)
        if not as_is.any():
            continue
        names = np.array(texts(batch, CHALLENGE))
        for name in dict.fromkeys(names[as_is].tolist()):
            part = batch.take(pa.array(np.flatnonzero(as_is & (names == name))))
            columns = _challenge_scores(part)
            labels.setdefault(name, []).append(numbers(part, features.LABEL).astype(np.int8))
            for model, values in columns.items():
                scores.setdefault(name, {}).setdefault(model, []).append(values)
            errors[name] = _surest([*errors.get(name, []), *_challenge_errors(part, columns)])
    return [
        _describe_challenge(
            name,
            np.concatenate(parts),
            {model: np.concatenate(values) for model, values in scores[name].items()},
            [dataclasses.replace(error, title=_cut(shown(error.title))) for error in errors[name]],
        )
        for name, parts in labels.items()
    ]


def _describe_challenge(
    name: str, labels: np.ndarray, scores: dict[str, np.ndarray], errors: list[ExplainedError]
) -> ChallengeFacts:
    own = scores[CANDIDATE].astype(np.float64)
    return ChallengeFacts(
        name,
        {model: roc_points(labels, values) for model, values in comparable(labels, scores).items()},
        reliability(labels, own) if np.isfinite(own).all() else None,
        errors,
    )


def _challenge_scores(batch: pa.RecordBatch) -> dict[str, np.ndarray]:
    return {
        model: numbers(batch, feature).astype(np.float32)
        for model, feature in _CHALLENGE_SCORES.items()
        if feature in batch.schema.names
    }


def _challenge_errors(batch: pa.RecordBatch, scores: dict[str, np.ndarray]) -> list[ExplainedError]:
    """Returns the most confident errors of a batch."""
    labels, own = numbers(batch, features.LABEL), scores[CANDIDATE]
    wrong = np.flatnonzero(np.isfinite(own) & ((own > THRESHOLD) != (labels == 1)))
    rows = wrong[np.argsort(-np.abs(own[wrong] - THRESHOLD), kind="stable")[:CHALLENGE_ERRORS]]
    titles = texts(batch.take(pa.array(rows)), features.TITLE)
    return [
        ExplainedError(
            title=title,
            label=int(labels[row]),
            probability=float(own[row]),
            others={model: _finite(float(values[row])) for model, values in scores.items() if model != CANDIDATE},
            words=[],
            words_left=0,
        )
        for row, title in zip(rows.tolist(), titles, strict=True)
    ]


def _surest(errors: list[ExplainedError]) -> list[ExplainedError]:
    return sorted(errors, key=lambda error: -abs((error.probability or 0.0) - THRESHOLD))[:CHALLENGE_ERRORS]


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1].rstrip() + "\u2026"


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None  # JSON has no other numbers


def _shares(feature: statistics_pb2.FeatureNameStatistics) -> dict[str, float]:
    """Returns the share of each value among the rows that have one."""
    total = feature.string_stats.common_stats.num_non_missing
    buckets = feature.string_stats.rank_histogram.buckets
    return {bucket.label: round(bucket.sample_count / total, _KEPT_SHARE_DIGITS) for bucket in buckets} if total else {}


def _lengths(numeric: statistics_pb2.NumericStatistics) -> Lengths:
    standard = next((histogram for histogram in numeric.histograms if histogram.type == histogram.STANDARD), None)
    total = numeric.common_stats.num_non_missing
    bars = standard.buckets if standard else []
    return Lengths(
        numeric.mean,
        numeric.median,
        numeric.min,
        numeric.max,
        [(bar.low_value, bar.high_value, bar.sample_count / total) for bar in bars],
    )
