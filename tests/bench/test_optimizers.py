"""The optimizers' benchmark on a tiny table: that it runs and says what it is asked for, not how fast it is."""

from __future__ import annotations

import json

import pytest

from bench import optimizers
from tests.helpers.encoders import write_reusable_encoder
from trainer.encoders.stand_in import save_stand_in


@pytest.mark.slow
def test_the_costs_of_two_optimizers_in_processes_of_their_own(tmp_path, capsys):
    result = tmp_path / "figures.json"
    encoder = save_stand_in(tmp_path, table_rows=100)
    names = ["--optimizers", "adam", "lazy_adam", f"--encoder={encoder}"]
    optimizers.main([*names, "--steps=3", "--dense-steps=2", f"--json={result}"])
    found = json.loads(result.read_text())
    assert [(one["optimizer"], one["steps"]) for one in found["costs"]] == [("adam", 2), ("lazy_adam", 3)]
    assert all(one["wall_s"] > 0 and one["cpu_s"] > 0 and one["peak_gb"] > 0.1 for one in found["costs"])
    assert found["costs"][0]["times_faster"] == found["costs"][0]["memory_ratio"] == 1
    assert "| lazy_adam | 3 |" in capsys.readouterr().out


def test_accuracies_beside_each_other_and_the_equality_of_exact_adam(tmp_path, capsys):
    result = tmp_path / "figures.json"
    encoder = write_reusable_encoder(tmp_path / "encoder")
    optimizers.main(["--accuracy", "--epochs=1", "--seeds", "3", f"--encoder={encoder}", f"--json={result}"])
    found = json.loads(result.read_text())
    assert [(one["seed"], one["optimizer"]) for one in found["accuracy"]] == [(3, "lazy_adam"), (3, "exact_adam")]
    assert all(0.4 < one["accuracy"] <= 1 for one in found["accuracy"])
    assert found["equality"]["largest_difference"] < 1e-5 < 1e-3 < found["equality"]["largest_way"]
    assert "| 3 | exact_adam |" in capsys.readouterr().out
