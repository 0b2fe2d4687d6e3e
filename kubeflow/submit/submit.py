"""`clickbait kubeflow submit`: uploads, runs, follows, and ends as `clickbait run` ends."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import kfp_server_api as kfp
from rich.console import Console
from rich.markup import escape

from kubeflow.container.exit_codes import MEANINGS
from kubeflow.spec.messages import Spec, Task
from kubeflow.spec.pipeline_spec import load_platforms, load_spec
from kubeflow.spec.values import check_values
from kubeflow.submit.address import Address
from kubeflow.submit.api import ApiRun, PipelineVersion, RecurringRun, RuntimeConfig
from kubeflow.submit.artifact_store import check_store, pipeline_root
from kubeflow.submit.follow import Pace, TimedOut, follow
from kubeflow.submit.outcome import Outcome, judge
from kubeflow.submit.recurring import (
    check_cron,
    check_pattern,
    ensure_recurring,
    recurring_run,
    recurring_spec,
    window,
)
from kubeflow.submit.server import Health, Server, ServerError, old_backend, run_page
from kubeflow.submit.settings import read_settings
from kubeflow.submit.versions import find_experiment, read_spec, tasks_of, upload
from kubeflow.submit.view import ClusterView, print_fact
from pipeline.terminal import open_console

_EXIT_INTERRUPTED, _EXIT_TIMED_OUT = 130, 1
_POD_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


@dataclasses.dataclass(frozen=True)
class Options:
    """Options of a submission."""

    namespace: str | None = None
    """Of the user; only a server for several has such."""
    experiment: str | None = None
    """The pipeline's name where it is None."""
    name: str | None = None
    """Of the run, or of the recurring run."""
    parameters: tuple[str, ...] = ()
    """`name=value` each."""
    cron: str | None = None
    """Makes a recurring run of it."""
    wait: bool = True
    """Follow the run to its end."""
    terminate: bool = False
    """End the run when it is no longer followed."""
    pace: Pace = Pace()


def submit(address: Address, spec_file: Path, options: Options) -> int:
    """Starts a run of a spec, or its recurring runs, and returns the command's exit code.

    Raises:
      Exception: those with an `exit_code` are messages for the user.
    """
    console, spec = open_console(), load_spec(spec_file)
    cron = None
    if options.cron is not None:
        cron, spec = check_cron(options.cron), recurring_spec(spec)
    values = check_values(spec, options.parameters)
    if cron:
        check_pattern(spec, values)
    platforms = load_platforms(spec_file)
    settings = read_settings(platforms)
    server = Server(address)
    health = server.check()
    require_release(health, settings.release, address.host)
    namespace = require_namespace(health.several_users, options.namespace, address.host)
    version, uploaded = upload(server, spec, namespace, platforms)
    pipeline = spec["pipelineInfo"]["name"]
    print_fact(
        console, "pipeline", f"{pipeline}, version {version.display_name}" + ("" if uploaded else ", there already")
    )
    experiment = find_experiment(server, options.experiment or pipeline, namespace)
    if moved := check_store(server, spec, version.pipeline_id, experiment, namespace):
        print_fact(console, "cache", moved)
    runtime: RuntimeConfig = kfp.V2beta1RuntimeConfig(parameters=values, pipeline_root=pipeline_root(spec))
    if cron:
        name = options.name or pipeline
        wanted = recurring_run(name, experiment, version, runtime, settings.service_account, cron)
        return _schedule(server, wanted, spec, health, console)
    run: ApiRun = server.call(
        server.runs.run_service_create_run,
        _run(options.name or _run_name(pipeline), experiment, version, runtime, settings.service_account),
    )
    print_fact(console, "run", run.run_id)
    print_fact(console, "page", run_page(server.host, run.run_id))
    if not options.wait:
        print_fact(console, "follow", _go_on(server, run.run_id))
        return 0
    return _follow(server, run.run_id, tasks_of(spec), options, console)


def follow_run(address: Address, run_id: str, options: Options) -> int:
    """Follows a run that was started before, and returns the command's exit code.

    Raises:
      Exception: those with an `exit_code` are messages for the user.
    """
    server = Server(address)
    server.check()
    try:
        run: ApiRun = server.call(server.runs.run_service_get_run, run_id)
        tasks = tasks_of(read_spec(server, run))
    except ServerError as error:
        if error.status != 404:
            raise
        raise ServerError(
            f"--follow must be the id of a run. Received: {run_id}, which {address.host} has not. `submit` prints it, "
            "and the address of the run's page ends in it.",
            404,
        ) from error
    return _follow(server, run_id, tasks, options, open_console())


def require_release(health: Health, release: str, host: str) -> None:
    """Raises where a server is older than what is compiled needs; a build without a release's tag is trusted.

    Raises:
      ServerError: it would run, and fail.
    """
    if health.older_than(release):
        raise old_backend(f"{host}, which is {health.release}", release)


def require_namespace(several: bool, namespace: str | None, host: str) -> str | None:
    """Returns the namespace of the user: the one given, or the pod's own; None on a server for one user.

    Raises:
      ServerError: there must be one and is none, or the reverse.
    """
    if namespace and not several:
        raise ServerError(
            f"--namespace must be left out on a server for one user. Received: {namespace}, and {host} has one user. "
            "Leave it out."
        )
    if several and not namespace:
        if _POD_NAMESPACE.is_file():
            return _POD_NAMESPACE.read_text(encoding="utf-8").strip()
        raise ServerError(
            f"--namespace must be given on a server that separates its users. Received: {host} and no --namespace. "
            "Give the profile's name, as `kubectl get profiles` shows it."
        )
    return namespace


def _schedule(server: Server, wanted: RecurringRun, spec: Spec, health: Health, console: Console) -> int:
    change = ensure_recurring(server, wanted, health)
    spans = window(spec)
    reads = f", each of the newest {f'{spans} spans' if spans > 1 else 'span'}" if spans else ""
    cron = wanted.trigger and wanted.trigger.cron_schedule and wanted.trigger.cron_schedule.cron
    print_fact(console, "recurring", f"{wanted.display_name} {change.action}: {cron} (UTC){reads}")
    print_fact(console, "page", f"{server.host}/#/recurringrun/details/{change.recurring_run_id}")
    if change.warning:
        print_fact(console, "warning", change.warning)
    return 0


def _run(
    name: str, experiment: str, version: PipelineVersion, runtime: RuntimeConfig, service_account: str | None
) -> ApiRun:
    run: ApiRun = kfp.V2beta1Run(
        display_name=name,
        experiment_id=experiment,
        pipeline_version_reference=kfp.V2beta1PipelineVersionReference(
            pipeline_id=version.pipeline_id, pipeline_version_id=version.pipeline_version_id
        ),
        runtime_config=runtime,
        service_account=service_account,
    )
    return run


def _run_name(pipeline: str) -> str:
    return f"{pipeline} {datetime.now(UTC):%Y-%m-%d %H:%M:%S}"


def _follow(server: Server, run_id: str, tasks: Mapping[str, Task] | None, options: Options, console: Console) -> int:
    view = ClusterView(console, tasks)
    try:
        with view.drawing():
            run = follow(server, run_id, view, options.pace)
            outcome = judge(server, run)
    except KeyboardInterrupt:
        return _leave(server, run_id, "interrupted", _EXIT_INTERRUPTED, options, console)
    except TimedOut:
        reason = f"not done in {options.pace.timeout_seconds:g} s"
        return _leave(server, run_id, reason, _EXIT_TIMED_OUT, options, console)
    except ServerError as error:
        raise ServerError(f"{error}\nThe run was not touched; {_go_on(server, run_id)}", error.status) from error
    colour = "green" if outcome.exit_code == 0 else "red"
    console.print(f"[{colour}]{escape(_explain(outcome))}[/]  [dim]exit code {outcome.exit_code}[/]", soft_wrap=True)
    if outcome.also_failed:
        console.print(
            f"failed, too: {escape(', '.join(outcome.also_failed))}; the message is of the first to end that says why",
            soft_wrap=True,
        )
    return outcome.exit_code


def _explain(outcome: Outcome) -> str:
    meaning = MEANINGS.get(outcome.exit_code, MEANINGS[1])
    message = meaning if outcome.reason == meaning else f"{meaning}: {outcome.reason}"
    return f"{outcome.task}: {message}" if outcome.task else message


def _leave(server: Server, run_id: str, reason: str, exit_code: int, options: Options, console: Console) -> int:
    if options.terminate:
        server.call(server.runs.run_service_terminate_run, run_id)
        console.print(f"{reason}: terminating the run {run_id}", soft_wrap=True)
    else:
        console.print(f"{reason}: the run continues; {_go_on(server, run_id)}", soft_wrap=True)
    return exit_code


def _go_on(server: Server, run_id: str) -> str:
    return f"`clickbait kubeflow submit --host {server.host} --follow {run_id}` follows it"
