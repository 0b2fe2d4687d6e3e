"""Nothing is trained on refused data, and what was refused goes on once it is mended: whole runs up to the gate."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from pipeline.config import PipelineConfig, load_config
from pipeline.local_runner import run_pipeline
from pipeline.paths import SAMPLE_FILE, SCHEMA_FILE
from pipeline.runs import read_run

pytestmark = pytest.mark.slow


def sample() -> list[tuple[str, str]]:
    with SAMPLE_FILE.open(encoding="utf-8", newline="") as stream:
        return [(row["title"], row["label"]) for row in csv.DictReader(stream)]


def write(path: Path, rows) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([("title", "label"), *rows])
    return path


@pytest.fixture
def gate(tmp_path, tiny_encoder, monkeypatch):
    """Runs the pipeline, by default to the gate, and returns exit code and verdict."""
    monkeypatch.chdir(tmp_path)

    def configure(data: Path, *overrides: str) -> PipelineConfig:
        flags = {"data.path": data, "encoder.source": tiny_encoder, "output": tmp_path / "output"}
        return load_config("smoke", overrides=["data.limit_rows=null", *overrides], flags=flags, environ={})

    def run(data: Path, *overrides: str, to_node: str | None = "DataGate") -> tuple[int, dict]:
        code = run_pipeline(configure(data, *overrides), to_node=to_node)
        return code, read_run(tmp_path / "output")

    return run


def broken(verdict: dict, outcome: str = "fail") -> set[tuple[str, str]]:
    return {(one["rule"], one["where"]) for one in verdict["gate"]["findings"] if one["outcome"] == outcome}


def test_data_of_one_class_is_stopped_before_the_trainer(gate, tmp_path, capfd):
    data = write(tmp_path / "in.csv", [(title, "1") for title, _ in sample()[:400]])
    code, verdict = gate(data, to_node=None)
    shown = capfd.readouterr()
    assert (code, verdict["status"], verdict["exit_code"]) == (3, "refused", 3)
    assert {("classes", "train"), ("classes", "eval")} <= broken(verdict)
    assert verdict["components"]["DataGate"]["status"] == "refused"
    assert "Trainer" not in verdict["components"]
    assert not (tmp_path / "output" / "serving").exists()
    assert "classes, eval: expected both classes" in shown.err
    assert "Traceback" not in shown.out + shown.err


def test_drift_stops_the_run_with_its_numbers_and_a_policy_of_warn_lets_it_pass_and_says_so(gate, tmp_path, capfd):
    rows = sample()
    first = write(tmp_path / "first.csv", rows)
    lower = write(tmp_path / "lower.csv", [(title.lower(), label) for title, label in rows])
    clickbait = [row for row in rows if row[1] == "1"]
    moved = write(tmp_path / "moved.csv", clickbait + [row for row in rows if row[1] == "0"][:430])

    assert gate(first)[0] == 0
    code, verdict = gate(lower)
    assert (code, broken(verdict)) == (3, {("drift", "title_casing")})
    code, verdict = gate(moved)
    assert (code, broken(verdict)) == (3, {("drift", "label")})
    (drift,) = [one for one in verdict["gate"]["findings"] if one["outcome"] == "fail"]
    assert drift["bound"] == "<= 0.1"
    assert drift["observed"] == pytest.approx(0.2, abs=0.03)
    assert "first.csv" in drift["detail"]
    assert "drift, label: expected <= 0.1, observed" in capfd.readouterr().err

    code, verdict = gate(moved, "gate.drift=warn")
    assert (code, verdict["gate"]["accepted"]) == (0, True)
    assert broken(verdict, "warn") == {("drift", "label")}
    assert "warning  drift, label" in capfd.readouterr().out
    # What was let pass is accepted, and is what comes next is measured by.
    assert gate(moved)[0] == 0
    assert broken(gate(first)[1]) == {("drift", "label")}


def test_an_unchanged_rerun_takes_the_gate_from_the_cache(gate, tmp_path):
    data = write(tmp_path / "in.csv", sample())
    assert gate(data)[0] == 0
    code, verdict = gate(data)
    assert code == 0
    assert {one["status"] for one in verdict["components"].values()} == {"cached"}


def test_too_many_rejects_stop_the_run_and_the_mended_rejects_go_on_as_they_are(gate, tmp_path):
    rows = sample()
    bad = [("", "1")] * 20 + [(f"Which one is it {number}", "maybe") for number in range(20)]
    data = write(tmp_path / "in" / "data.csv", [*rows, *bad])
    code, verdict = gate(data.parent)
    assert (code, broken(verdict)) == (3, {("rejects", "all files")})
    assert verdict["ingest"] == {
        "read": 2_040,
        "accepted": 2_000,
        "duplicates": 0,
        "rejected": 40,
        "rejected_lines": 40,
        "left_out": 0,
        "rejected_by_rule": {"blank_title": 20, "unknown_label": 20},
    }
    rejects = Path(verdict["folder"], "rejects.csv")
    with rejects.open(encoding="utf-8", newline="") as stream:
        found = list(csv.DictReader(stream))
    assert [int(row["line"]) for row in found] == list(range(2_002, 2_042))

    for number, row in enumerate(found):
        row |= {"title": row["title"] or f"Ten things about number {number}", "label": "1"}
    with (tmp_path / "in" / "rejects.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(found[0]))
        writer.writeheader()
        writer.writerows(found)
    write(data, rows)
    code, verdict = gate(data.parent)
    assert code == 0
    assert (verdict["ingest"]["read"], verdict["ingest"]["accepted"]) == (2_040, 2_040)


def test_a_changed_schema_is_seen_though_nothing_else_changed(gate, tmp_path):
    data = write(tmp_path / "in.csv", sample())
    schema = tmp_path / "schema.pbtxt"
    schema.write_text(SCHEMA_FILE.read_text(encoding="utf-8"), encoding="utf-8")
    assert gate(data, f"data.schema_file={schema}")[0] == 0
    schema.write_text(SCHEMA_FILE.read_text(encoding="utf-8").replace("max: 10000", "max: 20"), encoding="utf-8")
    code, verdict = gate(data, f"data.schema_file={schema}")
    assert (code, broken(verdict)) == (
        3,
        {("schema_errors", "train title_length"), ("schema_errors", "eval title_length")},
    )
    assert verdict["components"]["HeadlineExampleGen"]["status"] == "cached"


def test_masked_examples_are_masked_everywhere(gate, tmp_path, capfd):
    rows = sample()
    data = write(tmp_path / "in.csv", [*rows[:300], *[(f"Secret {number}", "Secret") for number in range(9)]])
    code, verdict = gate(data, "gate.mask_examples=true", "gate.rejects=warn")
    assert code == 0
    shown = capfd.readouterr()
    assert "in.csv:302: unknown_label" in shown.out
    assert "Secret" not in shown.out + shown.err + str(verdict)


def test_data_of_few_rows_is_no_way_around_drift(gate, tmp_path):
    rows = sample()
    first, few = write(tmp_path / "first.csv", rows), write(tmp_path / "few.csv", rows[:100])
    lower = write(tmp_path / "lower.csv", [(title.lower(), label) for title, label in rows])
    assert gate(first)[0] == 0
    assert gate(few)[0] == 0
    code, verdict = gate(lower)
    assert (code, broken(verdict)) == (3, {("drift", "title_casing")})


def test_no_policy_lets_an_empty_split_pass(gate, tmp_path):
    code, verdict = gate(write(tmp_path / "empty.csv", []), "gate.rows=warn", "gate.classes=off")
    assert code == 3
    assert broken(verdict) == {("rows", "train"), ("rows", "eval")}


def test_a_run_that_fails_after_the_gate_says_what_the_gate_let_pass(gate, tmp_path, monkeypatch):
    from components.trainer import component

    def fail(*_):
        raise ValueError("no luck")

    monkeypatch.setattr(component.executor.GenericExecutor, "Do", fail)
    data = write(tmp_path / "in.csv", [*sample(), *[("", "1")] * 50])
    code, verdict = gate(data, "gate.rejects=warn", to_node=None)
    assert (code, verdict["status"]) == (1, "failed")
    assert verdict["ingest"]["rejected"] == 50
    assert broken(verdict, "warn") == {("rejects", "all files")}
    assert Path(verdict["folder"], "rejects.csv").is_file()


def test_ctrl_c_inside_a_step_of_beam_is_a_ctrl_c(gate, tmp_path, monkeypatch):
    from components.data_gate import component

    def interrupt(*_):
        raise RuntimeError("KeyboardInterrupt [while running 'Keys']")

    monkeypatch.setattr(component, "find_leaks", interrupt)
    code, verdict = gate(write(tmp_path / "in.csv", sample()))
    assert (code, verdict["status"]) == (130, "interrupted")
    assert verdict["components"]["DataGate"]["status"] == "interrupted"
