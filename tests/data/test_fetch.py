"""Fetch gets the pinned files from a folder or the web, or says what is wrong, and leaves nothing half done."""

import csv
import functools
import gzip
import hashlib
import http.server
import socket
import threading
from pathlib import Path

import pytest

from data import download
from data import fetch as fetching

ROOT = Path(__file__).resolve().parents[2]
REAL = ROOT.parent / "shared" / "data" / "stop-clickbait"

CLICKBAIT = [f"{i} Things, and “One” You Won't Believe" for i in range(40)]
NEWS = [f'Minister says "no" to plan {i}' for i in range(41)]


@pytest.fixture(autouse=True)
def quick_and_direct(monkeypatch):
    monkeypatch.setattr(download, "RETRY_FIRST_WAIT_SECONDS", 0.01)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def source(tmp_path, monkeypatch):
    """A folder with two small files whose sums are the pinned ones."""
    folder = tmp_path / "source"
    folder.mkdir()
    sums = {}
    for name, titles in ((fetching.CLICKBAIT_FILE, CLICKBAIT), (fetching.NEWS_FILE, NEWS)):
        text = "\n\n".join(f"  {title}\t" for title in titles) + "\n"
        content = gzip.compress(text.encode(), mtime=0)
        (folder / name).write_bytes(content)
        sums[name] = hashlib.sha256(content).hexdigest()
    monkeypatch.setattr(fetching, "SHA256", sums)
    return folder


@pytest.fixture
def web(source):
    """The same folder over HTTP: its address and the list of paths asked for."""
    requests = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        failures = 0

        def do_GET(self):
            requests.append(self.path)
            if Handler.failures:
                Handler.failures -= 1
                self.send_error(503)
            else:
                super().do_GET()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(source)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", requests, Handler
    server.shutdown()
    thread.join()
    server.server_close()


def read_rows(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def left_in(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_from_a_folder(source, tmp_path):
    path = tmp_path / "out" / "clickbait.csv"

    result = fetching.fetch(str(source), path)

    header, *rows = read_rows(path)
    assert header == ["title", "label"]
    assert sorted(rows) == sorted([[t, "1"] for t in CLICKBAIT] + [[t, "0"] for t in NEWS])
    assert {label for _, label in rows[:12]} == {"0", "1"}
    content = path.read_bytes()
    assert b"\r" not in content
    assert content.endswith(b"\n")
    assert result == fetching.FetchResult(path, 81, 40, hashlib.sha256(content).hexdigest(), str(source))
    assert left_in(path.parent) == ["clickbait.csv"]


def test_the_order_is_the_same_every_time(source, tmp_path):
    first = fetching.fetch(str(source), tmp_path / "a.csv")
    second = fetching.fetch(str(source), tmp_path / "b.csv")

    assert first.sha256 == second.sha256


def test_ways_to_name_a_folder(source, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("source", "~/source", source.as_uri(), source):
        assert fetching.fetch(name, tmp_path / "a.csv").rows == 81


def test_wrong_sum_names_both_and_keeps_the_earlier_csv(source, tmp_path):
    path = tmp_path / "clickbait.csv"
    path.write_text("earlier")
    (source / fetching.NEWS_FILE).write_bytes(b"something else")

    with pytest.raises(fetching.DataError) as caught:
        fetching.fetch(str(source), path)

    got = hashlib.sha256(b"something else").hexdigest()
    for part in (fetching.NEWS_FILE, fetching.SHA256[fetching.NEWS_FILE], got, "clickbait fetch --source"):
        assert part in str(caught.value)
    assert path.read_text() == "earlier"


def test_missing_file_leaves_no_csv(source, tmp_path):
    (source / fetching.CLICKBAIT_FILE).unlink()

    with pytest.raises(fetching.DataError, match=r"must hold clickbait_data\.gz.*clickbait fetch --source"):
        fetching.fetch(str(source), tmp_path / "out" / "clickbait.csv")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "place", ["", "/nowhere/at/all", "ftp://127.0.0.1/x", "file://host/x", "http://[bad", "http://"]
)
def test_a_source_that_is_none(place, tmp_path):
    with pytest.raises(fetching.DataError, match="clickbait fetch --source FOLDER_OR_URL"):
        fetching.fetch(place, tmp_path / "clickbait.csv")


def test_over_http_then_from_what_is_kept(web, tmp_path):
    address, requests, _ = web
    path = tmp_path / "out" / "clickbait.csv"

    first = fetching.fetch(f"{address}/", path)
    assert sorted(requests) == ["/clickbait_data.gz", "/non_clickbait_data.gz"]
    path.unlink()
    assert fetching.fetch(f"{address}/", path) == first

    assert len(requests) == 2
    assert left_in(path.parent) == ["clickbait.csv", "downloads/clickbait_data.gz", "downloads/non_clickbait_data.gz"]


def test_a_spoilt_download_is_fetched_again(web, tmp_path):
    address, requests, _ = web
    (tmp_path / "out" / "downloads").mkdir(parents=True)
    (tmp_path / "out" / "downloads" / fetching.NEWS_FILE).write_bytes(b"cut off")

    assert fetching.fetch(address, tmp_path / "out" / "clickbait.csv").rows == 81
    assert len(requests) == 2


def test_a_server_that_recovers_is_asked_again(web, tmp_path):
    address, requests, handler = web
    handler.failures = 2

    assert fetching.fetch(address, tmp_path / "clickbait.csv").rows == 81
    assert len(requests) == 4


def test_not_found_is_not_retried_and_the_token_is_not_shown(web, tmp_path):
    address, requests, _ = web

    with pytest.raises(fetching.DataError, match="HTTP 404.*clickbait fetch --source") as caught:
        fetching.fetch(f"{address.replace('//', '//user:secret@')}/no?token=secret", tmp_path / "out" / "clickbait.csv")

    assert len(requests) == 1
    assert "secret" not in str(caught.value)
    assert left_in(tmp_path / "out") == []


def test_wrong_sum_over_http_is_not_kept(web, source, tmp_path):
    (source / fetching.CLICKBAIT_FILE).write_bytes(b"a log-in page")

    with pytest.raises(fetching.DataError, match="clickbait_data.gz must be the pinned file, sha256"):
        fetching.fetch(web[0], tmp_path / "out" / "clickbait.csv")
    assert left_in(tmp_path / "out") == []


def test_no_network(source, tmp_path):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"

        with pytest.raises(fetching.DataError, match="cannot be reached.*clickbait fetch --source"):
            fetching.fetch(address, tmp_path / "out" / "clickbait.csv")
    assert left_in(tmp_path / "out") == []


def test_destination_that_cannot_be_written(source, web, tmp_path):
    (tmp_path / "file").write_text("in the way")

    for place in (str(source), web[0]):
        with pytest.raises(fetching.DataError, match="must be writable.*Give a destination"):
            fetching.fetch(place, tmp_path / "file" / "clickbait.csv")
    with pytest.raises(fetching.DataError, match="must be a CSV file"):
        fetching.fetch(str(source), tmp_path)


def test_a_failed_write_leaves_nothing(source, tmp_path, monkeypatch):
    def full(self, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(fetching.DataError, match="No space left"):
        fetching.fetch(str(source), tmp_path / "out" / "clickbait.csv")
    assert left_in(tmp_path / "out") == []


@pytest.mark.skipif(not REAL.is_dir(), reason="the Stop Clickbait files are not on this machine")
def test_the_real_files(tmp_path):
    result = fetching.fetch(str(REAL), tmp_path / "clickbait.csv")
    assert result.sha256 == fetching.CSV_SHA256

    assert (result.rows, result.clickbait_rows) == (32_000, 15_999)
    rows = read_rows(result.path)[1:]
    assert len({title for title, _ in rows}) == 32_000
    assert 400 < sum(int(label) for _, label in rows[:1000]) < 600
