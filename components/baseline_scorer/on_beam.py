"""The scores of the baselines by Beam, for an engine: one worker trains them, all count the terms of the rows."""

from __future__ import annotations

import pickle
import secrets
from collections.abc import Mapping
from pathlib import Path

import apache_beam as beam
from apache_beam.utils.shared import Shared
from sklearn.pipeline import Pipeline

from components.baseline_scorer.score import score_rows, train_baselines
from components.beam_jobs import SharedDict, WriteResults, take_results
from components.record_batches import Part, parts_of_splits, remove_partial_files
from trainer import features


def score_on_beam(
    pipeline: beam.Pipeline, sources: Mapping[str, str], targets: Mapping[str, str], max_train_rows: int, scratch: str
) -> str:
    """Runs the pipeline, which writes what `score_splits` writes, and returns what it does.

    Args:
      pipeline: not yet run.
      sources: the folders of the splits, by name.
      targets: the folders of the splits that are written.
      max_train_rows: more are not learnt from.
      scratch: a path for the models and the result.
    """
    models = f"{scratch}.pickle"
    with pipeline:
        train = pipeline | "TrainSplit" >> beam.Create([sources[features.TRAIN_SPLIT]])
        reason = train | "Train" >> beam.Map(_train, max_train_rows, models)
        spread = pipeline | "Parts" >> beam.Create(parts_of_splits(sources)) | "Spread" >> beam.Reshuffle()
        _ = spread | "Score" >> beam.ParDo(ScorePart(models, targets), beam.pvalue.AsSingleton(reason))
        _ = reason | "Reason" >> WriteResults(scratch)
    remove_partial_files(targets.values())
    Path(models).unlink()
    (no_baseline,) = take_results(scratch)
    return no_baseline


def _train(folder: str, max_rows: int, path: str) -> str:
    """Writes the models into a file, and returns why there are none."""
    models, reason = train_baselines(folder, max_rows)
    partial = Path(f"{path}-{secrets.token_hex(4)}")
    partial.write_bytes(pickle.dumps(models))
    partial.replace(path)
    return reason


class ScorePart(beam.DoFn):
    """Writes a part with its scores; a process of a worker loads the models once.

    Args:
      path: of the models.
      targets: the folders of the splits that are written.
    """

    def __init__(self, path: str, targets: Mapping[str, str]):
        self._path = path
        self._targets = targets
        self._shared = Shared()

    def process(self, part: Part, reason: str) -> None:
        """Writes a part; `reason`, why there are no models, is there once they are written."""
        models = self._shared.acquire(self._load)
        score_rows(models, part, self._targets)

    def _load(self) -> SharedDict[Pipeline]:
        return SharedDict(pickle.loads(Path(self._path).read_bytes()))
