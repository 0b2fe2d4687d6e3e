"""The tasks of a run among Argo's nodes."""

from __future__ import annotations

import kfp_server_api as kfp
import pytest

from kubeflow.submit.tasks import failed_tasks, node_id, read_tasks, workflow_name
from tests.kubeflow.submit.fake_api import WORKFLOW, Nodes


def api_run(nodes):
    """A run as the generated client reads it."""
    client = kfp.ApiClient()
    body = {"run_details": {"task_details": nodes.details()}}
    return client._ApiClient__deserialize(body, "V2beta1Run")


@pytest.fixture(params=[True, False], ids=["as of 2.17.0", "without retries of all"])
def nodes(request):
    return Nodes(stock=request.param)


def test_tasks_are_told_from_argos_other_nodes(nodes):
    nodes.add("Trainer", "SUCCEEDED")
    nodes.add("Verdict", "RUNNING")
    nodes.add("Pusher", None)
    run = api_run(nodes)
    assert [(task.name, task.state) for task in read_tasks(run)] == [
        ("Trainer", "SUCCEEDED"),
        ("Verdict", "RUNNING"),
        ("Pusher", ""),
    ]
    assert [task.name for task in read_tasks(run, {"Verdict", "Missing"})] == ["Verdict"]
    assert workflow_name(run) == WORKFLOW


def test_the_pods_of_a_task_are_known_by_their_names_the_newest_attempt_first(nodes):
    nodes.add("Other", "SUCCEEDED")
    newest = nodes.add("Trainer", "FAILED", attempts=3)
    (task,) = failed_tasks(api_run(nodes))
    assert task.nodes[0] == newest
    assert len(task.nodes) == 3
    assert len(task.drivers) == 1
    assert not {*task.nodes} & {*task.drivers}


def test_of_several_roots_the_newest_says_how_a_task_is():
    """As where somebody lets Argo retry DAGs."""
    nodes = Nodes()
    nodes.add("DataGate", "FAILED")
    run = api_run(nodes)
    (first,) = (node for node in run.run_details.task_details if node.display_name == "DataGate")
    again = kfp.V2beta1PipelineTaskDetail(display_name="DataGate", state="RUNNING")
    again.start_time = first.end_time
    run.run_details.task_details.append(again)
    assert [task.state for task in read_tasks(run)] == ["RUNNING"]


def test_the_failed_task_that_ended_first_is_first():
    nodes = Nodes()
    nodes.add("Later", "FAILED", ended="2026-01-02T04:00:00Z")
    nodes.add("Earlier", "FAILED", ended="2026-01-02T03:30:00Z")
    assert [task.name for task in failed_tasks(api_run(nodes))] == ["Earlier", "Later"]


def test_a_run_without_nodes_has_no_tasks():
    assert read_tasks(kfp.V2beta1Run()) == failed_tasks(kfp.V2beta1Run()) == []
    assert workflow_name(kfp.V2beta1Run()) == ""


def test_the_id_of_a_node_is_argos():
    """As Go's hash/fnv has it, by which Argo names nodes and pods."""
    assert node_id(WORKFLOW, f"{WORKFLOW}.root.Trainer") == f"{WORKFLOW}-3393239871"
