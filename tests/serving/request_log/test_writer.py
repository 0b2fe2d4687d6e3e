"""The log's writer: everything that was drawn, or said to be missing, and never in a request's way."""

from __future__ import annotations

import logging
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from serving.request_log.files import LogFiles
from serving.request_log.options import LogOptions, RequestLogError
from serving.request_log.reader import find_logs, read_log
from serving.request_log.writer import PREDICT, RequestLog
from tests.helpers.request_logs import a_request, a_response

ROOT = Path(__file__).parents[3]
SCORES = [0.25, 0.75]


def offer(log: RequestLog, name: str) -> None:
    log.offer(PREDICT, lambda: (a_request([name, "ü"]), a_response(SCORES)))


def texts(entry) -> list[bytes]:
    return list(entry.predict_log.request.inputs["title"].string_val)


def logged(folder: Path) -> list[str]:
    return [texts(entry)[0].decode() for path in find_logs([folder]) for entry in read_log(path)]


def test_everything_that_threads_offer_is_read_by_tensorflow(tmp_path):
    import tensorflow as tf
    from tensorflow_serving.apis import prediction_log_pb2

    log = RequestLog(LogOptions(tmp_path / "log", max_file_bytes=20_000, seed=1))
    threads = [
        threading.Thread(target=lambda t=t: [offer(log, f"{t} {n}") for n in range(200)], name=str(t)) for t in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.close()
    files = sorted(map(str, (tmp_path / "log").iterdir()))
    assert len(files) > 2
    assert all(Path(file).stat().st_size <= 20_000 for file in files)
    entries = [
        prediction_log_pb2.PredictionLog.FromString(record)
        for record in tf.data.TFRecordDataset(files).as_numpy_iterator()
    ]
    assert sorted(texts(one)[0].decode() for one in entries) == sorted(f"{t} {n}" for t in range(8) for n in range(200))
    one = entries[0]
    assert one.WhichOneof("log_type") == "predict_log"
    assert list(one.predict_log.response.outputs["probability"].float_val) == SCORES
    assert (one.log_metadata.model_spec.name, one.log_metadata.model_spec.version.value) == ("clickbait", 7)
    assert one.log_metadata.sampling_config.sampling_rate == 1.0
    assert abs(one.log_metadata.timestamp_secs - time.time()) < 60
    assert log.dropped == 0


def test_only_its_owner_reads_it(tmp_path):
    previous = os.umask(0)
    try:
        log = RequestLog(LogOptions(tmp_path / "a" / "log"))
        offer(log, "x")
        log.close()
    finally:
        os.umask(previous)
    (file,) = (tmp_path / "a" / "log").iterdir()
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_requests_are_drawn_one_by_one_and_alike_with_a_seed(tmp_path):
    def run(folder: str, seed: int) -> list[str]:
        log = RequestLog(LogOptions(tmp_path / folder, rate=0.2, seed=seed))
        for number in range(2000):
            offer(log, str(number))
        log.close()
        return logged(tmp_path / folder)

    first = run("a", 1)
    assert 330 < len(first) < 470  # 400, and four standard deviations
    assert run("b", 1) == first
    assert run("c", 2) != first


def test_nothing_is_made_of_requests_that_are_not_drawn(tmp_path):
    log = RequestLog(LogOptions(tmp_path / "log", rate=1e-9, seed=1))
    log.offer(PREDICT, lambda: pytest.fail("was made"))
    log.close()
    assert list((tmp_path / "log").iterdir()) == []


def test_a_disk_that_is_slow_costs_requests_no_time_and_is_said(tmp_path, monkeypatch, caplog):
    go_on = threading.Event()
    write = LogFiles.write
    monkeypatch.setattr(LogFiles, "write", lambda self, record: go_on.wait(30) and write(self, record))
    log = RequestLog(LogOptions(tmp_path / "log", max_waiting_bytes=1000))
    began = time.monotonic()
    for number in range(500):
        offer(log, str(number))
    assert time.monotonic() - began < 10
    go_on.set()
    with caplog.at_level(logging.WARNING):
        log.close()
    kept = logged(tmp_path / "log")
    assert kept == [str(number) for number in range(len(kept))]
    assert 0 < len(kept) < 20
    assert log.dropped == 500 - len(kept)
    assert f"{log.dropped} requests of the sample were not logged" in caplog.text


def test_a_request_that_cannot_be_made_into_an_entry_is_answered_all_the_same(tmp_path, caplog):
    log = RequestLog(LogOptions(tmp_path / "log"))
    log.offer(PREDICT, lambda: 1 / 0)
    offer(log, "next")
    log.close()
    assert logged(tmp_path / "log") == ["next"]
    assert log.dropped == 1
    assert "could not be logged" in caplog.text


def test_after_the_end_nothing_is_logged(tmp_path):
    log = RequestLog(LogOptions(tmp_path / "log"))
    offer(log, "before")
    log.close()
    offer(log, "after")
    log.close()
    assert logged(tmp_path / "log") == ["before"]
    assert log.dropped == 1


SCRIPT = """
import os, signal, sys, time
from pathlib import Path
from serving.request_log.options import LogOptions
from serving.request_log.writer import PREDICT, RequestLog
from tests.helpers.request_logs import a_request, a_response

log = RequestLog(LogOptions(Path(sys.argv[1])))
def offer(name):
    log.offer(PREDICT, lambda: (a_request([name]), a_response([0.5])))
"""


def run_script(body: str, folder: Path) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", SCRIPT + body, str(folder)], cwd=ROOT, capture_output=True, text=True, timeout=60
    )


def test_the_log_of_a_killed_process_is_read_up_to_its_last_whole_record(tmp_path):
    body = """
offer("first")
while True:
    for number in range(1000):
        offer("x" * 1000)
    print("going on", flush=True)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT + body, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    for _ in range(3):
        process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    kept = logged(tmp_path)
    assert kept[0] == "first"
    assert set(kept[1:]) == {"x" * 1000}


def test_a_process_that_forgets_to_close_it_loses_nothing(tmp_path):
    done = run_script("for n in range(50): offer(str(n))", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert logged(tmp_path) == [str(n) for n in range(50)]


def test_a_forked_process_has_a_file_of_its_own(tmp_path):
    # Python 3.12 and later warn of every fork of a process with threads.
    body = """
import warnings
warnings.simplefilter("ignore", DeprecationWarning)
offer("parent")
child = os.fork()
offer("after" if child else "child")
log.close()
if child:
    assert os.waitpid(child, 0)[1] == 0
else:
    os._exit(0)
"""
    done = run_script(body, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(logged(tmp_path)) == ["after", "child", "parent"]
    assert len(find_logs([tmp_path])) == 2


def test_a_full_disk_is_said_once_and_what_comes_when_there_is_room_again_is_logged(tmp_path):
    # A limit on a file's size fails in the middle of a write, as a full disk does.
    body = """
import resource
import serving.request_log.files as files
files._PAUSE_S = 0.2
unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
def wait_until_written():
    while log._waiting_bytes:
        time.sleep(0.01)

offer("early")
wait_until_written()
resource.setrlimit(resource.RLIMIT_FSIZE, (300, unlimited[1]))
for number in range(20):
    offer("lost" + "x" * 500)
wait_until_written()
time.sleep(files._PAUSE_S)  # that of the last fault began before
resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
offer("late")
log.close()
print(log.dropped)
"""
    done = run_script(body, tmp_path)
    assert (done.returncode, done.stdout) == (0, "20\n"), done.stderr
    # Two files; the names of those begun within one second are in any order.
    assert sorted(logged(tmp_path)) == ["early", "late"]
    assert done.stderr.count("File too large") == 1
    assert "logging requests again" in done.stderr
    assert "20 requests of the sample were not logged" in done.stderr


def test_an_old_file_is_followed_by_another(tmp_path, monkeypatch):
    now = 1000.0
    clock = SimpleNamespace(monotonic=lambda: now, time=time.time)
    monkeypatch.setattr("serving.request_log.files.time", clock)
    files = LogFiles(LogOptions(tmp_path, max_file_seconds=60))
    assert files.write(b"a")
    now += 60
    assert files.write(b"b")
    assert len(list(tmp_path.iterdir())) == 1
    now += 1
    assert files.write(b"c")
    files.close()
    assert len(list(tmp_path.iterdir())) == 2


def test_what_is_too_much_or_too_old_is_deleted_and_nothing_of_others(tmp_path):
    old, strangers = tmp_path / "requests-20200101-000000-00000000.tfrecord", tmp_path / "requests-mine.tfrecord"
    strangers.touch()
    old.touch()
    os.utime(old, (0, 0))
    files = LogFiles(LogOptions(tmp_path, max_file_bytes=1000, max_log_bytes=5000))
    for _ in range(30):
        assert files.write(b"x" * 600)
    files.close()
    assert strangers.exists() and not old.exists()
    sizes = [path.stat().st_size for path in tmp_path.iterdir()]
    assert 3000 < sum(sizes) <= 5000

    few = LogFiles(LogOptions(tmp_path / "few", max_file_bytes=1000, max_files=3))
    for _ in range(10):
        assert few.write(b"x" * 600)
    few.close()
    assert len(list((tmp_path / "few").iterdir())) == 3


def test_a_folder_that_was_deleted_is_made_again(tmp_path):
    import shutil

    files = LogFiles(LogOptions(tmp_path / "log", max_file_bytes=1000))
    assert files.write(b"x" * 900)
    shutil.rmtree(tmp_path / "log")
    assert files.write(b"x" * 900)
    files.close()
    assert len(list((tmp_path / "log").iterdir())) == 1


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"rate": 0}, "above 0 and at most 1. Received: 0."),
        ({"rate": 1.5}, "Received: 1.5."),
        ({"rate": float("nan")}, "Received: nan."),
        ({"prefix": "a/b"}, "Received: 'a/b'."),
        ({"max_log_bytes": 10}, "room for at least one file."),
    ],
)
def test_options_out_of_their_bounds(tmp_path, options, part):
    with pytest.raises(RequestLogError) as error:
        LogOptions(tmp_path, **options)
    assert part in str(error.value)


def test_a_folder_that_cannot_be_had(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(RequestLogError, match="file: .*Give another"):
        RequestLog(LogOptions(tmp_path / "file"))
