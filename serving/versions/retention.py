"""Retention of versions: keeps the newest few, and those that a rollback may need."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from serving.versions import version_folder
from serving.versions.version_folder import VersionCard


def choose_removable(cards: Mapping[int, VersionCard | None], keep: int) -> list[int]:
    """Returns the versions that need not be kept.

    Kept are the newest `keep`, and in any case the newest two, of which a server may still serve the older one; those
    that the rollbacks among them restored or withdrew; and those that this project did not push.

    Args:
      cards: of all versions, by version.
      keep: how many to keep.
    """
    ascending = sorted(cards)
    newest = ascending[-max(keep, 2) :]
    kept: set[int | None] = set(newest)
    for card in filter(None, map(cards.get, newest)):
        kept |= {card.restored_from, card.rollback_of}
    return [version for version in ascending if version not in kept and cards[version]]


def prune_versions(serving_dir: str | Path, keep: int) -> list[int]:
    """Deletes the versions that need not be kept, the oldest first, and returns them.

    Raises:
      OSError: one cannot be deleted.
    """
    removable = choose_removable(version_folder.read_cards(serving_dir), keep)
    for version in removable:
        version_folder.remove_version(serving_dir, version)
    return removable
