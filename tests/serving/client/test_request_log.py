"""What clients log of their calls: off by default, alike for clients, signatures and transports, no TensorFlow."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys

import pytest

from serving.client import AsyncClient, Client, ServingError
from serving.request_log.reader import find_logs, read_log
from tests.serving.client.commands import ROOT, predict
from tests.serving.client.fakes import score
from tests.serving.client.test_cli import HEAVY

TEXTS = [f"text {number} ü" for number in range(10)]


async def _predict_async(texts, **arguments):
    async with AsyncClient(**arguments) as client:
        return await client.predict(texts)


def _predict(texts, **arguments):
    with Client(**arguments) as client:
        return client.predict(texts)


def entries(folder) -> list:
    return [entry for path in find_logs([folder]) for entry in read_log(path)]


@pytest.mark.parametrize("call", [_predict, lambda *args, **more: asyncio.run(_predict_async(*args, **more))])
@pytest.mark.parametrize("signature", ["serving_default", "serving_examples"])
def test_each_call_is_logged_with_its_scores(call, signature, options, model, tmp_path):
    found = call(TEXTS, options=options, signature=signature, rows_per_call=4, log_to=tmp_path / "log", version=3)
    assert found == [score(text) for text in TEXTS]
    logged = entries(tmp_path / "log")
    assert len(logged) == 3
    rows = {}
    for entry in logged:
        asked, answered = entry.predict_log.request, entry.predict_log.response
        sent = list(asked.inputs["examples" if signature == "serving_examples" else "title"].string_val)
        assert len(sent) <= 4
        rows.update(zip(sent, answered.outputs["probability"].float_val, strict=True))
        assert asked.model_spec.signature_name == signature
        assert (entry.log_metadata.model_spec.name, entry.log_metadata.model_spec.version.value) == ("clickbait", 3)
    assert sorted(rows.values()) == sorted(map(score, TEXTS))
    if signature == "serving_default":
        assert rows == {text.encode(): score(text) for text in TEXTS}


def test_over_grpc_the_log_names_the_version_that_answered(target, tmp_path):
    _predict(["a"], target=target, label="stable", log_to=tmp_path)
    (entry,) = entries(tmp_path)
    assert entry.log_metadata.model_spec.version.value == 3
    assert entry.predict_log.request.model_spec.version_label == "stable"


def test_nothing_is_logged_by_default(options, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _predict(TEXTS, options=options)
    assert list(tmp_path.iterdir()) == []


def test_calls_that_failed_are_not_logged(target, tmp_path):
    with pytest.raises(ServingError):
        _predict(TEXTS, target=target, version=99, log_to=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_command_logs_what_a_file_held(target, tmp_path):
    (tmp_path / "in.csv").write_text("title\n" + "".join(f"t {number}\n" for number in range(50)))
    call = ["--input", tmp_path / "in.csv", "--output", tmp_path / "out.jsonl", "--target", target]
    done = predict(*call, "--rows-per-call", 20, "--log-to", tmp_path / "log", "--log-rate", 1)
    assert done.returncode == 0, done.stderr
    texts = [
        text.decode()
        for one in entries(tmp_path / "log")
        for text in one.predict_log.request.inputs["title"].string_val
    ]
    assert sorted(texts) == sorted(f"t {number}" for number in range(50))
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 50


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"log_to": "file"}, "Give another. It is --log-to, or log_to."),
        ({"log_to": "log", "log_rate": 0}, "log_rate must be above 0 and at most 1. Received: 0."),
        ({"log_to": "log", "log_rate": 2}, "Received: 2."),
        ({"log_rate": 0.5}, "log_rate must come with log_to. Received: 0.5 and no folder."),
    ],
)
def test_a_log_that_cannot_be(tmp_path, monkeypatch, changes, part):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(ServingError) as error:
        Client(**changes)
    assert part in str(error.value)
    assert error.value.exit_code == 2
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


def test_a_client_that_logs_imports_no_tensorflow(target, tmp_path):
    probe = (
        "import sys\nfrom serving.client import Client\n"
        f"with Client({target!r}, log_to={str(tmp_path)!r}) as client:\n    client.predict(['a'])\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.replace("'", '"')) == []
    assert len(entries(tmp_path)) == 1
