"""The folder that TF Serving watches: `<model>/<version>/`, where a version is a number and holds a SavedModel."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NoReturn

from trainer import saved_model

#: TF Serving ignores what lies in a SavedModel's assets.extra, so a version can say where it comes from.
CARD = Path("assets.extra") / "clickbait.json"
_PUSHING, _REMOVING = ".pushing-", ".removing-"
_MAX_INT64 = 2**63 - 1
#: As absl's SimpleAtoi, by which TF Serving reads the names (tensorflow_serving/sources/storage_path).
_NUMBER = re.compile(r"\+?[0-9]{1,19}")


class PushError(Exception):
    """The serving folder could not be changed as asked; what it served, it still serves.

    Attributes:
      exit_code: 2 where the call or the configuration is wrong, 1 where something else is, e.g. the disk is full.
    """

    def __init__(self, message: str, *, exit_code: int = 1):
        super().__init__(message)
        self.exit_code = exit_code


@dataclasses.dataclass(frozen=True)
class VersionCard:
    """What a pushed version says of itself."""

    digest: str
    """sha256 of the SavedModel's content."""
    run_id: str
    """The run that made the model."""
    fingerprint: str
    """Equal for runs of one configuration, data and encoder."""
    pushed_at: str
    """UTC, ISO 8601."""
    restored_from: int | None = None
    """The version that a rollback put back as this one."""
    rollback_of: int | None = None
    """The version that was the newest before that rollback."""
    withdrawn: tuple[str, ...] = ()
    """Digests of the models that rollbacks took out of service so far; none of them is pushed by a run."""
    override: str = ""
    """Why it was pushed although it broke rules; empty for a model that kept them."""


def number_of(name: str) -> int | None:
    """The version that TF Serving takes a folder of that name for; None where for none.

    `007` and `+7` are 7 to it, while we write `7`.
    """
    number = int(name) if _NUMBER.fullmatch(name) else None
    return number if number is not None and number <= _MAX_INT64 else None


def next_version(names: Iterable[str]) -> int:
    """A version higher than all that TF Serving finds in folders of these names: the time in seconds, or later.

    Raises:
      PushError: there is none.
    """
    newest = max((number for number in map(number_of, names) if number is not None), default=0)
    if newest == _MAX_INT64:
        raise PushError(
            f"A version is a number up to {_MAX_INT64}. Received: a folder with that one. Remove it.", exit_code=2
        )
    return max(int(time.time()), newest + 1)


def list_versions(serving_dir: str | Path) -> list[int]:
    """The versions that TF Serving would load, ascending; of those, the ones named as we name them."""
    numbers = ((name, number_of(name)) for name in _names(serving_dir))
    known = sorted(number for name, number in numbers if number is not None and str(number) == name)
    return [number for number in known if _graph(serving_dir, number).is_file()]


def list_blessed(serving_dir: str | Path) -> list[int]:
    """The whole versions that others are measured by, ascending."""
    return [
        version
        for version in measures_for_others(read_cards(serving_dir))
        if saved_model.fault(Path(serving_dir) / str(version)) is None
    ]


def measures_for_others(cards: Mapping[int, VersionCard | None]) -> list[int]:
    """The versions that this project blessed and no rollback withdrew, in the order of the cards.

    A stranger's model may have other signatures; a model that was taken back, or pushed although it broke rules, is
    nothing to measure others by.
    """
    taken_back = withdrawn(cards)
    return [version for version, card in cards.items() if card and not card.override and card.digest not in taken_back]


def read_card(serving_dir: str | Path, version: int) -> VersionCard | None:
    """The card of a version; None where somebody else put the version there."""
    try:
        return parse_card((Path(serving_dir) / str(version) / CARD).read_bytes())
    except OSError:
        return None


def read_cards(serving_dir: str | Path) -> dict[int, VersionCard | None]:
    """The cards of all versions, by version, ascending."""
    return {version: read_card(serving_dir, version) for version in list_versions(serving_dir)}


def parse_card(text: bytes) -> VersionCard | None:
    """The card that is written so; None where it is none of ours."""
    try:
        card = VersionCard(**json.loads(text))
        return dataclasses.replace(card, withdrawn=tuple(card.withdrawn))
    except (ValueError, TypeError):
        return None


def withdrawn(cards: Mapping[int, VersionCard | None]) -> tuple[str, ...]:
    """Digests of the models that rollbacks took out of service: each card repeats them, so the newest has them all."""
    newest_first = (cards[version] for version in sorted(cards, reverse=True))
    return next((card.withdrawn for card in newest_first if card), ())


def write_version(model_dir: str | Path, serving_dir: str | Path, card: VersionCard, *, link: bool = False) -> int:
    """Puts a SavedModel into the serving folder as its newest version, whole or not at all.

    TF Serving loads whatever has a number for a name, complete or not: the copy is made under a name that is no
    number, flushed to the disk, compared with the model, and renamed.

    Args:
      model_dir: the SavedModel.
      serving_dir: the model's folder, made when missing; `serving_folder.claim_folder` keeps other writers out.
      card: laid into the version.
      link: makes hard links instead of copies: for a model that lies in the serving folder, where nothing is changed.

    Returns:
      The version: the time in seconds, or one more than the newest where that is later.

    Raises:
      PushError: the copy is not the model.
      OSError: e.g. the disk is full.
    """
    folder = Path(serving_dir)
    folder.mkdir(parents=True, exist_ok=True)
    version = next_version(_names(folder))
    copy = folder / f"{_PUSHING}{version}"
    copy.mkdir()
    try:
        _copy_tree(model_dir, copy, _link_or_copy if link else shutil.copy2)
        (copy / CARD).parent.mkdir(exist_ok=True)
        (copy / CARD).unlink(missing_ok=True)  # one that is a link is another version's, too
        (copy / CARD).write_text(json.dumps(dataclasses.asdict(card), indent=2), encoding="utf-8")
        for place in [*copy.rglob("*"), copy]:
            _flush(place)
        if not link and saved_model.digest(copy) != saved_model.digest(Path(model_dir)):
            raise PushError(
                f"A version is a copy of its model. Received: {copy}, which differs from {model_dir}. "
                "Run again; if it happens again, look for faults of the disk."
            )
        copy.rename(folder / str(version))
    except BaseException:
        shutil.rmtree(copy, ignore_errors=True)
        raise
    _flush(folder)
    return version


def remove_version(serving_dir: str | Path, version: int) -> None:
    """Deletes a version, which loses its number first: nobody sees a part of it under that.

    Raises:
      OSError: it cannot be deleted.
    """
    doomed = Path(serving_dir) / f"{_REMOVING}{version}"
    (Path(serving_dir) / str(version)).rename(doomed)
    _delete(doomed)


def remove_leftovers(serving_dir: str | Path) -> None:
    """Clears away what killed pushes and deletions left. Only for who keeps other writers out.

    Raises:
      OSError: it cannot be deleted.
    """
    for prefix in (_PUSHING, _REMOVING):
        for leftover in Path(serving_dir).glob(f"{prefix}*"):
            _delete(leftover)


def link_tree(source: str | Path, destination: str | Path) -> None:
    """Copies a folder of files that are never changed in place by hard links, or by copies across filesystems."""
    _copy_tree(source, Path(destination), _link_or_copy)


def _names(folder: str | Path) -> list[str]:
    return [child.name for child in Path(folder).iterdir()] if Path(folder).is_dir() else []


def _graph(serving_dir: str | Path, version: int) -> Path:
    return Path(serving_dir) / str(version) / saved_model.GRAPH


def _copy_tree(source: str | Path, destination: Path, copy: Callable[[str, Path], object]) -> None:
    # shutil.copytree goes on after an error and ends with one that has lost the system's error number.
    for parent, _, names in os.walk(source, onerror=_raise, followlinks=True):
        place = destination / Path(parent).relative_to(source)
        place.mkdir(parents=True, exist_ok=True)
        for name in sorted(names):
            copy(f"{parent}/{name}", place / name)


def _link_or_copy(source: str, destination: Path) -> None:
    try:
        os.link(source, destination)
    except FileExistsError:
        raise  # what is there may be a link itself, through which a copy would change another folder's file
    except OSError:
        shutil.copy2(source, destination)


def _delete(place: Path) -> None:
    """Deletes a folder, or what somebody else left in its place."""
    if place.is_symlink() or not place.is_dir():
        place.unlink()
    else:
        shutil.rmtree(place)


def _raise(error: OSError) -> NoReturn:
    raise error


def _flush(place: Path) -> None:
    descriptor = os.open(place, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
