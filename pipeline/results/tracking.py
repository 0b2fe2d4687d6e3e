"""Logs runs to an MLflow tracker, and keeps the alias `champion` on the model that is served.

MLflow is imported where a run has a tracker, and nowhere else: that takes seconds.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import logging
import math
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from components.evaluator.results import BOUND
from pipeline.config.pipeline_config import PipelineConfig
from pipeline.config.reference import describe_config
from pipeline.config.tracking import TrackingConfig
from pipeline.results.report.changes import CHALLENGE_METRICS, COMPARED_METRICS, challenge_metric, overall
from pipeline.results.run_folders import CONFIG_FILE, MODEL_CARD_FILE, REPORT_FILE, read_runs
from pipeline.results.verdict import VERDICT_FILE, Tracked, Verdict, write_verdict
from serving.imports import uncollected_imports
from serving.versions import version_folder
from serving.versions.version_folder import CARD, VersionCard
from trainer.features import EVAL_SPLIT, TRAIN_SPLIT

if TYPE_CHECKING:
    from mlflow import MlflowClient

CHAMPION = "champion"
"""The alias of the registered model that is served."""

_ENVIRONMENT = {
    # MLflow's own bounds are two minutes for a request, and seven tries.
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_CONFIGURE_LOGGING": "false",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ALLOW_FILE_STORE": "true",
}
"""What stands in the environment already stays."""
_LOGGED_FILES = (REPORT_FILE, MODEL_CARD_FILE, VERDICT_FILE, CONFIG_FILE)
_PUSHED_FOLDER = "pushed"
"""Of the artifacts of an MLflow run: the card of the version that it pushed."""
_SHOWN_REASON = 200  # characters
_MOST_IN_BATCH = 100
_MOST_OF_A_TAG, _MOST_OF_A_NAME, _MOST_OF_A_DIGEST = 5000, 500, 36  # characters that every store takes
_STATUSES = {"interrupted": "KILLED"}

T = TypeVar("T")


class TrackingError(Exception):
    """A tracker cannot be used."""

    exit_code = 2


def require_tracker(config: TrackingConfig) -> None:
    """Refuses a tracker without the package that it needs.

    Raises:
      TrackingError: with the way to install it.
    """
    if config.mlflow_uri and importlib.util.find_spec("mlflow") is None:
        raise TrackingError(
            f"tracking.mlflow_uri must have the package mlflow. Received: {config.mlflow_uri}, and no such package. "
            "Give: pip install 'clickbait-tfx[mlflow]'; in a clone: uv sync --frozen --inexact --extra mlflow."
        )


def metrics_of(verdict: Verdict) -> dict[str, float]:
    """Returns the figures of a verdict by their names, the same for MLflow and for Kubeflow Pipelines.

    The names begin with the split, or with the name of the challenge: `eval binary_accuracy`, `eval lower
    binary_accuracy` of a variant, `challenge youtube auc`. What is no number is left out.
    """
    return {name: float(value) for name, value in _figures(verdict) if value is not None and math.isfinite(value)}


def _figures(verdict: Verdict) -> Iterator[tuple[str, float | None]]:
    for split in (EVAL_SPLIT, TRAIN_SPLIT):
        yield f"{split} binary_accuracy", verdict.accuracy_on(split)
        metrics = measured.metrics if (measured := overall(verdict, split)) else {}
        yield from ((f"{split} {name}", metrics[name].value) for name in COMPARED_METRICS if name in metrics)
    for judged in verdict.thresholds:
        if judged.against == BOUND and not judged.slice:
            yield f"{judged.split} {judged.metric}", judged.observed
    for part in verdict.evaluated:
        if part.variant:
            yield f"{EVAL_SPLIT} {part.variant} binary_accuracy", part.accuracy.value
    for challenge in verdict.challenges:
        for name in CHALLENGE_METRICS:
            yield f"challenge {challenge.name} {name}", challenge_metric(challenge, name)
    for split, counts in (verdict.rows or {}).items():
        yield f"{split} rows", counts.rows
    for name, timing in (verdict.components or {}).items():
        yield f"{name} seconds", timing.seconds
    yield "seconds", verdict.seconds


class Tracker:
    """A run's log at an MLflow store or server. It raises nothing: what fails is in `Verdict.tracked`.

    Args:
      config: of the run, with `tracking.mlflow_uri`.
    """

    def __init__(self, config: PipelineConfig):
        self._config = config
        self._uri, self._model = config.tracking.mlflow_uri, config.model_name

    def begin(self, verdict: Verdict) -> Verdict:
        """Opens the run at the tracker, with its parameters; returns the verdict that says so."""
        opened, problem = self._within(lambda: self._open(verdict))
        return replace(verdict, tracked=Tracked(self._uri, opened, problem))

    def end(self, verdict: Verdict, folder: Path) -> Verdict:
        """Logs the result of the run, and registers the version that it pushed; returns the verdict that says so.

        A run that could not be opened is opened now.

        Args:
          verdict: of the run.
          folder: of the run, whose pages and verdict become artifacts; the verdict there is written again.
        """
        run, problem = (verdict.tracked.run if verdict.tracked else None), ""
        if run is None:
            run, problem = self._within(lambda: self._open(verdict))
        verdict = replace(verdict, tracked=Tracked(self._uri, run, problem))
        write_verdict(folder, verdict)  # one of the artifacts
        if run is None:
            return verdict
        _, problem = self._within(functools.partial(self._log, run, verdict, folder))
        if problem:
            verdict = replace(verdict, tracked=Tracked(self._uri, run, problem))
            write_verdict(folder, verdict)
        return verdict

    def _within(self, call: Callable[[], T]) -> tuple[T | None, str]:
        return _bounded(call, self._config.tracking.max_seconds)

    def _open(self, verdict: Verdict) -> str:
        """Makes the run, and returns MLflow's id of it."""
        client = _connect(self._uri)
        experiment = client.get_experiment_by_name(self._model)
        number = (
            experiment.experiment_id
            if experiment
            else client.create_experiment(self._model, artifact_location=_artifacts_beside(self._uri))
        )
        tags = {"mlflow.source.name": "clickbait run", "mlflow.source.type": "LOCAL", "run_id": verdict.run_id}
        opened = client.create_run(number, tags=tags, run_name=verdict.run_id)
        run: str = opened.info.run_id
        settings = {setting.key: setting.value for setting in describe_config(self._config)}
        _log_parameters(client, run, {"preset": self._config.preset, **settings})
        return run

    def _log(self, run: str, verdict: Verdict, folder: Path) -> None:
        from mlflow.entities import Metric

        client, now = _connect(self._uri), int(1000 * time.time())
        if verdict.training:
            _log_parameters(client, run, _found_settings(verdict))
        points = [Metric(name, value, now, 0) for name, value in metrics_of(verdict).items()]
        for name, values in ((verdict.training and verdict.training.epochs) or {}).items():
            points += [Metric(name, value, now, epoch) for epoch, value in enumerate(values, start=1)]
        for metrics in _batches(points):
            client.log_batch(run, metrics=metrics)
        _log_data(client, run, verdict)
        for name, value in _tags(verdict).items():
            client.set_tag(run, name, value[:_MOST_OF_A_TAG])
        for file in filter(Path.is_file, (folder / name for name in _LOGGED_FILES)):
            client.log_artifact(run, str(file))
        if verdict.pushed:
            serving, version = Path(verdict.pushed.path).parent, verdict.pushed.version
            if card := version_folder.read_card(serving, version):
                _crown(client, self._model, serving, version, card, run)
        status = _STATUSES.get(verdict.status, "FAILED" if verdict.exit_code else "FINISHED")
        client.set_terminated(run, status)


def follow_rollback(serving_dir: Path, output: Path, config: TrackingConfig) -> str:
    """Moves the alias to the model of the newest version; returns a line for people, empty where there is no tracker.

    Args:
      serving_dir: the folder of versions; its name is the model's.
      output: the output folder; its newest tracked run says which tracker it is, where `config` does not.
      config: the section `tracking`.
    """
    tracked = (run.tracked for run in reversed(read_runs(output, holding='"tracked"')))
    uri = config.mlflow_uri or next((log.uri for log in tracked if log), "")
    if not uri:
        return ""

    def move() -> str:
        version = max(version_folder.list_versions(serving_dir))
        if (card := version_folder.read_card(serving_dir, version)) is None:
            raise TrackingError(f"version {version} must have a card")
        return _crown(_connect(uri), serving_dir.name, serving_dir, version, card)

    registered, problem = _bounded(move, config.max_seconds)
    if registered is None:
        return f"warning: {CHAMPION} is not moved in {uri}: {problem}"
    return f"{CHAMPION} in {uri} is version {registered} of {serving_dir.name}"


def _crown(
    client: MlflowClient, model: str, serving_dir: Path, version: int, card: VersionCard, run: str | None = None
) -> str:
    """Gives the alias to a model, registered where it is not yet, and returns MLflow's version of it.

    A rollback's copy and a version that a run finds unchanged are the model that is registered: it goes by the digest.
    """
    from mlflow.exceptions import MlflowException

    registered = client.search_model_versions(f"name='{model}'")
    number = next((known.version for known in registered if known.tags.get("digest") == card.digest), None)
    if number is None:
        made_by = _run_of(client, model, card.run_id) or run
        if made_by is None:
            raise TrackingError(f"run {card.run_id}, which made the model, is not in the tracker")
        try:
            client.create_registered_model(model, description="What clickbait pushed; tags say where each version is.")
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        client.log_artifact(made_by, str(serving_dir / str(version) / CARD), _PUSHED_FOLDER)
        source = f"runs:/{made_by}/{_PUSHED_FOLDER}"
        tags = {"digest": card.digest, "run_id": card.run_id}
        number = client.create_model_version(model, source, run_id=made_by, tags=tags).version
    for name, value in {"version": str(version), "path": str(serving_dir / str(version))}.items():
        client.set_model_version_tag(model, number, name, value)
    client.set_registered_model_alias(model, CHAMPION, number)
    return str(number)


def _run_of(client: MlflowClient, experiment_name: str, run_id: str) -> str | None:
    experiment = client.get_experiment_by_name(experiment_name)
    if experiment is None:
        return None
    runs = client.search_runs([experiment.experiment_id], f"tags.run_id = '{run_id}'", max_results=1)
    return runs[0].info.run_id if runs else None


def _found_settings(verdict: Verdict) -> dict[str, object]:
    """Returns what the Trainer trained by, where a search or the Trainer itself chose it."""
    training = verdict.training
    if training is None or training.asked is None:
        return {}
    return {
        f"training.settings.{name}": value
        for name, value in training.settings.items()
        if name in training.asked and value != training.asked[name]
    }


def _log_parameters(client: MlflowClient, run: str, parameters: Mapping[str, object]) -> None:
    from mlflow.entities import Param

    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in parameters.items()}
    for some in _batches([Param(name, text) for name, text in texts.items()]):
        client.log_batch(run, params=some)


def _batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), _MOST_IN_BATCH):
        yield items[start : start + _MOST_IN_BATCH]


def _log_data(client: MlflowClient, run: str, verdict: Verdict) -> None:
    """Logs the data as a dataset by its digest, of which MLflow takes 36 characters; a tag has all of them."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    data = verdict.data
    if data is None or data.sha256 is None:
        return
    rows = {split: counts.rows for split, counts in (verdict.rows or {}).items()}
    source = json.dumps({"uri": data.files[0] if data.files else "", "files": [*data.files], "sha256": data.sha256})
    digest = data.sha256.removeprefix("sha256:")[:_MOST_OF_A_DIGEST]
    name = Path(data.files[0]).name if data.files else data.origin
    dataset = Dataset(name[:_MOST_OF_A_NAME], digest, "local", source, profile=json.dumps(rows))
    client.log_inputs(run, datasets=[DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])])


def _tags(verdict: Verdict) -> dict[str, str]:
    """Returns the outcome by the names of `verdict.json`."""
    tags = {
        "status": verdict.status,
        "exit_code": verdict.exit_code,
        "reason": verdict.reason,
        "blessed": None if verdict.blessed is None else json.dumps(verdict.blessed),
        "cause.name": verdict.cause and verdict.cause.name,
        "data.sha256": verdict.data and verdict.data.sha256,
        "encoder.digest": verdict.encoder and verdict.encoder.digest,
        "pushed.version": verdict.pushed and verdict.pushed.version,
        "pushed.path": verdict.pushed and verdict.pushed.path,
        "mlflow.note.content": f"{verdict.status}: {verdict.reason}",
    }
    return {name: str(value) for name, value in tags.items() if value not in (None, "")}


def _import_mlflow() -> None:
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    with uncollected_imports("mlflow"):
        import mlflow  # noqa: F401
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)


def _connect(uri: str) -> MlflowClient:
    from mlflow import MlflowClient

    return MlflowClient(uri, uri)


def _artifacts_beside(uri: str) -> str | None:
    """Returns where the artifacts of an SQLite store lie; it has no place of its own for them, as others have."""
    database = uri.removeprefix("sqlite:///")
    return None if database == uri else (Path(database).absolute().parent / "mlartifacts").as_uri()


def _bounded(call: Callable[[], T], max_seconds: float) -> tuple[T | None, str]:
    """Returns what a call returns, or None and why; a thread that is not done in time is left to itself.

    MLflow's own bounds are those of its requests, and not of a store of artifacts or a file system behind it.
    """
    results: queue.SimpleQueue[tuple[T | None, str]] = queue.SimpleQueue()

    def run() -> None:
        try:
            results.put((call(), ""))
        except Exception as error:
            results.put((None, _describe(error)))

    try:
        _import_mlflow()  # here: a thread that is left to itself must not hold the lock of an import
    except Exception as error:
        return None, _describe(error)
    threading.Thread(target=run, daemon=True, name="tracker").start()
    try:
        return results.get(timeout=max_seconds)
    except queue.Empty:
        return None, f"no answer within {max_seconds:g} s"


def _describe(error: BaseException) -> str:
    """Returns the reason in a line: that of the system where there is one, else the error's own first words."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        cause = cause.__cause__ or cause.__context__
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= _SHOWN_REASON else f"{text[:_SHOWN_REASON]}\u2026"
