"""Scores on disk: what is whole counts, whatever follows it; another identity starts over."""

from __future__ import annotations

import json

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serving.client.bulk.score_log import ScoreLog

IDENTITY = {"input": "digest", "version": 3}
CHUNKS = [[0.125, 0.25], [0.5], [0.75, 1.0, 0.0]]


def write_log(folder, chunks=CHUNKS):
    log = ScoreLog(folder, IDENTITY)
    for scores in chunks:
        log.append(scores)
    log.close()
    return folder / "scores"


def test_what_was_appended_is_read_and_appended_to(tmp_path):
    write_log(tmp_path)
    log = ScoreLog(tmp_path, IDENTITY)
    assert (log.rows, log.changes) == (6, {})
    log.append([0.375])
    assert list(log.read()) == [0.125, 0.25, 0.5, 0.75, 1.0, 0.0, 0.375]
    assert log.rows == 7


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(0, 72), tail=st.binary(max_size=40))
def test_a_torn_end_counts_for_nothing(tmp_path, cut, tail):
    path = write_log(tmp_path)
    path.write_bytes(path.read_bytes()[:cut] + tail)
    whole_rows = max(rows for end, rows in ((0, 0), (24, 2), (40, 3), (72, 6)) if end <= cut)
    log = ScoreLog(tmp_path, IDENTITY)
    found = list(log.read())
    assert log.rows == len(found)
    assert found[:whole_rows] == [score for scores in CHUNKS for score in scores][:whole_rows]
    log.append([0.625])
    log.close()
    again = ScoreLog(tmp_path, IDENTITY)
    assert list(again.read()) == [*found, 0.625]
    again.close()
    path.unlink()


def test_another_identity_begins_anew_and_says_what_changed(tmp_path):
    write_log(tmp_path)
    log = ScoreLog(tmp_path, {**IDENTITY, "version": 4})
    assert (log.rows, log.changes) == (0, {"version": (3, 4)})
    log.close()
    assert json.loads((tmp_path / "state.json").read_text())["version"] == 4


def test_an_unreadable_state_begins_anew(tmp_path):
    write_log(tmp_path)
    for content in ("", "{", "[]"):
        (tmp_path / "state.json").write_text(content)
        log = ScoreLog(tmp_path, IDENTITY)
        assert (log.rows, bool(log.changes)) == (0, True)
        log.close()
