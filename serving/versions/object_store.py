"""Pushes into an object store, which has no renames and no locks.

TF Serving loads whatever prefix has a number for a name, and gives a version up that fails to load a few times. So a
version is uploaded under a name that is no number, checked, and copied within the store to its number, which takes
seconds: `saved_model.pb`, without which nothing loads, comes last, and goes first when a version is removed.

The caller must prevent two pushes at once into one folder (in Kubeflow Pipelines: no concurrent runs).
"""

from __future__ import annotations

import contextlib
import logging
import posixpath
import time
from collections.abc import Iterator
from pathlib import Path

import fsspec

from serving.versions import retention, stores, version_folder
from serving.versions.push import PUSHED, Push, choose_outcome, utc_now
from serving.versions.version_folder import PushError, VersionCard
from trainer import saved_model

logger = logging.getLogger("components")

_PUSHING = ".pushing-"
_ABANDONED_SECONDS = 3600


def push_to_store(
    model_dir: str | Path,
    url: str,
    *,
    run_id: str,
    fingerprint: str,
    keep_versions: int,
    override: str = "",
    **options: object,
) -> Push:
    """Pushes a SavedModel into an object store, as `push_model` does into a folder.

    Args:
      model_dir: the SavedModel.
      url: the folder of versions that TF Serving watches, e.g. `s3://bucket/serving/clickbait`.
      run_id: for the card.
      fingerprint: for the card.
      keep_versions: how many versions to keep, see `retention`.
      override: for the card.
      **options: of fsspec's filesystem, e.g. `endpoint_url`; left out, the environment's.

    Raises:
      PushError: the model is not whole, the URL is no store's, the store cannot be reached or written, or holds other
        bytes than were sent.
    """
    version_folder.require_whole(model_dir)
    with _explained(url):
        store = _Store(*stores.open_store(url, **options))
        digest = saved_model.digest(Path(model_dir))
        cards = store.read_cards()
        newest_is_whole = bool(cards) and store.holds(model_dir, max(cards))
        if settled := choose_outcome(cards, digest, newest_is_whole=newest_is_whole):
            return settled
        store.remove_abandoned()
        withdrawn = version_folder.withdrawn(cards)
        card = VersionCard(digest, run_id, fingerprint, utc_now(), withdrawn=withdrawn, override=override)
        version = store.write_version(model_dir, card)
        removable = retention.choose_removable({**cards, version: card}, keep_versions)
        try:
            for old in removable:
                store.remove_version(old)
        except stores.store_errors() as error:
            logger.warning("version %d is pushed, but old ones could not be removed: %s", version, error)
    return Push(PUSHED, version)


def newest_blessed(url: str, **options: object) -> int | None:
    """Returns the newest whole version that this project blessed and no rollback withdrew; None where there is none.

    Args:
      url: as `push_to_store`'s.
      **options: as `push_to_store`'s.

    Raises:
      StoreError: the URL is no store's, or the store cannot be read.
    """
    with stores.explained(url):
        store = _Store(*stores.open_store(url, **options))
        newest_first = sorted(version_folder.baselines(store.read_cards()), reverse=True)
        return next((version for version in newest_first if not store.find_fault(version)), None)


def read_versions(url: str, **options: object) -> tuple[dict[int, VersionCard | None], dict[int, str | None]]:
    """Reads the cards of all versions, and what is missing of them by the sizes of their files; ascending.

    Args:
      url: as `push_to_store`'s.
      **options: as `push_to_store`'s.

    Raises:
      StoreError: the URL is no store's, or the store cannot be read.
    """
    with stores.explained(url):
        store = _Store(*stores.open_store(url, **options))
        cards = store.read_cards()
        return cards, {version: store.find_fault(version) for version in cards}


def fetch_version(url: str, version: str, target: Path, **options: object) -> None:
    """Copies a version from a store into a folder.

    Args:
      url: as `push_to_store`'s.
      version: its number.
      target: the folder.
      **options: as `push_to_store`'s.

    Raises:
      StoreError: the URL is no store's, the store cannot be read, or does not have the whole version.
    """
    with stores.explained(url):
        store = _Store(*stores.open_store(url, **options))
        if store.has_graph(version) and (fault := store.find_fault(version)):
            raise stores.StoreError(
                f"A version must be whole. Received: {url}/{version}: {fault}. Push its model again, and remove it."
            )
        store.fetch_version(version, target)


class _Store:
    """The folder of versions in a store.

    Nothing is conditional here, by generations or entity tags: what counts is that a listing shows at once what was
    written or removed, and that a copy is whole or is not there. S3 and Google Cloud Storage promise both.
    """

    def __init__(self, filesystem: fsspec.AbstractFileSystem, root: str):
        self._files = filesystem
        self._root = root.rstrip("/")

    def list_versions(self) -> list[int]:
        """Returns the versions that TF Serving could load, ascending."""
        numbers = ((name, version_folder.number_of(name)) for name in self._names())
        known = sorted(number for name, number in numbers if number is not None and str(number) == name)
        return [number for number in known if self.has_graph(number)]

    def has_graph(self, version: str | int) -> bool:
        return bool(self._files.exists(self._path(version, saved_model.GRAPH)))

    def read_cards(self) -> dict[int, VersionCard | None]:
        return {version: self.read_card(version) for version in self.list_versions()}

    def find_fault(self, version: str | int) -> str | None:
        """Returns what is missing of a version, by the sizes of its files; None where it is whole."""
        return saved_model.variables_fault(self._sizes(str(version)))

    def read_card(self, version: int) -> VersionCard | None:
        try:
            return version_folder.parse_card(self._files.cat_file(self._path(version, version_folder.CARD)))
        except FileNotFoundError:
            return None

    def holds(self, model_dir: str | Path, version: int) -> bool:
        """Returns whether a version has all of a model's files, by their sizes: reading them would download them."""
        there = self._sizes(str(version))
        return all(there.get(name) == size for name, size in _local_sizes(model_dir).items() if _is_model(name))

    def fetch_version(self, version: str, target: Path) -> None:
        names = stores.find_names(self._files, self._path(version))
        if str(saved_model.GRAPH) not in names:
            raise FileNotFoundError(f"no version {version}")
        for inside, name in names.items():
            (target / inside).parent.mkdir(parents=True, exist_ok=True)
            self._files.get_file(name, str(target / inside))

    def write_version(self, model_dir: str | Path, card: VersionCard) -> int:
        version = version_folder.next_version(self._names())
        staging = f"{_PUSHING}{version}"
        expected = _local_sizes(model_dir)
        try:
            for name in expected:
                self._files.put_file(f"{model_dir}/{name}", self._path(staging, name))
            text = card.as_json().encode()
            self._files.pipe_file(self._path(staging, version_folder.CARD), text)
            expected[str(version_folder.CARD)] = len(text)
            if (there := self._sizes(staging)) != expected:
                differing = sorted(name for name in {*there, *expected} if there.get(name) != expected.get(name))
                raise PushError(
                    f"A version must be a copy of its model. Received: {self._path(staging)}, which differs in "
                    f"{', '.join(differing[:3])}. Run again."
                )
            for name in sorted(expected, key=lambda name: name == saved_model.GRAPH):
                self._files.cp_file(self._path(staging, name), self._path(version, name))
        except BaseException:
            with contextlib.suppress(*stores.store_errors()):
                self.remove_version(version)
            raise
        finally:
            with contextlib.suppress(*stores.store_errors()):  # the next push that finds it abandoned removes it
                self._remove(staging)
        return version

    def remove_version(self, version: int) -> None:
        """Removes a version, its graph first: without it TF Serving loads nothing."""
        with contextlib.suppress(FileNotFoundError):
            self._files.rm_file(self._path(version, saved_model.GRAPH))
        self._remove(str(version))

    def remove_abandoned(self) -> None:
        """Removes the leftovers of killed pushes: uploads and versions without a graph, older than an hour."""
        whole = {*self.list_versions()}
        limit = time.time() - _ABANDONED_SECONDS
        for name in self._names():
            number = name.removeprefix(_PUSHING)
            if number.isdigit() and int(number) < limit and (name != number or int(number) not in whole):
                self._remove(name)

    def _remove(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._files.rm(self._path(name), recursive=True)

    def _names(self) -> list[str]:
        self._files.invalidate_cache()
        try:
            return [posixpath.basename(path.rstrip("/")) for path in self._files.ls(self._root, detail=False)]
        except FileNotFoundError:
            return []

    def _sizes(self, name: str) -> dict[str, int]:
        self._files.invalidate_cache()
        folder = self._path(name)
        sizes = stores.find_sizes(self._files, folder)
        return {posixpath.relpath(path, folder): size for path, size in sizes.items()}

    def _path(self, name: str | int, inside: str | Path = "") -> str:
        return posixpath.join(self._root, str(name), *Path(inside).parts)


def _local_sizes(model_dir: str | Path) -> dict[str, int]:
    files = (path for path in sorted(Path(model_dir).rglob("*")) if path.is_file())
    return {path.relative_to(model_dir).as_posix(): path.stat().st_size for path in files}


def _is_model(name: str) -> bool:
    return not name.startswith("assets.extra/")


@contextlib.contextmanager
def _explained(url: str) -> Iterator[None]:
    try:
        yield
    except stores.url_errors() as error:
        lasting = stores.is_lasting(error)
        way_out = "are untouched" if lasting else "are untouched: run again"
        raise PushError(
            f"{stores.explain(url, error)} The served versions {way_out}.", exit_code=2 if lasting else 1
        ) from error
