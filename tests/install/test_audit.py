"""`make audit` and `make sbom`: the whole lock is asked about, and no advisory is no news only where some were had."""

from __future__ import annotations

import http.server
import json
import os
import shutil
import subprocess
import threading
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UV = shutil.which("uv") or str(ROOT / ".uv" / "bin" / "uv")  # as the Makefile chooses it


@pytest.fixture(autouse=True, scope="module")
def _a_uv_that_audits():
    if subprocess.run([UV, "audit", "--help"], capture_output=True, check=False).returncode:
        pytest.skip(f"{UV} is older than 0.10.12, which has no audit")


def make(*arguments: str, **environ: str) -> subprocess.CompletedProcess:
    outer = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    call = ["make", f"UV={UV}", *arguments]
    return subprocess.run(call, cwd=ROOT, env=outer | environ, capture_output=True, text=True, check=False)


@pytest.fixture
def advisories():
    """A server of the OSV API (https://google.github.io/osv.dev/api/) that knows an advisory for each package asked."""
    asked, known = [], set()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            queries = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["queries"]
            asked.extend((one["package"]["name"], one["version"]) for one in queries)
            names = [one["package"]["name"] for one in queries]
            self._answer({"results": [{"vulns": [{"id": f"OSV-{name}"}]} if name in known else {} for name in names]})

        def do_GET(self):
            self._answer(
                {"id": self.path.rpartition("/")[2], "summary": "it leaks", "modified": "2026-01-01T00:00:00Z"}
            )

        def _answer(self, content):
            body = json.dumps(content).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.url, server.asked, server.known = f"http://127.0.0.1:{server.server_port}", asked, known
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_every_package_of_the_lock_is_asked_about_and_an_advisory_is_named(advisories):
    advisories.known.add("urllib3")
    done = make("audit", f"ARGS=--service-url={advisories.url}/")
    locked = {one["name"] for one in tomllib.loads((ROOT / "uv.lock").read_text())["package"]} - {"clickbait-tfx"}
    assert {name for name, _ in advisories.asked} == locked
    assert done.returncode == 2  # make's own for any failure
    assert "OSV-urllib3" in done.stdout + done.stderr
    assert "nothing was audited" not in done.stderr


def test_advisories_that_cannot_be_had_are_no_good_news():
    done = make("audit", "ARGS=--service-url=http://127.0.0.1:9/", UV_HTTP_RETRIES="0")
    assert done.returncode == 2
    assert "The advisories must be reachable." in done.stderr
    assert "nothing was audited" in done.stderr


def test_the_bill_of_materials_lists_what_the_lock_installs(tmp_path):
    done = make("sbom", f"SBOM={tmp_path / 'sbom.json'}")
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "sbom.json").read_text())
    assert (found["bomFormat"], found["specVersion"]) == ("CycloneDX", "1.5")
    names = {one["name"] for one in found["components"]}
    assert {"tfx", "tensorflow", "click", "kfp", "s3fs"} <= names
    assert not names & {"pytest", "ruff"}
