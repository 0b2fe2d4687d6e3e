"""The optimizers' benchmark on a tiny table: that it runs and says what it is asked for, not how fast it is."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from bench import optimizers
from tests.helpers.forked_program import write_forked_program
from trainer.encoders.stand_in import save_stand_in


@pytest.mark.slow
def test_the_costs_of_two_optimizers_in_processes_of_their_own(tmp_path, capsys, monkeypatch):
    program = write_forked_program(tmp_path / "bin" / "optimizers_one", "bench.optimizers_one")
    monkeypatch.setattr(optimizers, "_PROGRAM", (str(program),))
    result = tmp_path / "figures.json"
    encoder = save_stand_in(tmp_path, table_rows=100)
    names = ["--optimizers", "adam", "lazy_adam", "lazy_adam:bfloat16", f"--encoder={encoder}"]
    optimizers.main([*names, "--turns=3", "--steps=3", "--dense-steps=2", f"--json={result}"])
    adam, lazy, rounded = json.loads(result.read_text())["costs"]
    assert [one["optimizer"] for one in (adam, lazy, rounded)] == ["adam", "lazy_adam", "lazy_adam:bfloat16"]
    assert [one["steps_a_turn"] for one in (adam, lazy, rounded)] == [2, 3, 3]
    assert all(one["wall_s"] > 0 and one["cpu_s"] > 0 and one["peak_gb"] > 0.1 for one in (adam, lazy, rounded))
    assert adam["times_faster"] == adam["memory_ratio"] == 1
    least, median, most = lazy["times_faster_quarters"]
    assert least <= median == lazy["times_faster"] <= most
    assert "| lazy_adam | 3 |" in capsys.readouterr().out


def test_a_process_that_fails_ends_the_benchmark():
    call = [sys.executable, "-c", "import sys; sys.stdin.readline(); sys.exit(3)"]
    process = subprocess.Popen(call, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with process, pytest.raises(subprocess.CalledProcessError, match="returned non-zero exit status 3"):
        optimizers._turn(process)


def test_it_is_a_program():
    called = subprocess.run([sys.executable, "-m", "bench.optimizers", "--help"], capture_output=True, text=True)
    assert called.returncode == 0 and "Measures the cost of a step by each optimizer" in called.stdout, called.stderr


@pytest.mark.parametrize("name", ["adamant", "lazy_adam:float64"])
def test_an_optimizer_or_a_precision_that_there_is_not(capsys, name):
    with pytest.raises(SystemExit, match="2"):
        optimizers.main(["--optimizers", "adam", name])
    assert f"Received: {name}." in capsys.readouterr().err


def test_accuracies_beside_each_other_and_the_equality_of_exact_adam(tmp_path, tiny_encoder, capsys):
    result = tmp_path / "figures.json"
    optimizers.main(["--accuracy", "--epochs=1", "--seeds", "3", f"--encoder={tiny_encoder}", f"--json={result}"])
    found = json.loads(result.read_text())
    assert [(one["seed"], one["optimizer"]) for one in found["accuracy"]] == [(3, "lazy_adam"), (3, "exact_adam")]
    assert all(0.4 < one["accuracy"] <= 1 for one in found["accuracy"])
    assert found["equality"]["largest_difference"] < 1e-5 < 1e-3 < found["equality"]["largest_way"]
    assert "| 3 | exact_adam |" in capsys.readouterr().out
