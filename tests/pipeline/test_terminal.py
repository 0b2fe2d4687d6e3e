"""The output of libraries goes to the log, from C and from children too; the terminal belongs to the person."""

import os
import re
import subprocess
import sys
import time

import pytest
from rich.table import Table

from pipeline.running.progress_view import RunView
from pipeline.terminal import captured_output, open_console

NOISE = """
import os, subprocess, sys, warnings
os.write(1, b"from C to stdout\\n")
os.write(2, b"from C to stderr\\n")
subprocess.run([sys.executable, "-c", "import sys; print('from a child'); print('child error', file=sys.stderr)"])
print("printed")
print("printed without an end of line", end="")
warnings.warn("a warning")
"""
WRITTEN = (
    "from C to stdout",
    "from C to stderr",
    "from a child",
    "child error",
    "printed",
    "printed without an end of line",
    "UserWarning: a warning",
)


def test_a_console_shows_controls_and_obeys_its_own_styles(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    table = Table("head")
    table.add_row("\x1b[2Jcell")
    console = open_console()
    for content in ("[red]red[/] \x1b]0;title\x07", table, {"a": "\x9b2J"}):
        console.print(content)
    shown = capsys.readouterr().out
    assert "\x1b[31mred" in shown
    assert re.findall(r"\\u001b\S+", shown) == ["\\u001b]0;title\\u0007", "\\u001b[2Jcell"]
    assert not re.search("\x1b(?!\\[[0-9;]*m)|[\x07\x9b]", shown)


@pytest.fixture
def log(tmp_path):
    return tmp_path / "log.txt"


def run(log, inside: str, *, verbose: bool = False) -> subprocess.CompletedProcess:
    """Runs code in a process of its own, whose sys.stdout is the terminal's and not pytest's."""
    code = "from pathlib import Path\nfrom pipeline.terminal import captured_output\n"
    code += "print('before')\n"
    code += f"with captured_output(Path({str(log)!r}), verbose={verbose}) as terminal:\n"
    code += "".join(f"    {line}\n" for line in inside.strip().splitlines())
    code += "print('after')\n"
    # Buffered, as where nobody has set this variable.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    call = [sys.executable, "-c", code]
    return subprocess.run(call, capture_output=True, text=True, check=False, timeout=60, env=env)


def test_all_that_is_written_lands_in_the_log_and_nothing_on_the_terminal(log):
    done = run(log, NOISE)
    written = log.read_text()
    assert (done.returncode, done.stdout, done.stderr) == (0, "before\nafter\n", "")
    assert [text for text in WRITTEN if text not in written] == []


def test_verbose_shows_on_the_terminal_what_goes_to_the_log(log):
    done = run(log, NOISE, verbose=True)
    written = log.read_text()
    assert [text for text in WRITTEN if text not in written] == []
    assert done.stdout == f"before\n{written}after\n"


def test_the_person_sees_what_is_said_to_them_on_the_stream_that_is_meant(log):
    done = run(log, "terminal.out.print('to you')\nterminal.err.print('careful')")
    assert (done.stdout, done.stderr) == ("before\nto you\nafter\n", "careful\n")
    assert log.read_text() == ""


def test_an_exception_comes_through_and_the_streams_are_restored(log):
    done = run(log, "print('inside')\nraise ValueError('seen')")
    assert done.returncode == 1
    assert done.stderr.endswith("ValueError: seen\n")
    assert done.stdout == "before\n"
    assert log.read_text() == "inside\n"


def test_a_line_is_on_the_terminal_as_soon_as_it_is_said(log, capfd):
    with captured_output(log, verbose=False) as terminal:
        terminal.out.print("now")
        assert capfd.readouterr().out == "now\n"


def test_descriptors_are_restored_and_none_is_left_open(log, capfd):
    def open_descriptors():
        return [number for number in range(256) if _is_open(number)]

    before = open_descriptors(), os.fstat(1), os.fstat(2)
    for verbose in (False, True):
        with captured_output(log, verbose=verbose):
            os.write(1, b"hidden\n")
            assert not os.path.sameopenfile(1, before[0][0])
    assert open_descriptors() == before[0]
    assert (os.fstat(1).st_ino, os.fstat(2).st_ino) == (before[1].st_ino, before[2].st_ino)
    os.write(1, b"seen\n")
    os.write(2, b"seen too\n")
    assert capfd.readouterr() == ("hidden\nseen\n", "seen too\n")


def test_the_log_is_appended_to(log, capfd):
    for verbose in (False, True, False):
        with captured_output(log, verbose=verbose):
            os.write(2, b"again\n")
    assert log.read_text() == "again\n" * 3


def test_a_log_that_cannot_be_opened_leaves_the_terminal_alone(tmp_path, capfd):
    with pytest.raises(FileNotFoundError), captured_output(tmp_path / "missing" / "log.txt", verbose=False):
        pass
    os.write(1, b"seen\n")
    assert capfd.readouterr().out == "seen\n"


def test_what_is_said_to_a_closed_terminal_is_not_logged(log):
    code = f"from pathlib import Path\nfrom pipeline.terminal import captured_output\nlog = Path({str(log)!r})\n"
    code += (
        "with captured_output(log, verbose=False) as terminal:\n    terminal.out.print('to you')\n    print('noise')\n"
    )
    code += "    import os\n    os.write(1, b'from C')\n"
    closed = subprocess.run(["sh", "-c", 'exec "$0" -c "$1" >&- 2>&-', sys.executable, code], timeout=60)
    assert closed.returncode == 0
    assert log.read_text() == "from C"


def test_a_pipe_is_no_terminal_and_gets_lines_of_a_fixed_width_without_colours(log, monkeypatch, capfd):
    monkeypatch.setenv("COLUMNS", "20")
    with captured_output(log, verbose=False) as terminal:
        terminal.out.print("[red]" + "word " * 20 + "[/]")
    assert capfd.readouterr().out.rstrip() == ("word " * 20).rstrip()


def test_a_pipe_that_is_to_have_colours_gets_nothing_that_moves(log, monkeypatch, capfd):
    monkeypatch.setenv("FORCE_COLOR", "1")
    with captured_output(log, verbose=False) as terminal:
        terminal.out.print("[red]word[/]")
        with RunView(terminal.out).listening() as view:
            view.say("importing TFX")
            time.sleep(0.2)
    assert re.fullmatch(r"\x1b\[31mword\x1b\[0m\n", capfd.readouterr().out)


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True
