"""Makes recurring runs: of a spec that reads whatever is new, one schedule by name."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Mapping

import kfp_server_api as kfp

from components.headline_example_gen.spans import parse_specs
from kubeflow.spec.messages import Json, Spec
from kubeflow.spec.parameters import ParameterError
from kubeflow.spec.values import INGEST, definitions, ingest_settings
from kubeflow.submit.api import PipelineVersion, RecurringRun
from kubeflow.submit.server import Server, ServerError

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


def ensure_recurring(server: Server, wanted: RecurringRun) -> tuple[str, str]:
    """Makes the one recurring run of its name in its experiment be as wanted.

    The API changes none, so a new one takes the place of the old: at no time are both enabled, and where the new one is
    refused the old one goes on.

    Returns:
      Its id, and `created`, `updated` or `unchanged`.

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
        return created.recurring_run_id, "created"
    enabled = old.status == kfp.V2beta1RecurringRunStatus.ENABLED
    if enabled and _facts(old) == _facts(wanted):
        return old.recurring_run_id, "unchanged"
    server.call(api.recurring_run_service_disable_recurring_run, old.recurring_run_id)
    try:
        made: RecurringRun = server.call(api.recurring_run_service_create_recurring_run, wanted)
    except ServerError:
        if enabled:
            with contextlib.suppress(ServerError):  # the refusal is what matters
                server.call(api.recurring_run_service_enable_recurring_run, old.recurring_run_id)
        raise
    server.call(api.recurring_run_service_delete_recurring_run, old.recurring_run_id)
    return made.recurring_run_id, "updated"


def recurring_run(
    name: str, experiment: str, version: PipelineVersion, values: Mapping[str, Json], cron: str
) -> RecurringRun:
    """Returns a schedule: one run at a time, and none for missed times, as the newest spans are read anyway."""
    schedule: RecurringRun = kfp.V2beta1RecurringRun(
        display_name=name,
        experiment_id=experiment,
        pipeline_version_reference=kfp.V2beta1PipelineVersionReference(
            pipeline_id=version.pipeline_id, pipeline_version_id=version.pipeline_version_id
        ),
        runtime_config=kfp.V2beta1RuntimeConfig(parameters=dict(values)),
        trigger=kfp.V2beta1Trigger(cron_schedule=kfp.V2beta1CronSchedule(cron=cron)),
        mode=kfp.RecurringRunMode.ENABLE,
        max_concurrency="1",
        no_catchup=True,
    )
    return schedule


def _facts(run: RecurringRun) -> tuple[object, ...]:
    reference, schedule = run.pipeline_version_reference, run.trigger and run.trigger.cron_schedule
    return (
        reference and reference.pipeline_version_id,
        schedule and schedule.cron,
        (run.runtime_config and run.runtime_config.parameters) or {},
        str(run.max_concurrency),
        bool(run.no_catchup),
    )
