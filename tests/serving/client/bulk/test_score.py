"""Scoring a file: the same scores as without a break, whatever breaks it."""

from __future__ import annotations

import csv
import io
import resource
import time

import pytest

from serving.client import ClientOptions, ServingError
from serving.client.bulk.score import Reporter, score_file
from serving.client.errors import FileError
from tests.serving.client import fakes
from tests.serving.client.commands import predict, start
from tests.serving.client.fakes import Fault, score

ROWS = [(str(number), f"{'word ' * (number * 7 % 13)}{number}") for number in range(300)]

IN_FLIGHT_ROWS = 4 * 2
"""Of a run that ended early, which the server may still answer."""


class Told(Reporter):
    """Keeps what it is told."""

    def __init__(self):
        self.said, self.steps = [], []

    def say(self, message):
        self.said.append(message)

    def progress(self, done, total):
        self.steps.append((done, total))


def run(options, source, output, **changes):
    told = Told()
    result = score_file(options, source, output, text_column="title", reporter=told, **changes)
    return result, told


def check(output):
    with output.open(newline="") as stream:
        found = [(row["id"], row["title"], float(row["probability"])) for row in csv.DictReader(stream)]
    assert found == [(number, text, score(text)) for number, text in ROWS]
    assert [one.name for one in output.parent.glob("out.csv.*")] == []


def fail(model):
    """Makes the next call fail for good."""
    return lambda: model.faults.append(Fault("INTERNAL", "boom"))


def small(options) -> ClientOptions:
    """A chunk is 16 calls: 32 rows."""
    return ClientOptions(target=options.target, rest=options.rest, rows_per_call=2, timeout_s=10.0)


def test_all_rows_in_order_with_their_columns(options, source, output):
    result, told = run(options, source, output)
    assert (result.rows, result.resumed_rows, result.version) == (300, 0, 3)
    assert told.said == []
    check(output)


def test_progress_counts_rows(options, source, output):
    steps = run(small(options), source, output)[1].steps
    assert steps == [(min(done, 300), 300) for done in range(0, 320 + 1, 32)][: len(steps)]
    assert steps[-1] == (300, 300)


def test_an_older_output_is_replaced(options, source, output):
    output.write_text("old")
    run(options, source, output)
    check(output)


def test_a_failure_keeps_what_is_scored_and_the_next_run_goes_on(options, source, output, model):
    model.after(70, fail(model))
    with pytest.raises(ServingError, match="boom"):
        run(small(options), source, output)
    assert not output.exists()
    model.calls.clear()
    result, told = run(small(options), source, output)
    assert result.resumed_rows in (96, 128)
    assert told.said == [f"resumes after {result.resumed_rows} of 300 rows, which clickbait version 3 scored before"]
    left = 300 - result.resumed_rows
    assert left <= sum(map(len, model.calls)) <= left + IN_FLIGHT_ROWS
    check(output)


@pytest.mark.parametrize(
    ("change", "part"),
    [("input", "input was"), ("version", "version was 3 and is 4"), ("text column", "text_column was title and is id")],
)
def test_what_another_input_or_version_scored_is_not_mixed_in(target, source, output, model, change, part):
    options = ClientOptions(target, rows_per_call=2, calls_in_flight=1)
    model.after(40, fail(model))
    with pytest.raises(ServingError, match="boom"):
        run(options, source, output)
    column = "title"
    if change == "input":
        source.write_text(source.read_text().replace("word", "Word"))
    elif change == "version":
        model.versions[4] = "AVAILABLE"
    else:
        column = "id"
    told = Told()
    result = score_file(options, source, output, text_column=column, reporter=told)
    assert result.resumed_rows == 0
    assert [part in said and "starts over" in said for said in told.said] == [True]
    with output.open(newline="") as stream:
        assert all(float(row["probability"]) == score(row[column]) for row in csv.DictReader(stream))


def test_one_version_scores_the_whole_file(target, source, output, model):
    model.after(40, lambda: model.versions.update({4: "AVAILABLE"}))
    run(ClientOptions(target, label="stable", rows_per_call=2), source, output)
    assert {spec.version.value for spec in model.specs} == {3}


def test_a_version_that_goes_away_is_said(target, source, output, model):
    model.after(40, lambda: model.versions.update({3: "END", 4: "AVAILABLE"}))
    with pytest.raises(ServingError, match="Version 3 of 'clickbait' must be available.*Give --version 4") as raised:
        run(ClientOptions(target, rows_per_call=2), source, output)
    assert raised.value.exit_code == 2


def test_an_input_that_changes_meanwhile_is_refused(target, source, output, model):
    model.after(40, lambda: source.write_text(f"{source.read_text()}300,one more\n"))
    with pytest.raises(FileError, match="Received: a change|fields"):
        run(ClientOptions(target, rows_per_call=2), source, output)
    assert not output.exists()


def test_nothing_is_left_where_nothing_was_scored(target, source, output):
    with pytest.raises(ServingError):
        run(ClientOptions(target, model="m"), source, output)
    source.write_text("no such column\n")
    with pytest.raises(FileError):
        run(ClientOptions(target), source, output)
    assert sorted(one.name for one in output.parent.iterdir()) == ["in.csv"]


def test_input_and_output_are_two_files(target, source):
    with pytest.raises(FileError, match="for both"):
        run(ClientOptions(target), source, source)


def test_an_empty_input_has_an_empty_output(target, source, output, model):
    source.write_text("id,title\n")
    assert run(ClientOptions(target), source, output)[0].rows == 0
    assert output.read_text() == "id,title,probability\n"
    assert model.calls == []


def test_lines_of_stdin_are_kept_and_go_on_too(target, output, model):
    options = ClientOptions(target, rows_per_call=2, calls_in_flight=1)
    lines = "".join(f"{text}\n" for _, text in ROWS).encode()
    model.after(40, fail(model))
    with pytest.raises(ServingError):
        run(options, "-", output, stdin=io.BytesIO(lines))
    assert run(options, "-", output, stdin=io.BytesIO(lines))[0].resumed_rows > 0
    with output.open(newline="") as stream:
        assert [float(row["probability"]) for row in csv.DictReader(stream)] == [score(text) for _, text in ROWS]


def test_a_killed_command_goes_on_where_it_was(target, source, output, model):
    arguments = ("--target", target, "--input", source, "--output", output, "--rows-per-call", 2)
    scores = output.with_name("out.csv.partial") / "scores"
    model.delay_s = 0.02
    killed = 0
    for _ in range(3):
        before = scores.stat().st_size if scores.exists() else 0
        process = start(*arguments)
        while process.poll() is None and (not scores.exists() or scores.stat().st_size <= before):
            time.sleep(0.002)
        process.kill()
        out, _ = process.communicate()
        killed += process.returncode == -9
        assert out == ""
        assert not output.exists()
    assert killed == 3
    model.delay_s, model.calls[:] = 0.0, []
    done = predict(*arguments)
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("resumes after ")
    assert "300 rows scored by clickbait version 3, " in done.stdout
    assert sum(map(len, model.calls)) <= 300 - 3 * 32 + IN_FLIGHT_ROWS
    check(output)


def test_a_full_disk_is_said_and_the_next_run_goes_on(target, source, output, model):
    arguments = ("--target", target, "--input", source, "--output", output, "--rows-per-call", 2)
    full = start(*arguments)
    # In bytes of a file: the scores fit in, the output does not. From here, for a function between fork and exec would
    # have gRPC's handlers of forks speak on stderr.
    resource.prlimit(full.pid, resource.RLIMIT_FSIZE, (6_000, 6_000))
    out, err = full.communicate(timeout=60)
    assert (full.returncode, out) == (1, "")
    assert "File too large. Make room" in err
    assert err.count("\n") == 1
    assert not output.exists()
    model.calls.clear()
    assert predict(*arguments).stderr == ("resumes after 300 of 300 rows, which clickbait version 3 scored before\n")
    assert model.calls == []
    check(output)


def test_scores_that_are_no_numbers_are_kept_and_counted_over_a_break(target, source, output, model, monkeypatch):
    monkeypatch.setattr(fakes, "score", lambda text: float("nan") if text.endswith("7") else score(text))
    options = ClientOptions(target, rows_per_call=2, calls_in_flight=1)
    model.after(100, fail(model))
    with pytest.raises(ServingError, match="boom"):
        run(options, source, output)
    result, _ = run(options, source, output)
    assert result.resumed_rows > 0
    assert result.no_numbers == 30
    with output.open(newline="") as stream:
        assert [row["id"] for row in csv.DictReader(stream) if row["probability"] == ""] == [
            str(number) for number in range(7, 300, 10)
        ]


def test_two_commands_do_not_write_one_file(target, source, output, model):
    model.delay_s = 0.3  # the first is still at work, however slowly the second starts
    arguments = ("--target", target, "--input", source, "--output", output, "--rows-per-call", 2)
    first = start(*arguments)
    while not (output.with_name("out.csv.partial") / "scores").exists():
        time.sleep(0.002)
    second = predict(*arguments)
    assert second.returncode == 2
    assert "by one process at a time" in second.stderr
    model.delay_s = 0.0
    assert first.wait(30) == 0
    check(output)
