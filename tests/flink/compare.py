"""Whether two runs of the same data came to the same: examples, statistics, verdict and scores."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.helpers.statistics_by_feature import by_feature
from tests.helpers.variants import read_rows

_TOLERANCE = 1e-6


def compare_outputs(memory: Path, there: Path) -> list[str]:
    """Prints what is equal, and returns what is not."""
    problems = [*_examples(memory, there), *_statistics(memory, there), *_verdicts(memory, there)]
    return [*problems, *_scores(memory, there)]


def _newest(output: Path, component: str, name: str) -> Path:
    folders = [path for path in output.glob(f"tfx/{component}/{name}/*") if path.name.isdigit()]
    return max(folders, key=lambda path: int(path.name))


def _records(folder: Path) -> list[bytes]:
    import tensorflow as tf

    files = sorted(str(path) for path in folder.iterdir() if path.is_file())
    return sorted(tf.data.TFRecordDataset(files, compression_type="GZIP").as_numpy_iterator())


def _examples(memory: Path, there: Path) -> Iterator[str]:
    for split in ("Split-train", "Split-eval"):
        ours, theirs = (
            _records(_newest(output, "HeadlineExampleGen", "examples") / split) for output in (memory, there)
        )
        if ours == theirs:
            print(f"  equal: {len(ours)} examples of {split}, as sets")
        else:
            yield f"examples of {split}: {len(ours)} in memory, {len(theirs)} on Flink"


def _statistics(memory: Path, there: Path) -> Iterator[str]:
    for split in ("Split-train", "Split-eval"):
        name = f"{split}/FeatureStats.pb"
        ours, theirs = (by_feature(_newest(output, "StatisticsGen", "statistics") / name) for output in (memory, there))
        if ours == theirs:
            print(f"  equal: statistics of {split}, {len(ours) - 1} features to nine digits")
        else:
            yield f"statistics of {split}: {[key for key in ours if ours[key] != theirs.get(key)]}"


def _verdicts(memory: Path, there: Path) -> Iterator[str]:
    ours, theirs = (_verdict(output) for output in (memory, there))
    for key in ("status", "rows", "gate", "thresholds", "evaluation", "blessed"):
        if ours[key] == theirs[key]:
            print(f"  equal: the verdict's {key}")
        else:
            yield f"the verdict's {key}: {ours[key]} in memory, {theirs[key]} on Flink"


def _verdict(output: Path) -> dict[str, Any]:
    (path,) = output.glob("runs/*/verdict.json")
    return rounded(json.loads(path.read_text(encoding="utf-8")))


def rounded(value: Any) -> Any:
    """Returns a verdict with its numbers to four digits."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [rounded(item) for item in value]
    return round(value, 4) if isinstance(value, float) else value


def _scores(memory: Path, there: Path) -> Iterator[str]:
    for component, name, keys, scores in (
        ("ModelScorer", "predictions", ("title", "variant"), ("probability", "tfidf_lower")),
        ("BulkInferrer", "output_examples", ("row",), ("probability",)),
    ):
        ours, theirs = (
            {
                tuple(row[key] for key in keys): [row[score] for score in scores]
                for folder in _newest(output, component, name).glob("Split-*")
                for row in read_rows(folder)
            }
            for output in (memory, there)
        )
        if ours.keys() != theirs.keys():
            yield f"scores of {component}: {len(ours)} in memory, {len(theirs)} on Flink"
            continue
        largest = max(abs(one - other) for key in ours for one, other in zip(ours[key], theirs[key], strict=True))
        if largest > _TOLERANCE:
            yield f"scores of {component}: they differ by {largest:.2g}"
        else:
            print(f"  equal: {len(ours)} scores of {component}, to {largest:.1g}")
