"""The tasks are walked as on a cluster: order, cache, retries; and after a kill."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from components.errors import InputError
from kubeflow.container.exit_codes import termination_message
from kubeflow.rehearsal.driver import DriverError
from kubeflow.rehearsal.executions import Executions
from kubeflow.rehearsal.store import FolderStore
from tests.helpers.specs import a_spec, container_task, pipeline_of

RETRYING = "2.16"  # the last that, as it is installed, retries a task that fails
WRITE = 'mkdir -p "$(dirname "$0")" && '


def logged(tmp_path, task: str) -> str:
    return (tmp_path / "logs" / f"{task}.txt").read_text()


def counting(name: str, counter, fails: int, **more) -> dict:
    """A task that fails so often, as its own count in a file says, and works from then on."""
    script = f'echo x >> "$0" && [ $(wc -l < "$0") -gt {fails} ]'
    return container_task(name, script, [str(counter)], **more)


def policy(retries: int, seconds: str = "0s", **more) -> dict:
    return {"retryPolicy": {"maxRetryCount": retries, "backoffDuration": seconds, "backoffFactor": 2.0, **more}}


def test_what_one_task_writes_the_next_reads(rehearse, statuses, tmp_path):
    run, _ = rehearse(a_spec(), {"text": "how are you"})
    assert statuses(run) == {"make": "done", "use": "done"}
    assert logged(tmp_path, "use") == "how are you\n"
    assert run.failure is None
    assert not any((tmp_path / "pods").iterdir())


def test_an_unchanged_run_is_cached_and_a_changed_parameter_runs_all_that_follow(rehearse, statuses):
    rehearse(a_spec())
    assert statuses(rehearse(a_spec())[0]) == {"make": "cached", "use": "cached"}
    assert statuses(rehearse(a_spec(), {"text": "other"})[0]) == {"make": "done", "use": "done"}
    assert statuses(rehearse(a_spec(), {"text": "hello"})[0]) == {"make": "cached", "use": "cached"}


def test_another_image_or_command_is_another_task(rehearse, statuses):
    rehearse(a_spec())
    spec = a_spec()
    spec["deploymentSpec"]["executors"]["exec-use"]["container"]["image"] = "other"
    assert statuses(rehearse(spec)[0]) == {"make": "cached", "use": "done"}


def test_a_whole_number_is_one_however_kfp_writes_its_default(rehearse, statuses, tmp_path):
    number = {"n": {"componentInputParameter": "n"}}
    spec = pipeline_of([container_task("say", 'echo "$0"', ["{{$.inputs.parameters['n']}}"], parameters=number)])
    spec["root"]["inputDefinitions"] = {"parameters": {"n": {"parameterType": "NUMBER_INTEGER", "defaultValue": 3.0}}}
    assert statuses(rehearse(spec)[0]) == {"say": "done"}
    assert logged(tmp_path, "say") == "3\n"
    with pytest.raises(DriverError, match="Received: 3.5"):
        rehearse(spec, {"n": 3.5})


def test_what_is_not_cached_runs_again_and_so_does_what_takes_its_output(rehearse, statuses):
    spec = a_spec()
    spec["root"]["dag"]["tasks"]["make"]["cachingOptions"] = {}
    rehearse(spec)
    assert statuses(rehearse(spec)[0]) == {"make": "done", "use": "done"}


def test_a_task_that_fails_twice_and_then_works_is_retried_as_the_spec_says(rehearse, statuses, tmp_path):
    spec = pipeline_of([counting("shaky", tmp_path / "count", 2, **policy(2, "0.2s"))])
    began = time.monotonic()
    run, _ = rehearse(spec, release=RETRYING)
    assert statuses(run) == {"shaky": "done"}
    assert (tmp_path / "count").read_text().count("x") == 3
    assert time.monotonic() - began >= 0.2 + 0.4  # the second wait is twice as long
    assert "retry 1 in 0.2 s" in run.view._console.file.getvalue()


def test_a_store_that_is_away_for_a_moment_costs_an_attempt_and_one_that_stays_away_the_run(
    rehearse, statuses, monkeypatch
):
    download, away = FolderStore.download, iter(range(2))

    def flaky(self, uri, target):
        if next(away, None) is not None:
            raise InputError("The store must be readable and writable. Received: minio://mlpipeline: connection reset.")
        download(self, uri, target)

    monkeypatch.setattr(FolderStore, "download", flaky)
    spec = a_spec()
    spec["root"]["dag"]["tasks"]["use"] |= policy(1)
    run, _ = rehearse(spec, release=RETRYING)
    assert statuses(run) == {"make": "done", "use": "failed"}
    assert run.failure.exit_code == 1  # the launcher's own, as on a cluster
    assert run.failure.reason.startswith("use: the launcher failed: The store must be readable")
    away = iter(range(1))
    assert statuses(rehearse(spec, release=RETRYING)[0]) == {"make": "cached", "use": "done"}


@pytest.mark.parametrize(
    ("more", "starts"), [(policy(1), 2), ({}, 1), (policy(5, "0.2s", backoffMaxDuration="0.1s"), 1)]
)
def test_no_task_is_retried_more_often_or_later_than_the_spec_says(rehearse, statuses, tmp_path, more, starts):
    spec = pipeline_of(
        [counting("shaky", tmp_path / "count", 9, **more), container_task("next", "true", after=["shaky"])]
    )
    run, _ = rehearse(spec, release=RETRYING)
    assert statuses(run) == {"shaky": "failed"}
    assert (tmp_path / "count").read_text().count("x") == starts
    assert (run.failure.task, run.failure.exit_code) == ("shaky", 1)


def test_the_exit_code_of_a_run_is_the_one_of_the_termination_message(rehearse):
    message = termination_message(3, "bad rows")
    script = 'printf %s "$0" > "$CLICKBAIT_TERMINATION_LOG"; exit 1'
    run, _ = rehearse(pipeline_of([container_task("gate", script, [message])]))
    assert run.failure.exit_code == 3
    assert run.failure.reason.startswith("gate: ")
    assert "bad rows" in run.failure.reason


def test_a_failed_task_leaves_no_outputs_and_is_not_cached(rehearse, statuses, tmp_path):
    script = WRITE + 'echo x > "$0"; echo x >> "$1"; [ $(wc -l < "$1") -gt 1 ]'
    arguments = ["{{$.outputs.artifacts['thing'].path}}", str(tmp_path / "count")]
    spec = pipeline_of([container_task("make", script, arguments, outputs=["thing"])])
    assert statuses(rehearse(spec)[0]) == {"make": "failed"}
    assert [path.name for path in (tmp_path / "store").rglob("*") if path.is_file()] == ["executor-logs-0"]
    assert statuses(rehearse(spec)[0]) == {"make": "done"}


def test_output_parameters_are_read_from_their_files_and_handed_on(rehearse, tmp_path):
    make = container_task("make", WRITE + 'echo 7 > "$0"', ["{{$.outputs.parameters['n'].output_file}}"])
    make["component"]["outputDefinitions"]["parameters"] = {"n": {"parameterType": "NUMBER_INTEGER"}}
    produced = {"taskOutputParameter": {"producerTask": "make", "outputParameterKey": "n"}}
    use = container_task("use", 'echo "got $0"', ["{{$.inputs.parameters['n']}}"], parameters={"n": produced})
    rehearse(pipeline_of([make, use]))
    assert logged(tmp_path, "use") == "got 7\n"


def test_independent_tasks_run_at_once_and_no_more_than_allowed(rehearse, tmp_path):
    # Each waits for the other's file, so neither ends alone.
    script = 'touch "$0/$1" && for i in $(seq 100); do [ -e "$0/$2" ] && exit 0; sleep 0.05; done; exit 1'
    both = [
        container_task("a", script, [str(tmp_path), "here-a", "here-b"]),
        container_task("b", script, [str(tmp_path), "here-b", "here-a"]),
    ]
    assert rehearse(pipeline_of(both), parallel=2)[0].failure is None


def test_the_metadata_that_a_container_says_is_given_to_the_next_as_ml_metadata_gives_it_back(rehearse, tmp_path):
    said = '{"artifacts": {"thing": {"artifacts": [{"metadata": {"n": 3, "ok": true, "rows": {"a": 1}, "l": [1]}}]}}}'
    script = WRITE + 'echo x > "$0" && printf %s "$1" > "$(dirname "$0")/output_metadata.json"'
    make = container_task("make", script, ["{{$.outputs.artifacts['thing'].path}}", said], outputs=["thing"])
    use = container_task("use", 'echo "$0"', ["{{$}}"], inputs={"thing": "make.thing"})
    rehearse(pipeline_of([make, use]))
    log = logged(tmp_path, "use")
    assert '"type": {"instanceSchema": ""}' in log
    assert '"executor-logs": {"artifacts": [{' in log  # as the driver adds to the outputs of every task
    for one in (
        '"n": 3,',
        '"ok": 1,',
        '"rows": {"struct": {"a": 1}}',
        '"l": {"list": [1]}',
        '"display_name": "thing"',
    ):
        assert one in log


class Killed(BaseException):
    """As abrupt as a kill: nothing in the rehearsal handles it."""


def chain(tmp_path) -> dict:
    """Four tasks in a row of which the third is never cached; each counts its starts."""

    def task(name: str, before: str | None) -> dict:
        counter = f'echo {name} >> "{tmp_path}/starts"; '
        inputs = {"thing": f"{before}.thing"} if before else {}
        arguments = ["{{$.outputs.artifacts['thing'].path}}"]
        return container_task(name, counter + WRITE + 'echo x > "$0"', arguments, inputs=inputs, outputs=["thing"])

    spec = pipeline_of([task("a", None), task("b", "a"), task("c", "b"), task("d", "c")])
    spec["root"]["dag"]["tasks"]["c"]["cachingOptions"] = {}
    return spec


@pytest.mark.parametrize("after", ["a", "b", "c", "d"])
@pytest.mark.parametrize("when", ["before its end is kept", "after that"])
def test_a_rehearsal_that_dies_at_any_task_goes_on_from_there(rehearse, statuses, tmp_path, monkeypatch, after, when):
    add = Executions.add

    def die(self, execution):
        if execution.task == after and when == "before its end is kept":
            raise Killed
        kept = add(self, execution)
        if execution.task == after:
            raise Killed
        return kept

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(Executions, "add", die)
        rehearse(chain(tmp_path), run_id="the-run")
    run, _ = rehearse(chain(tmp_path), run_id="the-run")
    done = "abcd".index(after) + (when == "after that")
    assert statuses(run) == {name: "kept" if "abcd".index(name) < done else "done" for name in "abcd"}
    again = {after} if when == "before its end is kept" else set()
    starts = (tmp_path / "starts").read_text().split()
    assert {name for name in starts if starts.count(name) > 1} == again


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"texts": "x"}, "A parameter must be the pipeline's. Received: texts. Give one of text."),
        ({"text": 3}, "The parameter text must be a STRING. Received: 3. Give another --parameter."),
    ],
)
def test_what_is_no_parameter_is_refused(rehearse, values, message):
    with pytest.raises(DriverError) as refused:
        rehearse(a_spec(), values)
    assert str(refused.value) == message


def test_a_parameter_without_a_default_must_be_given(rehearse):
    spec = a_spec()
    del spec["root"]["inputDefinitions"]["parameters"]["text"]["defaultValue"]
    with pytest.raises(DriverError, match="must have a value. Received: none for text"):
        rehearse(spec)


def test_an_interruption_ends_what_is_running_and_is_no_failure(rehearse, tmp_path):
    began = time.monotonic()
    slow = container_task("slow", 'touch "$0"; exec sleep 60', [str(tmp_path / "here")], **policy(2, "30s"))

    def interrupt():
        while not (tmp_path / "here").exists():
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)  # to this process alone, as `kill -INT` does

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        rehearse(pipeline_of([slow, container_task("next", "true", after=["slow"])]))
    assert time.monotonic() - began < 30
    assert not any((tmp_path / "executions").iterdir())
