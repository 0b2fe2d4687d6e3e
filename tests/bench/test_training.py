"""The training benchmark on a tiny encoder: that it runs and counts what it says, not how fast it is."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from bench import training
from pipeline.config.pipeline_config import load_config


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """200 rows that two words tell apart."""
    file = tmp_path_factory.mktemp("rows") / "rows.csv"
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["title", "label"])
        writer.writerows((f"{'cat you' if row % 2 else 'budget election'} {row}", row % 2) for row in range(200))
    return file


@pytest.fixture
def in_this_process(monkeypatch):
    """Importing TensorFlow thrice would be most of the test."""
    from bench import training_one

    monkeypatch.setattr(training, "_run_one", training_one.main)


def bench(data, encoder, output, *more):
    asked = ["--data", str(data), "--encoder", str(encoder), "--preset", "smoke", "--output", str(output)]
    training.main([*asked, "--seconds", "60", "--parts", *more])
    return json.loads((output / "training.json").read_text(encoding="utf-8"))


def test_all_train_until_the_accuracy_is_reached(data, tiny_encoder, tmp_path, in_this_process, capsys):
    found = bench(data, tiny_encoder, tmp_path, "quality", "--wanted", "0.3", "--evaluations", "2")
    assert set(found["quality"]) == {training.OURS, training.AS_IS, training.ARTICLE}
    for one in found["quality"].values():
        assert one["reached"]
        assert one["points"][-1]["accuracy"] >= 0.3 > max([0, *(point["accuracy"] for point in one["points"][:-1])])
        assert one["points"][-1]["wall"] > 0
    assert found["machine"]["cores"] > 0
    assert capsys.readouterr().out == (tmp_path / "training.md").read_text(encoding="utf-8")


def test_an_accuracy_that_nobody_reaches_ends_with_the_epochs(data, tiny_encoder, tmp_path, in_this_process):
    from bench.training_one import read_rows

    found = bench(data, tiny_encoder, tmp_path, "quality", "--wanted", "1.1", "--evaluations", "2")
    article, ours = (found["quality"][name] for name in (training.ARTICLE, training.OURS))
    rows, epochs = len(read_rows(data)[0][0]), load_config("smoke").training.epochs
    assert not article["reached"]
    assert not ours["reached"]
    assert article["points"][-1]["steps"] == -(-rows // 32) * 2
    assert ours["points"][-1]["steps"] == -(-rows // 64) * epochs
    assert "not reached" in (tmp_path / "training.md").read_text(encoding="utf-8")


def test_the_plain_script_trains_evaluates_and_saves(data, tiny_encoder, tmp_path):
    from bench import training_one

    told = {"contender": "plain", "data": str(data), "rows": None, "encoder": str(tiny_encoder)}
    recipe = load_config("smoke").training.model_dump()
    done = training_one.main({**told, "training": recipe, "output": str(tmp_path / "model")})
    assert done["steps"] == 3
    assert set(done["accuracy"]) == {"train", "eval"}
    assert (tmp_path / "model" / "saved_model.pb").is_file()


def test_more_rows_than_there_are_come_again_and_differ(data, tmp_path):
    training._write_rows(tmp_path / "more.csv", str(data), 450)
    with (tmp_path / "more.csv").open(encoding="utf-8", newline="") as stream:
        rows = [(row["title"], row["label"]) for row in csv.DictReader(stream)]
    assert len({title for title, _ in rows}) == 450
    assert rows[200] == ("budget election 0 1", "0")


def test_a_process_is_measured_and_its_failure_is_shown():
    printed, cost = training._run(["timeit", "-n", "1", "print('there')"])
    assert "there" in printed
    assert min(cost.values()) > 0
    with pytest.raises(SystemExit, match="exit 1"):
        training._run(["no_such_module"])


def test_what_it_costs_to_start_is_the_median_of_fresh_processes(data, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(training, "_IMPORTED", ("json",))
    monkeypatch.setattr(training, "_CALLED", (["--help"],))
    found = bench(data, "none", tmp_path, "start")
    assert [one["what"] for one in found["start"]] == ["import json", "clickbait --help"]
    assert all(min(one["wall"], one["cpu"], one["peak_gb"]) > 0 for one in found["start"])
    assert "| clickbait --help |" in capsys.readouterr().out


def test_the_pipeline_and_its_plain_script_train_as_many_epochs(data, tmp_path, monkeypatch, capsys):
    calls = []

    def run(call):
        calls.append(call)
        if call[0] == "pipeline":
            folder = Path(call[call.index("--output") + 1], "runs", "one")
            folder.mkdir(parents=True)
            (folder / "verdict.json").write_text('{"components": {}}', encoding="utf-8")
        return json.dumps({"steps": 7}), {"cpu": 3.0, "wall": 2.0, "peak_gb": 1.0}

    monkeypatch.setattr(training, "_run", run)
    found = bench(data, "none", tmp_path, "pipeline", "--rows", "100", "--epochs", "3")
    assert json.loads(calls[0][1])["training"]["epochs"] == 3
    assert calls[1][calls[1].index("--epochs") + 1] == "3"
    assert found["pipeline"][0]["epochs"] == 3
    assert "| 100 | 3 | 7 | 3 | 2 | 1.0 | 3 | 2 | 1.0 | 1.00, 1.00 |" in capsys.readouterr().out


def test_each_table_has_the_costs_of_the_optimizers(data, tmp_path, monkeypatch, capsys):
    costs = [{"optimizer": "lazy_adam", "times_faster": 200.4, "times_less_cpu": 300.0, "memory_ratio": 0.43}]
    costs[0] |= {"wall_s": 0.003, "cpu_s": 0.0044, "peak_gb": 3.93}

    def run(call):
        Path(call[-1]).write_text(json.dumps({"costs": costs}), encoding="utf-8")
        assert call[call.index("--table-rows") + 1] in ("100", "1000")

    monkeypatch.setattr(training, "_run", run)
    found = bench(data, "none", tmp_path, "tables", "--table-rows", "100", "1000")
    assert found["tables"] == [{"rows": 100, "costs": costs}, {"rows": 1000, "costs": costs}]
    assert "| 1,000 | lazy_adam | 4.4 | 3.0 | 3.93 | 300, 200 | 0.43 |" in capsys.readouterr().out


def test_an_article_that_did_not_get_there_is_a_lower_bound():
    point = {"steps": 10, "cpu": 100.0, "wall": 50.0, "accuracy": 0.5}
    ours = {"points": [{**point, "cpu": 20.0, "wall": 5.0}], "reached": True}
    machine = {"cores": 2, "processor": "one", "instructions": ["avx2"], "memory_gb": 8.0, "load_before": 0.1}
    machine["tensorflow"] = "9.9.9"
    quality = {training.OURS: ours, training.ARTICLE: {"points": [point], "reached": False}}
    shown = training.to_markdown({"machine": machine, "wanted": 0.9846, "quality": quality})
    assert shown.startswith("2 cores of one (avx2), 8.0 GB, load 0.1 before. TensorFlow 9.9.9.\n")
    assert "| ours | 10 | 20 | 5 | 0.5000 | more than 5.0, 10.0 |" in shown
    assert "| article, not reached | 10 | 100 | 50 | 0.5000 |  |" in shown
