"""`resolve_encoder` finds, fetches and heals encoders, and is quick and clear where it cannot. Loopback only."""

import functools
import gzip
import hashlib
import http.server
import io
import random
import shutil
import socket
import subprocess
import sys
import tarfile
import threading
import time
import urllib.parse

import pytest

from tests.helpers.encoders import pack, write_shell
from trainer import saved_model
from trainer.encoders import archives, remote, resolve
from trainer.encoders import cache as cache_module
from trainer.encoders.errors import EncoderError
from trainer.encoders.resolve import resolve_encoder


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def shell(tmp_path):
    return write_shell(tmp_path / "shell", assets=("tokens.txt",))


@pytest.fixture
def server(tmp_path):
    """Serves `folder` on loopback and remembers the requests; `status` overrides the answer."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_GET(self):
            self.server.requests.append(self.path)
            if self.server.status:
                self.send_error(self.server.status)
            else:
                super().do_GET()

        def log_message(self, *args):
            pass

    folder = tmp_path / "served"
    folder.mkdir()
    served = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder)))
    served.folder, served.requests, served.status = folder, [], None
    served.url = f"http://127.0.0.1:{served.server_port}"
    # How often it looks whether it is to end.
    threading.Thread(target=served.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield served
    served.shutdown()
    served.server_close()


@pytest.fixture
def no_network(monkeypatch):
    def forbidden(*args, **kwargs):
        raise AssertionError("the network was touched")

    monkeypatch.setattr(remote, "probe", forbidden)
    monkeypatch.setattr(remote, "fetch", forbidden)


def refused(source, **kwargs):
    with pytest.raises(EncoderError) as caught:
        resolve_encoder(str(source), **kwargs)
    assert caught.value.exit_code == 2
    return str(caught.value)


# The cache folder


def test_cache_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("CLICKBAIT_CACHE", str(tmp_path / "own"))
    assert cache_module.cache_dir() == tmp_path / "own"
    monkeypatch.setenv("CLICKBAIT_CACHE", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_module.cache_dir() == tmp_path / "xdg" / "clickbait-tfx"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_module.cache_dir() == tmp_path / ".cache" / "clickbait-tfx"


def test_imports_are_light():
    code = "import sys, trainer.encoders.resolve; print({'tensorflow', 'tensorflow_hub'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "set()"


# The digest


def test_digest_is_of_the_content_alone(shell, tmp_path):
    before = saved_model.digest(shell)
    assert before.startswith("sha256:")
    assert len(before) == 71
    (shell / "fingerprint.pb").write_bytes(b"x")
    (shell / "assets.extra").mkdir()
    (shell / "assets.extra" / "note").write_text("x")
    shutil.copytree(shell, tmp_path / "elsewhere")
    assert saved_model.digest(tmp_path / "elsewhere") == before
    (shell / "assets" / "tokens.txt").rename(shell / "assets" / "words.txt")
    assert saved_model.digest(shell) != before


# Folders


def test_local_folder(shell, cache):
    found = resolve_encoder(str(shell), cache=cache)
    assert found.source == str(shell)
    assert found.path == shell
    assert found.digest == saved_model.digest(shell)
    assert not cache.exists()


def damage_graph(path):
    (path / "saved_model.pb").write_bytes((path / "saved_model.pb").read_bytes()[:-7])


def empty_graph(path):
    (path / "saved_model.pb").write_bytes(b"")


def remove(name):
    def change(path):
        target = path / name
        shutil.rmtree(target) if target.is_dir() else target.unlink()

    return change


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (remove("saved_model.pb"), "no saved_model.pb (it has: assets/, variables/)"),
        (remove("variables"), "variables/ folder is missing"),
        (remove("variables/variables.index"), "variables.index is missing"),
        (remove("variables/variables.data-00000-of-00001"), "0 of 1 files"),
        (lambda path: (path / "variables/variables.data-00000-of-00001").write_bytes(b""), "variables.data-* is empty"),
        (remove("assets"), "assets/tokens.txt is missing"),
        (damage_graph, "truncated"),
        (empty_graph, "truncated"),
        (lambda path: (path / "tfhub_module.pb").write_bytes(b""), "TF1 Hub format"),
    ],
)
def test_damaged_local_folder(shell, change, found):
    change(shell)
    message = refused(shell)
    assert found in message
    assert str(shell) in message


def test_folder_around_the_model_is_hinted_at(shell):
    assert f"Did you mean {shell}?" in refused(shell.parent)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("/no/such/folder", "/no/such/folder does not exist"),
        ("", "must be named"),
        ("gs://bucket/model", "http and https are read"),
        ("google/bert/pyTorch/base/1", "no Kaggle handle"),
        ("google/universal-sentence-encoder/tensorFlow2/large", "no Kaggle handle"),
    ],
)
def test_unknown_source(source, found, cache):
    message = refused(source, cache=cache)
    assert found in message
    assert "SavedModel folder, or a .tar.gz" in message


# Archives


@pytest.mark.parametrize("name", ["model.tar.gz", "model.tgz", "model.tar"])
@pytest.mark.parametrize("prefix", [".", "model-1"])
def test_local_archive(shell, cache, tmp_path, name, prefix):
    archive = pack(shell, tmp_path / "download" / name, prefix)
    found = resolve_encoder(str(archive), cache=cache, offline=True)
    assert cache / "archives" in found.path.parents
    assert found.digest == saved_model.digest(shell)
    again = resolve_encoder(str(archive), cache=cache, offline=True)
    assert again == found


def test_archive_of_files_without_folder_entries(shell, cache, tmp_path):
    with tarfile.open(tmp_path / "flat.tar.gz", "w:gz") as members:
        for path in shell.rglob("*"):
            if path.is_file():
                members.add(path, arcname=str(path.relative_to(shell)))
    assert resolve_encoder(str(tmp_path / "flat.tar.gz"), cache=cache).digest == saved_model.digest(shell)


@pytest.mark.parametrize("keep", [0.02, 0.5, 0.999])
def test_cut_archive(shell, cache, tmp_path, keep):
    (shell / "variables" / "variables.data-00000-of-00001").write_bytes(random.Random(0).randbytes(300_000))
    archive = pack(shell, tmp_path / "model.tar.gz")
    archive.write_bytes(archive.read_bytes()[: int(archive.stat().st_size * keep)])
    message = refused(archive, cache=cache)
    assert "damaged or cut off" in message
    assert str(archive) in message
    assert [path.name for path in (cache / "archives").iterdir() if path.is_dir()] == []


def test_archive_with_a_wrong_checksum(shell, cache, tmp_path):
    archive = pack(shell, tmp_path / "model.tar.gz")
    content = bytearray(archive.read_bytes())
    content[-6] ^= 0xFF
    archive.write_bytes(content)
    assert "damaged or cut off" in refused(archive, cache=cache)


def test_archive_without_a_model(cache, tmp_path):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "readme.txt").write_text("no model")
    message = refused(pack(tmp_path / "notes", tmp_path / "notes.tar.gz"), cache=cache)
    assert "no saved_model.pb (it has: readme.txt)" in message


def test_file_that_is_no_archive(shell, cache, tmp_path):
    page = tmp_path / "model.tar.gz"
    page.write_text("<html>Sign in</html>")
    assert "no tar archive" in refused(page, cache=cache)
    assert f"--encoder {shell}" in refused(shell / "saved_model.pb", cache=cache)
    with gzip.open(tmp_path / "text.gz", "wt") as stream:
        stream.write("text")
    assert "damaged" in refused(tmp_path / "text.gz", cache=cache)


@pytest.mark.parametrize("name", ["../escaped", "/tmp/escaped-encoder", "a/../../escaped", "link"])
def test_archive_that_leads_outside(cache, tmp_path, name):
    with tarfile.open(tmp_path / "evil.tar.gz", "w:gz") as members:
        member = tarfile.TarInfo(name)
        if name == "link":
            member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        else:
            member.size = 4
        members.addfile(member, io.BytesIO(b"evil"))
    assert "below its own root" in refused(tmp_path / "evil.tar.gz", cache=cache)
    assert not list(tmp_path.rglob("escaped*"))


@pytest.mark.parametrize(
    "change",
    [
        remove("saved_model.pb"),
        remove("variables"),
        damage_graph,
        lambda path: (path / "variables" / "variables.data-00000-of-00001").write_bytes(b"cut"),
    ],
)
def test_damaged_archive_entry_is_made_again(shell, cache, tmp_path, change):
    archive = pack(shell, tmp_path / "model.tar.gz")
    found = resolve_encoder(str(archive), cache=cache)
    change(found.path)
    (found.path.parent / f"{found.path.name}.killed.tmp").mkdir()
    assert resolve_encoder(str(archive), cache=cache) == found
    assert not list(found.path.parent.glob("*.tmp"))


def test_the_digest_that_was_asked_for(shell, cache, tmp_path):
    digest = saved_model.digest(shell)
    assert resolve_encoder(str(shell), digest=digest, cache=cache).digest == digest
    message = refused(shell, digest=f"sha256:{'0' * 64}", cache=cache)
    assert f"must have the digest sha256:{'0' * 64}. Received: {digest}" in message


# The embedded encoder


def test_embedded_comes_from_its_place_in_the_cache(monkeypatch, cache):
    monkeypatch.setattr(resolve, "ensure_embedded_encoder", lambda folder: write_shell(folder / "e"))
    found = resolve_encoder("embedded", cache=cache, offline=True)
    assert found.path == cache / "e"
    assert found.digest == saved_model.digest(found.path)


# Remote: addresses


@pytest.mark.parametrize(
    "source",
    [
        "google/universal-sentence-encoder/tensorFlow2/universal-sentence-encoder/2",
        "google/universal-sentence-encoder/TensorFlow2/universal-sentence-encoder/2",
        "https://www.kaggle.com/models/google/universal-sentence-encoder/tensorFlow2/universal-sentence-encoder/2",
        "https://kaggle.com/models/google/universal-sentence-encoder/frameworks/TensorFlow2/variations/"
        "universal-sentence-encoder/versions/2",
    ],
)
def test_kaggle_sources(source):
    assert remote.download_url(source) == (
        "https://www.kaggle.com/api/v1/models/google/universal-sentence-encoder/tensorFlow2/universal-sentence-encoder/2"
        "/download"
    )


def test_hub_url_is_left_alone():
    url = "https://tfhub.dev/google/universal-sentence-encoder/4"
    assert remote.download_url(url) == url


# Remote: failures, none of which may import TensorFlow or take long


def test_offline(cache, no_network):
    message = refused("https://tfhub.dev/google/universal-sentence-encoder/4", cache=cache, offline=True)
    assert "not in the cache" in message
    assert "--encoder embedded" in message


def test_offline_names_a_damaged_entry(shell, cache, no_network):
    url = "https://tfhub.dev/google/x/1"
    entry = cache / "hub" / hashlib.sha1(url.encode()).hexdigest()
    shutil.copytree(shell, entry)
    assert resolve_encoder(url, cache=cache).path == entry
    damage_graph(entry)
    assert "damaged in the cache (saved_model.pb is truncated" in refused(url, cache=cache, offline=True)
    assert entry.exists()


@pytest.mark.parametrize(("status", "words"), [(404, "HTTP 404"), (403, "login or a consent"), (503, "HTTP 503")])
def test_http_codes(server, cache, status, words):
    server.status = status
    message = refused(f"{server.url}/model.tar.gz", cache=cache)
    assert words in message
    assert f"{server.url}/model.tar.gz" in message
    assert len(server.requests) == (3 if status == 503 else 1)


def test_page_instead_of_an_archive(server, cache):
    (server.folder / "model.html").write_text("<html>Sign in</html>" * 50)
    assert "text/html" in refused(f"{server.url}/model.html", cache=cache)


def test_refused_connection(cache):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        begin = time.monotonic()
        message = refused(f"http://127.0.0.1:{taken.getsockname()[1]}/m.tar.gz", cache=cache)
    assert "refused the connection" in message
    assert "--encoder FOLDER_OR_TAR_GZ" in message
    assert time.monotonic() - begin < 3


def test_unknown_host(cache, monkeypatch):
    def no_name(*args, **kwargs):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", no_name)
    assert "(DNS: Name or service not known)" in refused("https://tfhub.dev/google/x/1", cache=cache)


def test_host_that_never_answers(cache, monkeypatch):
    assert remote.ATTEMPT_LIMIT < remote.CONTACT_LIMIT <= 10  # seconds
    monkeypatch.setattr(remote, "ATTEMPT_LIMIT", 0.1)
    monkeypatch.setattr(remote, "CONTACT_LIMIT", 60)  # what ends it is the attempt's
    with socket.create_server(("127.0.0.1", 0)) as silent:
        message = refused(f"http://127.0.0.1:{silent.getsockname()[1]}/m.tar.gz", cache=cache)
    assert "timed out" in message


def test_name_resolution_that_hangs(cache, monkeypatch):
    release = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: release.wait(30) and [])
    monkeypatch.setattr(remote, "CONTACT_LIMIT", 0.5)
    assert "timed out" in refused("https://tfhub.dev/google/x/1", cache=cache)
    release.set()


def test_dead_proxy_is_named(cache, monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{taken.getsockname()[1]}")
        message = refused("http://models.example/m.tar.gz", cache=cache)
    assert "http_proxy" in message


def test_no_failure_imports_tensorflow(tmp_path):
    code = (
        "import sys; from trainer.encoders.resolve import resolve_encoder\n"
        "try: resolve_encoder('http://127.0.0.1:9/m.tar.gz')\n"
        "except Exception as e: print(type(e).__name__, 'tensorflow' in sys.modules)"
    )
    environment = {"CLICKBAIT_CACHE": str(tmp_path), "PATH": ""}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert run.stdout.strip() == "EncoderError False"


# Remote: downloads


@pytest.fixture
def served(server, shell):
    pack(shell, server.folder / "model.tar.gz")
    return f"{server.url}/model.tar.gz"


def test_download_then_cache(served, server, shell, cache, monkeypatch):
    monkeypatch.setenv("TFHUB_CACHE_DIR", "/nowhere")
    found = resolve_encoder(served, cache=cache)
    assert found.path.parent == cache / "hub"
    assert found.digest == saved_model.digest(shell)
    assert urllib.parse.urlparse(server.requests[-1]).query == "tf-hub-format=compressed"
    asked = len(server.requests)
    server.shutdown()
    assert resolve_encoder(served, cache=cache) == found
    assert resolve_encoder(served, cache=cache, offline=True) == found
    assert len(server.requests) == asked


@pytest.mark.parametrize(
    "change",
    [
        remove("saved_model.pb"),
        remove("variables"),
        damage_graph,
        lambda path: (path / "variables" / "variables.data-00000-of-00001").write_bytes(b"cut"),
        lambda path: [shutil.rmtree(path), path.mkdir()],
    ],
)
def test_damaged_download_is_fetched_again(served, cache, change):
    found = resolve_encoder(served, cache=cache)
    change(found.path)
    assert "damaged in the cache" in refused(served, cache=cache, offline=True)
    assert resolve_encoder(served, cache=cache) == found


def test_stale_lock_and_temporary_folder_of_a_killed_download(served, cache):
    entry = cache / "hub" / hashlib.sha1(served.encode()).hexdigest()
    entry.parent.mkdir(parents=True)
    entry.with_name(f"{entry.name}.lock").write_text("host.1.feed")
    entry.with_name(f"{entry.name}.feed.tmp").mkdir()
    begin = time.monotonic()
    assert resolve_encoder(served, cache=cache).path == entry
    assert time.monotonic() - begin < 30
    assert not list(entry.parent.glob("*.tmp")) + list(entry.parent.glob("*.lock"))


@pytest.mark.parametrize("keep", [0.02, 0.5, 0.95])
def test_cut_download(server, shell, cache, keep):
    (shell / "variables" / "variables.data-00000-of-00001").write_bytes(random.Random(0).randbytes(300_000))
    archive = pack(shell, server.folder / "cut.tar.gz")
    archive.write_bytes(archive.read_bytes()[: int(archive.stat().st_size * keep)])
    message = refused(f"{server.url}/cut.tar.gz", cache=cache)
    assert f"{server.url}/cut.tar.gz" in message
    assert "damaged or cut off" in message
    assert not [path for path in (cache / "hub").iterdir() if path.is_dir()]


def test_download_without_a_model(server, cache, tmp_path):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "readme.txt").write_text("no model")
    pack(tmp_path / "notes", server.folder / "notes.tar.gz")
    assert "no saved_model.pb" in refused(f"{server.url}/notes.tar.gz", cache=cache)


def test_nested_download(server, shell, cache):
    pack(shell, server.folder / "nested.tar.gz", prefix="model-1")
    assert resolve_encoder(f"{server.url}/nested.tar.gz", cache=cache).path.name == "model-1"


def test_download_that_ends_before_its_announced_length(server, shell, cache, monkeypatch):
    content = pack(shell, server.folder / "model.tar.gz").read_bytes()
    monkeypatch.setattr(remote, "probe", lambda url: None)

    def answer(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(content) + 1))
        self.end_headers()
        self.wfile.write(content)

    monkeypatch.setattr(server.RequestHandlerClass.func, "do_GET", answer)
    message = refused(f"{server.url}/model.tar.gz", cache=cache)
    assert "must be reachable" in message
    assert "IncompleteRead(0 bytes read, 1 more expected)" in message
    assert [path.suffix for path in (cache / "hub").iterdir()] == [".filelock"]


def test_an_endless_download_is_ended(server, shell, cache, monkeypatch):
    monkeypatch.setattr(archives, "MOST_BYTES", 1000)
    (shell / "variables" / "variables.data-00000-of-00001").write_bytes(random.Random(0).randbytes(300_000))
    pack(shell, server.folder / "model.tar.gz")
    assert "must hold at most 1,000 bytes" in refused(f"{server.url}/model.tar.gz", cache=cache)
    assert [path.suffix for path in (cache / "hub").iterdir()] == [".filelock"]


def test_connection_lost_after_the_first_contact(served, server, cache, monkeypatch):
    probe = remote.probe

    def probe_then_vanish(url):
        probe(url)
        server.shutdown()
        server.server_close()

    monkeypatch.setattr(remote, "probe", probe_then_vanish)
    assert "refused the connection" in refused(served, cache=cache)
    assert not list((cache / "hub").glob("*.tmp"))


def test_real_module_by_way_of_the_network(server, cache, tmp_path):
    from tests.helpers.encoders import write_nnlm_encoder
    from trainer.encoders.check import check_encoder

    pack(write_nnlm_encoder(tmp_path / "nnlm"), server.folder / "nnlm.tar.gz")
    found = resolve_encoder(f"{server.url}/nnlm.tar.gz", cache=cache)
    assert check_encoder(found.path, source=found.source, fine_tune=True).dimension == 8
    (found.path / "assets" / "nnlm-tokens.txt").unlink()
    assert "assets/nnlm-tokens.txt is missing" in refused(found.source, cache=cache, offline=True)
