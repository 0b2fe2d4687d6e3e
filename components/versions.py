"""The folder that TF Serving watches: `<model>/<version>/`, where a version is a number and holds a SavedModel."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import time
from pathlib import Path

from trainer.encoders import saved_model

#: TF Serving ignores what lies in a SavedModel's assets.extra, so a version can say where it comes from.
_CARD = Path("assets.extra") / "clickbait.json"


@dataclasses.dataclass(frozen=True)
class VersionCard:
    """What a pushed version says of itself."""

    digest: str
    """sha256 of the SavedModel's content."""
    run_id: str
    """The run that pushed it."""
    fingerprint: str
    """Equal for runs of one configuration, data and encoder."""
    pushed_at: str
    """UTC, ISO 8601."""


def list_versions(serving_dir: str | Path) -> list[int]:
    """The versions that TF Serving would load, ascending."""
    folder = Path(serving_dir)
    if not folder.is_dir():
        return []
    return sorted(
        int(child.name)
        for child in folder.iterdir()
        if child.name.isascii() and child.name.isdigit() and (child / "saved_model.pb").is_file()
    )


def list_blessed(serving_dir: str | Path) -> list[int]:
    """The whole versions that this project pushed, ascending: a stranger's model may have other signatures."""
    return [
        version
        for version in list_versions(serving_dir)
        if read_card(serving_dir, version) and saved_model.fault(Path(serving_dir) / str(version)) is None
    ]


def read_card(serving_dir: str | Path, version: int) -> VersionCard | None:
    """The card of a version; None where somebody else put the version there."""
    try:
        return VersionCard(**json.loads((Path(serving_dir) / str(version) / _CARD).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def write_version(model_dir: str | Path, serving_dir: str | Path, card: VersionCard) -> int:
    """Puts a SavedModel into the serving folder as its newest version, whole or not at all.

    TF Serving loads whatever has a number for a name, complete or not: the copy is made under a name that is no
    number, flushed to the disk, and renamed.

    Args:
      model_dir: the SavedModel.
      serving_dir: the model's folder, made when missing.
      card: laid into the version.

    Returns:
      The version: the time in seconds, or one more than the newest where that is later.
    """
    folder = Path(serving_dir)
    folder.mkdir(parents=True, exist_ok=True)
    for leftover in folder.glob(".pushing-*"):
        shutil.rmtree(leftover)
    version = max(int(time.time()), *(known + 1 for known in [0, *list_versions(folder)]))
    copy = folder / f".pushing-{version}"
    shutil.copytree(model_dir, copy)
    (copy / _CARD).parent.mkdir(exist_ok=True)
    (copy / _CARD).write_text(json.dumps(dataclasses.asdict(card), indent=2), encoding="utf-8")
    for place in [*copy.rglob("*"), copy]:
        _flush(place)
    copy.rename(folder / str(version))
    _flush(folder)
    return version


def link_tree(source: str | Path, destination: str | Path) -> None:
    """Copies a folder of files that are never changed in place by hard links, or by copies across filesystems."""
    shutil.copytree(source, destination, copy_function=_link_or_copy, dirs_exist_ok=True)


def _link_or_copy(source: str, destination: str) -> None:
    try:
        os.link(source, destination)
    except OSError:
        shutil.copy2(source, destination)


def _flush(place: Path) -> None:
    descriptor = os.open(place, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
