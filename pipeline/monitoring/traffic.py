"""Reads texts and scores from logs of requests, by version. Needs no TensorFlow."""

from __future__ import annotations

import dataclasses
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from google.protobuf.message import DecodeError

from components.data_gate.policy import Finding, apply_policy
from pipeline.config.monitor import MonitorConfig
from serving.protocol.messages import Example, PredictionLog, TensorProto
from serving.protocol.records import RecordError
from serving.protocol.tensors import decode_tensor
from serving.request_log.reader import read_log
from trainer import features

_EXAMPLES = "examples"
_SEED = 1


class Row(NamedTuple):
    """One served text."""

    text: bytes
    score: float


class Sample:
    """A random sample of a stream of rows, of at most so many.

    Attributes:
      rows: those that are kept.
      seen: how many came along.
    """

    def __init__(self, most: int):
        self._most = most
        self._random = random.Random(_SEED)
        self.rows: list[Row] = []
        self.seen = 0

    def add(self, row: Row) -> None:
        """Keeps the row, or another, or none."""
        self.seen += 1
        if len(self.rows) < self._most:
            self.rows.append(row)
        elif (place := self._random.randrange(self.seen)) < self._most:
            self.rows[place] = row


@dataclasses.dataclass
class Traffic:
    """The logged requests to a version."""

    recent: Sample
    """The rows that are judged."""
    earlier: Sample
    """Those that were served before."""
    requests: int = 0
    """Of the recent rows."""
    first: float = float("inf")
    last: float = 0.0
    """Their times, in seconds since 1970."""


@dataclasses.dataclass
class Logs:
    """The contents of log files."""

    files: int
    versions: dict[int | None, Traffic]
    """By version; None: of requests whose log does not name it."""
    other_models: Counter[str]
    """Entries of other models."""
    other_entries: int
    """Entries that are no texts with a score each: another signature, another output."""
    faults: dict[str, str]
    """Files that could be read only up to somewhere, and why."""


class RowSink(Protocol):
    """Takes served rows, beside the samples."""

    def add(self, version: int | None, served_at: float, row: Row) -> None:
        """Takes a row.

        Args:
          version: that scored it; None where its log does not name it.
          served_at: in seconds since 1970.
          row: the text and its score.
        """


def read_logs(
    paths: Sequence[Path], model: str, *, since: float = 0.0, most_rows: int, sink: RowSink | None = None
) -> Logs:
    """Reads the requests to a model.

    Args:
      paths: of TFRecord files of PredictionLog.
      model: its name on the server.
      since: entries from then on are judged, in seconds since 1970.
      most_rows: a version has at most so many recent and so many earlier ones.
      sink: takes all the recent rows, not only those that are drawn.
    """
    logs = Logs(len(paths), {}, Counter(), 0, {})
    for path in paths:
        try:
            written = path.stat().st_mtime
            for entry in read_log(path):
                _add(entry, logs, model, since, written, most_rows, sink)
        except (RecordError, OSError) as error:
            logs.faults[str(path)] = getattr(error, "strerror", None) or str(error)
    return logs


def read_rows(entry: PredictionLog) -> Iterator[Row]:
    """Returns the texts of a request, by either signature, each with its score.

    Raises:
      ValueError: it has no such.
    """
    request, response = entry.predict_log.request, entry.predict_log.response
    if features.PROBABILITY not in response.outputs:
        raise ValueError(f"an answer must have the output {features.PROBABILITY}")
    if features.TITLE in request.inputs:
        texts = _strings(request.inputs[features.TITLE])
    elif _EXAMPLES in request.inputs:
        texts = [_title(example) for example in _strings(request.inputs[_EXAMPLES])]
    else:
        raise ValueError(f"a request must have the input {features.TITLE} or {_EXAMPLES}")
    scores = decode_tensor(response.outputs[features.PROBABILITY]).values
    if len(texts) != len(scores):
        raise ValueError("each text must have a score")
    return map(Row, texts, map(float, scores))


def _add(
    entry: PredictionLog,
    logs: Logs,
    model: str,
    since: float,
    written: float,
    most_rows: int,
    sink: RowSink | None,
) -> None:
    spec = entry.log_metadata.model_spec
    spec = spec if spec.name else entry.predict_log.response.model_spec
    if spec.name != model:
        logs.other_models[spec.name] += 1
        return
    try:
        rows = list(read_rows(entry))
    except ValueError:
        logs.other_entries += 1
        return
    version = spec.version.value if spec.HasField("version") else None
    traffic = logs.versions.setdefault(version, Traffic(Sample(most_rows), Sample(most_rows)))
    served_at = entry.log_metadata.timestamp_secs or written
    is_recent = served_at >= since
    if is_recent:
        traffic.requests += 1
        traffic.first, traffic.last = min(traffic.first, served_at), max(traffic.last, served_at)
    for row in rows:
        (traffic.recent if is_recent else traffic.earlier).add(row)
        if sink and is_recent:
            sink.add(version, served_at, row)


def _strings(tensor: TensorProto) -> list[bytes]:
    values = decode_tensor(tensor).values
    strings = [value for value in values if isinstance(value, bytes)]
    if len(strings) != len(values):
        raise ValueError("texts and examples must be strings")
    return strings


def _title(content: bytes) -> bytes:
    try:
        found = Example.FromString(content).features.feature
    except DecodeError as error:
        raise ValueError("examples must be tf.Examples") from error
    values: Sequence[bytes] = found[features.TITLE].bytes_list.value if features.TITLE in found else ()
    if len(values) != 1:
        raise ValueError(f"an example must have one {features.TITLE}")
    return values[0]


def too_few(rows: int, policy: MonitorConfig) -> list[Finding]:
    """Returns findings that are not judged where too few rows were served; none where there are enough."""
    if rows >= policy.min_compared_rows:
        return []
    bound = f">= {policy.min_compared_rows:,} rows"
    places = {"skew": "all features", "drift": "all features", "scores": features.PROBABILITY}
    findings = [Finding(rule, where, bound, f"{rows:,} rows", kept=None) for rule, where in places.items()]
    return apply_policy(findings, policy)
