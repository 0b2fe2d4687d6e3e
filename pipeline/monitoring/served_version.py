"""A served version, and the artifacts of the run that made it: by the version's card and ML Metadata."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from pipeline.config.paths import OutputPaths
from pipeline.monitoring.traffic import Logs
from serving.versions import version_folder
from trainer import features


class MonitorError(Exception):
    """The logs cannot be compared with the training data."""

    exit_code = 2


@dataclasses.dataclass(frozen=True)
class TrainedFrom:
    """The paths of the artifacts that a version was made from."""

    statistics: Path
    """Of the train split."""
    schema: Path
    examples: Path
    """The folder of the evaluation split's."""
    digest: str
    """Of the model, by the version's card."""


def choose_version(logs: Logs, serving_dir: Path, wanted: int | None) -> int:
    """Returns the version to judge: `wanted`, else the newest in the serving folder, which is served.

    Requests to an older version are no measure of the newest model.

    Raises:
      MonitorError: the logs are of other models or of versions that are not in the folder.
    """
    known = version_folder.list_versions(serving_dir)
    logged = ", ".join("not named" if number is None else str(number) for number in logs.versions) or "none"
    if not logs.versions:
        others = ", ".join(f"{count:,} of {name or 'no model'}" for name, count in logs.other_models.items())
        others = others or f"{logs.other_entries:,} without texts and scores"
        raise MonitorError(
            f"The logs must hold requests to the model {serving_dir.name}. Received: {others}, in {logs.files} files. "
            "Give --model, the name that the server has for it."
        )
    if wanted is not None:
        if wanted not in known or not {wanted, None} & set(logs.versions):
            raise MonitorError(
                f"--version must be in {serving_dir} and in the logs. Received: {wanted}; the folder has "
                f"{', '.join(map(str, known)) or 'none'}, the logs have {logged}."
            )
        return wanted
    if not set(known) & set(logs.versions):
        hint = "Give --output or --model, or --version for requests that name none."
        raise MonitorError(
            f"The logs must be of versions in {serving_dir}. Received: version {logged}; the folder has "
            f"{', '.join(map(str, known)) or 'none'}. {hint}"
        )
    return known[-1]


def find_trained_from(paths: OutputPaths, version: int) -> TrainedFrom:
    """Returns the artifacts of the run that pushed a version.

    Raises:
      MonitorError: clickbait did not push it, or its artifacts are gone.
    """
    card = version_folder.read_card(paths.serving_model, version)
    if card is None:
        raise MonitorError(
            f"A version must have a card that names its run. Received: {paths.serving_model / str(version)}, which has "
            "none: clickbait did not push it. Give another --version."
        )
    from pipeline.results.lineage import read_outputs

    name = paths.serving_model.name
    outputs = read_outputs(paths.metadata, name, card.run_id) if paths.metadata.is_file() else {}
    try:
        made_from = TrainedFrom(
            Path(outputs["StatisticsGen"]["statistics"].uri, f"Split-{features.TRAIN_SPLIT}", "FeatureStats.pb"),
            Path(outputs["ImportSchemaGen"]["schema"].uri, "schema.pbtxt"),
            Path(outputs["HeadlineExampleGen"]["examples"].uri, f"Split-{features.EVAL_SPLIT}"),
            card.digest,
        )
        needed = (made_from.statistics, made_from.schema, made_from.examples)
        missing = [str(path) for path in needed if not path.exists()]
    except KeyError as error:
        missing = [f"no output {error} in {paths.metadata}"]
    if missing:
        raise MonitorError(
            f"The artifacts of the version's run, {card.run_id}, must exist. Received: {missing[0]}, which is gone. "
            "Run `clickbait run` again, with the same --output."
        )
    return made_from
