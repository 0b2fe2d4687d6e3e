"""`clickbait kubeflow rehearse`: runs a compiled spec here, and ends as `clickbait run` ends."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from rich.markup import escape

from components.data_gate.policy import GateVerdict
from kubeflow.inputs import local_values
from kubeflow.rehearsal import NOT_EMULATED, driver, processes
from kubeflow.rehearsal.driver import Dag
from kubeflow.rehearsal.executions import Executions
from kubeflow.rehearsal.releases import NEWEST, Release
from kubeflow.rehearsal.scheduler import Failure, Run
from kubeflow.rehearsal.store import FolderStore, Store, UrlStore
from kubeflow.rehearsal.view import RehearsalView
from kubeflow.spec.caching import store_of
from kubeflow.spec.messages import Json, Platform, Spec
from kubeflow.spec.parameters import PARAMETERS, ParameterError
from kubeflow.spec.pipeline_spec import load_platforms, load_spec, require_rehearsable
from kubeflow.spec.values import challenge_settings, definitions, ingest_settings, parse_values
from pipeline.config.paths import OutputPaths
from pipeline.config.pipeline_config import PipelineConfig
from pipeline.results.verdict import Verdict
from pipeline.running.attempt import open_attempt
from serving.versions import stores
from serving.whole_file import write_whole

if TYPE_CHECKING:
    from kubeflow.rehearsal.outcome import Outputs

_FOLDER = "rehearsal"
_UNFINISHED = "unfinished.json"
_VERDICT_TASK = "Verdict"
#: Parameters whose defaults are this machine's.
_LOCAL = ("data", "eval_data", "label_fixes", "data_digest", "challenges", "push_destination", "accepted_data")


@dataclasses.dataclass(frozen=True)
class Options:
    """Options of a rehearsal."""

    parallel: int = 1
    """Most tasks at a time."""
    isolated: bool = False
    """New processes, not forked ones."""
    store: str | None = None
    """URL of a bucket's folder; none for plain files below the output."""
    endpoint: str | None = None
    """Address of the store, where it is not the provider's own."""
    verbose: bool = False
    release: str = NEWEST
    """Of Kubeflow Pipelines, see `releases.RELEASES`."""


def rehearse(
    config: PipelineConfig, spec_file: Path, parameters: Iterable[str] = (), options: Options = Options()
) -> int:
    """Runs a spec on this machine and returns the command's exit code.

    Whatever happens once the data is there leaves a verdict in the run folder. A rehearsal that was killed goes on
    when it is started again with the same spec and parameters.

    Args:
      config: says the output and the data; what the spec holds is held by the spec.
      spec_file: from `clickbait kubeflow compile`.
      parameters: of the run, `name=value` each, where they are not the spec's defaults.
      options: of the rehearsal.

    Raises:
      Exception: those with an `exit_code` are messages for the user.
    """
    began = time.monotonic()
    spec, platforms = load_spec(spec_file), load_platforms(spec_file)
    require_rehearsable(spec, str(spec_file))
    given = parse_values(spec, parameters)
    if options.store:
        _check_store(options.store)
    os.environ.update(_endpoint(options))  # for what this process itself reads and writes
    known = definitions(spec)
    data_values = {
        "data": config.data.path,
        "eval_data": _optional(spec, "eval_data", config.data.eval_data, "--eval-data"),
        "label_fixes": _optional(spec, "label_fixes", config.data.label_fixes, "data.label_fixes"),
    }
    data_values |= {name: given[name] for name in data_values if name in given}
    config = _with_parameters(_as_compiled(config, spec), data_values)
    data, local = local_values(config)
    if options.store:
        local["push_destination"] = f"{options.store.rstrip('/')}/serving/{config.model_name}"
    values = {**{name: local[name] for name in _LOCAL if name in known and name in local}, **given}
    config = _with_parameters(config, driver.root_dag(spec, values).parameters)
    with open_attempt(config, data, began=began, verbose=options.verbose) as attempt:
        attempt.verdict = replace(attempt.verdict, rehearsal=dataclasses.asdict(options))
        out = attempt.terminal.out
        out.print(
            f"[bold]{'spec':<9}[/]{escape(str(spec_file))} · as Kubeflow Pipelines {options.release}; not emulated: "
            f"{'; '.join(NOT_EMULATED)}",
            soft_wrap=True,
        )
        view = RehearsalView(out)
        folder = OutputPaths.of(config).runs.parent / _FOLDER
        run = _open_run(spec, platforms, values, attempt.run_id, folder, attempt.folder, view, options)
        if run.run_id != attempt.run_id:
            out.print(f"[bold]{'resumes':<9}[/]the rehearsal {run.run_id}, which was stopped", soft_wrap=True)
        out.print()
        with attempt.judged(view.timings, "the same command resumes after the finished tasks"), view.drawing():
            view.say("importing TFX")
            processes.prepare()
            root = run.run(values)
            (folder / _UNFINISHED).unlink()
            view.say("reading the results")
            attempt.verdict = _judge(run, root, attempt.verdict, attempt.folder)
        return attempt.print_outcome()


def _as_compiled(config: PipelineConfig, spec: Spec) -> PipelineConfig:
    """Returns the configuration with the settings of the spec's ingest and challenges: it is the spec that runs."""
    if given := config.evaluation.challenges:
        known = {challenge.name: challenge for challenge in challenge_settings(spec)}
        if unknown := [challenge.name for challenge in given if challenge.name not in known]:
            raise ParameterError(
                f"--challenge must be given to `kubeflow compile`, too. Received: {', '.join(unknown)}, and a spec "
                f"with {' and '.join(known) or 'none'}. Compile it again, or leave it out."
            )
        challenges = [known[challenge.name].model_copy(update={"path": challenge.path}) for challenge in given]
        evaluation = config.evaluation.model_copy(update={"challenges": challenges})
        config = config.model_copy(update={"evaluation": evaluation})
    settings = ingest_settings(spec)
    if settings is None:
        return config
    here = {"path": config.data.path, "schema_file": config.data.schema_file}
    return config.model_copy(update={"data": settings.model_copy(update=here)})


def _optional(spec: Spec, name: str, given: str | None, option: str) -> Json:
    """Returns the value of a parameter that not every spec has, by the configuration or the spec; None without it."""
    known = definitions(spec)
    if name in known:
        return given or known[name].get("defaultValue")
    if given:
        raise ParameterError(
            f"{option} must be given to `kubeflow compile`, too. Received: {given}, and a spec without the "
            f"parameter {name}. Compile it again, or leave it out."
        )
    return None


def _with_parameters(config: PipelineConfig, values: Mapping[str, Json]) -> PipelineConfig:
    """Returns the configuration with the parameters of a run in place of the settings that they stand for."""
    sections: dict[str, dict[str, Json]] = {}
    for parameter in PARAMETERS:
        section, _, key = parameter.setting.partition(".")
        if parameter.setting and parameter.name in values and parameter.name != "challenges":  # has no bound
            sections.setdefault(section, {})[key] = values[parameter.name]
    bounds = cast("dict[str, float]", sections.pop("evaluation", {}))
    changed = {name: getattr(config, name).model_copy(update=update) for name, update in sections.items()}
    return config.model_copy(update={**changed, "evaluation": config.evaluation.with_bounds(bounds)})


def _check_store(url: str) -> None:
    if not stores.is_url(url) or not url.partition("://")[2].strip("/"):
        raise ParameterError(
            f"--store must be s3://BUCKET/FOLDER, gs://BUCKET/FOLDER or minio://BUCKET/FOLDER. Received: {url}. "
            "Give another."
        )
    with stores.explained(url):
        stores.open_store(url)


def _endpoint(options: Options) -> dict[str, str]:
    extra = stores.EXTRAS[(options.store or "s3://").partition("://")[0]]
    return {stores.ENDPOINTS[extra]: options.endpoint} if options.endpoint else {}


def _open_run(
    spec: Spec,
    platforms: Sequence[Platform],
    values: Mapping[str, Json],
    run_id: str,
    folder: Path,
    run_folder: Path,
    view: RehearsalView,
    options: Options,
) -> Run:
    store: Store = UrlStore(options.store) if options.store else FolderStore(folder / "store")
    logs = run_folder / "tasks"
    logs.mkdir()
    facts = [spec, platforms, dict(values), store.pipeline_root, options.release]
    key = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    folder.mkdir(parents=True, exist_ok=True)
    return Run(
        spec=spec,
        run_id=_claim_run(folder / _UNFINISHED, key, run_id),
        store=store,
        executions=Executions(folder / "executions"),
        processes=processes.Isolated() if options.isolated else processes.Forked(),
        view=view,
        folder=folder / "pods",
        logs=logs,
        environ=_endpoint(options),
        parallel=options.parallel,
        release=Release(options.release),
        platform=platforms[0] if platforms else {},
    )


def _claim_run(unfinished: Path, key: str, run_id: str) -> str:
    """Returns the id of the run that was stopped before its end, where it had this very key; else the new one."""
    with contextlib.suppress(OSError, ValueError):
        known = json.loads(unfinished.read_text(encoding="utf-8"))
        if known.get("key") == key:
            return str(known["run_id"])
    write_whole(unfinished, json.dumps({"key": key, "run_id": run_id}))
    return run_id


def _judge(run: Run, root: Dag, verdict: Verdict, folder: Path) -> Verdict:
    outputs: Outputs = {}
    for task, handed_on in root.outputs.items():
        for key, (artifact,) in handed_on["artifacts"].items():
            if store_of(artifact["uri"]) != store_of(run.store.pipeline_root):
                continue  # from the cache; the task that takes it has failed, since it cannot be opened
            path = folder / "artifacts" / task / key
            if (task, key) in _READ:
                run.store.download(artifact["uri"], path)
            outputs.setdefault(task, {})[key] = (str(path), artifact["metadata"])
    judged: Verdict = processes.call_forked("kubeflow.rehearsal.outcome.read_outcome", verdict, outputs, str(folder))
    return _failed(run.failure, judged) if run.failure else judged


#: What `pipeline.running.outcome` opens of a run's artifacts; of the others it needs the metadata.
_READ = {
    ("HeadlineExampleGen", "ingest"),
    ("DataGate", "verdict"),
    ("Trainer", "model_run"),
    ("Evaluator", "evaluation"),
    ("LocalInfraValidator", "blessing"),
}


def _failed(failure: Failure, verdict: Verdict) -> Verdict:
    if failure.task == _VERDICT_TASK and verdict.exit_code == failure.exit_code:
        return verdict  # the model was not pushed, for the reason that its verdict gives with numbers
    if failure.exit_code == 3:
        facts = failure.attempt.failure
        gate = GateVerdict.from_dict({"accepted": False, "findings": facts.get("findings", [])})
        reason = facts.get("reason", failure.reason)
        return replace(verdict, status="refused", exit_code=3, reason=reason, gate=gate)
    return replace(verdict, status="failed", exit_code=failure.exit_code, reason=failure.reason)
