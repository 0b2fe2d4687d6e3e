"""Makes recurring runs: of a spec that reads whatever is new, one schedule by name."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Mapping
from typing import Literal, NamedTuple

import kfp_server_api as kfp

from components.headline_example_gen.spans import parse_specs
from kubeflow.spec.messages import Json, Spec
from kubeflow.spec.parameters import ParameterError
from kubeflow.spec.values import INGEST, definitions, ingest_settings
from kubeflow.submit.api import ApiRun, PipelineVersion, RecurringRun, RuntimeConfig
from kubeflow.submit.server import Health, Server, ServerError
from kubeflow.submit.tasks import FINAL

#: Which deletes a recurring run without what it started (`propagation_policy`); earlier ones pass that over.
ORPHAN_RELEASE = "2.16.0"
#: The service accounts of a server for one user and of one for several, where none is given.
_DEFAULT_ACCOUNTS = (None, "", "pipeline-runner", "default-editor")
_NEWEST_RUNS = 50

_DIGEST = "data_digest"
_GATE = "DataGate"
#: The driver puts the run's id in its place.
RUN_ID = "{{$.pipeline_job_uuid}}"


def recurring_spec(spec: Spec) -> Spec:
    """Returns the spec without a digest of the data, which nobody knows before the span is there.

    The ingest is not cached then, because its parameters do not change with the files; everything after it is cached by
    what the ingest wrote. Where the gate tells one span's data from another's by the digest, the run's id does.

    Raises:
      ParameterError: the spec reads one span for ever.
    """
    spec = copy.deepcopy(spec)
    tasks = spec["root"]["dag"]["tasks"]
    settings = ingest_settings(spec)
    if settings and settings.last_span is not None:
        raise ParameterError(
            "data.last_span must be unset in a recurring run, which reads the newest spans. Received: a spec compiled "
            "with it. Compile it without; data.window_spans says how many spans are read."
        )
    if _DIGEST in definitions(spec):
        del spec["root"]["inputDefinitions"]["parameters"][_DIGEST]
    for name, task in tasks.items():
        parameters = task.get("inputs", {}).get("parameters", {})
        for key, source in parameters.items():
            if source.get("componentInputParameter") == _DIGEST:
                parameters[key] = {"runtimeValue": {"constant": RUN_ID if name == _GATE else ""}}
    if INGEST in tasks:
        tasks[INGEST]["cachingOptions"] = {}
    return spec


def window(spec: Spec) -> int | None:
    """Returns how many spans a run of a spec reads; None where the spec does not say."""
    settings = ingest_settings(spec)
    return settings.window_spans if settings else None


def check_pattern(spec: Spec, values: Mapping[str, Json]) -> None:
    """Raises unless the data comes in spans.

    Raises:
      ParameterError: every run would read the same.
    """
    known = definitions(spec)
    data = values.get("data", known.get("data", {}).get("defaultValue"))
    if data is not None and parse_specs(str(data)) is None:
        raise ParameterError(
            f"The data of a recurring run must come in spans. Received: data={data}, which has none. "
            "Give a pattern, as --parameter data=s3://bucket/{SPAN}/*.csv or with {DATE}."
        )


def check_cron(text: str) -> str:
    """Returns a schedule as Kubeflow Pipelines takes it: six fields, the first of them seconds.

    Raises:
      ParameterError: it is none.
    """
    # Kubeflow Pipelines would take five fields for six without the last.
    fields = text.split()
    if text.startswith("@") and len(fields) == 1 + (fields[0] == "@every"):
        return text
    if len(fields) == 5:  # crontab's, which have no seconds
        fields = ["0", *fields]
    allowed = set("0123456789*/,-?ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    if len(fields) != 6 or not all(set(field.upper()) <= allowed for field in fields):
        raise ParameterError(
            f"--recurring must be a cron expression of 5 fields, or of 6 that begin with seconds. Received: {text!r}. "
            'E.g. --recurring "0 6 * * *", every day at 6 in UTC.'
        )
    return " ".join(fields)


class Change(NamedTuple):
    """A recurring run after `ensure_recurring`."""

    recurring_run_id: str
    action: Literal["created", "updated", "unchanged"]
    warning: str = ""


def ensure_recurring(server: Server, wanted: RecurringRun, health: Health) -> Change:
    """Makes the one recurring run of its name in its experiment be as wanted.

    The API changes none, so a new one takes the place of the old: at no time are both enabled, and where the new one is
    refused the old one goes on. A run that the old one has at work goes on, too: it is orphaned, or where the server
    cannot do that the old one stays, disabled.

    Raises:
      ServerError: the server refuses.
    """
    api = server.recurring
    old: RecurringRun | None = server.find(
        api.recurring_run_service_list_recurring_runs,
        "recurring_runs",
        wanted.display_name,
        experiment_id=wanted.experiment_id,
    )
    if old is None:
        created: RecurringRun = server.call(api.recurring_run_service_create_recurring_run, wanted)
        return Change(created.recurring_run_id, "created")
    enabled = old.status == kfp.V2beta1RecurringRunStatus.ENABLED
    unchanged = enabled and _facts(old, wanted) == _facts(wanted, wanted)
    method = (
        api.recurring_run_service_enable_recurring_run if unchanged else api.recurring_run_service_disable_recurring_run
    )
    try:
        # Of what is enabled already it is no change, but where somebody deleted its ScheduledWorkflow it fails.
        server.call(method, old.recurring_run_id)
        if unchanged:
            return Change(old.recurring_run_id, "unchanged")
    except ServerError as error:
        if error.status not in (404, 500):
            raise
        enabled = False
    try:
        made: RecurringRun = server.call(api.recurring_run_service_create_recurring_run, wanted)
    except ServerError:
        if enabled:
            with contextlib.suppress(ServerError):  # the refusal is what matters
                server.call(api.recurring_run_service_enable_recurring_run, old.recurring_run_id)
        raise
    if health.older_than(ORPHAN_RELEASE) and (run := _at_work(server, old)):
        return Change(
            made.recurring_run_id,
            "updated",
            f"the recurring run {old.recurring_run_id}, whose place it takes, is disabled and not deleted: with it, "
            f"Kubeflow Pipelines before {ORPHAN_RELEASE} would delete the run {run.run_id}, which is at work. "
            "Delete it in the UI when that run has ended.",
        )
    server.call(api.recurring_run_service_delete_recurring_run, old.recurring_run_id, propagation_policy="ORPHAN")
    return Change(made.recurring_run_id, "updated")


def _at_work(server: Server, recurring: RecurringRun) -> ApiRun | None:
    method = server.runs.run_service_list_runs
    answer = server.call(
        method, experiment_id=recurring.experiment_id, sort_by="created_at desc", page_size=_NEWEST_RUNS
    )
    runs: list[ApiRun] = answer.runs or []
    mine = (run for run in runs if run.recurring_run_id == recurring.recurring_run_id)
    return next((run for run in mine if run.state not in FINAL), None)


def recurring_run(
    name: str,
    experiment: str,
    version: PipelineVersion,
    runtime: RuntimeConfig,
    service_account: str | None,
    cron: str,
) -> RecurringRun:
    """Returns a schedule: one run at a time, and none for missed times, as the newest spans are read anyway."""
    schedule: RecurringRun = kfp.V2beta1RecurringRun(
        display_name=name,
        experiment_id=experiment,
        pipeline_version_reference=kfp.V2beta1PipelineVersionReference(
            pipeline_id=version.pipeline_id, pipeline_version_id=version.pipeline_version_id
        ),
        runtime_config=runtime,
        service_account=service_account,
        trigger=kfp.V2beta1Trigger(cron_schedule=kfp.V2beta1CronSchedule(cron=cron)),
        mode=kfp.RecurringRunMode.ENABLE,
        max_concurrency="1",
        no_catchup=True,
    )
    return schedule


def _facts(run: RecurringRun, wanted: RecurringRun) -> tuple[object, ...]:
    reference, schedule = run.pipeline_version_reference, run.trigger and run.trigger.cron_schedule
    account = run.service_account
    if wanted.service_account is None and account in _DEFAULT_ACCOUNTS:
        account = None  # which the server fills in
    return (
        reference and reference.pipeline_version_id,
        schedule and schedule.cron,
        (run.runtime_config and run.runtime_config.parameters) or {},
        (run.runtime_config and run.runtime_config.pipeline_root) or None,
        account,
        str(run.max_concurrency),
        bool(run.no_catchup),
    )
