"""The newest versions are kept, and those that somebody may want back."""

import pytest

from serving.versions.retention import choose_removable
from serving.versions.version_folder import VersionCard


def card(**changes) -> VersionCard:
    return VersionCard("sha256:1", "run", "f1", "now", **changes)


@pytest.mark.parametrize(
    ("keep", "removable"), [(5, []), (4, []), (3, [1]), (2, [1, 2]), (1, [1, 2])], ids=lambda one: str(one)
)
def test_the_newest_are_kept_and_the_one_just_replaced_in_any_case(keep, removable):
    assert choose_removable({version: card() for version in (3, 1, 4, 2)}, keep) == removable


def test_without_versions_nothing_is_removed():
    assert choose_removable({}, 1) == []


def test_what_a_kept_rollback_put_back_or_took_away_is_kept():
    cards = {1: card(), 2: card(), 3: card(), 4: card(), 5: card(restored_from=2, rollback_of=4), 6: card()}
    assert choose_removable(cards, 2) == [1, 3]


def test_rollbacks_do_not_keep_versions_for_ever():
    cards = {version: card(restored_from=version - 2, rollback_of=version - 1) for version in range(10, 110)}
    assert choose_removable(cards, 3) == list(range(10, 105))


def test_what_somebody_else_put_there_is_never_removed():
    assert choose_removable({1: None, 2: card(), 3: card(), 4: None, 5: card()}, 2) == [2, 3]
