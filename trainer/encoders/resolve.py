"""Resolves the user's name of an encoder to a SavedModel folder on this machine."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import filelock

from trainer import saved_model
from trainer.encoders import archives, remote
from trainer.encoders.cache import cache_dir, seal_of
from trainer.encoders.embedded import ensure_embedded_encoder
from trainer.encoders.errors import EncoderError

EMBEDDED = "embedded"

# Seconds to wait for another process that downloads or unpacks the same module.
LOCK_LIMIT = 30 * 60

_SOURCES = (
    "Give `embedded`, a URL (https://tfhub.dev/PUBLISHER/MODEL/VERSION, a kaggle.com model page, any .tar.gz), "
    "a Kaggle handle (OWNER/MODEL/tensorFlow2/VARIATION/VERSION), a SavedModel folder, or a .tar.gz of one."
)

# The SavedModel folder and its digest.
Found = tuple[Path, str]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ResolvedEncoder:
    """An encoder on this machine: its source, the SavedModel folder, and the digest of its content."""

    source: str
    path: Path
    digest: str


def resolve_encoder(
    source: str, *, offline: bool = False, digest: str | None = None, cache: Path | None = None
) -> ResolvedEncoder:
    """Returns the encoder that `source` names, fetching, unpacking or building it where it is missing.

    An encoder in the cache is used without the network. A damaged entry of the cache is removed and made again.

    Args:
        source: `embedded`; a URL of tfhub.dev, kaggle.com or of any .tar.gz; a Kaggle handle
            `owner/model/tensorFlow2/variation/version`; a SavedModel folder; an archive of one.
        offline: never touch the network.
        digest: of the only content that is accepted, see `saved_model.digest`; any if not given.
        cache: the cache of encoders; `cache_dir()` if not given.

    Raises:
        EncoderError: it cannot be resolved. Without a network that takes about ten seconds at most.
    """
    cache = cache_dir() if cache is None else Path(cache)
    if not source.strip():
        raise EncoderError(f"An encoder must be named. Received: {source!r}. {_SOURCES}")
    try:
        if source == EMBEDDED:
            path = ensure_embedded_encoder(cache)
            received = saved_model.digest(path)
        elif Path(source).expanduser().exists():
            path, received = _local(Path(source).expanduser().absolute(), cache)
        elif url := remote.download_url(source):
            path, received = _remote(url.rstrip("/"), cache, offline)
        else:
            raise EncoderError(_unknown(source))
    except filelock.Timeout as error:
        raise EncoderError(
            f"An encoder must be fetched by one process at a time. Received: another one that has held "
            f"{error.lock_file} for {LOCK_LIMIT // 60} minutes. Wait for it or end it."
        ) from error
    except OSError as error:
        raise EncoderError(
            f"The files of the encoder {source} must be readable, and the cache writable. Received: {error}. Check the "
            f"permissions and the space of that folder; the cache is {cache} (CLICKBAIT_CACHE sets another)."
        ) from error
    if digest not in (None, received):
        raise EncoderError(
            f"The encoder {source} must have the digest {digest}. Received: {received} in {path}. An encoder is a "
            "program: do not load it before you know why it differs."
        )
    return ResolvedEncoder(source=source, path=path, digest=received)


def _local(path: Path, cache: Path) -> Found:
    if path.is_dir():
        if reason := saved_model.fault(path):
            inside = saved_model.locate(path)
            hint = f" Did you mean {inside}?" if inside != path else ""
            raise EncoderError(
                f"An encoder folder must be a TF2 SavedModel. Received: {path}; {reason}.{hint} {_SOURCES}"
            )
        return path, saved_model.digest(path)
    if not archives.is_archive(path):
        hint = f" Give its folder: --encoder {path.parent}." if path.name == saved_model.GRAPH else ""
        raise EncoderError(
            f"An encoder file must be a tar archive (.tar.gz, .tgz, .tar) of a SavedModel. Received: {path} "
            f"({path.stat().st_size:,} bytes), which is no tar archive.{hint} {_SOURCES}"
        )
    entry = cache / "archives" / saved_model.file_sha256(path)
    with _locked(entry):
        if found := _intact(entry):
            return found
        _discard(entry)
        archives.unpack(path, entry)
        return _accept(entry, f"the archive {path}", f"Pack the SavedModel folder itself. {_SOURCES}")


def _remote(url: str, cache: Path, offline: bool) -> Found:
    folder = cache / "hub"
    # tensorflow_hub's own name for the entry (https://www.tensorflow.org/hub/caching).
    entry = folder / hashlib.sha1(url.encode()).hexdigest()
    if found := _intact(entry):
        return found
    if offline:
        state = f"damaged in the cache ({_opened(entry)})" if entry.exists() else f"not in the cache {folder}"
        raise EncoderError(
            f"The encoder {url} must be in the cache where encoder.offline is set. Received: one that is {state}. Run "
            f"once without offline, or: {remote.way_out(url)}"
        )
    # Before the lock, so that a second process on a machine without network need not wait for the first one's failure.
    remote.probe(url)
    with _locked(entry):
        if found := _intact(entry):
            return found
        _discard(entry)
        remote.fetch(url, entry)
        return _accept(entry, f"the module at {url}", remote.way_out(url))


def _intact(entry: Path) -> Found | None:
    """Returns a cache entry that is whole; None where there is none."""
    if not entry.is_dir():
        return None
    try:
        found = _opened(entry)
    except FileNotFoundError:  # another process is making it again
        return None
    return None if isinstance(found, str) else found


def _opened(entry: Path) -> Found | str:
    """Returns a cache entry, or its fault.

    The seal, written when the entry was made, also detects a cut or changed variables file.
    """
    path = saved_model.locate(entry)
    if reason := saved_model.fault(path):
        return reason
    digest = saved_model.digest(path)
    if seal_of(entry).is_file() and seal_of(entry).read_text() != digest:
        return "its content has changed since it was stored"
    return path, digest


def _accept(entry: Path, what: str, advice: str) -> Found:
    """Seals a new cache entry, or removes it and raises if it holds no whole SavedModel."""
    found = _opened(entry)
    if isinstance(found, str):
        shutil.rmtree(entry)
        raise EncoderError(f"An encoder must be a TF2 SavedModel. Received: {what}; {found}. {advice}")
    seal_of(entry).write_text(found[1])
    return found


def _discard(entry: Path) -> None:
    """Removes a damaged entry and the leftovers of a killed download; the caller holds its lock."""
    if entry.is_dir():
        _log.warning("making the cached encoder %s again: %s", entry, _opened(entry))
    for path in entry.parent.glob(f"{entry.name}*"):
        if path == _lock_file(entry):
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def _lock_file(entry: Path) -> Path:
    # Not `.lock`, which is tensorflow_hub's.
    return entry.with_name(f"{entry.name}.filelock")


@contextlib.contextmanager
def _locked(entry: Path) -> Iterator[None]:
    entry.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(_lock_file(entry), timeout=LOCK_LIMIT):
        yield


def _unknown(source: str) -> str:
    rule = "An encoder must be a known source or an existing path."
    if "://" in source:
        return f"{rule} Received: {source!r}; of URLs, http and https are read. {_SOURCES}"
    parts = source.split("/")
    if len(parts) in (4, 5) and parts[0] not in ("", ".", "..", "~"):
        return f"{rule} Received: {source!r}; no such path, and no Kaggle handle with framework and version. {_SOURCES}"
    return f"{rule} Received: {source!r}; {Path(source).expanduser().absolute()} does not exist. {_SOURCES}"
