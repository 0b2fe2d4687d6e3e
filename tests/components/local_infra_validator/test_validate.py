"""A server is really started and asked. Here it is a fake one, so that it can misbehave; no TensorFlow."""

import json
import time

import pytest

from components.local_infra_validator import expected_scores
from components.local_infra_validator import validate as module
from components.local_infra_validator.policy import InfraConfig, describe, read_verdict
from components.local_infra_validator.validate import validate_model
from tests.components.local_infra_validator.fake_server import write_program
from tests.helpers.encoders import write_shell
from tests.serving.client import fakes
from trainer import saved_model

TITLES = [*expected_scores.ARTICLE_TITLES, "Budget vote", "What this cat did"]


@pytest.fixture
def validate(tmp_path, monkeypatch):
    """Returns a function that validates a shell model with a fake server."""
    scores = [fakes.score(title) for title in TITLES]
    monkeypatch.setattr(
        expected_scores, "score_here", lambda folder, titles: dict.fromkeys(expected_scores.SIGNATURES, scores)
    )
    monkeypatch.setattr(module, "_TIMED_CALLS", 20)
    monkeypatch.setattr(expected_scores, "write_warmup", lambda folder, name: (folder / "assets.extra").mkdir())

    def validate(behaviour: str, **changes):
        monkeypatch.setenv("TF_MODEL_SERVER", str(write_program(tmp_path / "server", behaviour)))
        policy = {"server": "auto", "cold_start_seconds": 30.0, "max_p99_milliseconds": 2000.0, "max_memory_gb": 1.0}
        model = write_shell(tmp_path / "model")
        folder = tmp_path / "blessing"
        folder.mkdir()
        held_to = InfraConfig(**{**policy, "golden_rows": 2, **changes})
        return validate_model(model, folder, TITLES, held_to, "clickbait")

    return validate


def broken(verdict):
    return {finding.rule: finding for finding in verdict.findings if finding.kept is False}


def test_a_good_server_blesses_the_model(validate, tmp_path):
    verdict = validate("well")
    assert verdict.blessed, broken(verdict)
    assert verdict.server.kind == "path"
    assert verdict.digest == saved_model.digest(tmp_path / "model")
    assert read_verdict(tmp_path / "blessing") == verdict
    assert "the fake server says hello" in (tmp_path / "blessing" / "server.log").read_text()


def test_no_copy_of_the_model_remains_and_it_is_not_changed(validate, tmp_path):
    validate("well")
    assert {path.name for path in (tmp_path / "blessing").iterdir()} == {"assets.extra", "verdict.json", "server.log"}
    assert not (tmp_path / "model" / "assets.extra").exists()


@pytest.mark.parametrize(
    ("behaviour", "changes", "rules", "said"),
    [
        ("wrong", {}, {"scores"}, "expected the exported model's within 1e-05, observed"),
        ("nan", {}, {"scores", "range"}, "numbers from 0 to 1"),
        ("slow", {"max_p99_milliseconds": 20.0}, {"latency"}, "p99 at most 20 ms"),
        ("large", {"max_memory_gb": 0.2}, {"memory"}, "peak at most 0.2 GB"),
        ("refuses", {}, {"scores"}, "the graph is broken"),
        ("hollow", {}, {"scores"}, "Could not find variable dense/kernel"),
        ("dies", {}, {"starts"}, "exit code 3; its log ends: the fake server says hello | cannot start: no such model"),
        ("silent", {"cold_start_seconds": 1.5}, {"starts"}, "ready within 1.5 s, observed not ready after"),
    ],
)
def test_a_server_that_misbehaves_withholds_the_blessing_and_says_why(validate, behaviour, changes, rules, said):
    verdict = validate(behaviour, **changes)
    assert not verdict.blessed
    assert set(broken(verdict)) == rules
    told = " / ".join(map(describe, broken(verdict).values()))
    assert said in told
    assert "--" not in told
    json.dumps(verdict.as_dict(), allow_nan=False)


def test_one_that_dies_is_not_waited_for(validate):
    began = time.monotonic()
    validate("dies")
    assert time.monotonic() - began < 15


def test_a_model_that_this_process_cannot_load_is_not_blessed(validate, monkeypatch):
    def fail(folder, titles):
        raise ValueError("no op Foo\nand a stack")

    monkeypatch.setattr(expected_scores, "score_here", fail)
    verdict = validate("well")
    assert broken(verdict)["loads"].detail == "ValueError: no op Foo"


@pytest.mark.parametrize("behaviour", ["well", "silent"])
def test_no_server_remains(validate, tmp_path, behaviour):
    from tests.components.local_infra_validator.test_running import alive

    validate(behaviour, cold_start_seconds=30.0 if behaviour == "well" else 1.0)
    assert not alive(int((tmp_path / "server.pid").read_text()))
