"""One cluster for all tests here, in which each run that they look at is made once."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator

import pytest

from tests.kubeflow.real.binaries import binaries
from tests.kubeflow.real.cluster import Cluster
from tests.kubeflow.real.jobs import compile_default, make_job, store
from tests.kubeflow.real.workflow import Run, run_job


@pytest.fixture(scope="package")
def cluster(tmp_path_factory) -> Iterator[Cluster]:
    given = binaries()
    made = Cluster(tmp_path_factory.mktemp("kubeflow") / "cluster", given.release, given.driver, given.launcher)
    with made.serving(store()):
        yield made


@pytest.fixture(scope="package")
def run(cluster) -> Callable[..., Run]:
    """Returns a function that makes a run, and prints what came of it: `run(name, *overrides, **options)`."""
    compiler, compiled = binaries().compiler, functools.cache(compile_default)

    def run(name: str, *overrides: str, only: tuple[str, ...] | None = None, **options: str) -> Run:
        pipeline = compiled(*overrides)
        made = run_job(cluster, compiler, make_job(name, pipeline, **options), pipeline.platform, only=only)
        print(f"\nrun {name} on {cluster.release}: {made.status}")
        for task, record in made.tasks.items():
            print(f"  {task:20} {record.state:10} {record.seconds:5.1f} s {record.last_words}")
        return made

    return run


@pytest.fixture(scope="package")
def first(run) -> Run:
    return run("first")


@pytest.fixture(scope="package")
def second(run, first) -> Run:
    return run("second")


@pytest.fixture(scope="package")
def refused(run) -> Run:
    """Of data that the gate refuses, as far as it comes."""
    return run("refused", data="refused.csv")
