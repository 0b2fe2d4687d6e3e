"""What KFP's driver and launcher hand over and read, as test data: `python -m tests.kubeflow.real.record RELEASE`.

It writes anew what `tests/kubeflow/container/recorded` has of a release; README.md says what the environment must name.

    inputs/RELEASE/TASK.json, outputs/RELEASE/TASK.json    of a first run: ExecutorInput and ExecutorOutput
    .../second-run/TASK.json                               of the tasks that a version that is served changes
    .../s3-root/TASK.json                                  of one whose artifacts lie below another root
    job.json                                               the PipelineJob of these runs, of whichever release
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
from tests.kubeflow.real.jobs import compile_default, make_job, store
from tests.kubeflow.real.workflow import SUCCEEDED, run_job

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
      RuntimeError: a task that is kept did not succeed, and nothing is written.
    """
    given, compiled = binaries()._replace(release=release), compile_default()
    elsewhere = compile_default(f"kubeflow.pipeline_root={_S3_ROOT}")
    plan = {
        "": (compiled, "", None),
        "second-run": (compiled, "", None),
        "s3-root": (elsewhere, _S3_ROOT, _S3_TASKS),
    }
    runs = {}
    with tempfile.TemporaryDirectory() as folder:
        cluster = Cluster(Path(folder, "cluster"), release, given.driver, given.launcher)
        with cluster.serving(store()):
            for name, (pipeline, root, only) in plan.items():
                job = make_job(name or "first", pipeline, root=root)
                runs[name] = run = run_job(cluster, given.compiler, job, pipeline.platform, only=only)
                print(f"{job['displayName']}: {run.states()}", flush=True)
                for task in _KEPT.get(name, run.tasks):
                    if run.tasks[task].state != SUCCEEDED:
                        raise RuntimeError(f"{task} must succeed. Received: {run.tasks[task]}")
    for side in ("inputs", "outputs"):
        shutil.rmtree(RECORDED / side / release, ignore_errors=True)
    for name, run in runs.items():
        for task in _KEPT.get(name, run.tasks):
            _write(RECORDED / "inputs" / release / name / f"{task}.json", run.tasks[task].given)
            _write(RECORDED / "outputs" / release / name / f"{task}.json", run.tasks[task].written)
    _write(RECORDED / "job.json", {**runs[""].job, "displayName": "recorded"})


def _write(path: Path, document: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if reason := why_not():
        sys.exit(reason)
    record(sys.argv[1])
