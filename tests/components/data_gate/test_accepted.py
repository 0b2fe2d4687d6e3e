"""Accepted statistics are kept whole, in order, and only as many as are needed."""

import pytest

from components.data_gate import accepted
from components.data_gate.accepted import list_accepted, split_file, write_accepted


@pytest.fixture
def statistics(tmp_path):
    folder = tmp_path / "statistics"
    (folder / "Split-train").mkdir(parents=True)
    (folder / "Split-train" / "FeatureStats.pb").write_bytes(b"statistics")
    return folder


def test_entries_are_numbered_and_say_which_data_they_are(tmp_path, statistics):
    folder = tmp_path / "accepted"
    assert list_accepted(folder) == []
    assert [write_accepted(folder, statistics, name, f"data {name}", 70) for name in "ab"] == [1, 2]
    assert [tuple(entry) for entry in list_accepted(folder)] == [(1, "a", "data a", 70), (2, "b", "data b", 70)]
    assert split_file(folder, 2, "train").read_bytes() == b"statistics"


def test_the_newest_data_is_not_written_again_but_older_data_that_returns_is(tmp_path, statistics):
    numbers = [write_accepted(tmp_path, statistics, name, "", 70) for name in "aabba"]
    assert numbers == [1, 1, 2, 2, 3]


def test_what_a_killed_run_left_is_no_entry_and_no_hindrance(tmp_path, statistics):
    (tmp_path / ".1.partial" / "Split-train").mkdir(parents=True)
    (tmp_path / "7").mkdir()
    (tmp_path / "notes").mkdir()
    assert list_accepted(tmp_path) == []
    (tmp_path / "8").mkdir()
    (tmp_path / "8" / "card.json").write_text("{damaged")
    assert list_accepted(tmp_path) == []
    assert write_accepted(tmp_path, statistics, "a", "", 70) == 9
    assert [entry.number for entry in list_accepted(tmp_path)] == [9]


def test_numbers_grow_beyond_ten_in_order_and_old_entries_are_forgotten(tmp_path, statistics, monkeypatch):
    monkeypatch.setattr(accepted, "_KEPT_ENTRIES", 3)
    for number in range(12):
        write_accepted(tmp_path, statistics, str(number), "", 70)
    assert [entry.number for entry in list_accepted(tmp_path)] == [10, 11, 12]
