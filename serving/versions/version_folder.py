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

from serving.whole_file import write_whole
from trainer import saved_model

#: TF Serving ignores the files in a SavedModel's assets.extra, so a version can hold a record of its origin.
EXTRA = "assets.extra"
CARD = Path(EXTRA) / "clickbait.json"
_PUSHING, _REMOVING = ".pushing-", ".removing-"
_MAX_INT64 = 2**63 - 1
#: As absl's SimpleAtoi, by which TF Serving reads the names (tensorflow_serving/sources/storage_path).
_NUMBER = re.compile(r"\+?[0-9]{1,19}")


class PushError(Exception):
    """The serving folder could not be changed; the served versions are untouched.

    Attributes:
      exit_code: 2 where the call or the configuration is wrong, 1 for other errors, e.g. a full disk.
    """

    def __init__(self, message: str, *, exit_code: int = 1):
        super().__init__(message)
        self.exit_code = exit_code


@dataclasses.dataclass(frozen=True)
class ChosenThreshold:
    """A decision threshold that was chosen for a version on labelled rows."""

    threshold: float
    """A score of at least that is clickbait."""
    unsure: tuple[float, float]
    """The band of scores too unsure for a class: below the first is news, from the second on is clickbait."""
    wanted: dict[str, float]
    """The share that it was chosen for, by its name: `precision`, `recall` or `coverage`."""
    shares: dict[str, tuple[float, float, float]]
    """On those rows, each with both ends of its 95 % interval: `precision` and `recall` at the threshold,
    `news_precision` below the band, and `coverage`, the share outside of it."""
    rows: int
    data: str
    """The labelled rows: a run's evaluation split, or a file."""
    chosen_at: str
    """UTC, ISO 8601."""


@dataclasses.dataclass(frozen=True)
class VersionCard:
    """The record of a pushed version, in its folder."""

    digest: str
    """sha256 of the SavedModel's content."""
    run_id: str
    """The run that made the model."""
    fingerprint: str
    """Equal for runs of one configuration, data and encoder."""
    pushed_at: str
    """UTC, ISO 8601."""
    restored_from: int | None = None
    """The version that a rollback restored as this one."""
    rollback_of: int | None = None
    """The version that was the newest before that rollback."""
    withdrawn: tuple[str, ...] = ()
    """Digests of the models that rollbacks withdrew so far; no run pushes them."""
    override: str = ""
    """Why it was pushed although rules failed; empty for a model that passed them."""
    threshold: ChosenThreshold | None = None
    """The file lacks the key where none was chosen."""

    def as_json(self) -> str:
        """Returns the card's text."""
        values = dataclasses.asdict(self)
        if self.threshold is None:
            del values["threshold"]
        return json.dumps(values, indent=2)


def number_of(name: str) -> int | None:
    """Returns the version that a folder's name stands for in TF Serving; None where it stands for none.

    `007` and `+7` are 7 to it, while we write `7`.
    """
    number = int(name) if _NUMBER.fullmatch(name) else None
    return number if number is not None and number <= _MAX_INT64 else None


def next_version(names: Iterable[str]) -> int:
    """Returns a version higher than those of all names: the time in seconds, or one more than the newest.

    Raises:
      PushError: there is no higher one.
    """
    newest = max((number for number in map(number_of, names) if number is not None), default=0)
    if newest == _MAX_INT64:
        raise PushError(
            f"A new version must be at most {_MAX_INT64}. Received: a folder with that number. Remove it.", exit_code=2
        )
    return max(int(time.time()), newest + 1)


def list_versions(serving_dir: str | Path) -> list[int]:
    """Returns the versions that TF Serving would load, ascending, without those whose names we would not write."""
    numbers = ((name, number_of(name)) for name in _names(serving_dir))
    known = sorted(number for name, number in numbers if number is not None and str(number) == name)
    return [number for number in known if _graph(serving_dir, number).is_file()]


def list_blessed(serving_dir: str | Path) -> list[int]:
    """Returns the whole versions that may be baselines, ascending."""
    return [
        version
        for version in baselines(read_cards(serving_dir))
        if saved_model.fault(Path(serving_dir) / str(version)) is None
    ]


def baselines(cards: Mapping[int, VersionCard | None]) -> list[int]:
    """Returns the versions that this project blessed and no rollback withdrew, in the order of the cards.

    A model of another origin may have other signatures; one that was withdrawn, or pushed although rules failed, is no
    baseline.
    """
    excluded = withdrawn(cards)
    return [version for version, card in cards.items() if card and not card.override and card.digest not in excluded]


def read_card(serving_dir: str | Path, version: int) -> VersionCard | None:
    """Reads the card of a version; None where this project did not push it."""
    try:
        return parse_card((Path(serving_dir) / str(version) / CARD).read_bytes())
    except OSError:
        return None


def read_cards(serving_dir: str | Path) -> dict[int, VersionCard | None]:
    """Reads the cards of all versions, by version, ascending."""
    return {version: read_card(serving_dir, version) for version in list_versions(serving_dir)}


def parse_card(text: bytes) -> VersionCard | None:
    """Parses a card; None where it is none of this project."""
    try:
        values = json.loads(text)
        threshold = _parse_threshold(values.pop("threshold", None))
        card = VersionCard(**values, threshold=threshold)
        return dataclasses.replace(card, withdrawn=tuple(card.withdrawn))
    except (ValueError, TypeError, AttributeError):
        return None


def write_card(serving_dir: str | Path, version: int, card: VersionCard) -> None:
    """Replaces the card of a version, atomically; the model, which servers have loaded, is untouched.

    Args:
      serving_dir: the model's folder; `lock.claim_folder` keeps other writers out.
      version: in that folder.
      card: the new one.

    Raises:
      OSError: it cannot be written; the card is as it was.
    """
    write_whole(Path(serving_dir) / str(version) / CARD, card.as_json(), flush=True)


def withdrawn(cards: Mapping[int, VersionCard | None]) -> tuple[str, ...]:
    """Returns the digests of the models that rollbacks withdrew: each card repeats them, so the newest has them all."""
    newest_first = (cards[version] for version in sorted(cards, reverse=True))
    return next((card.withdrawn for card in newest_first if card), ())


def require_whole(model_dir: str | Path) -> None:
    """Checks that a SavedModel is whole: TF Serving would load one without its variables and fail each call.

    Raises:
      PushError: it is not.
    """
    if fault := saved_model.fault(Path(model_dir)):
        raise PushError(
            f"A pushed model must be a whole SavedModel. Received: {model_dir}: {fault}. Run again with --fresh."
        )


def write_version(model_dir: str | Path, serving_dir: str | Path, card: VersionCard, *, link: bool = False) -> int:
    """Writes a SavedModel into the serving folder as its newest version, atomically.

    TF Serving loads whatever has a number for a name, complete or not: the copy is made under a name that is no
    number, flushed to the disk, compared with the model, and renamed.

    Args:
      model_dir: the SavedModel.
      serving_dir: the model's folder, made where it is missing; `lock.claim_folder` keeps other writers out.
      card: written into the version.
      link: makes hard links instead of copies: for a model in the serving folder, where no file is changed.

    Returns:
      The version: the time in seconds, or one more than the newest where that is later.

    Raises:
      PushError: the copy differs from the model.
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
        (copy / CARD).unlink(missing_ok=True)  # a link to a card is another version's, too
        (copy / CARD).write_text(card.as_json(), encoding="utf-8")
        for path in [*copy.rglob("*"), copy]:
            _flush(path)
        if not link and saved_model.digest(copy) != saved_model.digest(Path(model_dir)):
            raise PushError(
                f"A version must be a copy of its model. Received: {copy}, which differs from {model_dir}. "
                "Run again; if it happens again, look for faults of the disk."
            )
        copy.rename(folder / str(version))
    except BaseException:
        shutil.rmtree(copy, ignore_errors=True)
        raise
    _flush(folder)
    return version


def remove_version(serving_dir: str | Path, version: int) -> None:
    """Deletes a version after renaming it, so that no server sees a part of it under its number.

    Raises:
      OSError: it cannot be deleted.
    """
    doomed = Path(serving_dir) / f"{_REMOVING}{version}"
    (Path(serving_dir) / str(version)).rename(doomed)
    _delete(doomed)


def remove_leftovers(serving_dir: str | Path) -> None:
    """Removes the leftovers of killed pushes and deletions. The caller must keep other writers out.

    Raises:
      OSError: it cannot be deleted.
    """
    for prefix in (_PUSHING, _REMOVING):
        for leftover in Path(serving_dir).glob(f"{prefix}*"):
            _delete(leftover)


def link_tree(source: str | Path, destination: str | Path) -> None:
    """Copies a folder by hard links, or by copies across filesystems; its files must never be changed in place."""
    _copy_tree(source, Path(destination), _link_or_copy)


def link_over(source: str | Path, destination: str | Path) -> None:
    """As `link_tree`, in place of what the destination has of the same names."""
    for file in Path(source).rglob("*"):
        if file.is_file():
            Path(destination, file.relative_to(source)).unlink(missing_ok=True)
    link_tree(source, destination)


def _parse_threshold(values: object) -> ChosenThreshold | None:
    """Returns None for what is no threshold: the version is this project's all the same."""
    try:
        chosen = ChosenThreshold(**values)  # type: ignore[arg-type]  # a value that is no mapping raises
        low, high = map(float, chosen.unsure)
        if not 0 <= low <= high <= 1 or "coverage" not in chosen.shares:
            return None
        shares = {name: (float(value), float(begin), float(end)) for name, (value, begin, end) in chosen.shares.items()}
        wanted = {name: float(share) for name, share in chosen.wanted.items()}
        return dataclasses.replace(
            chosen, threshold=float(chosen.threshold), unsure=(low, high), shares=shares, wanted=wanted
        )
    except (ValueError, TypeError, AttributeError):
        return None


def _names(folder: str | Path) -> list[str]:
    return [child.name for child in Path(folder).iterdir()] if Path(folder).is_dir() else []


def _graph(serving_dir: str | Path, version: int) -> Path:
    return Path(serving_dir) / str(version) / saved_model.GRAPH


def _copy_tree(source: str | Path, destination: Path, copy: Callable[[str, Path], object]) -> None:
    # shutil.copytree goes on after an error and ends with one that has lost the system's error number.
    for parent, _, names in os.walk(source, onerror=_raise, followlinks=True):
        folder = destination / Path(parent).relative_to(source)
        folder.mkdir(parents=True, exist_ok=True)
        for name in sorted(names):
            copy(f"{parent}/{name}", folder / name)


def _link_or_copy(source: str, destination: Path) -> None:
    try:
        os.link(source, destination)
    except FileExistsError:
        raise  # the existing file may be a link, through which a copy would change another folder's file
    except OSError:
        shutil.copy2(source, destination)


def _delete(path: Path) -> None:
    """Deletes a folder, or a file or link of its name."""
    if path.is_symlink() or not path.is_dir():
        path.unlink()
    else:
        shutil.rmtree(path)


def _raise(error: OSError) -> NoReturn:
    raise error


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
