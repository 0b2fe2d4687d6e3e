"""Compares logged requests with the training data, and writes a report."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pydantic import JsonValue
from pydantic.dataclasses import dataclass

from components.data_gate.policy import FAIL, PASSED, WARN, Finding
from components.recorded import KEEPS_UNKNOWN, Recorded
from pipeline.config.monitor import MonitorConfig
from pipeline.config.paths import OutputPaths
from pipeline.config.pipeline_config import PipelineConfig
from pipeline.monitoring.label_report import LABELS, LabelReport
from pipeline.monitoring.served_version import MonitorError, TrainedFrom, choose_version, find_trained_from
from pipeline.monitoring.traffic import Logs, Row, Sample, Traffic, read_logs, too_few
from pipeline.results.run_folders import new_run_id
from serving.classes import UNSURE, Unsure, class_of
from serving.request_log.reader import find_logs
from serving.versions import version_folder
from serving.versions.version_folder import VersionCard
from serving.whole_file import write_whole

if TYPE_CHECKING:
    from pipeline.monitoring.labels import LateLabels

SCHEMA_VERSION = 1
REPORT_FILE = "monitor.json"
FINE, DRIFTED, BELOW, NOT_JUDGED = "fine", "drifted", "below threshold", "not judged"
EXIT_CODES = {FINE: 0, NOT_JUDGED: 0, DRIFTED: 3, BELOW: 3}


@dataclass(frozen=True, config=KEEPS_UNKNOWN)
class LogCounts(Recorded):
    """Counts of the logs that were read; times are ISO 8601, UTC."""

    files: int
    since: str | None
    requests: int
    rows: int
    """Texts that were served since."""
    compared_rows: int
    """Those of them that were drawn."""
    earlier_rows: int
    first: str | None
    last: str | None
    rows_by_version: dict[str, int]
    entries_of_other_models: int
    entries_without_texts: int
    faults: dict[str, str]
    """Of files that are read up to there, by their paths."""


@dataclass(frozen=True, config=KEEPS_UNKNOWN)
class UnsureCount(Recorded):
    """The compared texts whose score lies in the band that `clickbait threshold choose` wrote into the card."""

    begin: float
    end: float
    rows: int
    share: float
    """Of the compared texts."""
    expected_share: float
    """Of the rows that the band was chosen on."""


@dataclass(frozen=True, config=KEEPS_UNKNOWN)
class Report(Recorded):
    """`monitor.json`; the last five fields are known once the logs are compared."""

    schema_version: int
    monitored_at: str
    model: str
    version: int
    run_id: str | None
    """The run that made the version; None where it is unknown."""
    logs: LogCounts
    policy: Mapping[str, JsonValue]
    unsure: UnsureCount | None = None
    """None where the version's card has no band, or nothing was served."""
    labels: LabelReport | None = None
    """None without late labels."""
    status: str = NOT_JUDGED
    exit_code: int = 0
    reason: str = ""
    findings: list[Finding] = field(default_factory=list)


class Opened(NamedTuple):
    """Logs that were read, and the artifacts that they are compared with."""

    report: Report
    """The report as far as it is known before the comparison."""
    traffic: Traffic
    """Of the version that is judged."""
    made_from: TrainedFrom | None
    """None where too few texts were served to compare them."""
    late: LateLabels | None = None
    """None without late labels."""
    logged_as: int | None = None
    """The version that is judged as the logs name it."""


def open_logs(
    config: PipelineConfig,
    paths: Sequence[str],
    *,
    version: int | None = None,
    since: float = 0.0,
    labels: str | None = None,
) -> Opened:
    """Reads logs. Needs no TensorFlow.

    Args:
      config: model, output and the section `monitor`.
      paths: folders, files or globs of logs.
      version: the one to judge; the newest in the serving folder when not given.
      since: what was served from then on is judged, in seconds since 1970.
      labels: a CSV file of late labels, with the columns and labels of the section `data`.

    Raises:
      RequestLogError: there are no logs.
      InputError: the labels cannot be read.
      MonitorError: they cannot be read, or are not of this model.
    """
    policy, output = config.monitor, OutputPaths.of(config)
    files, late = find_logs(paths), None
    if labels is not None:
        from pipeline.monitoring.labels import LateLabels

        late = LateLabels.read(labels, config.data)
    logs = read_logs(files, config.model_name, since=since, most_rows=policy.max_compared_rows, sink=late)
    if not (logs.versions or logs.other_models or logs.other_entries):
        reasons = "; ".join(f"{path}: {reason}" for path, reason in logs.faults.items())
        raise MonitorError(
            f"Logs must hold at least one whole entry. Received: {logs.files} files with none. {reasons}".rstrip()
        )
    is_given = version is not None
    version = choose_version(logs, output.serving_model, version)
    # Requests over REST may not name their version: they count where --version does.
    logged_as = None if is_given and version not in logs.versions else version
    traffic = logs.versions.get(logged_as) or Traffic(Sample(0), Sample(0))
    made_from = None if too_few(len(traffic.recent.rows), policy) else find_trained_from(output, version)
    return Opened(_open(config, logs, output, version, traffic, since), traffic, made_from, late, logged_as)


def judge_logs(config: PipelineConfig, opened: Opened) -> Report:
    """Compares the logs, and completes the report. Imports TensorFlow where there is something to compare."""
    policy = config.monitor
    findings = too_few(len(opened.traffic.recent.rows), policy)
    if opened.made_from:
        findings = _judge(opened, opened.made_from, OutputPaths.of(config), policy)
    labels = None
    if opened.late:
        from pipeline.monitoring.labels import judge_labels

        labels, of_labels = judge_labels(opened.late, opened.logged_as, policy)
        findings = [*findings, *of_labels]
    status = _status(findings)
    return dataclasses.replace(
        opened.report,
        labels=labels,
        status=status,
        exit_code=EXIT_CODES[status],
        reason=_reason(status, findings),
        findings=findings,
    )


@contextlib.contextmanager
def report_folder(reports: Path) -> Iterator[Path]:
    """Makes a report's folder among the others, and removes it again where it stays empty.

    Raises:
      MonitorError: it cannot be made.
    """
    folder = reports / new_run_id()
    with _writing(folder):
        missing = list(itertools.takewhile(lambda path: not path.exists(), (folder, *folder.parents)))
        folder.mkdir(parents=True, exist_ok=True)
    try:
        yield folder
    finally:
        for made in missing:
            if any(made.iterdir()):
                break
            made.rmdir()


def write_report(folder: Path, report: Report) -> Path:
    """Writes `monitor.json`, whole or not at all.

    Raises:
      MonitorError: it cannot be written.
    """
    path = folder / REPORT_FILE
    with _writing(path):
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(report.as_dict(), indent=2, ensure_ascii=False) + "\n")
    return path


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise MonitorError(
            f"The report must have a writable folder in the output. Received: {path}: {error.strerror}. Make room "
            "there, or give another --output."
        ) from error


def _judge(opened: Opened, made_from: TrainedFrom, paths: OutputPaths, policy: MonitorConfig) -> list[Finding]:
    from pipeline.monitoring.judge import Training, judge_served
    from pipeline.monitoring.reference import reference_scores

    training = Training.read(
        made_from.statistics,
        made_from.schema,
        reference_scores(
            paths.monitor / "reference",
            paths.serving_model / str(opened.report.version),
            made_from.digest,
            str(made_from.examples),
            policy.max_compared_rows,
        ),
    )
    return judge_served(opened.traffic.recent.rows, opened.traffic.earlier.rows, training, policy)


def _open(
    config: PipelineConfig, logs: Logs, paths: OutputPaths, version: int, traffic: Traffic, since: float
) -> Report:
    card = version_folder.read_card(paths.serving_model, version)
    counts = LogCounts(
        files=logs.files,
        since=_utc(since) if since else None,
        requests=traffic.requests,
        rows=traffic.recent.seen,
        compared_rows=len(traffic.recent.rows),
        earlier_rows=traffic.earlier.seen,
        first=_utc(traffic.first) if traffic.requests else None,
        last=_utc(traffic.last) if traffic.requests else None,
        rows_by_version={
            "not named" if number is None else str(number): served.recent.seen + served.earlier.seen
            for number, served in logs.versions.items()
        },
        entries_of_other_models=sum(logs.other_models.values()),
        entries_without_texts=logs.other_entries,
        faults=logs.faults,
    )
    return Report(
        schema_version=SCHEMA_VERSION,
        monitored_at=_utc(datetime.datetime.now(datetime.UTC).timestamp()),
        model=config.model_name,
        version=version,
        run_id=card.run_id if card else None,
        logs=counts,
        policy=config.monitor.model_dump(),
        unsure=_count_unsure(traffic.recent.rows, card),
    )


def _count_unsure(rows: Sequence[Row], card: VersionCard | None) -> UnsureCount | None:
    if not rows or card is None or card.threshold is None:
        return None
    band = Unsure(*card.threshold.unsure)
    count = sum(class_of(row.score, band) == UNSURE for row in rows)
    answered = card.threshold.shares["coverage"][0]
    return UnsureCount(band.begin, band.end, count, count / len(rows), 1 - answered)


def _status(findings: Sequence[Finding]) -> str:
    failed = {finding.rule for finding in findings if finding.outcome == FAIL}
    if failed:
        return BELOW if failed == {LABELS} else DRIFTED
    return FINE if {finding.outcome for finding in findings} & {PASSED, WARN} else NOT_JUDGED


def _reason(status: str, findings: Sequence[Finding]) -> str:
    if status == NOT_JUDGED:
        return f"expected {findings[0].bound}, observed {findings[0].observed}"
    return "; ".join([*_reason_of_texts(findings), *_reason_of_labels(findings)])


def _reason_of_texts(findings: Sequence[Finding]) -> Iterator[str]:
    judged = [finding for finding in findings if finding.rule != LABELS and finding.outcome in (PASSED, WARN, FAIL)]
    if failed := [
        f"{finding.rule} of {finding.where} {finding.observed}" for finding in judged if finding.outcome == FAIL
    ]:
        yield f"what is served is not what the model was trained on: {', '.join(failed)}"
    elif judged:
        yield "what is served is like what the model was trained on"


def _reason_of_labels(findings: Sequence[Finding]) -> Iterator[str]:
    judged = [finding for finding in findings if finding.rule == LABELS and finding.outcome in (PASSED, WARN, FAIL)]
    if failed := [
        f"{finding.where} {finding.observed}, expected {finding.bound}"
        for finding in judged
        if finding.outcome != PASSED
    ]:
        yield f"the model is below its thresholds on texts with late labels: {', '.join(failed)}"
    elif judged:
        yield "the model reaches its thresholds on texts with late labels"


def _utc(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).isoformat(timespec="seconds")
