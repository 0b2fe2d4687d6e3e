"""Whenever a push or a rollback is killed, the folder holds whole versions alone, and the next push cleans up."""

import itertools
import os
import signal
import threading

import pytest

from serving.versions.push import PUSHED, UNCHANGED
from serving.versions.rollback import restore_version
from serving.versions.version_folder import list_versions, read_card
from tests.serving.versions.killed_pushes import push_child, rollback_child
from trainer import saved_model

LEAST_STEPS = {"push": 20, "prune": 20, "rollback": 20}


def faults(serving):
    """What is wrong with what a server would see now."""
    wrong = {}
    for place in serving.iterdir():
        if not place.name.isdigit():
            continue
        card = read_card(serving, int(place.name))
        fault = saved_model.fault(place)
        if fault or card is None or card.digest != saved_model.digest(place):
            wrong[place.name] = fault or "no card, or another model's"
    return wrong


def names(serving):
    return sorted(place.name for place in serving.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("deed", LEAST_STEPS)
def test_a_kill_at_any_step_leaves_whole_versions_and_the_next_push_a_clean_folder(deed, push, model, serving):
    steps = 0
    push("first")
    for step in itertools.count(1):
        if deed == "rollback":
            push(f"a{step}")
        before = list_versions(serving)
        if deed == "rollback":
            code, _ = rollback_child(serving, die_at=step)
        else:
            code, _ = push_child(model(f"c{step}"), serving, keep=2 if deed == "prune" else 9, die_at=step)
        assert faults(serving) == {}
        assert list_versions(serving)[-1] >= before[-1]
        assert before[-1] in list_versions(serving)
        served = list_versions(serving)[-1]
        outcome, version = push(f"d{step}", keep=9 if deed == "push" else 3)
        assert outcome == PUSHED
        assert version > served
        assert names(serving) == sorted(map(str, list_versions(serving)))
        if code == 0:
            break
        assert code == -signal.SIGKILL
        steps = step
    assert steps >= LEAST_STEPS[deed]


def test_a_push_that_was_killed_after_its_rename_is_unchanged_when_it_is_made_again(push, model, serving, monkeypatch):
    push("one")
    for step in itertools.count(1):
        known = len(list_versions(serving))
        code, _ = push_child(model(f"x{step}"), serving, die_at=step)
        if code and len(list_versions(serving)) > known:
            assert push(f"x{step}").outcome == UNCHANGED
            break
        assert code == -signal.SIGKILL, "no step lies between the rename and the end"


@pytest.mark.slow
def test_who_lists_the_folder_all_the_time_never_sees_a_part_of_a_version(push, serving):
    push("first")
    found, rounds, done = {}, 0, threading.Event()

    def look():
        nonlocal rounds
        while not done.is_set():
            rounds += 1
            for name in os.listdir(serving):  # noqa: PTH208  as quick as can be
                # A version that is gone a moment later was deleted, not half written.
                if name.isdigit() and (fault := _fault(serving / name)) and name in os.listdir(serving):  # noqa: PTH208
                    found[name] = fault

    poller = threading.Thread(target=look)
    poller.start()
    try:
        for number in range(60):
            push(f"{number}", keep=2)
            if number % 5 == 4:
                restore_version(serving)
    finally:
        done.set()
        poller.join()
    assert found == {}
    assert rounds > 200


def _fault(place):
    try:
        return saved_model.fault(place) or ("no card" if read_card(place.parent, int(place.name)) is None else None)
    except OSError as error:
        return str(error)
