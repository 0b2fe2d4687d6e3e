"""`clickbait kubeflow`: the commands. `clickbait --help` imports them, so what they need is imported late."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kubeflow.rehearsal.releases import NEWEST, RELEASES, changes_text
from kubeflow.spec.pipeline_spec import check_name, write_spec
from pipeline.commands.options import CHALLENGE, CONFIG_FILE, OUTPUT, OVERRIDES, PRESET
from pipeline.terminal import open_console, quiet
from serving.untrusted import visible

if TYPE_CHECKING:
    from kubeflow.submit.address import Address
    from pipeline.config.pipeline_config import PipelineConfig

_SPEC = click.option(
    "--spec",
    type=click.Path(path_type=Path),
    default=Path("clickbait.yaml"),
    show_default=True,
    help="The pipeline spec.",
)


_PIPE_WIDTH = 240

_CONNECTION = (
    click.option(
        "--host", envvar=["KUBEFLOW_HOST", "KF_PIPELINES_ENDPOINT"], metavar="URL", help="Of Kubeflow Pipelines."
    ),
    click.option("--namespace", help="Of the user, on a server that separates its users.  [default: the pod's own]"),
    click.option("--token", envvar="KUBEFLOW_TOKEN", help="Bearer token. Others see arguments: rather the variable."),
    click.option(
        "--token-file", type=click.Path(path_type=Path), help="File with the token; read again at every call."
    ),
    click.option("--tls-ca", type=click.Path(path_type=Path), help="Trust this authority (PEM), not the public ones."),
    click.option(
        "--call-timeout", "call_s", type=click.FloatRange(min=0.1), default=30, help="Seconds.  [default: 30]"
    ),
)


def _connection(command: Callable[..., None]) -> Callable[..., None]:
    """Adds the options of a connection to a server; the command gets `connect`, which reads the address from them."""

    @functools.wraps(command)
    def with_connect(
        *args: object,
        host: str | None,
        token: str | None,
        token_file: Path | None,
        tls_ca: Path | None,
        call_s: float,
        **kwargs: object,
    ) -> None:
        def connect() -> Address:
            from kubeflow.submit.address import read_address

            return read_address(host, token, token_file, tls_ca, call_s)

        command(*args, connect=connect, **kwargs)

    for option in reversed(_CONNECTION):
        with_connect = option(with_connect)
    return with_connect


@click.group()
def kubeflow() -> None:
    """The same pipeline on Kubeflow Pipelines: compile, rehearse, submit it, see how it is, hear of failures."""


def _require_kfp() -> None:
    if find_spec("kfp") is None:
        raise click.UsageError(
            "The extra `kubeflow` must be installed. Received: an installation without kfp. "
            "Give: pip install 'clickbait-tfx[kubeflow]'."
        )


def _load_config(
    preset: str, config_file: Path | None, overrides: tuple[str, ...], flags: Mapping[str, object]
) -> PipelineConfig:
    from pipeline.config.pipeline_config import load_config

    return load_config(preset, config_file, overrides, flags)


@kubeflow.command("compile")
@_SPEC
@click.option("--data", "data_path", help="Default of the parameter `data`: where the cluster finds the CSV.")
@click.option("--eval-data", metavar="FILE", help="Makes the parameter `eval_data`, with this default; as for run.")
@CHALLENGE
@click.option("--text-column", help="As for run.")
@click.option("--label-column", help="As for run.")
@click.option("--encoder", help="Default of the parameter `encoder`.  [default: embedded]")
@click.option("--push-destination", help="Default of that parameter: folder or URL that TF Serving watches.")
@click.option("--image", help="Container image, as the cluster pulls it.  [default: clickbait-tfx:latest]")
@click.option("--gpu", "gpus", type=int, help="GPUs of the Trainer.  [default: 0]")
@PRESET
@CONFIG_FILE
@OVERRIDES
def compile_command(
    spec: Path,
    data_path: str | None,
    eval_data: str | None,
    challenges: list[dict[str, str]] | None,
    text_column: str | None,
    label_column: str | None,
    encoder: str | None,
    push_destination: str | None,
    image: str | None,
    gpus: int | None,
    preset: str,
    config_file: Path | None,
    overrides: tuple[str, ...],
) -> None:
    """Compile the pipeline to YAML that open-source Kubeflow Pipelines takes (schema 2.1.0)."""
    _require_kfp()

    check_name(spec)
    flags = {
        "data.path": data_path,
        "data.eval_data": eval_data,
        "evaluation.challenges": challenges,
        "data.text_column": text_column,
        "data.label_column": label_column,
        "encoder.source": encoder,
        "kubeflow.push_destination": push_destination,
        "kubeflow.image": image,
        "kubeflow.tasks": None if gpus is None else {"Trainer": {"gpus": gpus}},
    }
    config = _load_config(preset, config_file, overrides, flags)
    with quiet():
        from kubeflow.compiler import compile_pipeline
        from kubeflow.platform import platform_document, tasks_with_secrets

        compiled = compile_pipeline(config)
        platform = platform_document(compiled, config.kubeflow)
    write_spec(compiled, spec, [platform] if platform else [])
    parameters = compiled["root"]["inputDefinitions"]["parameters"]
    required = sorted(name for name, parameter in parameters.items() if "defaultValue" not in parameter)
    click.echo(
        f"{spec}: {len(compiled['root']['dag']['tasks'])} tasks, image {config.kubeflow.image}, "
        f"Kubeflow Pipelines {config.kubeflow.release} or later"
    )
    if with_secrets := tasks_with_secrets(platform):
        click.echo(f"tasks with secrets: {with_secrets}")
    if required:
        click.echo(f"required when a run starts: {', '.join(required)}")
    click.echo(
        "retries: up to Kubeflow Pipelines 2.16.1 of tasks that fail; since 2.17.0, as it is installed, only of tasks "
        "whose pod is lost"
    )


@kubeflow.command(epilog=f"\b\nBy --release, each with the first that does so:\n{changes_text()}")
@_SPEC
@click.option("--data", "data_path", help="As for run.")
@click.option("--eval-data", metavar="FILE", help="As for run.")
@CHALLENGE
@click.option("--parameter", "parameters", multiple=True, metavar="NAME=VALUE", help="Of the run, e.g. epochs=3.")
@click.option("--store", metavar="URL", help="Artifacts go there, e.g. s3://bucket/artifacts.  [default: plain files]")
@click.option("--endpoint", metavar="URL", help="Address of the store, where it is not the provider's own.")
@click.option("--parallel", type=click.IntRange(1, 32), default=1, show_default=True, help="Most tasks at a time.")
@click.option(
    "--release", type=click.Choice(RELEASES), default=NEWEST, show_default=True, help="Of Kubeflow Pipelines."
)
@click.option("--isolated", is_flag=True, help="Start each task anew, as a container is; forked, they share imports.")
@OUTPUT
@PRESET
@CONFIG_FILE
@OVERRIDES
@click.option("-v", "--verbose", is_flag=True, help="Show the libraries' log, too.")
@click.pass_context
def rehearse(
    ctx: click.Context,
    spec: Path,
    data_path: str | None,
    eval_data: str | None,
    challenges: list[dict[str, str]] | None,
    parameters: tuple[str, ...],
    store: str | None,
    endpoint: str | None,
    parallel: int,
    release: str,
    isolated: bool,
    output: str | None,
    preset: str,
    config_file: Path | None,
    overrides: tuple[str, ...],
    verbose: bool,
) -> None:
    """Run a compiled spec on this machine, as the driver and launcher of Kubeflow Pipelines would.

    Each task is a process of its own, with its inputs staged from an object store, the cache, retries and exit codes
    of the cluster. The spec says what runs; the configuration says where the output and the data are.

    Emulated: types and numbers as the driver hands them over, executor-logs, the constants that it replaces, the
    metadata that ML Metadata keeps (no null), and the one store that the launcher has credentials for: what the cache
    gives out from another bucket cannot be opened.

    Not emulated: pods, images and pulls; CPU, memory and GPU limits; service accounts and secrets; Argo's scheduling,
    timeouts and evictions; the UI, ML Metadata's server and the API server; conditions, loops, importers, inner DAGs,
    exit handlers and the workspace volume.

    Exit codes are those of run.
    """
    _require_kfp()
    from kubeflow.rehearsal.run import Options, rehearse

    flags = {
        "data.path": data_path,
        "data.eval_data": eval_data,
        "evaluation.challenges": challenges,
        "output": output,
    }
    config = _load_config(preset, config_file, overrides, flags)
    options = Options(parallel, isolated, store, endpoint, verbose, release)
    ctx.exit(rehearse(config, spec, parameters, options))


@kubeflow.command("submit")
@_SPEC
@_connection
@click.option("--experiment", help="Where the runs are listed; made if need be.  [default: the pipeline's name]")
@click.option("--name", help="Of the run or the recurring run.  [default: the pipeline's name, a run's with its time]")
@click.option("--parameter", "parameters", multiple=True, metavar="NAME=VALUE", help="Of the run, e.g. epochs=3.")
@click.option("--recurring", "cron", metavar="CRON", help='Run at these times (UTC) on the newest spans: "0 6 * * *".')
@click.option("--wait/--no-wait", default=True, show_default=True, help="Follow the run, and end as it ends.")
@click.option("--follow", "run_id", metavar="RUN", help="Submit nothing; follow this run.")
@click.option("--timeout", "timeout_s", type=click.FloatRange(min=0), help="Seconds to follow; the run goes on.")
@click.option("--terminate", is_flag=True, help="End the run at Ctrl-C and at --timeout.")
@click.option("--poll", "poll_s", type=click.FloatRange(min=0), default=5, show_default=True, help="Seconds to wait.")
@click.pass_context
def submit_command(
    ctx: click.Context,
    spec: Path,
    connect: Callable[[], Address],
    namespace: str | None,
    experiment: str | None,
    name: str | None,
    parameters: tuple[str, ...],
    cron: str | None,
    wait: bool,
    run_id: str | None,
    timeout_s: float | None,
    terminate: bool,
    poll_s: float,
) -> None:
    """Run a compiled spec on a cluster, follow the run, and end with the verdict's exit code.

    A spec is uploaded once: its content is the version's name. Ctrl-C stops following; the run goes on.

    Exit codes are those of run; 2 also where there is no cluster, no permission, or a backend that is too old. A run
    that was canceled ends with 143, and one that is still at work at --timeout with 1.
    """
    _require_kfp()
    from kubeflow.submit import follow, submit

    cluster = connect()
    pace = follow.Pace(poll_s, timeout_s)
    options = submit.Options(namespace, experiment, name, parameters, cron, wait, terminate, pace)
    ctx.exit(submit.follow_run(cluster, run_id, options) if run_id else submit.submit(cluster, spec, options))


@kubeflow.command("status")
@click.argument("run_id", metavar="[RUN]", required=False)
@_connection
@click.option("--pipeline", default="clickbait", show_default=True, help="Whose newest run, where RUN is left out.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
def status_command(
    run_id: str | None,
    connect: Callable[[], Address],
    namespace: str | None,
    pipeline: str,
    as_json: bool,
) -> None:
    """Show the tasks of a run on a cluster: states, retries, seconds, failures, and why a task was not cached.

    RUN is an id, by default the pipeline's newest run. A task that ran anew is compared with the newest earlier run of
    the same pipeline in which it succeeded.

    Exit codes: 0 the status was shown, whatever it is; 2 the call is wrong, there is no such run, or no server that can
    be read.
    """
    _require_kfp()
    from kubeflow.status import view
    from kubeflow.status.status import read_newest, read_status
    from kubeflow.submit.server import Server
    from kubeflow.submit.submit import require_namespace

    server = Server(connect())
    health = server.check()
    if run_id is None:
        run_id = read_newest(server, pipeline, require_namespace(health.several_users, namespace, server.host))
    status = read_status(server, run_id, health)
    if as_json:
        click.echo(visible(json.dumps(status.as_dict(), indent=2, ensure_ascii=False)))
    else:
        view.print_status(open_console(pipe_width=_PIPE_WIDTH), status)


@kubeflow.command("notify")
@_connection
@click.option(
    "--webhook-file",
    type=click.Path(path_type=Path),
    help="File with the webhook's URL, a secret, which no option takes; or the variable CLICKBAIT_WEBHOOK.",
)
@click.option("--pipeline", help="Of its runs.  [default: clickbait]")
@click.option("--experiment", help="Of all runs of this experiment, in place of a pipeline's.")
@click.option(
    "--on",
    "occasion",
    type=click.Choice(["failed", "all"]),
    default="failed",
    show_default=True,
    help="Of runs that failed, were canceled or are overdue; or also of those that succeeded.",
)
@click.option(
    "--overdue",
    "overdue_hours",
    type=click.FloatRange(min=0),
    default=24,
    show_default=True,
    help="Hours after which a run should have ended; 0 is never.",
)
@click.option(
    "--state",
    "state_file",
    type=click.Path(path_type=Path),
    default=Path("clickbait-notified.json"),
    show_default=True,
    help="File that remembers of which runs somebody was notified.",
)
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%dT%H:%M:%S", "%Y-%m-%d"]),
    help="UTC; runs that ended before are no news. Where --state is there already, it has no effect.  "
    "[default: an hour ago]",
)
@click.option("--ui", metavar="URL", help="Of the UI, for links.  [default: --host]")
@click.option("--text-only", is_flag=True, help="Post the text alone, for webhooks that refuse other fields.")
@click.option("--watch", is_flag=True, help="Look again and again, with --poll seconds between; else once.")
@click.option("--poll", "poll_s", type=click.FloatRange(min=0), default=60, show_default=True, help="Seconds to wait.")
@click.pass_context
def notify_command(
    ctx: click.Context,
    connect: Callable[[], Address],
    namespace: str | None,
    webhook_file: Path | None,
    pipeline: str | None,
    experiment: str | None,
    occasion: str,
    overdue_hours: float,
    state_file: Path,
    since: datetime | None,
    ui: str | None,
    text_only: bool,
    watch: bool,
    poll_s: float,
) -> None:
    """Notify a webhook of each run on a cluster that failed since the last look.

    It stands beside the pipeline: a run is never the worse for it, and it hears of runs that were canceled, whose
    pods never started, or whose end came while it was away. A message is a JSON object with `text`, as Slack and the
    like take it, and with the run, the task, the exit code, the reason and links as fields. It comes at least once.

    Exit codes: 0 all were told; 1 some are left for the next look, because the webhook or a log was away; 2 the call
    is wrong, or there is no server that can be read: the next look tells it all.
    """
    _require_kfp()
    if pipeline and experiment:
        raise click.UsageError(
            "--pipeline and --experiment must not be given together. Received: both. Leave one out, or start a "
            "notifier for each."
        )
    from kubeflow.notify.notify import Options, notify

    options = Options(
        state=state_file,
        webhook_file=webhook_file,
        namespace=namespace,
        pipeline=None if experiment else pipeline or "clickbait",
        experiment=experiment,
        every=occasion == "all",
        since=since.replace(tzinfo=UTC) if since else None,
        overdue_hours=overdue_hours,
        ui=ui.partition("#")[0].rstrip("/") if ui else None,
        text_only=text_only,
    )
    ctx.exit(notify(connect(), options, poll_s if watch else None))
