"""The command line as a person meets it: help, exit codes, and what a mistake is told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from filelock import FileLock

from pipeline.cli import main
from tests.helpers.cpu import count_starts
from tests.helpers.verdicts import a_verdict, write_run

ROOT = Path(__file__).parents[2]
LARGE = {"apache_beam", "google", "grpc", "jinja2", "kfp", "matplotlib", "numpy", "pandas", "pyarrow", "pydantic"}
LARGE |= {"requests", "tensorflow", "tensorflow_hub", "tfx"}
COMMANDS = ["fetch", "run", "config", "runs", "verdict", "embed", "encoder", "explain", "monitor", "report", "doctor"]
COMMANDS += ["clean", "versions", "rollback", "schema", "predict"]


def clickbait(*arguments, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess:
    """The command in a process of its own, as a shell starts it."""
    return subprocess.run(
        [sys.executable, "-m", "pipeline", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS)])
def test_every_command_has_help(command):
    shown = CliRunner().invoke(main, [*command, "--help"])
    assert shown.exit_code == 0
    assert shown.output.startswith("Usage:")


def test_the_help_names_the_exit_codes_of_the_contract():
    shown = " ".join(CliRunner().invoke(main, ["--help"]).output.split())
    for words in ("0 pushed or done", "3 the data was refused", "4 the model was not blessed"):
        assert words in shown


def test_the_run_command_has_the_options_of_the_contract():
    shown = CliRunner().invoke(main, ["run", "--help"]).output
    for option in (
        *("--data", "--text-column", "--label-column", "--encoder", "--offline", "--preset", "--config", "--set"),
        *("--output", "--limit", "--epochs", "--seed", "--from", "--to", "--fresh", "--verbose"),
    ):
        assert option in shown


@pytest.mark.parametrize(
    ("arguments", "starts", "allowed"),
    [
        (["--help"], 9, set()),
        (["run", "--help"], 6, set()),
        (["report", "--help"], 6, set()),
        (["runs", "--help"], 6, set()),
        (["verdict"], 16, {"pydantic"}),  # which checks what the file holds
    ],
)
def test_light_commands_cost_a_few_starts_of_python_and_import_no_large_library(arguments, starts, allowed, tmp_path):
    write_run(tmp_path / "output", a_verdict())
    assert count_starts(lambda: clickbait(*arguments, cwd=tmp_path).check_returncode()) < starts
    imports = clickbait(*arguments, cwd=tmp_path, PYTHONPROFILEIMPORTTIME="1").stderr.splitlines()
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in imports}
    assert {"pipeline", "click"} < imported
    assert not imported & (LARGE - allowed)


def test_importing_the_pipeline_imports_no_tensorflow():
    probe = (
        "import sys, pipeline.cli, pipeline.config.pipeline_config, pipeline.inputs, pipeline.running.local_runner\n"
        "import pipeline.results.run_folders\n"
        "print([name for name in ('tensorflow', 'tfx', 'apache_beam', 'tensorflow_hub') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--no-such-option"], "No such option"),
        (["run", "--set", "training.epoch=3"], "Did you mean training.epochs?"),
        (["run", "--set", "training.epochs=0"], "must be a whole number, at least 1"),
        (["run", "--epochs", "0"], "must be a whole number, at least 1"),
        (["run", "--preset", "defalut"], "Did you mean default?"),
        (["run", "--config", "no-such.yaml"], "no-such.yaml: must be readable"),
        (["run", "--data", "no-such.csv"], "no-such.csv, where there is nothing"),
        (["run", "--data", "titles.csv", "--text-column", "text"], "Name the right column with --text-column"),
        (["run", "--data", "titles.csv", "--label-column", "y"], "Name the right column with --label-column"),
        (["run", "--data", "empty.csv"], "Received: an empty file"),
        (["run", "--data", "titles.csv", "--encoder", "no/such/encoder"], "no/such/encoder does not exist"),
        (["run", "--data", "titles.csv", "--encoder", "titles.csv"], "which is no tar archive"),
        (["run", "--from", "Trainr"], "--from and --to must name a component. Received: 'Trainr'"),
        (["run", "--from", "Trainer", "--to", "StatisticsGen"], "--from must come before --to"),
        (["run", "--data", "~nobody/x.csv"], "~nobody/x.csv"),
        (["run", "--data", "x" * 300], "File name too long"),
        (["run", "--output", "out[1]"], "must have no ["),
        (["run", "--output", "s3://bucket/out"], "The output must be a folder of this machine"),
        (["run", "--output", ""], 'must be text, not empty. Received: ""'),
        (["run", "--output", "titles.csv"], "must be a folder that can be written"),
        (["fetch", "--source", "no-such-folder"], "no-such-folder"),
        (["verdict", "--output", "nothing"], "which has none"),
        (["embed", "Hello World", "--encoder", "no/such/encoder"], "no/such/encoder does not exist"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_is_one_message_and_exit_2(arguments, message, answer, tmp_path):
    (tmp_path / "titles.csv").write_text("title,label\nStorm hits coast,0\n", encoding="utf-8")
    (tmp_path / "empty.csv").touch()
    done = answer(*arguments)
    assert done.returncode == 2, done.stdout + done.stderr
    assert message in " ".join(done.stderr.split())
    assert "Traceback" not in done.stdout + done.stderr


def test_an_override_without_a_reason_is_refused():
    done = CliRunner().invoke(main, ["run", "--bless-anyway", "  "])
    assert done.exit_code == 2
    assert "--bless-anyway must have a reason. Received: none." in done.output


def test_the_article_preset_without_its_module_says_how_to_provide_it(answer, tmp_path, monkeypatch):
    monkeypatch.setenv("CLICKBAIT_CACHE", str(tmp_path / "cache"))
    done = answer("run", "--preset", "article", "--offline")
    assert done.returncode == 2
    for words in ("https://tfhub.dev/google/universal-sentence-encoder/4", "offline", "--encoder"):
        assert words in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_a_run_says_on_its_first_line_that_it_takes_the_sample(answer):
    done = answer("run", "--encoder", "no/such/encoder")
    assert "the bundled sample" in done.stdout.splitlines()[0]


def test_config_shows_each_setting_with_its_value_and_bounds():
    shown = CliRunner().invoke(main, ["config", "--preset", "article", "--set", "training.epochs=5"]).output
    assert "training.epochs = 5" in shown
    assert "encoder.source = https://tfhub.dev/google/universal-sentence-encoder/4" in shown
    assert "whole number, at least 1 and at most 1000" in shown


def test_two_runs_never_write_into_one_output_at_once(answer, tmp_path):
    (tmp_path / "output").mkdir()
    with FileLock(tmp_path / "output" / ".lock"):
        done = answer("run")
    assert done.returncode == 2
    assert "where another run is at work" in done.stderr
    assert not (tmp_path / "output" / "runs").exists()


@pytest.mark.slow
def test_a_terminal_that_goes_away_takes_no_verdict_along(tmp_path):
    command = f"{sys.executable} -m pipeline run --encoder no/such/encoder | head -0"
    subprocess.run(command, shell=True, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False)
    subprocess.run(f"{command[:-9]} >&- 2>&-", shell=True, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)})
    statuses = [json.loads(path.read_text())["status"] for path in tmp_path.glob("output/runs/*/verdict.json")]
    assert statuses == ["failed", "failed"]


def test_where_the_sdk_of_kubeflow_hides_our_package_its_command_says_so_and_all_others_work(tmp_path):
    (tmp_path / "kubeflow").mkdir()
    (tmp_path / "kubeflow" / "__init__.py").write_text("__version__ = '0.4.0'\n")
    # An editable installation has a finder that knows each of our modules, whatever hides their package.
    code = "import sys; sys.meta_path = [finder for finder in sys.meta_path if 'Editable' not in repr(finder)]; "
    code += "from pipeline.cli import main; main()"
    path = os.pathsep.join([str(tmp_path), str(ROOT)])

    def run(*arguments: str) -> subprocess.CompletedProcess:
        command = [sys.executable, "-c", code, *arguments]
        environment = {**os.environ, "PYTHONPATH": path}
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    for arguments in (["submit", "--host", "http://127.0.0.1:9"], ["--help"]):
        done = run("kubeflow", *arguments)
        assert done.returncode == 2
        assert f"Received: another's, kubeflow, {tmp_path}/kubeflow/__init__.py" in done.stderr
        assert "give it an environment of its own" in done.stderr
        assert "Traceback" not in done.stderr
    shown = run("--help")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "kubeflow Another's package is in the way" in " ".join(shown.stdout.split())


def test_verdict_and_runs_look_where_the_environment_says(answer, tmp_path, monkeypatch):
    write_run(tmp_path / "elsewhere", a_verdict(run_id="20260101-000000-aaaa"))
    monkeypatch.setenv("CLICKBAIT__OUTPUT", str(tmp_path / "elsewhere"))
    assert "20260101-000000-aaaa" in answer("verdict").stdout
    assert "20260101-000000-aaaa" in answer("runs").stdout


def test_runs_lists_what_was_run(answer, tmp_path):
    write_run(tmp_path / "output", a_verdict(run_id="20260101-000000-aaaa"))
    write_run(tmp_path / "output", a_verdict(run_id="20260102-000000-bbbb", status="not blessed", pushed=None))
    shown = answer("runs").stdout
    assert shown.index("20260101-000000-aaaa") < shown.index("20260102-000000-bbbb")
    assert "not blessed" in shown


def test_verdict_shows_the_run_that_is_asked_for(answer, tmp_path):
    write_run(tmp_path / "output", a_verdict(run_id="20260101-000000-aaaa"))
    write_run(tmp_path / "output", a_verdict(run_id="20260102-000000-bbbb", status="not blessed", pushed=None))
    assert "pushed: " in answer("verdict", "20260101").stdout
    assert "not blessed: " in answer("verdict").stdout


@pytest.mark.slow
def test_embed_prints_shape_norm_and_values():
    done = clickbait("embed", "Hello World", "--all")
    assert done.returncode == 0, done.stderr
    facts, values = done.stdout.split("[")
    assert facts.split() == ["Hello", "World", "shape", "(512,)", "norm", "1.0000"]
    assert len(values.rstrip("]\n").split(", ")) == 512
    assert done.stderr == ""
