"""The manifests at work: a server with the Deployment's own flags and files, its probes, and a canary by the README."""

from __future__ import annotations

import re
import subprocess
import threading

import pytest

from serving.client import Client, Retry, ServingError
from tests.helpers.serving import REAL_SERVER, ServerProcess, free_ports, wait_for, write_model
from tests.serving.manifests.files import KUBERNETES, MANIFESTS, compose_server, server

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(REAL_SERVER), reason="reads what only the local server says"),
]

TITLE = "abcd"
NO_RETRY = Retry(attempts=1)
#: Of `TITLE`, by version.
SCORES = {1: 1.0, 2: 2.0, 3: 3.0}


class Cluster:
    """The Deployment's server on this machine, and the `models.config` that it follows."""

    def __init__(self, folder):
        self._config = folder / "models.config"
        self._models = folder / "models"
        self._template = (KUBERNETES / "models.config").read_text(encoding="utf-8")
        for version, score in SCORES.items():
            write_model(self._models / "clickbait" / str(version), weight=score / len(TITLE))
        self._put(self._template)
        ours = {
            "model_config_file": str(self._config),
            "model_config_file_poll_wait_seconds": "1",  # instead of 10
        }
        given = dict(flag[2:].split("=", 1) if "=" in flag else (flag[2:], "true") for flag in server()["args"])
        del given["port"], given["rest_api_port"]
        flags = [f"--{name}={value}" for name, value in {**given, **ours}.items()]
        models = self._models / "clickbait"
        self.server = ServerProcess(models, folder / "log.txt", "clickbait", *flags)

    def edit(self, step: str) -> None:
        """Replaces policy and labels, as the README's steps say, and puts the file there as a ConfigMap's is put."""
        head, found, rest = self._template.partition("    model_version_policy {")
        assert found and rest.endswith("  }\n}\n")
        self._put(f"{head}{step}\n  }}\n}}\n")

    def ask(self, label: str) -> float:
        """The score by label; without one, the server's choice."""
        with Client(f"127.0.0.1:{self.server.port}", label=label, retry=NO_RETRY) as client:
            return client.predict([TITLE])[0]

    def _put(self, text: str) -> None:
        new = self._config.with_suffix(".new")
        new.write_text(text.replace('"/models/', f'"{self._models}/'), encoding="utf-8")
        new.replace(self._config)


def steps() -> dict[str, str]:
    """The README's steps by their names."""
    text = (MANIFESTS / "README.md").read_text(encoding="utf-8")
    return dict(re.findall(r"^\d\. \*\*([\w ]+)\.?\*\*.*?```textproto\n(.*?)```", text, re.MULTILINE | re.DOTALL))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    found = Cluster(tmp_path_factory.mktemp("cluster"))
    with found.server:
        found.server.wait_until_ready()
        yield found


def test_the_probes_tell_what_serves_from_what_does_not(cluster):
    path = server()["readinessProbe"]["httpGet"]["path"]
    assert cluster.server.rest("GET", path)[0] == 200
    assert cluster.server.rest("GET", path.replace("stable", "retired"))[0] in (400, 404)


@pytest.mark.parametrize(("model", "listens"), [("clickbait", True), ("other", True), ("clickbait", False)])
def test_the_health_check_of_compose(cluster, model, listens):
    """The very command, as bash gets it from compose, at the server's port."""
    *command, script = compose_server()["healthcheck"]["test"][1:]
    port = cluster.server.rest_port if listens else free_ports(1)[0]
    script = script.replace("$$", "$").replace("/8501", f"/{port}").replace("/clickbait/", f"/{model}/")
    done = subprocess.run([*command, script], capture_output=True, timeout=30)
    assert (done.returncode == 0) is (model == "clickbait" and listens), done.stderr


def test_a_canary_by_the_readme(cluster):
    todo = steps()
    assert list(todo) == ["Begin", "Promote", "Go back", "Settle"]
    stopping, failures, scores = threading.Event(), [], []

    def ask_for_stable():
        with Client(f"127.0.0.1:{cluster.server.port}", label="stable", retry=NO_RETRY) as client:
            while not stopping.is_set():
                try:
                    scores.append(client.predict([TITLE])[0])
                except ServingError as error:
                    failures.append(error)

    callers = [threading.Thread(target=ask_for_stable) for _ in range(2)]
    for caller in callers:
        caller.start()
    try:
        _walk_through(cluster, todo)
    finally:
        stopping.set()
        for caller in callers:
            caller.join()
    assert not failures, failures[:3]
    changes = [score for at, score in enumerate(scores) if not at or score != scores[at - 1]]
    assert set(changes) == {SCORES[1], SCORES[2]} and changes[0] == SCORES[1] and changes[-1] == SCORES[2]


def _walk_through(cluster, todo):
    def becomes(version, label="stable"):
        def answers():
            try:
                return cluster.ask(label) == SCORES[version]
            except ServingError:
                return False

        wait_for(answers, message=f"{label} does not become version {version}:\n{cluster.server.log}")

    becomes(1)
    with pytest.raises(ServingError, match="canary"):
        cluster.ask("canary")

    cluster.edit(todo["Begin"])
    becomes(2, "canary")
    assert cluster.ask("stable") == SCORES[1]
    assert cluster.ask("") == SCORES[2]  # what the README warns of

    # One canary is not replaced by the next in one edit: it is refused whole.
    cluster.edit(todo["Begin"].replace("2", "3"))
    wait_for(lambda: "is not applied: Request to assign label to version 3" in cluster.server.log)
    assert (cluster.ask("stable"), cluster.ask("canary")) == (SCORES[1], SCORES[2])
    assert 3 not in cluster.server.states()

    cluster.edit(todo["Promote"])
    becomes(2)
    with pytest.raises(ServingError, match="canary"):
        cluster.ask("canary")

    cluster.edit(todo["Go back"])
    becomes(1)
    cluster.edit(todo["Promote"])
    becomes(2)

    cluster.edit(todo["Settle"])
    wait_for(lambda: cluster.server.states().get(1) == "END", message=cluster.server.log)
    assert cluster.server.states() == {2: "AVAILABLE", 1: "END"}
    # Now the next canary is one edit again.
    cluster.edit(todo["Begin"].replace("2", "3").replace("1", "2"))
    becomes(3, "canary")
    assert cluster.ask("stable") == SCORES[2]
