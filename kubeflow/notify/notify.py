"""`clickbait kubeflow notify`: looks for runs that ended since the last look, and posts a message of each."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import click

from kubeflow.notify.notice import Notice, Source, notice_of, overdue_notice
from kubeflow.notify.record import Record, locked, read_record
from kubeflow.notify.webhook import WebhookError, read_webhook
from kubeflow.status.status import StatusError, find_pipeline
from kubeflow.submit.address import Address
from kubeflow.submit.api import ApiRun
from kubeflow.submit.follow import settle, still_because
from kubeflow.submit.outcome import Outcome, judge
from kubeflow.submit.server import Server, ServerError
from kubeflow.submit.submit import require_namespace
from kubeflow.submit.tasks import FINAL, SUCCEEDED
from kubeflow.submit.versions import read_spec
from serving.untrusted import visible

_EXIT_LEFT = 1
_JUST_NOW = timedelta(minutes=1)
_READABLE = timedelta(minutes=15)
"""So long after a run's end its logs are tried for; then it is told without."""
_NEWS = timedelta(hours=1)


@dataclasses.dataclass(frozen=True)
class Options:
    """Options of a notifier."""

    state: Path
    """The record's file."""
    webhook_file: Path | None = None
    """Read at every look, as Kubernetes renews it; None takes the environment's."""
    namespace: str | None = None
    pipeline: str | None = None
    """Whose runs; None takes those of the experiment."""
    experiment: str | None = None
    every: bool = False
    """Also of runs that succeeded."""
    since: datetime | None = None
    """Without a record: runs that ended before are no news; None is an hour ago."""
    overdue_hours: float = 24.0
    """After which a run should have ended; 0 is never."""
    ui: str | None = None
    """URL of the UI for links; None is the API server's."""
    text_only: bool = False
    """Post no field but the text."""


class _Scope(NamedTuple):
    """Whose runs are looked at."""

    where: Mapping[str, str]
    """Arguments of a listing."""
    pipeline_id: str | None
    """Of the runs that count; None is all that are listed."""
    key: str

    def runs(self, server: Server, sort_by: str) -> Iterator[ApiRun]:
        """Yields them all, whether they count or not."""
        return server.list_runs(sort_by, **self.where)

    def has(self, run: ApiRun) -> bool:
        """Tells whether a run counts."""
        reference = run.pipeline_version_reference
        return self.pipeline_id is None or bool(reference and reference.pipeline_id == self.pipeline_id)


def notify(address: Address, options: Options, poll_seconds: float | None = None) -> int:
    """Notifies of all runs that are news, and returns the command's exit code: whether all could be told.

    Args:
      address: of the API server.
      options: see there.
      poll_seconds: looks again and again, with so many seconds between; None looks once.

    Raises:
      Exception: those with an `exit_code` are messages for the user.
    """
    read_webhook(options.webhook_file)
    with locked(options.state):
        server = Server(address)
        while True:
            try:
                left = look(server, options)
            except (ServerError, WebhookError) as error:
                if poll_seconds is None:
                    raise
                _report(str(error))
            else:
                if poll_seconds is None:
                    return _EXIT_LEFT if left else 0
            time.sleep(poll_seconds)


def look(server: Server, options: Options, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> int:
    """Notifies of the runs that ended since the last look, the first first; returns how many are left for the next.

    Raises:
      ServerError: the server refuses, or is not there. Who was notified until then is in the record.
      RecordError, StatusError, WebhookError: the options are wrong.
    """
    scope = _scope(server, options)
    record = read_record(options.state, scope.key, options.since or clock() - _NEWS)
    # Before anything is posted: where it cannot be written, the same would come at every look.
    record.save(options.state)
    return _Look(server, options, scope, record, clock).run()


class _Look:
    """One look at the server."""

    def __init__(self, server: Server, options: Options, scope: _Scope, record: Record, clock: Callable[[], datetime]):
        self._server = server
        self._options = options
        self._scope = scope
        self._record = record
        self._clock = clock
        self._webhook = read_webhook(options.webhook_file)
        self._source = Source(server.host, options.ui or server.host, options.pipeline)
        self._waiting: list[datetime] = []
        self._left = 0
        self._closed = False

    def run(self) -> int:
        """See `look`."""
        ended = self._ended()
        ends = {run.run_id: end for run, end in ended}
        try:
            for run, end in ended:
                if self._must_wait(run, end):
                    self._left += 1
                    self._waiting.append(end)
                else:
                    self._record.ended[run.run_id] = end
                    self._record.save(self._options.state)
                del ends[run.run_id]
            self._look_for_overdue()
        finally:
            self._record.forget([*self._waiting, *ends.values()])
            self._record.save(self._options.state)
        return self._left

    def _ended(self) -> list[tuple[ApiRun, datetime]]:
        ended = []
        for run in self._scope.runs(self._server, "finished_at desc"):
            end = _known(run.finished_at)
            if end is None or end < self._record.since:
                break
            if self._scope.has(run) and run.state in FINAL and self._record.ended.get(run.run_id) != end:
                ended.append((run, end))
        return sorted(ended, key=lambda item: (item[1], item[0].run_id))

    def _must_wait(self, listed: ApiRun, end: datetime) -> bool:
        """Notifies of a run, and tells whether that is for the next look."""
        if listed.state == SUCCEEDED and not self._options.every:
            return False
        if self._closed:
            return True
        run = self._read(listed.run_id)
        if run is None or run.state not in FINAL:  # deleted since, or started again
            return False
        if self._clock() - end < _JUST_NOW:
            run = settle(self._server, run)
        try:
            outcome = judge(self._server, run)
        except ServerError as error:
            if not error.passing:
                raise
            if self._clock() - end < _READABLE:
                _report(f"{run.run_id} is left for the next look: {error}")
                return True
            outcome = Outcome(1, f"the run is {run.state}, and its logs cannot be read: {error}")
        return not self._post(notice_of(run, outcome, read_spec(self._server, run), self._source))

    def _look_for_overdue(self) -> None:
        hours, overdue = self._options.overdue_hours, []
        for listed in self._scope.runs(self._server, "finished_at asc") if hours else ():
            if _known(listed.finished_at):
                break
            created = _known(listed.created_at)
            late = created and self._clock() - created >= timedelta(hours=hours)
            if not (late and created and self._scope.has(listed)):
                continue
            # What was late before the first look is no news.
            news = created + timedelta(hours=hours) >= self._record.since
            if listed.run_id in self._record.overdue or not news or self._post_overdue(listed.run_id, hours):
                overdue.append(listed.run_id)
            else:
                self._left += 1
                self._waiting.append(created + timedelta(hours=hours))
        self._record.overdue = overdue

    def _post_overdue(self, run_id: str, hours: float) -> bool:
        if self._closed:
            return False
        run = self._read(run_id)
        if run is None or run.state in FINAL:
            return True
        return self._post(
            overdue_notice(
                run, hours, f"the run is {run.state}{still_because(run)}", read_spec(self._server, run), self._source
            )
        )

    def _read(self, run_id: str) -> ApiRun | None:
        try:
            run: ApiRun = self._server.call(self._server.runs.run_service_get_run, run_id)
        except ServerError as error:
            if error.status != 404:
                raise
            return None
        return run

    def _post(self, notice: Notice) -> bool:
        try:
            self._webhook.post(notice.as_dict(text_only=self._options.text_only))
        except WebhookError as error:
            # A webhook that is away would take a minute for each of the others.
            self._closed = error.passing
            _report(f"{notice.run_id} is left for the next look: {error}")
            return False
        code = "" if notice.exit_code is None else f", exit code {notice.exit_code}"
        task = f", {notice.task}" if notice.task else ""
        click.echo(visible(f"notified of {notice.run_id}: {notice.state}{code}{task}"))
        return True


def _scope(server: Server, options: Options) -> _Scope:
    namespace = require_namespace(server.check().several_users, options.namespace, server.host)
    where = {"namespace": namespace} if namespace else {}
    if options.pipeline is not None:
        pipeline_id = find_pipeline(server, options.pipeline, namespace)
        return _Scope(where, pipeline_id, f"pipeline {pipeline_id}")
    name = options.experiment or ""
    experiment = server.find(server.experiments.experiment_service_list_experiments, "experiments", name, **where)
    if experiment is None:
        raise StatusError(
            f"--experiment must name an experiment. Received: {name}, which {server.host} does not have. "
            f"{server.host}/#/experiments lists them."
        )
    return _Scope({"experiment_id": experiment.experiment_id}, None, f"experiment {experiment.experiment_id}")


def _known(moment: datetime | None) -> datetime | None:
    # The API writes times that it does not know as the epoch.
    return moment if moment and moment.year > 1970 else None


def _report(message: str) -> None:
    click.echo(visible(f"clickbait: {message}"), err=True)
