"""What KFP's driver and launcher hand over and read, as test data: `python -m tests.kubeflow.real.record RELEASE`.

It writes anew what `tests/kubeflow/container/recorded` has of a release; README.md says what the environment must name.

    inputs/RELEASE/TASK.json, outputs/RELEASE/TASK.json    of a first run: ExecutorInput and ExecutorOutput
    .../second-run/TASK.json                               of the tasks that a version that is served changes
    .../s3-root/TASK.json                                  of one whose artifacts lie below another root
    RELEASE.json                                           of what they are: see `facts`
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.kubeflow.image.dockerfile import ROOT
from tests.kubeflow.real.binaries import binaries, why_not
from tests.kubeflow.real.cluster import OTHER_BUCKET, Cluster
from tests.kubeflow.real.jobs import CONFIGURATION, compile_default, make_job, store
from tests.kubeflow.real.workflow import OMITTED, Run, run_job

RECORDED = ROOT / "tests/kubeflow/container/recorded"

_KEPT = {
    "second-run": ("NewestVersion", "LatestBlessedModel", "ModelScorer", "VersionedPusher"),
    "s3-root": ("StatisticsGen",),
}
_S3_ROOT = f"s3://{OTHER_BUCKET}/root"
_S3_TASKS = ("HeadlineExampleGen", "ImportSchemaGen", "StatisticsGen")


def record(release: str) -> None:
    """Makes the runs and writes the files.

    Raises:
      RuntimeError: a run did not succeed.
    """
    given, compiled = binaries()._replace(release=release), compile_default()
    with tempfile.TemporaryDirectory() as folder:
        cluster = Cluster(Path(folder, "cluster"), release, given.driver, given.launcher)
        with cluster.serving(store()):
            runs = {}
            for name, root, only in (("", "", None), ("second-run", "", None), ("s3-root", _S3_ROOT, _S3_TASKS)):
                job = make_job(name or "first", compiled, root=root)
                runs[name] = run = run_job(cluster, given.compiler, job, compiled.platform, only=only)
                print(f"{job['displayName']}: {run.states()}", flush=True)
                if faults := {task: item.log for task, item in run.tasks.items() if item.state == "Failed"}:
                    raise RuntimeError(f"{job['displayName']} must succeed. Received: {faults}")
    for side in ("inputs", "outputs"):
        shutil.rmtree(RECORDED / side / release, ignore_errors=True)
    for name, run in runs.items():
        for task, item in run.tasks.items():
            if item.given and task in _KEPT.get(name, run.tasks):
                _write(RECORDED / "inputs" / release / name / f"{task}.json", item.given)
                _write(RECORDED / "outputs" / release / name / f"{task}.json", item.written)
    documents = {
        "release": release,
        "configuration": CONFIGURATION,
        "spec_digest": compiled.digest(),
        "runs": {name: facts(run) for name, run in runs.items()},
    }
    _write(RECORDED / f"{release}.json", documents)


def facts(run: Run) -> dict[str, Any]:
    """Returns what tells a run from another of the same spec.

    The keys are `run_id` and `run_name`, `pipeline_root` (empty: the launcher's own), `parameters`, `states` by task,
    and `artifacts`, by URI the id that ML Metadata gave.
    """
    ids = {}
    for item in run.tasks.values():
        for entry in item.given.get("inputs", {}).get("artifacts", {}).values():
            ids |= {artifact["uri"]: artifact["name"] for artifact in entry["artifacts"]}
    return {
        "run_id": run.run_id,
        "run_name": run.run_name,
        "pipeline_root": run.job["runtimeConfig"].get("gcsOutputDirectory", ""),
        "parameters": run.job["runtimeConfig"]["parameterValues"],
        "states": {task: state for task, state in run.states().items() if state != OMITTED},
        "artifacts": ids,
    }


def _write(path: Path, document: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if reason := why_not():
        sys.exit(reason)
    record(sys.argv[1])
