"""Restores an earlier version. TF Serving serves the highest number, so the old model gets a new, higher one."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import NamedTuple

from serving.versions import version_folder
from serving.versions.lock import claim_folder
from serving.versions.push import utc_now
from serving.versions.version_folder import VersionCard
from trainer import saved_model


class RollbackError(Exception):
    """There is no such version to restore."""

    exit_code = 2


class Rollback(NamedTuple):
    """The result of a rollback."""

    version: int
    """The newest version now."""
    restored_from: int
    """The version whose model it has."""
    rollback_of: int
    """The version that was the newest before."""
    skipped: tuple[str, ...] = ()
    """Versions that would have been restored if they were whole, and why they are not."""

    @property
    def changed(self) -> bool:
        """Whether the rollback changed the served model."""
        return self.version != self.rollback_of


def restore_version(serving_dir: str | Path, to: int | None = None) -> Rollback:
    """Gives an earlier version's model a new number, the highest, by hard links.

    The model that was served is recorded as withdrawn: no run pushes it again, and it is no baseline, until a rollback
    restores it.

    Args:
      serving_dir: the folder of versions that TF Serving watches.
      to: the version to restore; by default the newest before the served one with another model that is not withdrawn.

    Returns:
      The result; it is unchanged where that model is served already.

    Raises:
      RollbackError: there is no such version, or it is not whole.
      PushError: the folder cannot be written.
    """
    if not version_folder.list_versions(serving_dir):
        raise RollbackError(
            f"The serving folder must have versions. Received: {serving_dir}, which has none. Type `clickbait run`, or "
            "give the --output of the run that pushed."
        )
    with claim_folder(serving_dir) as folder:
        cards = version_folder.read_cards(folder)
        served = max(cards)
        served_card = cards[served]
        served_digest = served_card.digest if served_card else saved_model.digest(folder / str(served))
        withdrawn = frozenset(version_folder.withdrawn(cards))
        skipped: tuple[str, ...] = ()
        if to is None:
            to, skipped = _choose(folder, cards, withdrawn | {served_digest})
        if to == served and not _fault(folder, served, served_card):
            return Rollback(served, served, served)
        card = _check(folder, cards, to)
        if card.digest == served_digest and not _fault(folder, served, served_card):
            return Rollback(served, to, served)
        restored = dataclasses.replace(
            card,
            pushed_at=utc_now(),
            restored_from=to,
            rollback_of=served,
            withdrawn=tuple(sorted((withdrawn | {served_digest}) - {card.digest})),
        )
        version = version_folder.write_version(folder / str(to), folder, restored, link=True)
        return Rollback(version, to, served, skipped)


def _choose(
    folder: Path, cards: dict[int, VersionCard | None], unwanted: frozenset[str]
) -> tuple[int, tuple[str, ...]]:
    skipped: list[str] = []
    for version in sorted(cards, reverse=True):
        card = cards[version]
        if card and card.digest not in unwanted:
            if not (fault := _fault(folder, version, card)):
                return version, tuple(skipped)
            skipped.append(f"version {version}: {fault}")
    damaged = "".join(f"; {fault}" for fault in skipped)
    raise RollbackError(
        "There must be an earlier whole version with another model that no rollback withdrew. Received: "
        f"{_known(folder, cards)}{damaged}. Name one with --to, or train another."
    )


def _check(folder: Path, cards: dict[int, VersionCard | None], version: int) -> VersionCard:
    if version not in cards:
        raise RollbackError(f"--to must be a version. Received: {version}, and {_known(folder, cards)}. Give another.")
    card = cards[version]
    if card is None:
        raise RollbackError(
            f"--to must be a version that clickbait pushed. Received: version {version}, which it did not push. "
            "Copy it by hand: to a name that is no number first, then rename it to a higher number."
        )
    if fault := _fault(folder, version, card):
        raise RollbackError(f"--to must be a whole version. Received: version {version}: {fault}. Give another.")
    return card


def _fault(folder: Path, version: int, card: VersionCard | None) -> str | None:
    fault = saved_model.fault(folder / str(version))
    if card and not fault and saved_model.digest(folder / str(version)) != card.digest:
        fault = "its files have been changed since it was pushed"
    return fault


def _known(folder: Path, cards: dict[int, VersionCard | None]) -> str:
    return f"{folder} has {', '.join(map(str, sorted(cards)))}"
