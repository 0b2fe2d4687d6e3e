"""The command `predict` as a person meets it: lines, files, mistakes, and how little it costs."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from serving.client.cli import predict_command
from tests.helpers.cpu import count_starts
from tests.helpers.pickled_parquet import write_pickled_parquet
from tests.serving.client import fakes
from tests.serving.client.commands import ROOT, predict, start
from tests.serving.client.fakes import Fault, score

HEAVY = ("tensorflow", "tensorflow_serving", "numpy", "pandas", "pyarrow", "requests", "rich", "tfx")
TEXTS = ["21 Pictures That Will Make You Feel Old", "Google announces TensorFlow 2.0"]


def line(text: str) -> str:
    value = score(text)
    return f"{value:.3f}  {'clickbait' if value > 0.5 else 'news     '}  {text}\n"


def test_texts_are_printed_with_their_scores(target):
    done = predict(*TEXTS, "--target", target)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "".join(map(line, TEXTS))


def test_what_would_steer_the_terminal_is_printed_and_not_obeyed(target):
    text = "\x1b]0;owned\x07Cats\x9b2J"
    done = predict(text, "--target", target)
    assert done.stdout == line(text).replace(text, "\\u001b]0;owned\\u0007Cats\\u009b2J")
    gone = predict("a", "--input", "\x1b[2J.csv", "--target", target)
    assert "\x1b" not in gone.stdout + gone.stderr


def test_rest_prints_the_same(rest_target):
    assert predict(*TEXTS, "--target", rest_target, "--rest").stdout == "".join(map(line, TEXTS))


@pytest.mark.parametrize("arguments", [[], ["--input", "-"]])
def test_lines_of_stdin(target, arguments):
    done = predict(*arguments, "--target", target, lines="one\ntwo, 2\n\nü\n")
    assert done.stdout == "".join(map(line, ["one", "two, 2", "", "ü"])), done.stderr


def test_a_file_without_an_output_is_printed(target, tmp_path):
    (tmp_path / "in.jsonl").write_text("".join(json.dumps({"text": f"t {n}"}) + "\n" for n in range(50)))
    done = predict("--input", tmp_path / "in.jsonl", "--text-column", "text", "--target", target, "--rows-per-call", 3)
    assert done.stdout == "".join(line(f"t {n}") for n in range(50)), done.stderr


def test_a_score_in_the_band_is_unsure(target, tmp_path):
    below, within, above = sorted(["a", "bb", "ccc"], key=score)
    band = f"{score(within):.3f},{score(above):.9f}"
    done = predict(below, within, above, "--target", target, "--unsure", band)
    assert [text.split()[1] for text in done.stdout.splitlines()] == ["news", "unsure", "clickbait"], done.stderr
    (tmp_path / "in.txt").write_text("".join(f"{text}\n" for text in (below, within, above)))
    done = predict(
        "--input", tmp_path / "in.txt", "--output", tmp_path / "out.jsonl", "--target", target, "--unsure", band
    )
    assert done.returncode == 0, done.stderr
    rows = [json.loads(text) for text in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [row["prediction"] for row in rows] == ["news", "unsure", "clickbait"]


def test_a_file_to_a_file(target, tmp_path):
    (tmp_path / "in.csv").write_text("title\na\nb\n")
    out = tmp_path / "out.jsonl"
    done = predict("--input", tmp_path / "in.csv", "--output", out, "--target", target, "--version", 3, "--wait", 5)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{out}: 2 rows scored by clickbait version 3, ")
    assert [json.loads(one)["probability"] for one in out.read_text().splitlines()] == [score("a"), score("b")]


@pytest.mark.parametrize(
    ("arguments", "exit_code", "part"),
    [
        (["a", "--model", "m"], 2, "--model"),
        (["a", "--version", "7"], 2, "Give --version 3"),
        (["a", "--signature", "z"], 2, "--signature"),
        (["a", "--target", "http://x"], 2, "HOST:PORT"),
        (["a", "--target", "no-such-host.invalid:1"], 2, "no name server knows"),
        (["a", "--tls-ca", "/gone.pem"], 2, "/gone.pem: No such file"),
        (["a", "--tls-cert", "x"], 2, "--tls-key"),
        (["a", "--timeout", "nan"], 2, "Received: nan"),
        (["a", "--wait", "nan"], 2, "The wait must be 0 to 1,000,000 s. Received: nan"),
        (["a", "--wait", "inf"], 2, "Received: inf"),
        (["a", "--wait", "-1"], 2, "Received: -1"),
        (["--input", "gone.csv"], 2, "no such file"),
        (["a", "--unsure", "0.8,0.3"], 2, "0 <= FROM <= TO <= 1"),
        (["--input", "README.md"], 2, ".csv, .jsonl, .parquet, .txt"),
        (["--input", "data/sample/headlines.csv", "--output", "/gone/x.csv"], 2, "Make the folder"),
    ],
)
def test_a_mistake_is_one_line(target, arguments, exit_code, part):
    if "--target" not in arguments:
        arguments = [*arguments, "--target", target]
    done = predict(*arguments)
    assert done.returncode == exit_code, done.stderr
    assert done.stdout == ""
    assert part in done.stderr
    assert done.stderr.startswith("clickbait: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("column", ["title", "id", "tag"])
def test_a_parquet_file_that_holds_code_runs_nothing(target, tmp_path, column):
    path = write_pickled_parquet(tmp_path / "in.parquet", tmp_path / "ran", column)
    done = predict("--input", path, "--output", tmp_path / "out.parquet", "--target", target)
    assert done.returncode == 2, done.stderr
    assert "must hold data alone" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "ran").exists()
    assert not (tmp_path / "out.parquet").exists()


def test_a_server_that_is_gone_is_one_line():
    with socket.socket() as taken:
        taken.bind(("localhost", 0))
        done = predict("a", "--target", f"localhost:{taken.getsockname()[1]}")
    assert done.returncode == 1
    assert "connection refused. Start it" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_refused_handshake_is_one_line(target):
    done = predict("a", "--target", target, "--tls")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1


def test_a_failure_on_the_way_is_one_line(target, model):
    model.faults.append(Fault("INTERNAL", "boom\nbang"))
    done = predict("a", "--target", target)
    assert done.returncode == 1
    assert "boom bang" in done.stderr
    assert done.stderr.count("\n") == 1


def test_bytes_that_are_no_utf_8_are_refused(target):
    done = subprocess.run(
        [sys.executable, "-c", "import sys; print(ascii(sys.argv[1]))", b"a\xff"], capture_output=True, text=True
    )
    assert "udcff" in done.stdout, "Python gives such bytes as surrogates"
    shown = CliRunner().invoke(predict_command, ["a\udcff", "--target", target])
    assert "A text must be valid UTF-8" in str(shown.exception)
    assert shown.exception.exit_code == 2


@pytest.mark.parametrize("arguments", [[], ["--input", "in.txt", "--output", "out.csv"]], ids=["lines", "file"])
def test_a_full_device_for_stdout_is_one_line(target, tmp_path, arguments):
    (tmp_path / "in.txt").write_text("a\n")
    arguments = [tmp_path / one if "." in one else one for one in arguments] or ["a"]
    with Path("/dev/full").open("w") as full:
        process = start(*arguments, "--target", target, stdout=full)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 1, err
    assert err.startswith("clickbait: stdout must be writable. Received: No space left on device.")
    assert err.count("\n") == 1


def test_a_reader_that_went_away_is_told_nothing(target, tmp_path):
    (tmp_path / "in.txt").write_text("a\n" * 20_000)
    process = start("--input", tmp_path / "in.txt", "--target", target)
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait(60) == 1


@pytest.fixture
def no_numbers(monkeypatch):
    """The model gives no number for the text `nan`."""
    monkeypatch.setattr(fakes, "score", lambda text: float("nan") if text == "nan" else score(text))


def test_a_score_that_is_no_number_is_neither_name(no_numbers, target):
    done = predict("nan", TEXTS[0], "nan", "--target", target)
    assert (done.returncode, done.stdout) == (0, f"nan  ?          nan\n{line(TEXTS[0])}nan  ?          nan\n")
    assert done.stderr == "warning: 2 scores are not finite (NaN or infinite)\n"


def test_a_file_with_a_score_that_is_no_number(no_numbers, target, tmp_path):
    (tmp_path / "in.txt").write_text("nan\na\n")
    done = predict("--input", tmp_path / "in.txt", "--output", tmp_path / "out.jsonl", "--target", target)
    assert (done.returncode, done.stderr) == (0, "warning: 1 scores are not finite (NaN or infinite)\n")
    rows = [json.loads(one, parse_constant=pytest.fail) for one in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert rows == [{"title": "nan", "probability": None}, {"title": "a", "probability": score("a")}]


@pytest.mark.parametrize("arguments", [["a", "--input", "x.csv"], ["a", "--output", "x.csv"]])
def test_calls_that_contradict_themselves(arguments):
    shown = CliRunner().invoke(predict_command, arguments)
    assert shown.exit_code == 2
    assert "Received" in shown.output


def test_the_help_has_the_options_of_the_contract():
    shown = CliRunner().invoke(predict_command, ["--help"]).output
    for option in (
        *("--input", "--output", "--text-column", "--target", "--model", "--version", "--label", "--signature"),
        *("--timeout", "--rows-per-call", "--in-flight", "--tls-ca", "--tls-cert", "--tls-key", "--rest", "--wait"),
    ):
        assert option in shown


def test_predict_costs_as_much_as_a_dozen_starts_of_python(target):
    assert count_starts(lambda: predict(*TEXTS, "--target", target).check_returncode()) < 12


def test_the_client_is_ready_at_the_cost_of_nine_starts_of_python():
    command = [sys.executable, "-c", "from serving.client import Client; Client()"]
    assert count_starts(lambda: subprocess.run(command, cwd=ROOT, check=True)) < 9


@pytest.mark.parametrize(
    "code",
    ["import serving.client", "from serving.client import *", "import serving.client.cli, serving.client.bulk.score"],
)
def test_importing_the_client_imports_nothing_heavy(code):
    probe = f"{code}\nimport sys\nprint([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_command_itself_imports_no_grpc():
    probe = "import serving.client.cli, sys; print('grpc' in sys.modules or 'google.protobuf' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
