"""The serving folder holds whole versions or none, in rising order, each with its card."""

import dataclasses
import datetime
import itertools
import json
import os
import shutil
import time

import pytest

from serving.versions import version_folder
from serving.versions.version_folder import (
    ChosenThreshold,
    PushError,
    VersionCard,
    link_over,
    link_tree,
    list_blessed,
    list_versions,
    read_card,
    read_cards,
    remove_leftovers,
    remove_version,
    withdrawn,
    write_card,
    write_version,
)
from tests.helpers.encoders import write_shell
from trainer import saved_model

CARD = VersionCard(digest="sha256:1", run_id="r1", fingerprint="f1", pushed_at="2024-01-01T00:00:00+00:00")


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "model"
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"graph")
    (folder / "variables" / "variables.index").write_bytes(b"index")
    return folder


@pytest.fixture
def serving(tmp_path):
    return tmp_path / "serving" / "clickbait"


def put(serving, name, *, with_model=True):
    (serving / name).mkdir(parents=True)
    if with_model:
        (serving / name / "saved_model.pb").write_bytes(b"graph")


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_no_folder_has_no_versions(serving):
    assert list_versions(serving) == []


def test_versions_are_the_numbers_that_hold_a_model_ascending_as_numbers(serving):
    for name in ("2", "10", "1", "tmp", ".pushing-9", "v3", "3.5", "-4", "٣", "5 ", "007", "9" * 19):
        put(serving, name)
    put(serving, "11", with_model=False)
    (serving / "12").write_text("a file")
    assert list_versions(serving) == [1, 2, 10]


def test_the_first_version_is_the_time_in_seconds(model, serving):
    before = int(time.time())
    assert before <= write_version(model, serving, CARD) <= time.time()


def test_versions_rise_even_within_one_second(model, serving, monkeypatch):
    monkeypatch.setattr(version_folder.time, "time", lambda: 1_700_000_000.9)
    written = [write_version(model, serving, CARD) for _ in range(3)]
    assert written == [1_700_000_000, 1_700_000_001, 1_700_000_002] == list_versions(serving)


def test_a_version_is_later_than_the_newest_even_if_the_clock_went_back(model, serving):
    future = int(datetime.datetime(2100, 1, 1).timestamp())
    put(serving, str(future))
    assert write_version(model, serving, CARD) == future + 1


def test_a_version_is_a_copy_of_the_model_and_of_nothing_else_but_its_card(model, serving):
    version = write_version(model, serving, CARD)
    pushed = serving / str(version)
    assert {path.relative_to(pushed).as_posix() for path in pushed.rglob("*") if path.is_file()} == {
        "saved_model.pb",
        "variables/variables.index",
        "assets.extra/clickbait.json",
    }
    (model / "saved_model.pb").write_bytes(b"trained again")
    assert (pushed / "saved_model.pb").read_bytes() == b"graph"
    assert names(serving) == [str(version)]


def test_a_card_comes_back_as_it_was_written(model, serving):
    first = write_version(model, serving, CARD)
    other = dataclasses.replace(CARD, run_id="Ü2")
    second = write_version(model, serving, other)
    assert (read_card(serving, first), read_card(serving, second)) == (CARD, other)


CHOSEN = ChosenThreshold(
    0.8, (0.3, 0.8), {"precision": 0.95}, {"coverage": (0.9, 0.88, 0.92)}, 500, "rows.csv", "2026-01-01T00:00:00+00:00"
)


def test_a_threshold_is_written_into_the_card_and_into_no_link_to_it(model, serving, tmp_path):
    version = write_version(model, serving, CARD)
    folder = serving / str(version)
    link_tree(folder, tmp_path / "linked")
    before = saved_model.digest(folder)
    assert "threshold" not in json.loads((folder / version_folder.CARD).read_text())
    chosen = dataclasses.replace(CARD, threshold=CHOSEN)
    write_card(serving, version, chosen)
    assert read_card(serving, version) == chosen
    assert saved_model.digest(folder) == before
    assert version_folder.parse_card((tmp_path / "linked" / version_folder.CARD).read_bytes()) == CARD
    assert names(folder / "assets.extra") == ["clickbait.json"]


@pytest.mark.parametrize(
    "change", [{"unsure": [0.8, 0.3]}, {"unsure": 1}, {"shares": {}}, {"threshold": "x"}, {"new": 1}]
)
def test_a_card_whose_threshold_is_none_is_still_ours(change):
    values = json.loads(dataclasses.replace(CARD, threshold=CHOSEN).as_json())
    values["threshold"] |= change
    assert version_folder.parse_card(json.dumps(values).encode()) == CARD
    assert version_folder.parse_card(json.dumps(values | {"threshold": [1]}).encode()) == CARD


def test_a_model_with_a_card_of_its_own_gets_the_new_one(model, serving):
    (model / "assets.extra").mkdir()
    (model / "assets.extra" / "clickbait.json").write_text("{}")
    assert read_card(serving, write_version(model, serving, CARD)) == CARD


@pytest.mark.parametrize("content", [None, "", "not json", "[]", "[1]", "{}", '{"digest": "x"}', '"text"'])
def test_a_version_that_somebody_else_put_there_has_no_card(serving, content):
    put(serving, "3")
    if content is not None:
        (serving / "3" / "assets.extra").mkdir()
        (serving / "3" / "assets.extra" / "clickbait.json").write_text(content)
    assert read_card(serving, 3) is None


def test_a_version_is_later_than_any_number_there_is_whatever_it_holds(model, serving):
    future = int(datetime.datetime(2100, 1, 1).timestamp())
    put(serving, str(future), with_model=False)
    assert write_version(model, serving, CARD) == future + 1


@pytest.mark.parametrize(
    ("module", "name", "calls"),
    [(shutil, "copy2", 1), (shutil, "copy2", 2), (os, "fsync", 1), (os, "fsync", 3)],
    ids=["at-the-first-file", "at-the-second-file", "at-the-first-flush", "at-the-third-flush"],
)
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()], ids=["full", "ctrl-c"])
def test_a_write_that_fails_leaves_nothing(model, serving, monkeypatch, module, name, calls, error):
    put(serving, "7")
    original, count = getattr(module, name), itertools.count(1)

    def failing(*args, **kwargs):
        original(*args, **kwargs)
        if next(count) == calls:
            raise error

    with monkeypatch.context() as patch:
        patch.setattr(module, name, failing)
        with pytest.raises(type(error)) as raised:
            write_version(model, serving, CARD)
    assert raised.value is error
    assert names(serving) == ["7"]


@pytest.mark.parametrize("name", ["09999999999", "+9999999999"])
def test_a_version_is_later_than_what_only_tf_serving_takes_for_a_number(model, serving, name):
    (serving / name).mkdir(parents=True)
    assert write_version(model, serving, CARD) == 10_000_000_000
    assert list_versions(serving) == [10_000_000_000]


def test_the_last_number_that_there_is_can_be_a_version_and_has_none_after_it(model, serving):
    (serving / str(2**63 - 2)).mkdir(parents=True)
    assert write_version(model, serving, CARD) == 2**63 - 1
    assert list_versions(serving) == [2**63 - 1]
    with pytest.raises(PushError, match="Remove it") as raised:
        write_version(model, serving, CARD)
    assert raised.value.exit_code == 2


def test_leftovers_and_versions_that_are_no_folders_are_removed_too(model, serving):
    version = write_version(model, serving, CARD)
    (serving / ".pushing-5").write_text("a file")
    (serving / ".removing-6").symlink_to(serving / str(version))
    (serving / "7").symlink_to(serving / str(version))
    remove_leftovers(serving)
    remove_version(serving, 7)
    assert names(serving) == [str(version)]
    assert list_versions(serving) == [version]


def test_a_file_that_cannot_be_read_leaves_no_version(model, serving):
    (model / "variables" / "zzz").symlink_to("nowhere")
    with pytest.raises(FileNotFoundError):
        write_version(model, serving, CARD)
    assert names(serving) == []


def test_a_copy_that_is_not_the_model_becomes_no_version(model, serving, monkeypatch):
    monkeypatch.setattr(shutil, "copy2", lambda source, destination: destination.write_bytes(b"zeros"))
    with pytest.raises(PushError, match="must be a copy of its model"):
        write_version(model, serving, CARD)
    assert names(serving) == []


def test_what_killed_writers_left_is_cleared_away_and_nothing_else(model, serving):
    for name in ("7", ".pushing-8", ".removing-6", ".snapshot", "tmp"):
        put(serving, name)
    remove_leftovers(serving)
    assert names(serving) == [".snapshot", "7", "tmp"]


def test_a_removed_version_loses_its_number_before_its_files(serving, monkeypatch):
    put(serving, "7")
    seen = []
    rmtree = shutil.rmtree
    monkeypatch.setattr(shutil, "rmtree", lambda path: (seen.append(list_versions(serving)), rmtree(path)))
    remove_version(serving, 7)
    assert seen == [[]]
    assert names(serving) == []


def test_a_linked_version_shares_the_model_and_not_the_card(model, serving):
    first = write_version(model, serving, CARD)
    other = dataclasses.replace(CARD, restored_from=first, withdrawn=("sha256:2",))
    second = write_version(serving / str(first), serving, other, link=True)
    pushed = [serving / str(version) for version in (first, second)]
    assert (pushed[0] / "saved_model.pb").samefile(pushed[1] / "saved_model.pb")
    assert (read_card(serving, first), read_card(serving, second)) == (CARD, other)


def test_the_newest_card_tells_what_is_withdrawn_and_that_is_no_baseline(tmp_path, serving):
    model = write_shell(tmp_path / "shell")
    assert withdrawn(read_cards(serving)) == ()
    bad, good = dataclasses.replace(CARD, digest="sha256:bad"), dataclasses.replace(CARD, withdrawn=("sha256:bad",))
    first, second, third = (write_version(model, serving, card) for card in (CARD, bad, good))
    put(serving, str(third + 1))
    assert withdrawn(read_cards(serving)) == ("sha256:bad",)
    assert list_blessed(serving) == [first, third]
    assert list_versions(serving) == [first, second, third, third + 1]


def test_every_file_and_folder_is_flushed_before_the_version_appears(model, serving, monkeypatch):
    before, after = set(), set()
    fsync = os.fsync

    def recording(descriptor):
        (after if list_versions(serving) else before).add(os.fstat(descriptor).st_ino)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", recording)
    pushed = serving / str(write_version(model, serving, CARD))
    assert before == {place.stat().st_ino for place in [pushed, *pushed.rglob("*")]}
    assert after == {serving.stat().st_ino}


def test_linked_trees_share_their_files(model, tmp_path):
    link_tree(model, tmp_path / "linked")
    assert (tmp_path / "linked" / "saved_model.pb").samefile(model / "saved_model.pb")
    assert (tmp_path / "linked" / "variables" / "variables.index").samefile(model / "variables" / "variables.index")


def test_a_linked_tree_may_go_into_a_folder_that_is_there(model, tmp_path):
    (tmp_path / "linked").mkdir()
    link_tree(model, tmp_path / "linked")
    assert (tmp_path / "linked" / "saved_model.pb").is_file()


def test_a_linked_tree_overwrites_nothing(model, tmp_path):
    link_tree(model, tmp_path / "linked")
    with pytest.raises(FileExistsError):
        link_tree(model, tmp_path / "linked")


def test_where_links_are_impossible_files_are_copied(model, tmp_path, monkeypatch):
    def refuse(source, destination):
        raise OSError("Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    link_tree(model, tmp_path / "copied")
    assert (tmp_path / "copied" / "saved_model.pb").read_bytes() == b"graph"
    assert not (tmp_path / "copied" / "saved_model.pb").samefile(model / "saved_model.pb")


def test_what_is_linked_over_takes_the_place_of_a_link_and_changes_no_other_folder(model, tmp_path):
    link_tree(model, tmp_path / "linked")
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "saved_model.pb").write_bytes(b"new")
    before = (model / "saved_model.pb").read_bytes()
    link_over(tmp_path / "new", tmp_path / "linked")
    assert (tmp_path / "linked" / "saved_model.pb").read_bytes() == b"new"
    assert (model / "saved_model.pb").read_bytes() == before
