"""A learning curve's rows, models and their cost: how good they become with more labels, on the same held-out rows."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from pydantic import JsonValue

import pipeline
from components.errors import DataRefused
from components.evaluator.intervals import area_under_roc, binned_error, proportion
from components.headline_example_gen.files import data_digest, find_csv_files
from components.headline_example_gen.labelled import read_labelled
from components.headline_example_gen.resolve import Candidate
from components.headline_example_gen.settings import LOCATIONS, NOT_THE_ROWS, DataConfig
from components.local_infra_validator.running import RunningServer
from components.local_infra_validator.servers import ServerPlan
from pipeline.labelling.curve_fit import JOB_FILE, RESULT_FILE, Fitted, Job
from pipeline.labelling.curve_record import Curve, CurveError, Fit, Point, with_forecast, write_curve
from pipeline.results.words import FINE_TUNED, FROZEN, PUSHED, RECIPES, WARM_START
from serving.whole_file import write_whole
from trainer.features import EVAL_SPLIT, TRAIN_SPLIT
from trainer.settings import TrainerSettings, TrainingConfig

FEW_HELD_OUT = 200
_FIT_FOLDER = ".fit"
_LEAST_OF_CLASS = 2  # of the linear models
_THRESHOLD = 0.5
_SHOWN_EPOCH_ROWS = 256  # in an epoch's metrics, which nobody sees here
#: Seconds on two cores: of a process, of a row that is trained on once, of one that is scored.
_COSTS = {FINE_TUNED: (20, 9e-3, 4e-3), FROZEN: (10, 2e-3, 2e-3), PUSHED: (8, 0, 2e-3)}
_COSTS[WARM_START] = _COSTS[FINE_TUNED]
_LINEAR_COSTS = (3, 1e-3, 2e-4)
_FEW_ROWS = 3000
_OUT_OF_MEMORY = 137  # a shell's exit code for a process that was killed


class Labelled(NamedTuple):
    """The rows of a file."""

    train: Sequence[Candidate]
    held_out: Sequence[Candidate]
    left_out: int
    """Rejected, repeated, with both labels, or in both splits."""
    digest: str

    @property
    def held_out_labels(self) -> np.ndarray:
        """0 or 1, [rows]."""
        return np.array([row.label for row in self.held_out])


def parse_rows(text: str) -> list[int | None]:
    """Returns the sizes of `--rows`; None for all rows.

    Raises:
      CurveError: it is no list of numbers.
    """
    sizes: list[int | None] = []
    for part in text.split(","):
        word = part.strip().lower()
        if word != "all" and not (word.isascii() and word.isdigit() and int(word)):
            raise CurveError(
                f"--rows must be whole numbers above 0, or all, with commas between. Received: {part.strip()!r} in "
                f"{text!r}. Give e.g. --rows 250,500,all."
            )
        sizes.append(None if word == "all" else int(word))
    return sizes


def parse_recipes(text: str) -> list[str]:
    """Returns the recipes of `--recipes`, in the order of `RECIPES`.

    Raises:
      CurveError: there is no such recipe.
    """
    names = {part.strip() for part in text.split(",")}
    if unknown := sorted(names - {*RECIPES}):
        raise CurveError(
            f"--recipes must be of {', '.join(RECIPES)}, with commas between. Received: {', '.join(map(repr, unknown))}"
            ". Give e.g. --recipes fine_tuned,frozen."
        )
    return [name for name in RECIPES if name in names]


def read_split(settings: DataConfig, path: str) -> Labelled:
    """Reads labelled CSV files and splits their rows as a run does.

    Raises:
      InputError: a file cannot be read.
      DataRefused: a class has too few rows to train and to judge by.
    """
    paths = find_csv_files(path, window_spans=settings.window_spans, last_span=settings.last_span).paths
    eval_paths = find_csv_files(settings.eval_data).paths if settings.eval_data else ()
    read = read_labelled(paths, settings, eval_paths)
    rows = read.kept[: settings.limit_rows]
    splits = {split: [row for row in rows if row.split == split] for split in (TRAIN_SPLIT, EVAL_SPLIT)}
    for split, of_split in splits.items():
        counts = [sum(row.label == label for row in of_split) for label in (0, 1)]
        if min(counts) < _LEAST_OF_CLASS:
            raise DataRefused(
                f"A curve must have {_LEAST_OF_CLASS} rows or more of each class in train and in eval. Received: "
                f"{path}, with {counts[0]:,} of class 0 and {counts[1]:,} of class 1 in {split}. Give more rows."
            )
    return Labelled(splits[TRAIN_SPLIT], splits[EVAL_SPLIT], read.left_out, data_digest(paths, eval_paths))


def draw(labelled: Labelled, rows: int, seed: int) -> list[Candidate]:
    """Draws rows to train on; those of more rows hold those of fewer."""
    order = np.random.default_rng(seed).permutation(len(labelled.train))
    return [labelled.train[number] for number in order[:rows]]


def clip_sizes(sizes: Sequence[int | None], labelled: Labelled) -> tuple[list[int], str]:
    """Returns the sizes, ascending and each once, and a line where some are more than there is; else nothing."""
    most = len(labelled.train)
    clipped = sorted({min(size or most, most) for size in sizes})
    beyond = [f"{size:,}" for size in sizes if size and size > most]
    return clipped, f"{', '.join(beyond)}: there are {most:,} rows to train on, which stand for it" if beyond else ""


def plan_fits(labelled: Labelled, sizes: Sequence[int], seeds: int, recipes: Iterable[str]) -> list[Fit]:
    """Returns the models of a curve, those of quick recipes and of few rows first.

    Raises:
      CurveError: a sample lacks a class.
    """
    for rows in sizes:
        for seed in range(1, seeds + 1):
            positive = sum(row.label for row in draw(labelled, rows, seed))
            if min(positive, rows - positive) < _LEAST_OF_CLASS:
                raise CurveError(
                    f"--rows must draw {_LEAST_OF_CLASS} rows or more of each class. Received: {rows:,}, of which "
                    f"seed {seed} draws {rows - positive:,} of class 0 and {positive:,} of class 1. Give more."
                )
    fits = []
    for recipe in sorted(recipes, key=lambda name: (name in (FINE_TUNED, WARM_START), name)):
        if recipe == PUSHED:
            fits.append(Fit(PUSHED, 0, 0))
        else:
            fits += [Fit(recipe, rows, seed) for rows in sizes for seed in range(1, seeds + 1)]
    return fits


def expected_seconds(fits: Iterable[Fit], held_out: int, training: TrainingConfig, points: Sequence[Point]) -> float:
    """Returns about how long models take: by the cost of a row, corrected by the points that there are."""
    total = 0.0
    for fit in fits:
        alike = [point for point in points if _costs(point.recipe) == _costs(fit.recipe)]
        measured = sum(point.seconds for point in alike)
        correction = measured / sum(_cost(point.fit, held_out, training) for point in alike) if alike else 1.0
        total += correction * _cost(fit, held_out, training)
    return total


def _costs(recipe: str) -> tuple[float, float, float]:
    return _COSTS.get(recipe, _LINEAR_COSTS)


def _cost(fit: Fit, held_out: int, training: TrainingConfig) -> float:
    start, trained, scored = _costs(fit.recipe)
    passes = 1.0
    if fit.recipe in (FINE_TUNED, WARM_START):
        # Of few rows a trial is one on two thirds of them, and the best has two more; see `trainer.choosing`.
        trials = len({training.learning_rate, *training.learning_rates}) if training.has_trials else 0
        of_trials = 2 / 3 * (trials + 2) if fit.rows < _FEW_ROWS else (1 - training.held_out_share) * trials
        passes = training.epochs * (1 + (of_trials if trials else 0))
    return start + trained * passes * fit.rows + scored * held_out


def decisive_settings(data: DataConfig, training: TrainingConfig, encoder_digest: str) -> dict[str, JsonValue]:
    """Returns all that decides a point beside the data and the pushed model, by dotted keys."""
    no_matter = {"validation_rows", "checkpoint_seconds", "warm_start"}
    sections = {
        "data": data.model_dump(mode="json", exclude={*LOCATIONS, *NOT_THE_ROWS}),
        "training": training.model_dump(mode="json", exclude=no_matter),
        "encoder": {"digest": encoder_digest},
    }
    return {f"{section}.{key}": value for section, values in sections.items() for key, value in values.items()}


def make_job(fit: Fit, labelled: Labelled, settings: TrainerSettings, encoder: Path, pushed: Path | None) -> Job:
    """Returns the job of a model, with the rows of its seed."""
    drawn = draw(labelled, fit.rows, fit.seed)
    changes = {
        "seed": settings.seed + max(0, fit.seed - 1),
        "warm_start": fit.recipe == WARM_START,
        "validation_rows": _SHOWN_EPOCH_ROWS,
        "checkpoint_seconds": None,
    }
    return Job(
        recipe=fit.recipe,
        titles=[row.title for row in drawn],
        labels=[row.label for row in drawn],
        held_out=[row.title for row in labelled.held_out],
        held_out_labels=[row.label for row in labelled.held_out],
        settings=settings.model_copy(update=changes).model_dump(mode="json"),
        encoder=str(encoder),
        pushed=str(pushed) if pushed else None,
    )


def judge(fit: Fit, labels: np.ndarray, fitted: Fitted) -> Point:
    """Judges a model by its scores of the held-out rows."""
    scores = np.array(fitted.scores, float)
    return Point(
        *fit,
        accuracy=proportion(int(((scores >= _THRESHOLD) == labels).sum()), len(labels)),
        auc=area_under_roc(labels, scores),
        ece=binned_error(labels, scores),
        seconds=fitted.seconds,
        memory_bytes=fitted.memory_bytes,
    )


def run_job(job: Job, folder: Path, python: Sequence[str]) -> Fitted:
    """Runs a job in a process of its own.

    Args:
      job: the model.
      folder: for the job and all that it writes; it is emptied before and removed afterwards.
      python: the command that runs a module.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        write_whole(folder / JOB_FILE, json.dumps(job.as_dict()))
        root = str(Path(pipeline.__file__).parents[1])
        command = (*python, "-m", "pipeline.labelling.curve_fit", str(folder))
        # It ends with this process, and a Ctrl-C reaches this one alone, as with a server.
        with RunningServer(ServerPlan("local", command, {"PYTHONPATH": root}), folder / "log.txt") as child:
            code = child.wait()
            result = folder / RESULT_FILE
            if result.exists():
                return Fitted.from_json(result.read_bytes())
            killed = ": the process was killed, as where the memory is full" if code == _OUT_OF_MEMORY else ""
            return Fitted(error=f"exit code {code}{killed}: {child.last_words}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def fit_all(
    curve: Curve, fits: Sequence[Fit], labels: np.ndarray, fit_one: Callable[[Fit], Fitted], file: Path
) -> Iterator[tuple[Fit, Curve, str]]:
    """Trains the models that a curve lacks, and yields each with the curve so far, or with what went wrong.

    Each point is in the file before it is yielded.
    """
    for fit in fits:
        if any(point.fit == fit for point in curve.points):
            continue
        fitted = fit_one(fit)
        if not fitted.error:
            curve = replace(curve, points=[*curve.points, judge(fit, labels, fitted)])
            curve = with_forecast(curve)
            write_curve(file, curve)
        yield fit, curve, fitted.error
