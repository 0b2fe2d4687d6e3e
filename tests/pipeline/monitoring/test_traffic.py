"""Texts and scores out of logs: both signatures, by version and time, and never all or nothing."""

from __future__ import annotations

from collections import Counter

import pytest

from pipeline.monitoring.traffic import Row, Sample, read_logs, read_rows
from serving.protocol.records import frame
from serving.protocol.tensors import float_tensor, string_tensor
from tests.helpers.request_logs import an_entry, write_log

SCORES = [0.25, 0.75]


@pytest.mark.parametrize("examples", [False, True])
def test_rows_of_either_signature(examples):
    entry = an_entry(["a", "ü 中"], SCORES, examples=examples)
    assert list(read_rows(entry)) == [Row(b"a", 0.25), Row("ü 中".encode(), 0.75)]


def _with(change):
    entry = an_entry(["a", "b"], SCORES)
    change(entry.predict_log)
    return entry


@pytest.mark.parametrize(
    "entry",
    [
        _with(lambda log: log.response.outputs["probability"].CopyFrom(float_tensor([0.5], (1, 1)))),
        _with(lambda log: log.response.outputs.clear()),
        _with(lambda log: log.request.inputs.clear()),
        _with(lambda log: log.request.inputs["title"].CopyFrom(string_tensor([b"a"]))),
        _with(lambda log: log.request.inputs["title"].CopyFrom(log.response.outputs["probability"])),
        _with(lambda log: log.ClearField("response")),
    ],
)
def test_what_has_no_text_with_a_score_is_left_out_and_counted(entry, tmp_path):
    path = write_log(tmp_path / "1.tfrecord", [entry, an_entry(["a", "b"], SCORES)])
    logs = read_logs([path], "clickbait", most_rows=10)
    assert logs.other_entries == 1
    assert logs.versions[7].recent.seen == 2


def test_examples_without_a_title_are_left_out(tmp_path):
    entry = an_entry(["a", "b"], SCORES, examples=True)
    entry.predict_log.request.inputs["examples"].string_val[0] = b""
    assert read_logs([write_log(tmp_path / "1", [entry])], "clickbait", most_rows=10).other_entries == 1


def test_versions_models_and_times_are_told_apart(tmp_path):
    one = write_log(
        tmp_path / "1.tfrecord",
        [
            an_entry(["early"], [0.1], time=100),
            an_entry(["late"], [0.2], time=200),
            an_entry(["other version"], [0.3], time=200, version=8),
            an_entry(["no version"], [0.4], time=200, version=None),
            an_entry(["other model"], [0.5], time=200, model="mine"),
        ],
    )
    two = write_log(tmp_path / "2.tfrecord", [an_entry(["latest"], [0.6], time=300)])
    logs = read_logs([one, two], "clickbait", since=200, most_rows=10)
    assert set(logs.versions) == {7, 8, None}
    traffic = logs.versions[7]
    assert [row.text for row in traffic.recent.rows] == [b"late", b"latest"]
    assert [row.text for row in traffic.earlier.rows] == [b"early"]
    assert (traffic.requests, traffic.first, traffic.last) == (2, 200, 300)
    assert logs.other_models == Counter({"mine": 1})
    assert (logs.files, logs.faults) == (2, {})


def test_a_torn_and_a_damaged_file_give_what_is_whole(tmp_path):
    entries = [an_entry([str(number)], [0.5]) for number in range(5)]
    torn = write_log(tmp_path / "torn.tfrecord", entries)
    torn.write_bytes(torn.read_bytes()[:-1])
    damaged = write_log(tmp_path / "damaged.tfrecord", entries)
    content = bytearray(damaged.read_bytes())
    content[2 * len(frame(entries[0].SerializeToString())) + 20] ^= 1
    damaged.write_bytes(bytes(content))
    logs = read_logs([torn, damaged, tmp_path / "gone.tfrecord"], "clickbait", most_rows=100)
    assert logs.versions[7].recent.seen == 4 + 2
    assert logs.faults == {
        str(torn): "the file ends within a record",
        str(damaged): "a record's checksum is wrong",
        str(tmp_path / "gone.tfrecord"): "No such file or directory",
    }


def test_a_sample_is_bounded_and_of_all_rows_alike():
    sample = Sample(500)
    for number in range(10_000):
        sample.add(Row(str(number).encode(), 0.5))
    assert (len(sample.rows), sample.seen) == (500, 10_000)
    mean = sum(int(row.text) for row in sample.rows) / 500
    assert abs(mean - 5000) < 4 * 10_000 / 12**0.5 / 500**0.5
