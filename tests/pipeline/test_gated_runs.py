"""Nothing is trained on refused data, and what was refused goes on once it is mended: whole runs up to the gate."""

from __future__ import annotations

import csv
import functools
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from pipeline.config.paths import SAMPLE_FILE, SCHEMA_FILE
from pipeline.config.pipeline_config import load_config
from pipeline.results.run_folders import read_run
from pipeline.running.local_runner import run_pipeline
from tests.helpers.terminal import terminal

pytestmark = pytest.mark.slow


def sample() -> list[tuple[str, str]]:
    with SAMPLE_FILE.open(encoding="utf-8", newline="") as stream:
        return [(row["title"], row["label"]) for row in csv.DictReader(stream)]


def write(path: Path, rows) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([("title", "label"), *rows])
    return path


class Outcome(NamedTuple):
    """Of one run."""

    code: int
    verdict: dict[str, Any]
    out: str
    err: str

    def broken(self, outcome: str = "fail") -> set[tuple[str, str]]:
        """The rule and the place of each finding with that outcome."""
        return {(finding.rule, finding.where) for finding in self.verdict.gate.findings if finding.outcome == outcome}


def run(folder: Path, encoder: Path, data: Path, *overrides: str, to_node: str | None = "DataGate") -> Outcome:
    """Runs the pipeline, by default to the gate, in the folder's output."""
    flags = {"data.path": data, "encoder.source": encoder, "output": folder / "output"}
    config = load_config("smoke", overrides=["data.limit_rows=null", *overrides], flags=flags, environ={})
    with terminal() as screen:
        code = run_pipeline(config, to_node=to_node)
        return Outcome(code, read_run(config.output), screen.out, screen.err)


@pytest.fixture
def gate(tmp_path, tiny_encoder):
    """`run` in an output of the test's own."""
    return functools.partial(run, tmp_path, tiny_encoder)


def test_data_of_one_class_is_stopped_before_the_trainer(gate, tmp_path):
    one_class = gate(write(tmp_path / "in.csv", [(title, "1") for title, _ in sample()[:400]]), to_node=None)
    verdict = one_class.verdict
    assert (one_class.code, verdict.status, verdict.exit_code) == (3, "refused", 3)
    assert {("classes", "train"), ("classes", "eval")} <= one_class.broken()
    assert verdict.components["DataGate"].status == "refused"
    assert "Trainer" not in verdict.components
    assert not (tmp_path / "output" / "serving").exists()
    assert "classes, eval: expected both classes" in one_class.err
    assert "Traceback" not in one_class.out + one_class.err


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory, tiny_encoder) -> dict[str, Outcome]:
    """Returns the outcomes of runs on different data, one after the other."""
    folder, rows = tmp_path_factory.mktemp("gated"), sample()
    first, few = write(folder / "first.csv", rows), write(folder / "few.csv", rows[:100])
    lower = write(folder / "lower.csv", [(title.lower(), label) for title, label in rows])
    clickbait = [row for row in rows if row[1] == "1"]
    moved = write(folder / "moved.csv", clickbait + [row for row in rows if row[1] == "0"][:430])
    schema, text = folder / "schema.pbtxt", SCHEMA_FILE.read_text(encoding="utf-8")
    schema.write_text(text, encoding="utf-8")
    gate = functools.partial(run, folder, tiny_encoder)
    outcomes = {
        "first": gate(first),
        "first, unchanged": gate(first),
        "few": gate(few),
        "lower": gate(lower),
        "moved": gate(moved),
        "moved, let pass": gate(moved, "gate.drift=warn"),
        "moved, accepted": gate(moved),
        "first after moved": gate(first),
        "with a schema": gate(moved, f"data.schema_file={schema}"),
    }
    schema.write_text(text.replace("max: 10000", "max: 20"), encoding="utf-8")
    return {**outcomes, "with that schema, changed": gate(moved, f"data.schema_file={schema}")}


def test_an_unchanged_rerun_takes_the_gate_from_the_cache(outcomes):
    assert outcomes["first"].code == 0
    again = outcomes["first, unchanged"]
    assert again.code == 0
    assert {timing.status for timing in again.verdict.components.values()} == {"cached"}


def test_drift_stops_the_run_with_its_numbers(outcomes):
    moved = outcomes["moved"]
    assert (moved.code, moved.broken()) == (3, {("drift", "label")})
    (drift,) = [finding for finding in moved.verdict.gate.findings if finding.outcome == "fail"]
    assert drift.bound == "<= 0.1"
    assert drift.observed == pytest.approx(0.2, abs=0.03)
    assert "first.csv" in drift.detail
    assert "drift, label: expected <= 0.1, observed" in moved.err


def test_data_of_few_rows_is_no_way_around_drift(outcomes):
    assert outcomes["few"].code == 0
    assert (outcomes["lower"].code, outcomes["lower"].broken()) == (3, {("drift", "title_casing")})


def test_a_policy_of_warn_lets_drift_pass_and_says_so(outcomes):
    warned = outcomes["moved, let pass"]
    assert (warned.code, warned.verdict.gate.accepted) == (0, True)
    assert warned.broken("warn") == {("drift", "label")}
    assert "warning  drift, label" in warned.out


def test_what_was_let_pass_is_accepted_and_is_what_comes_next_is_measured_by(outcomes):
    assert outcomes["moved, accepted"].code == 0
    assert outcomes["first after moved"].broken() == {("drift", "label")}


def test_a_changed_schema_is_seen_though_nothing_else_changed(outcomes):
    assert outcomes["with a schema"].code == 0
    changed = outcomes["with that schema, changed"]
    places = {("schema_errors", "train title_length"), ("schema_errors", "eval title_length")}
    assert (changed.code, changed.broken()) == (3, places)
    assert changed.verdict.components["HeadlineExampleGen"].status == "cached"


def test_too_many_rejects_stop_the_run_and_the_mended_rejects_go_on_as_they_are(gate, tmp_path):
    rows = sample()
    bad = [("", "1")] * 20 + [(f"Which one is it {number}", "maybe") for number in range(20)]
    data = write(tmp_path / "in" / "data.csv", [*rows, *bad])
    refused = gate(data.parent)
    assert (refused.code, refused.broken()) == (3, {("rejects", "all files")})
    assert refused.verdict.ingest.as_dict() == {
        "read": 2_040,
        "accepted": 2_000,
        "duplicates": 0,
        "in_eval": 0,
        "rejected": 40,
        "rejected_lines": 40,
        "left_out": 0,
        "rejected_by_rule": {"blank_title": 20, "unknown_label": 20},
    }
    rejects = Path(refused.verdict.folder, "rejects.csv")
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
    mended = gate(data.parent)
    assert mended.code == 0
    assert (mended.verdict.ingest.read, mended.verdict.ingest.accepted) == (2_040, 2_040)


def test_masked_examples_are_masked_everywhere(gate, tmp_path):
    rows = [*sample()[:300], *[(f"Secret {number}", "Secret") for number in range(9)]]
    masked = gate(write(tmp_path / "in.csv", rows), "gate.mask_examples=true", "gate.rejects=warn")
    assert masked.code == 0
    assert "in.csv:302: unknown_label" in masked.out
    assert "Secret" not in masked.out + masked.err + str(masked.verdict)


def test_no_policy_lets_an_empty_split_pass(gate, tmp_path):
    empty = gate(write(tmp_path / "empty.csv", []), "gate.rows=warn", "gate.classes=off")
    assert empty.code == 3
    assert empty.broken() == {("rows", "train"), ("rows", "eval")}


def test_a_run_that_fails_after_the_gate_says_what_the_gate_let_pass(gate, tmp_path, monkeypatch):
    from components.trainer import component

    def fail(*_):
        raise ValueError("no luck")

    monkeypatch.setattr(component.executor.GenericExecutor, "Do", fail)
    data = write(tmp_path / "in.csv", [*sample(), *[("", "1")] * 50])
    failed = gate(data, "gate.rejects=warn", to_node=None)
    assert (failed.code, failed.verdict.status) == (1, "failed")
    assert failed.verdict.ingest.rejected == 50
    assert failed.broken("warn") == {("rejects", "all files")}
    assert Path(failed.verdict.folder, "rejects.csv").is_file()


def test_ctrl_c_inside_a_step_of_beam_is_a_ctrl_c(gate, tmp_path, monkeypatch):
    from components.data_gate import component

    def interrupt(*_):
        raise RuntimeError("KeyboardInterrupt [while running 'Keys']")

    monkeypatch.setattr(component, "find_leaks", interrupt)
    interrupted = gate(write(tmp_path / "in.csv", sample()))
    assert (interrupted.code, interrupted.verdict.status) == (130, "interrupted")
    assert interrupted.verdict.components["DataGate"].status == "interrupted"
