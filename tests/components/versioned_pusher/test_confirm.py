"""A server is waited for until it serves the version, and its scores are looked at."""

import time

import pytest

from components.versioned_pusher import confirm
from components.versioned_pusher.confirm import confirm_version
from serving.versions.version_folder import PushError
from tests.serving.client import fakes


@pytest.fixture(autouse=True)
def looking_often(monkeypatch):
    monkeypatch.setattr(confirm, "_POLL_SECONDS", 0.05)


@pytest.fixture
def model():
    return fakes.FakeModel()


@pytest.fixture
def target(model):
    with fakes.grpc_server(model) as port:
        yield f"localhost:{port}"


def test_a_version_that_is_served_is_confirmed_by_a_score(model, target):
    confirm_version(target, "clickbait", 3, 5)
    assert len(model.calls) == 1
    assert model.specs[0].version.value == 3


def test_a_version_that_is_still_loaded_is_waited_for(model, target, monkeypatch):
    changes, answer = iter([{}, {4: "LOADING"}, {4: "LOADING"}, {4: "AVAILABLE"}]), model.answer

    def at_each_look(method, request):
        model.versions.update(next(changes, {}))
        return answer(method, request)

    monkeypatch.setattr(model, "answer", at_each_look)
    confirm_version(target, "clickbait", 4, 10)
    assert model.specs[0].version.value == 4


@pytest.mark.parametrize(("version", "exit_code"), [(1, 1), (9, 2)], ids=["ended", "unknown"])
def test_a_version_that_never_comes_is_an_error_after_the_deadline(target, version, exit_code):
    began = time.monotonic()
    with pytest.raises(PushError, match=f"must serve version {version}, which is pushed. Received: ") as raised:
        confirm_version(target, "clickbait", version, 1)
    assert raised.value.exit_code == exit_code
    assert "--version" not in str(raised.value)
    assert 1 <= time.monotonic() - began < 30


def test_no_server_is_an_error_after_the_deadline():
    with pytest.raises(PushError, match="A server must listen at localhost:1.*`clickbait rollback`") as raised:
        confirm_version("localhost:1", "clickbait", 3, 1)
    assert raised.value.exit_code == 1
    assert "--wait" not in str(raised.value)


def test_a_wrong_target_is_an_error_at_once():
    with pytest.raises(PushError, match="The target must be HOST:PORT") as raised:
        confirm_version("here", "clickbait", 3, 60)
    assert raised.value.exit_code == 2


def test_a_model_that_the_server_does_not_have_is_the_calls_mistake(target):
    with pytest.raises(PushError, match="Received: 'mine', which it does not have") as raised:
        confirm_version(target, "mine", 3, 1)
    assert raised.value.exit_code == 2
    assert "--model" not in str(raised.value)


@pytest.mark.parametrize("score", [float("nan"), 1.5, -0.1])
def test_a_score_that_is_no_probability_is_an_error(target, monkeypatch, score):
    monkeypatch.setattr(fakes, "score", lambda text: score)
    with pytest.raises(PushError, match="Received: the probability"):
        confirm_version(target, "clickbait", 3, 5)


def test_a_call_that_the_model_refuses_is_an_error(model, target):
    model.faults.append(fakes.Fault("INTERNAL", "the graph is broken"))
    with pytest.raises(PushError, match="the graph is broken"):
        confirm_version(target, "clickbait", 3, 5)
