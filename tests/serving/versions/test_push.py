"""A model is pushed once, with a card; not again while it is the newest, and not after it was taken back."""

import datetime
import shutil

import pytest

from serving.versions.push import PUSHED, ROLLED_BACK, UNCHANGED
from serving.versions.rollback import restore_version
from serving.versions.version_folder import PushError, list_versions, read_card, read_cards, withdrawn
from tests.helpers.encoders import write_shell


def test_a_model_becomes_a_version_with_a_card(push, serving):
    outcome, version = push("one")
    card = read_card(serving, version)
    assert (outcome, list_versions(serving)) == (PUSHED, [version])
    assert (card.run_id, card.fingerprint, card.withdrawn) == ("run-one", "f1", ())
    assert card.digest.startswith("sha256:")
    assert datetime.datetime.fromisoformat(card.pushed_at).tzinfo == datetime.UTC


def test_the_newest_version_s_model_is_not_pushed_again_whatever_its_warm_up_requests(push, model, serving):
    first = push("one")
    warmup = model("one") / "assets.extra" / "tf_serving_warmup_requests"
    warmup.parent.mkdir()
    warmup.write_bytes(b"requests")
    assert push("one") == (UNCHANGED, first.version)
    assert list_versions(serving) == [first.version]


def test_warm_up_requests_are_pushed_with_the_model(push, model, serving):
    (model("one") / "assets.extra").mkdir()
    (model("one") / "assets.extra" / "tf_serving_warmup_requests").write_bytes(b"requests")
    pushed = serving / str(push("one").version)
    assert (pushed / "assets.extra" / "tf_serving_warmup_requests").read_bytes() == b"requests"


def test_an_older_version_s_model_is_pushed_again(push, serving):
    outcomes = [push(weights).outcome for weights in ("one", "two", "one")]
    assert outcomes == [PUSHED] * 3
    assert len(list_versions(serving)) == 3


def test_a_newest_version_that_is_damaged_or_a_stranger_s_is_no_reason_not_to_push(push, serving):
    damaged = push("one").version
    (serving / str(damaged) / "variables" / "variables.index").write_bytes(b"")
    outcome, version = push("one")
    assert outcome == PUSHED
    shutil.rmtree(serving / str(version) / "assets.extra")
    assert push("one").outcome == PUSHED
    write_shell(serving / str(version + 100))
    assert push("one").outcome == PUSHED


def test_a_model_without_its_variables_becomes_no_version(push, model, serving):
    """TF Serving would call it AVAILABLE and fail each call."""
    push("one")
    before = sorted(serving.rglob("*"))
    (model("two") / "variables" / "variables.data-00000-of-00001").unlink()
    with pytest.raises(PushError, match=r"whole SavedModel. Received: .*two: it has 0 of 1 files"):
        push("two")
    assert sorted(serving.rglob("*")) == before


def test_a_model_that_was_rolled_back_is_not_pushed_again(push, serving):
    push("good")
    bad = push("bad").version
    restored = restore_version(serving)
    assert push("bad") == (ROLLED_BACK, bad)
    assert push("good") == (UNCHANGED, restored.version)
    assert list_versions(serving)[-1] == restored.version


def test_that_is_not_forgotten_when_its_version_is_no_more(push, serving):
    push("good")
    bad = push("bad").version
    restore_version(serving)
    for number in range(4):
        push(f"later{number}", keep=2)
    assert bad not in list_versions(serving)
    assert push("bad") == (ROLLED_BACK, None)


def test_a_model_that_was_put_back_may_be_pushed_again(push, serving):
    push("good")
    bad = push("bad").version
    restore_version(serving)
    restore_version(serving, to=bad)
    assert push("other").outcome == PUSHED
    assert push("bad").outcome == PUSHED
    assert len(withdrawn(read_cards(serving))) == 1
    assert push("good").outcome == ROLLED_BACK


def test_the_oldest_versions_go(push, serving):
    pushed = [push(f"{number}", keep=3).version for number in range(6)]
    assert list_versions(serving) == pushed[-3:]
    assert sorted(int(place.name) for place in serving.iterdir()) == pushed[-3:]


def test_old_versions_that_cannot_be_removed_do_not_hinder_a_push(push, serving, monkeypatch):
    first = push("one").version

    def refuse(path):
        raise PermissionError(13, "Permission denied")

    push("two")
    monkeypatch.setattr(shutil, "rmtree", refuse)
    outcome, version = push("three", keep=1)
    assert outcome == PUSHED
    assert first not in list_versions(serving)
    assert list_versions(serving)[-1] == version
