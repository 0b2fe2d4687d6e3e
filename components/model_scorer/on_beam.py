"""The scores of the splits by Beam, for an engine: texts spread over its workers, each with the models loaded once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
from apache_beam.ml.inference.base import KeyedModelHandler, ModelHandler, RunInference

from components.beam_jobs import SharedDict, WriteResults, take_results
from components.model_scorer.score import Errors, Scores, confident_errors, read_errors, read_titles, write_scores
from components.record_batches import Part, parts_of_splits, remove_partial_files
from components.text_scorer import TextScorer
from trainer import features

_CHUNK_BATCHES = 32


class Models(ModelHandler[Sequence[str], Mapping[str, bytes], SharedDict[TextScorer]]):
    """Scores lists of texts by several models.

    Args:
      folders: of the SavedModels, by the names of their scores.
      batch_rows: texts scored at a time.
    """

    def __init__(self, folders: Mapping[str, str], batch_rows: int):
        super().__init__(min_batch_size=1, max_batch_size=1)  # what is handed over is many texts already
        self._folders = folders
        self._batch_rows = batch_rows

    def load_model(self) -> SharedDict[TextScorer]:
        """Returns the scorers; Beam calls it once in each process of a worker."""
        return SharedDict({name: TextScorer(folder, self._batch_rows) for name, folder in self._folders.items()})

    def run_inference(
        self,
        batch: Sequence[Sequence[str]],
        model: SharedDict[TextScorer],
        inference_args: Mapping[str, object] | None = None,
    ) -> Iterator[Mapping[str, bytes]]:
        """Yields the scores of each list by each model, float32 as bytes."""
        for texts in batch:
            yield {name: score(texts).tobytes() for name, score in model.items()}


def score_on_beam(
    pipeline: beam.Pipeline,
    sources: Mapping[str, str],
    targets: Mapping[str, str],
    models: Mapping[str, str],
    batch_rows: int,
    errors: int,
    scratch: str,
) -> Errors:
    """Runs the pipeline, which writes what `score_splits` writes, and returns the most confident errors of eval.

    A text is scored once for each part of a split that has it.

    Args:
      pipeline: not yet run.
      sources: the folders of the splits, by name.
      targets: the folders of the splits that are written.
      models: the folders of the models, by the names of their scores.
      batch_rows: texts scored at a time.
      errors: how many are returned, at most.
      scratch: a path for the result.
    """
    with pipeline:
        numbered = (
            pipeline | "Parts" >> beam.Create(list(enumerate(parts_of_splits(sources)))) | "Spread" >> beam.Reshuffle()
        )
        scores = (
            numbered
            | "Texts" >> beam.FlatMap(_chunks, batch_rows * _CHUNK_BATCHES)
            | "SpreadTexts" >> beam.Reshuffle()
            | "Score" >> RunInference(KeyedModelHandler(Models(models, batch_rows)))
            | "ByPart" >> beam.MapTuple(lambda place, scored: (place[0], (place[1], scored)))
        )
        _ = (
            {"part": numbered, "scores": scores}
            | "Together" >> beam.CoGroupByKey()
            | "Write" >> beam.FlatMap(_write_part, targets, [*models], errors)
            | "Errors" >> WriteResults(scratch)
        )
    remove_partial_files(targets.values())
    return confident_errors(take_results(scratch), errors)


def _chunks(element: tuple[int, Part], size: int) -> Iterator[tuple[tuple[int, int], list[str]]]:
    number, part = element
    titles = read_titles(part)[1]
    for start in range(0, len(titles), size):
        yield (number, start), titles[start : start + size]


def _write_part(
    element: tuple[int, Mapping[str, Iterable[Any]]], targets: Mapping[str, str], models: Sequence[str], errors: int
) -> Errors:
    _, together = element
    (part,) = together["part"]
    originals, titles = read_titles(part)
    chunks = [scored for _, scored in sorted(together["scores"], key=lambda chunk: chunk[0])]
    scores: Scores = {
        name: dict(zip(titles, np.frombuffer(b"".join(chunk[name] for chunk in chunks), np.float32), strict=True))
        for name in models
    }
    write_scores(part, targets, originals, scores)
    written = [Path(targets[features.EVAL_SPLIT], file.name) for file in part.get(features.EVAL_SPLIT, ())]
    return confident_errors(read_errors(written), errors)
