"""Pushes a model as the newest version, unless it is that already or was rolled back. Needs no TFX."""

from __future__ import annotations

import datetime
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from serving.versions import retention, version_folder
from serving.versions.lock import claim_folder
from serving.versions.version_folder import VersionCard
from trainer import saved_model

logger = logging.getLogger("components")

PUSHED, UNCHANGED, ROLLED_BACK = "pushed", "unchanged", "rolled back"


class Push(NamedTuple):
    """The result of a push."""

    outcome: str
    """`pushed`; `unchanged`: the newest version is this model; `rolled back`: a rollback withdrew this model."""
    version: int | None
    """The version that is this model; None where that of a rolled back model is no longer kept."""


def push_model(
    model_dir: str | Path,
    serving_dir: str | Path,
    *,
    run_id: str,
    fingerprint: str,
    keep_versions: int,
    override: str = "",
) -> Push:
    """Pushes a SavedModel.

    Models are compared by the digest of graph, variables and assets: neither the card nor the warm-up requests
    count, so that an unchanged model stays unchanged whatever requests it was validated with.

    Args:
      model_dir: the SavedModel.
      serving_dir: the folder of versions that TF Serving watches.
      run_id: for the card.
      fingerprint: for the card.
      keep_versions: how many versions to keep, see `retention`.
      override: for the card.

    Raises:
      PushError: the model is not whole, or the folder cannot be written.
    """
    version_folder.require_whole(model_dir)
    digest = saved_model.digest(Path(model_dir))
    with claim_folder(serving_dir) as folder:
        cards = version_folder.read_cards(folder)
        # A damaged version is pushed anew.
        newest_is_whole = bool(cards) and saved_model.digest(folder / str(max(cards))) == digest
        if settled := choose_outcome(cards, digest, newest_is_whole=newest_is_whole):
            return settled
        withdrawn = version_folder.withdrawn(cards)
        card = VersionCard(digest, run_id, fingerprint, utc_now(), withdrawn=withdrawn, override=override)
        version = version_folder.write_version(model_dir, folder, card)
        try:
            removed = retention.prune_versions(folder, keep_versions)
        except OSError as error:
            logger.warning("version %d is pushed, but old ones could not be removed: %s", version, error)
        else:
            if removed:
                logger.info("removed old versions: %s", ", ".join(map(str, removed)))
    return Push(PUSHED, version)


def choose_outcome(cards: Mapping[int, VersionCard | None], digest: str, *, newest_is_whole: bool) -> Push | None:
    """Returns the result of a push that has nothing to do; None where the model is to become a version.

    Args:
      cards: of all versions, by version.
      digest: of the model.
      newest_is_whole: whether the newest version's files are the model's, whatever its card says.
    """
    same = [version for version, card in sorted(cards.items()) if card and card.digest == digest]
    if same and same[-1] == max(cards) and newest_is_whole:
        return Push(UNCHANGED, same[-1])
    if digest in version_folder.withdrawn(cards):
        return Push(ROLLED_BACK, same[-1] if same else None)
    return None


def utc_now() -> str:
    """Returns the time for a card: UTC, ISO 8601."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
