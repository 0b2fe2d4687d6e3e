"""`clickbait kubeflow rehearse`: a compiled spec run here, which ends as `clickbait run` ends."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from rich.markup import escape

from components.errors import explain
from components.headline_example_gen.settings import DataConfig
from kubeflow.container import staging
from kubeflow.container.places import is_url
from kubeflow.inputs import local_values
from kubeflow.rehearsal import NOT_EMULATED, driver, processes
from kubeflow.rehearsal.driver import Dag
from kubeflow.rehearsal.executions import Executions
from kubeflow.rehearsal.scheduler import Failure, Run
from kubeflow.rehearsal.store import FolderStore, Store, UrlStore
from kubeflow.rehearsal.view import RehearsalView
from kubeflow.spec.parameters import PARAMETERS, ParameterError
from kubeflow.spec.pipeline_spec import Spec, load_spec
from pipeline.config.paths import OutputPaths
from pipeline.config.pipeline_config import PipelineConfig
from pipeline.inputs import choose_schema, new_run_id
from pipeline.results import run_folders
from pipeline.results.summary import print_head, print_summary
from pipeline.running.outcome import Verdict, open_verdict
from pipeline.terminal import captured_output

EXIT_INTERRUPTED = 130
_FOLDER = "rehearsal"
_UNFINISHED = "unfinished.json"
_VERDICT_TASK, _INGEST = "Verdict", "HeadlineExampleGen"


@dataclasses.dataclass(frozen=True)
class Options:
    """How a rehearsal goes about it."""

    parallel: int = 1
    """Most tasks at a time."""
    isolated: bool = False
    """New processes, not forked ones."""
    store: str | None = None
    """URL of a bucket's folder; none for plain files below the output."""
    endpoint: str | None = None
    """Address of the store, where it is not the provider's own."""
    verbose: bool = False


def rehearse(
    config: PipelineConfig, spec_file: Path, parameters: Mapping[str, Any] = {}, options: Options = Options()
) -> int:
    """Runs a spec on this machine and returns the command's exit code.

    Whatever happens once the data was found leaves a verdict in the run folder. A rehearsal that was killed goes on
    when it is started again with the same spec and parameters.

    Args:
      config: says the output and the data; what the spec holds is held by the spec.
      spec_file: from `clickbait kubeflow compile`.
      parameters: of the run, where they are not the spec's defaults.
      options: see there.

    Raises:
      Exception: those with an `exit_code` are messages for the user.
    """
    began = time.monotonic()
    spec = load_spec(spec_file)
    if options.store:
        _check_store(options.store)
    config = _with_data(_as_compiled(config, spec), parameters)
    data, here = local_values(config)
    if options.store:
        here["push_destination"] = f"{options.store.rstrip('/')}/serving/{config.model_name}"
    known = spec["root"].get("inputDefinitions", {}).get("parameters", {})
    said = ("data", "data_digest", "push_destination", "accepted_data")
    values = {**{name: here[name] for name in said if name in known}, **parameters}
    config = told(config, driver.root_dag(spec, values).parameters)
    paths, run_id = OutputPaths.of(config), new_run_id()
    with contextlib.ExitStack() as stack:
        output = paths.runs.parent
        stack.enter_context(run_folders.claim_output(output, paths.metadata))
        folder = run_folders.make_folder(paths.runs / run_id, config.to_yaml())
        verdict = open_verdict(config, run_id, data, choose_schema(config)) | {"rehearsal": dataclasses.asdict(options)}
        terminal = stack.enter_context(captured_output(folder / run_folders.LOG_FILE, verbose=options.verbose))
        print_head(terminal.out, verdict, folder)
        terminal.out.print(
            f"[bold]{'spec':<9}[/]{escape(str(spec_file))} · not emulated: {'; '.join(NOT_EMULATED)}", soft_wrap=True
        )
        view = RehearsalView(terminal.out)
        place = output / _FOLDER
        run = _open_run(spec, values, run_id, place, folder, view, options)
        if run.run_id != run_id:
            terminal.out.print(f"[bold]{'goes on':<9}[/]where the rehearsal {run.run_id} was stopped", soft_wrap=True)
        terminal.out.print()
        try:
            with view.drawing():
                view.say("importing TFX")
                processes.prepare()
                root = run.run(values)
                (place / _UNFINISHED).unlink()
                view.say("reading what came of it")
                verdict |= _judge(run, root, config, folder)
        except KeyboardInterrupt:
            verdict |= {"status": "interrupted", "exit_code": EXIT_INTERRUPTED}
            verdict["reason"] = "the same command goes on from the finished tasks"
        except Exception as error:
            os.write(2, traceback.format_exc().encode())  # into the log, whatever sys.stderr is
            exit_code, reason = explain(error)
            verdict |= {"status": "failed", "exit_code": exit_code, "reason": reason}
        finally:
            verdict["components"] = view.timings
            verdict["seconds"] = round(time.monotonic() - began, 2)
            run_folders.write_verdict(folder, verdict)
        print_summary(terminal.err if verdict["status"] in ("failed", "refused") else terminal.out, verdict, folder)
    return verdict["exit_code"]


def _as_compiled(config: PipelineConfig, spec: Spec) -> PipelineConfig:
    """The configuration with what the spec's ingest asks of the data: it is the spec that runs."""
    ingest = spec["root"]["dag"]["tasks"].get(_INGEST, {}).get("inputs", {}).get("parameters", {})
    settings = ingest.get("settings", {}).get("runtimeValue", {}).get("constant")
    if settings is None:
        return config
    here = {"path": config.data.path, "schema_file": config.data.schema_file}
    return config.model_copy(update={"data": DataConfig.model_validate_json(settings).model_copy(update=here)})


def _with_data(config: PipelineConfig, parameters: Mapping[str, Any]) -> PipelineConfig:
    """The configuration with the data that a run is told, whose digest it needs."""
    data = parameters.get("data", config.data.path)
    if data is None or not is_url(str(data)):
        return told(config, {"data": data})
    if data == config.data.path or (config.data.path is None and "data_digest" not in parameters):
        raise ParameterError(
            f"The digest of data in a store is said, because the cache goes by it. Received: {data}. "
            "Give --parameter data=URL --parameter data_digest=sha256:..., or --data FILE of the same content."
        )
    return config


def _check_store(url: str) -> None:
    if not is_url(url) or not url.partition("://")[2].strip("/"):
        raise ParameterError(f"--store is s3://BUCKET/FOLDER, or so with gs:// or minio://. Received: {url}.")
    staging.check(url)


def told(config: PipelineConfig, values: Mapping[str, Any]) -> PipelineConfig:
    """The configuration with what a run is told in place of the settings that it stands for."""
    sections: dict[str, dict[str, Any]] = {}
    for one in PARAMETERS:
        section, _, key = one.setting.partition(".")
        if one.setting and one.name in values:
            sections.setdefault(section, {})[key] = values[one.name]
    changed = {name: getattr(config, name).model_copy(update=update) for name, update in sections.items()}
    return config.model_copy(update=changed)


def read_outcome(outputs: Mapping[str, Any], folder: str | None) -> Verdict:
    """What the tasks of a run came to; runs where TFX is imported already.

    Args:
      outputs: by task and by key: the path of an artifact, and its metadata.
      folder: of the run, for the rejected rows.
    """
    from kubeflow.container.outputs import as_artifact
    from pipeline.running.outcome import collect_facts, judge_model

    artifacts = {
        task: {key: as_artifact(path, metadata) for key, (path, metadata) in those.items()}
        for task, those in outputs.items()
    }
    return {**collect_facts(artifacts, Path(folder) if folder else None), **judge_model(artifacts)}


def _open_run(
    spec: Spec, values: Mapping[str, Any], run_id: str, place: Path, folder: Path, view: RehearsalView, options: Options
) -> Run:
    store: Store = UrlStore(options.store) if options.store else FolderStore(place / "store")
    environ = {"AWS_ENDPOINT_URL": options.endpoint} if options.endpoint else {}
    os.environ.update(environ)  # for what this process itself reads and writes
    logs = folder / "tasks"
    logs.mkdir()
    key = hashlib.sha256(json.dumps([spec, dict(values), store.pipeline_root], sort_keys=True).encode()).hexdigest()
    place.mkdir(parents=True, exist_ok=True)
    return Run(
        spec=spec,
        run_id=_claim_run(place / _UNFINISHED, key, run_id),
        store=store,
        executions=Executions(place / "executions" / _file_name(store.pipeline_root)),
        processes=processes.Isolated() if options.isolated else processes.Forked(),
        view=view,
        folder=place / "pods",
        logs=logs,
        environ=environ,
        parallel=options.parallel,
    )


def _claim_run(unfinished: Path, key: str, run_id: str) -> str:
    """The id of the run that was stopped before its end, where it was this very one; else the new one."""
    with contextlib.suppress(OSError, ValueError):
        known = json.loads(unfinished.read_text(encoding="utf-8"))
        if known.get("key") == key:
            return known["run_id"]
    partial = unfinished.with_suffix(".partial")
    partial.write_text(json.dumps({"key": key, "run_id": run_id}), encoding="utf-8")
    partial.replace(unfinished)
    return run_id


def _judge(run: Run, root: Dag, config: PipelineConfig, folder: Path) -> Verdict:
    view = folder / "artifacts"
    outputs: dict[str, Any] = {}
    for task, one in root.outputs.items():
        for key, those in one["artifacts"].items():
            (artifact,) = those
            path = view / task / key
            if (task, key) in _READ:
                run.store.download(artifact["uri"], path)
            outputs.setdefault(task, {})[key] = (str(path), artifact["metadata"])
    verdict = processes.call_forked("kubeflow.rehearsal.run.read_outcome", outputs, str(folder))
    return verdict | (_failed(run.failure, verdict) if run.failure else {})


#: What `pipeline.running.outcome` opens of a run's artifacts; of the others it needs the metadata.
_READ = {
    ("HeadlineExampleGen", "ingest"),
    ("DataGate", "verdict"),
    ("Trainer", "model_run"),
    ("Evaluator", "evaluation"),
    ("LocalInfraValidator", "blessing"),
}


def _failed(failure: Failure, verdict: Verdict) -> Verdict:
    if failure.task == _VERDICT_TASK and verdict.get("exit_code") == failure.exit_code:
        return {}  # the model was not pushed, for the reason that its verdict has with numbers
    if failure.exit_code == 3:
        reason, findings = (
            failure.attempt.failure.get("reason", failure.reason),
            failure.attempt.failure.get("findings", []),
        )
        return {
            "status": "refused",
            "exit_code": 3,
            "reason": reason,
            "gate": {"accepted": False, "findings": findings},
        }
    return {"status": "failed", "exit_code": failure.exit_code, "reason": failure.reason}


def _file_name(url: str) -> str:
    """Another for each URL."""
    return quote(url, safe="")
