"""Rehearsals of specs whose tasks are shell commands."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from kubeflow.rehearsal.executions import Executions
from kubeflow.rehearsal.processes import Isolated
from kubeflow.rehearsal.releases import NEWEST, Release
from kubeflow.rehearsal.scheduler import Run
from kubeflow.rehearsal.store import FolderStore
from kubeflow.rehearsal.view import RehearsalView
from kubeflow.spec.pipeline_spec import require_sound


@pytest.fixture
def rehearse(tmp_path):
    """Runs a spec in one place with `values`, and returns the run and its root DAG."""
    numbers = iter(range(1, 1000))

    def rehearse(spec, values=None, *, run_id=None, parallel=1, release=NEWEST, platform=None, root=None):
        require_sound(spec)
        store = FolderStore(tmp_path / "store")
        store.pipeline_root = root or store.pipeline_root
        logs = tmp_path / "logs"
        logs.mkdir(exist_ok=True)
        run = Run(
            spec=spec,
            run_id=run_id or f"run-{next(numbers)}",
            store=store,
            executions=Executions(tmp_path / "executions"),
            processes=Isolated(),
            view=RehearsalView(Console(file=io.StringIO(), width=200)),
            folder=tmp_path / "pods",
            logs=logs,
            parallel=parallel,
            release=Release(release),
            platform=platform or {},
        )
        return run, run.run(values or {})

    return rehearse


@pytest.fixture
def statuses():
    """The statuses of a run's tasks, in the order of their ends."""
    return lambda run: {task: timing.status for task, timing in run.view.timings.items()}
