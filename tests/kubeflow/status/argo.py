"""The nodes of a run, as Argo makes them of KFP's workflow and the API server tells them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kubeflow.spec.messages import Spec
from kubeflow.spec.pipeline_spec import dependencies, sort_tasks
from kubeflow.submit.tasks import node_id
from tests.kubeflow.submit.fake_api import detail

WORKFLOW = "clickbait-x7k2p"


def nodes(
    spec: Spec, tasks: Mapping[str, str], *, attempts: Mapping[str, int] = {}, wrapped: bool = False
) -> list[Any]:
    """The task details of a run.

    Args:
      spec: of the run.
      tasks: state by task: one of Argo's, `cached`, or `driver failed`; tasks that are left out were omitted,
        or have not begun where one is RUNNING.
      attempts: of the containers; 1 of each that is not named.
      wrapped: the installation has a retry strategy for all templates, as stock 2.17.
    """
    order = sort_tasks(spec["root"]["dag"]["tasks"])
    dependents = {
        name: [later for later in order if name in dependencies(spec["root"]["dag"]["tasks"][later])] for name in order
    }
    details = []
    first = [name for name in order if not any(name in later for later in dependents.values())]
    ended = "FAILED" if {"FAILED", "driver failed"} & {*tasks.values()} else "SUCCEEDED"
    ended = "RUNNING" if "RUNNING" in tasks.values() else ended

    def add(path: str, state: str | None, children: list[str]) -> None:
        made = detail(path.rpartition(".")[2], state, [node_id(WORKFLOW, child) for child in children])
        details.append({key: value for key, value in made.items() if value is not None})

    def inner(path: str) -> str:
        return f"{path}(0)" if wrapped else path

    def scope(path: str, state: str, children: list[str]) -> None:
        """Adds a node of a DAG or a driver, and its attempt."""
        if wrapped:
            add(path, state, [f"{path}(0)"])
        add(inner(path), state, children)

    entry = inner(WORKFLOW)
    root = inner(f"{entry}.root")
    scope(WORKFLOW, ended, [f"{entry}.root-driver"])
    scope(f"{entry}.root-driver", "SUCCEEDED", [f"{entry}.root"])
    scope(f"{entry}.root", ended, [f"{root}.{name}-driver" for name in first])
    for name in order:
        path, state = f"{root}.{name}", tasks.get(name)
        if state is None and ended == "RUNNING":
            continue
        if state is None:
            add(f"{path}-driver", None, [path])
            add(path, None, [])
            continue
        if state == "driver failed":
            scope(f"{path}-driver", "FAILED", [path])
            add(path, None, [])
            continue
        scope(f"{path}-driver", "SUCCEEDED", [path])
        executor = f"{inner(path)}.executor"
        following = [f"{root}.{later}-driver" for later in dependents[name]]
        if state == "cached":
            scope(path, "SUCCEEDED", [executor])
            add(executor, "SKIPPED", following)
            continue
        count = attempts.get(name, 1)
        scope(path, state, [executor])
        add(executor, state, [f"{executor}({number})" for number in range(count)])
        for number in range(count):
            last = number == count - 1
            add(f"{executor}({number})", state if last else "FAILED", following if last else [])
    return details
