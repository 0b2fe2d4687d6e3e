"""A rollback gives an earlier model the highest number, and says so in the card."""

import shutil

import pytest

from pipeline.inputs import choose_baseline
from serving.versions.rollback import RollbackError, restore_version
from serving.versions.version_folder import list_blessed, list_versions, read_card, read_cards, withdrawn
from tests.helpers.encoders import write_shell


def weights(serving, version):
    return (serving / str(version) / "variables" / "variables.data-00000-of-00001").read_text()


def test_the_version_before_is_put_back_under_a_higher_number(push, serving):
    good, bad = push("good").version, push("bad").version
    done = restore_version(serving)
    assert (done.restored_from, done.rollback_of, done.changed) == (good, bad, True)
    assert list_versions(serving) == [good, bad, done.version]
    assert weights(serving, done.version) == "good"
    assert (serving / str(done.version) / "saved_model.pb").samefile(serving / str(good) / "saved_model.pb")


def test_both_cards_say_what_they_are(push, serving):
    good, bad = push("good").version, push("bad").version
    before = read_card(serving, good)
    done = restore_version(serving)
    card = read_card(serving, done.version)
    assert read_card(serving, good) == before
    assert (card.digest, card.run_id, card.fingerprint) == (before.digest, before.run_id, before.fingerprint)
    assert (card.restored_from, card.rollback_of) == (good, bad)
    assert withdrawn(read_cards(serving)) == (read_card(serving, bad).digest,)


def test_each_rollback_goes_one_model_further_back(push, serving):
    for name in ("one", "two", "three"):
        push(name)
    assert [weights(serving, restore_version(serving).version) for _ in range(2)] == ["two", "one"]
    with pytest.raises(RollbackError, match="earlier whole version with another model"):
        restore_version(serving)


def test_any_version_can_be_named_even_one_that_was_taken_back(push, serving):
    good, bad = push("good").version, push("bad").version
    restore_version(serving)
    done = restore_version(serving, to=bad)
    assert weights(serving, done.version) == "bad"
    assert withdrawn(read_cards(serving)) == (read_card(serving, good).digest,)


def test_what_is_served_is_not_put_back_again(push, serving):
    good, _ = push("good").version, push("bad").version
    done = restore_version(serving, to=good)
    for to in (good, done.version):
        again = restore_version(serving, to=to)
        assert (again.changed, again.version, again.restored_from) == (False, done.version, to)
    assert len(list_versions(serving)) == 3


def test_the_baseline_is_the_restored_model_and_never_the_one_taken_back(push, serving):
    good, bad = push("good").version, push("bad").version
    done = restore_version(serving)
    assert list_blessed(serving) == [good, done.version]
    assert choose_baseline(serving, "another fingerprint") == str(done.version)
    assert bad not in list_blessed(serving)


def test_without_versions_there_is_nothing_to_go_back_to_and_nothing_is_made(serving):
    with pytest.raises(RollbackError, match="which has none"):
        restore_version(serving)
    assert not serving.exists()


def test_a_version_that_is_not_there_is_refused_with_those_that_are(push, serving):
    version = push("one").version
    with pytest.raises(RollbackError, match=f"Received: 4, and .* has {version}"):
        restore_version(serving, to=4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda folder: shutil.rmtree(folder / "assets.extra"), "which it did not push"),
        (lambda folder: (folder / "variables" / "variables.index").unlink(), "variables.index is missing"),
        (lambda folder: shutil.rmtree(folder / "variables"), "its variables/ folder is missing"),
        (lambda folder: (folder / "variables" / "variables.data-00000-of-00001").unlink(), "has 0 of 1 files"),
        (lambda folder: (folder / "variables" / "variables.index").write_text("x"), "have been changed"),
    ],
    ids=["stranger", "no-index", "no-variables", "no-shard", "changed"],
)
def test_only_a_whole_version_of_ours_is_put_back(push, serving, change, message):
    first, _ = push("one").version, push("two").version
    change(serving / str(first))
    with pytest.raises(RollbackError, match=message):
        restore_version(serving, to=first)
    assert len(list_versions(serving)) == 2


def test_what_is_served_and_damaged_is_refused_by_its_name_and_replaced_by_a_whole_copy(push, serving):
    first = push("one").version
    push("two")
    copy = restore_version(serving, to=first).version
    (serving / str(copy) / "variables" / "variables.data-00000-of-00001").unlink()
    with pytest.raises(RollbackError, match=f"version {copy}: it has 0 of 1 files"):
        restore_version(serving, to=copy)
    done = restore_version(serving, to=first)
    assert (done.changed, done.rollback_of, weights(serving, done.version)) == (True, copy, "one")
    assert read_card(serving, done.version).digest not in withdrawn(read_cards(serving))


def test_without_a_name_a_damaged_version_is_left_out_and_said(push, serving):
    first, damaged = push("one").version, push("two").version
    push("three")
    (serving / str(damaged) / "variables" / "variables.index").unlink()
    done = restore_version(serving)
    assert (done.restored_from, weights(serving, done.version)) == (first, "one")
    assert done.skipped == (f"version {damaged}: variables/variables.index is missing or empty",)


def test_with_damaged_versions_alone_all_are_named(push, serving):
    damaged = push("one").version
    push("two")
    (serving / str(damaged) / "variables" / "variables.index").unlink()
    with pytest.raises(RollbackError, match=f"version {damaged}: variables/variables.index is missing"):
        restore_version(serving)


def test_a_stranger_s_version_can_be_replaced(push, serving):
    first = push("one").version
    write_shell(serving / str(first + 7))
    done = restore_version(serving)
    assert (done.restored_from, done.rollback_of, done.version) == (first, first + 7, first + 8)
