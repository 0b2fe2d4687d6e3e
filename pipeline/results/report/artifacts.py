"""What the report takes from a run's artifacts: statistics, scores and explained errors."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ml_metadata.proto import metadata_store_pb2 as mlmd

CANDIDATE = "candidate"
LIKELY_LABEL_ERRORS = 30
_SURE = 0.9  # a likely label error: all models give the other class at least this much
_KEPT_SHARE_DIGITS = 6


def model_bytes(model: mlmd.Artifact) -> int:
    """What the exported SavedModel takes on disk."""
    from tfx.utils.path_utils import serving_model_path

    return sum(file.stat().st_size for file in Path(serving_model_path(model.uri)).rglob("*") if file.is_file())


def statistics_facts(statistics: mlmd.Artifact) -> dict[str, Any]:
    """Of each split: rows, share of each label and casing, and the lengths of the titles, out of TFDV's protos."""
    from tensorflow_metadata.proto.v0 import statistics_pb2

    from components.statistics_gen.derived import TITLE_CASING, TITLE_LENGTH
    from pipeline.results.lineage import split_uris
    from trainer import features

    facts: dict[str, dict[str, object]] = {}
    for split, uri in split_uris(statistics).items():
        read = statistics_pb2.DatasetFeatureStatisticsList.FromString(Path(uri, "FeatureStats.pb").read_bytes())
        (dataset,) = read.datasets
        found = {one.path.step[0]: one for one in dataset.features}
        facts[split] = {"rows": int(dataset.num_examples)}
        for name, key in ((features.LABEL, "labels"), (TITLE_CASING, "casings")):
            if name in found:
                facts[split][key] = _shares(found[name])
        if TITLE_LENGTH in found and found[TITLE_LENGTH].num_stats.common_stats.num_non_missing:
            facts[split]["title_characters"] = _lengths(found[TITLE_LENGTH].num_stats)
    return facts


def score_facts(predictions: mlmd.Artifact, shown: Callable[[str], str]) -> dict[str, Any]:
    """Curves, and likely label errors, of the evaluation rows as they are.

    Args:
      predictions: ModelScorer's.
      shown: what of a title may be shown.
    """
    from components.baseline_scorer.models import BASELINES
    from components.model_scorer.score import LAST_BLESSED
    from components.record_batches import numbers, read_split, texts
    from components.slices import AS_IS, VARIANT
    from pipeline.results.lineage import split_uris
    from pipeline.results.report.curves import describe_scores
    from trainer import features

    titles: list[str] = []
    columns: dict[str, list[np.ndarray]] = {}
    for batch in read_split(split_uris(predictions)[features.EVAL_SPLIT]):
        as_is = np.array([variant == AS_IS for variant in texts(batch, VARIANT)], bool)
        if not as_is.any():
            continue
        titles += [title for title, taken in zip(texts(batch, features.TITLE), as_is, strict=True) if taken]
        for name in (features.LABEL, features.PROBABILITY, *BASELINES, LAST_BLESSED):
            if name in batch.schema.names:
                columns.setdefault(name, []).append(numbers(batch, name)[as_is].astype(np.float64))
    scores = {name: np.concatenate(parts) for name, parts in columns.items()}
    labels = scores.pop(features.LABEL)
    scores = {CANDIDATE: scores.pop(features.PROBABILITY), **scores}
    return {
        "curves": describe_scores(labels, scores, CANDIDATE),
        "label_errors": [
            {**one, "title": shown(one["title"])}
            for one in likely_label_errors(titles, labels, {name: scores[name] for name in (CANDIDATE, *BASELINES)})
        ],
    }


def likely_label_errors(
    titles: Sequence[str], labels: np.ndarray, scores: dict[str, np.ndarray]
) -> list[dict[str, Any]]:
    """Rows on which all models are sure that the label is the other one, the surest first."""
    against = np.array([np.where(labels == 1, 1 - values, values) for values in scores.values()])
    doubt = np.nan_to_num(against, nan=0.0).min(axis=0)
    order = np.argsort(-doubt, kind="stable")[:LIKELY_LABEL_ERRORS]
    return [
        {
            "title": titles[place],
            "label": int(labels[place]),
            "scores": {name: float(values[place]) for name, values in scores.items()},
        }
        for place in order.tolist()
        if doubt[place] >= _SURE
    ]


def explanation_facts(explanations: mlmd.Artifact, shown: Callable[[str], str]) -> list[dict[str, Any]]:
    """The most confident errors with the effects of their words."""
    from components.model_scorer.explanations import EXPLANATIONS_FILE

    found = json.loads(Path(explanations.uri, EXPLANATIONS_FILE).read_text(encoding="utf-8"))
    return [
        {
            **one,
            "title": shown(one["title"]),
            "words": [{**word, "word": shown(word["word"])} for word in one["words"]],
        }
        for one in found["errors"]
    ]


def _shares(feature: Any) -> dict[str, float]:
    """Of each value among the rows that have one."""
    total = feature.string_stats.common_stats.num_non_missing
    buckets = feature.string_stats.rank_histogram.buckets
    return {one.label: round(one.sample_count / total, _KEPT_SHARE_DIGITS) for one in buckets} if total else {}


def _lengths(numeric: Any) -> dict[str, Any]:
    standard = next((one for one in numeric.histograms if one.type == one.STANDARD), None)
    total = numeric.common_stats.num_non_missing
    return {
        "mean": numeric.mean,
        "median": numeric.median,
        "min": numeric.min,
        "max": numeric.max,
        "histogram": [[one.low_value, one.high_value, one.sample_count / total] for one in standard.buckets]
        if standard
        else [],
    }
