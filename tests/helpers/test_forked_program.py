"""A forked program is to its caller what a process of its own is."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest

from tests.helpers.forked_program import write_forked_program, write_forked_python

pytestmark = pytest.mark.slow

MODULE = """
import json, os, signal, sys
sys.stdout.reconfigure(errors="replace")
if sys.argv[1] == "wait":
    print("waiting", flush=True)
    signal.pause()
if sys.argv[1] == "die":
    os.kill(os.getpid(), signal.SIGKILL)
print(json.dumps([__name__, sys.argv[1:], os.getcwd(), os.environ["TOLD"], sys.stdin.read(), "tfx.v1" in sys.modules]))
print("to stderr", file=sys.stderr)
sys.exit(int(sys.argv[1]))
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    folder = tmp_path_factory.mktemp("program")
    (folder / "told.py").write_text(MODULE)
    return write_forked_program(folder / "bin" / "told", "told")


def start(program, *arguments):
    folder = program.parents[1]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    return subprocess.Popen([program, *arguments], cwd=folder, env={"TOLD": "ü"}, text=True, **pipes)


def test_call_folder_environment_streams_and_exit_code(program):
    run = start(program, "7", "two words")
    shown, said = run.communicate("hello")
    assert run.returncode == 7, said
    assert json.loads(shown) == ["__main__", ["7", "two words"], str(program.parents[1]), "ü", "hello", True]
    assert said == "to stderr\n"


def test_code_is_run_as_python_runs_it(tmp_path):
    python = write_forked_python(tmp_path / "python")
    code = (
        "import os, sys; print(__name__, sys.argv, sys.stdin.readline(), 'tfx.v1' in sys.modules, 'TOLD' in os.environ)"
    )
    call = [python, "-u", "-B", "-c", code, "more"]
    done = subprocess.run(call, input="a line", env={"TOLD": ""}, capture_output=True, text=True, check=True)
    assert done.stdout == "__main__ ['-c', 'more'] a line True True\n"


def test_an_error_is_a_traceback_and_1(program):
    run = start(program, "no number")
    assert "ValueError: invalid literal for int()" in run.communicate("")[1]
    assert run.returncode == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_reaches_it(program, number):
    run = start(program, "wait")
    assert run.stdout.readline() == "waiting\n"
    run.send_signal(number)
    said = run.communicate()[1]
    assert run.returncode == (1 if number == signal.SIGINT else -number)
    assert ("KeyboardInterrupt" in said) == (number == signal.SIGINT)


def test_it_dies_with_the_program_and_the_program_with_it(program):
    run = start(program, "wait")
    assert run.stdout.readline() == "waiting\n"
    run.kill()
    assert run.communicate() == ("", "")  # the child's ends of the pipes are closed
    run = start(program, "die")
    run.communicate()
    assert run.returncode == -signal.SIGKILL
    assert sys.executable in program.read_text()
