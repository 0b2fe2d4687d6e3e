"""Finding and reading logs."""

from __future__ import annotations

import pytest

from serving.protocol.records import RecordError, frame
from serving.request_log.options import RequestLogError
from serving.request_log.reader import find_logs, read_log
from tests.helpers.request_logs import an_entry, write_log


def test_folders_files_and_globs_are_found_once_each(tmp_path):
    for name in ("b/2.tfrecord", "a/1.tfrecord", "a/notes.txt"):
        write_log(tmp_path / name, [])
    found = find_logs([tmp_path / "a", tmp_path / "a" / "1.tfrecord", str(tmp_path / "*" / "*.tfrecord")])
    assert found == [tmp_path / "a" / "1.tfrecord", tmp_path / "b" / "2.tfrecord"]


@pytest.mark.parametrize(("place", "part"), [("none", "where there is nothing"), ("empty", "no *.tfrecord in it")])
def test_where_there_are_none(tmp_path, place, part):
    (tmp_path / "empty").mkdir()
    with pytest.raises(RequestLogError) as error:
        find_logs([tmp_path / place])
    assert part in str(error.value)
    assert error.value.exit_code == 2


def test_a_torn_file_gives_what_is_whole(tmp_path):
    path = write_log(tmp_path / "1.tfrecord", [an_entry(["a"], [0.5]), an_entry(["b"], [0.5])])
    path.write_bytes(path.read_bytes()[:-3])
    entries = read_log(path)
    assert next(entries) == an_entry(["a"], [0.5])
    with pytest.raises(RecordError, match="ends within a record"):
        next(entries)


def test_records_of_something_else(tmp_path):
    path = tmp_path / "1.tfrecord"
    path.write_bytes(frame(b"\xff\xff\xff"))
    with pytest.raises(RecordError, match="no PredictionLog"):
        list(read_log(path))
