"""The attempts of a task, counted in Argo's tree of nodes."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from kubeflow.submit.tasks import node_id, read_tasks


def read(*names: str, workflow: str = "wf"):
    children = [SimpleNamespace(pod_name=node_id(workflow, name)) for name in names]
    fields = {"pod_name": None, "start_time": None, "end_time": None, "error": None, "state_history": None}
    detail = SimpleNamespace(display_name="T", state="SUCCEEDED", child_tasks=children, **fields)
    (task,) = read_tasks(SimpleNamespace(run_details=SimpleNamespace(task_details=[detail])), ["T"])
    return task


@pytest.mark.parametrize(
    ("names", "attempts"),
    [
        (["wf.root.T-driver"], None),
        (["wf.root.T.executor"], 0),
        (["wf.root.T.executor", "wf.root.T.executor(0)"], 1),
        (["wf.root.T.executor", *(f"wf.root.T.executor({number})" for number in range(12))], 12),
        (["wf.root.U.executor", "wf.root.U.executor(0)"], None),
    ],
    ids=["not begun", "from the cache", "once", "often", "another task"],
)
def test_attempts(names, attempts):
    assert read(*names).attempts == attempts


def test_a_workflow_that_was_tried_again_has_the_attempts_of_both():
    ends = ("", ".root", ".root(0)", *(f".root(0).T{end}" for end in ("", "(0)", "(0).executor", "(0).executor(0)")))
    task = read(*(f"wf({number}){end}" for number in (0, 1) for end in ends))
    assert task.attempts == 2
    assert task.nodes[0] == node_id("wf", "wf(1).root(0).T(0).executor(0)")


def test_ids_are_those_of_argo():
    # From the status of a workflow in Argo's own tests.
    assert node_id("retry-backoff-s69z6", "retry-backoff-s69z6(1)") == "retry-backoff-s69z6-130058153"
