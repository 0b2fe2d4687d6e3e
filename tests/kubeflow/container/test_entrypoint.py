"""The container's command: exit codes with a message that a person can read, signals, and an end without an abort."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys

import pytest

from kubeflow.container import entrypoint
from kubeflow.container.exit_codes import read_exit_code
from tests.helpers.forked_program import write_forked_program

ANY_CALL = [
    *("--executor_class_path", "any", "--json_serialized_invocation_args", "{}"),
    *("--json_serialized_inputs_spec_args", "{}", "--json_serialized_outputs_spec_args", "{}"),
]


@pytest.fixture
def places(tmp_path, monkeypatch):
    """Where the message and the facts of a failure go."""
    monkeypatch.setenv(entrypoint.TERMINATION_LOG, str(tmp_path / "termination-log"))
    monkeypatch.setenv(entrypoint.FAILURE_FILE, str(tmp_path / "failure.json"))
    yield tmp_path
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


@pytest.fixture
def failing(places, monkeypatch):
    """Runs a task whose executor raises, and returns the exit code, the message, and the facts."""

    def failing(error: BaseException) -> tuple[int, str, dict]:
        def execute(*_):
            raise error

        monkeypatch.setattr(entrypoint, "_execute", execute)
        code = entrypoint.run_task(ANY_CALL)
        facts = json.loads((places / "failure.json").read_text(encoding="utf-8"))
        return code, (places / "termination-log").read_text(encoding="utf-8"), facts

    return failing


def refused() -> Exception:
    from components.errors import DataRefused

    return DataRefused("too few rows", [{"rule": "rows"}])


def wrapped(error: Exception) -> Exception:
    """As Beam wraps what a step raises."""
    outer = RuntimeError("while running a step")
    outer.__cause__ = error
    return outer


@pytest.mark.parametrize("error", [refused(), wrapped(refused())], ids=["itself", "wrapped by Beam"])
def test_refused_data_ends_with_3_the_reason_and_the_findings_and_no_traceback(failing, error, capfd):
    code, message, facts = failing(error)
    assert (code, read_exit_code(message)) == (3, 3)
    assert message == "clickbait exit code 3, the data was refused: too few rows"
    assert facts == {"exit_code": 3, "reason": "too few rows", "findings": [{"rule": "rows"}]}
    shown = capfd.readouterr().err
    assert message in shown
    assert "Traceback" not in shown


def test_what_nobody_foresaw_ends_with_1_and_its_traceback_is_in_the_log(failing, capfd):
    code, message, _ = failing(ZeroDivisionError("by zero"))
    assert code == 1
    assert message == "clickbait exit code 1, failed: ZeroDivisionError: by zero"
    assert "Traceback" in capfd.readouterr().err


def test_a_stop_from_outside_is_a_message_of_its_own(failing):
    code, message, _ = failing(entrypoint.Stopped("stopped by SIGTERM"))
    assert (code, read_exit_code(message)) == (143, 143)


class BrokenPipe(io.StringIO):
    """The end of a pipe whose other end is closed."""

    def write(self, *_):
        raise BrokenPipeError


def test_where_the_launcher_has_died_the_message_goes_to_the_container_itself(failing, places, monkeypatch):
    monkeypatch.setattr(sys, "stderr", BrokenPipe())
    monkeypatch.setattr(entrypoint, "_CONTAINER_STDERR", str(places / "container-stderr"))
    code, message, _ = failing(entrypoint.Stopped("stopped by SIGTERM"))
    assert code == 143
    assert (places / "container-stderr").read_text(encoding="utf-8") == f"{message}\n"


def test_without_kubernetes_there_is_nowhere_to_write_and_the_exit_code_is_the_same(failing, monkeypatch, places):
    (places / "termination-log").mkdir()
    monkeypatch.setattr(entrypoint, "_execute", lambda *_: (_ for _ in ()).throw(refused()))
    assert entrypoint.run_task(ANY_CALL) == 3


def test_a_wrong_call_is_2(capfd):
    assert entrypoint.run_task([]) == 2
    assert "--executor_class_path" in capfd.readouterr().err


# ---- As a container starts it: a new process with TFX's executor

SCHEMA = "feature { name: 'title' }"


@pytest.fixture
def start(tmp_path):
    """Starts the entrypoint, or a program that does as it does, on ImportSchemaGen as the launcher would."""

    def start(*program: str, **parameters: str) -> subprocess.Popen:
        task = "minio://mlpipeline/v2/run/ImportSchemaGen"
        kind = {"instanceSchema": "title: tfx.Schema\n"}
        schema = {"uri": f"{task}/schema", "name": "schema", "type": kind}
        outputs = {
            "artifacts": {"schema": {"artifacts": [schema]}},
            "outputFile": str(tmp_path / "kfp_outputs" / "output_metadata.json"),
        }
        kinds = {name: {"parameterType": "STRING"} for name in parameters}
        invocation = {"inputs": {"parameterValues": parameters}, "outputs": outputs}
        call = [
            *("--executor_class_path", "components.import_schema_gen.component.ImportSchemaGen_Executor"),
            *("--json_serialized_invocation_args", json.dumps(invocation)),
            *("--json_serialized_inputs_spec_args", json.dumps({"parameters": kinds})),
            *("--json_serialized_outputs_spec_args", json.dumps({"artifacts": {"schema": {"artifactType": kind}}})),
        ]
        environ = {
            **os.environ,
            "CLICKBAIT_MOUNT_ROOT": str(tmp_path),
            "CLICKBAIT_TERMINATION_LOG": str(tmp_path / "termination-log"),
        }
        command = program or (sys.executable, "-m", "kubeflow.container.entrypoint")
        return subprocess.Popen([*command, *call], env=environ, stderr=subprocess.PIPE, text=True)

    return start


@pytest.mark.slow
def test_an_executor_finds_its_types_and_paths_and_the_process_ends_well(start, tmp_path):
    process = start(schema_file="schema.pbtxt", content_digest="sha256:0", text=SCHEMA)
    _, shown = process.communicate(timeout=300)
    assert process.returncode == 0, shown
    assert "pure virtual method" not in shown
    written = tmp_path / "minio" / "mlpipeline" / "v2" / "run" / "ImportSchemaGen" / "schema" / "schema.pbtxt"
    assert written.read_text() == SCHEMA
    said = json.loads((tmp_path / "kfp_outputs" / "output_metadata.json").read_text())
    (schema,) = said["artifacts"]["schema"]["artifacts"]
    assert schema["uri"] == "minio://mlpipeline/v2/run/ImportSchemaGen/schema"
    assert not (tmp_path / "termination-log").exists()


@pytest.mark.slow
def test_sigterm_ends_it_with_a_message(start, tmp_path):
    program = write_forked_program(tmp_path / "entrypoint", "kubeflow.container.entrypoint")
    # A schema that is a pipe: the executor waits for its text.
    pipe = tmp_path / "schema.pbtxt"
    os.mkfifo(pipe)
    process = start(str(program), schema_file=str(pipe), content_digest="sha256:0")
    with pipe.open("w"):  # opens when the executor opens it
        process.send_signal(signal.SIGTERM)
        _, shown = process.communicate(timeout=60)
    assert process.returncode == 143, shown
    assert read_exit_code((tmp_path / "termination-log").read_text()) == 143
    assert not (tmp_path / "kfp_outputs").exists()
