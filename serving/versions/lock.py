"""The lock of a serving folder, for one writer at a time, and the messages of its errors."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path

from serving.versions import version_folder
from serving.versions.version_folder import PushError

logger = logging.getLogger("components")

PATIENCE_SECONDS = 60.0
"""How long to wait for another push or rollback."""

_POLL_SECONDS = 0.1
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NOT_OURS = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP)


@contextlib.contextmanager
def claim_folder(serving_dir: str | Path, patience: float = PATIENCE_SECONDS) -> Iterator[Path]:
    """Locks a serving folder against other pushes and rollbacks, and removes the leftovers of killed ones.

    Args:
      serving_dir: the model's folder, made where it is missing.
      patience: seconds to wait for another writer.

    Yields:
      The folder.

    Raises:
      PushError: also for an OSError of what is done with the folder.
    """
    if "://" in str(serving_dir):
        raise PushError(
            f"The serving folder must be on a filesystem, which has locks. Received: {serving_dir}. In an object "
            "store, copy the version to a higher number by hand, saved_model.pb last.",
            exit_code=2,
        )
    folder = Path(serving_dir)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder, patience):
            version_folder.remove_leftovers(folder)
            yield folder
    except OSError as error:
        raise _explain(folder, error) from error


@contextlib.contextmanager
def _locked(folder: Path, patience: float) -> Iterator[None]:
    # The folder itself is locked: a lock file would be one more thing in what TF Serving watches.
    descriptor = os.open(folder, os.O_RDONLY)
    deadline = time.monotonic() + patience
    try:
        while not _lock(descriptor, folder):
            if time.monotonic() > deadline:
                raise PushError(
                    f"A serving folder must be changed by one push or rollback at a time. Received: {folder}, which "
                    f"another has locked for {patience:g} s. Wait for it and try again."
                )
            time.sleep(_POLL_SECONDS)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: Path) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        # NFS locks no folders.
        logger.warning("%s cannot be locked (%s): make sure that only one push runs there", folder, error.strerror)
    return True


def _explain(folder: Path, error: OSError) -> PushError:
    where = f" ({error.filename})" if error.filename and str(error.filename) != str(folder) else ""
    received = f"Received: {folder}: {error.strerror or error}{where}."
    kept = "The served versions are untouched"
    if error.errno in _NO_SPACE:
        return PushError(
            f"The serving folder must have room for a whole new version. {received} {kept}: free some space, or keep "
            "fewer versions, and run again."
        )
    if error.errno in _NOT_OURS:
        return PushError(
            f"The serving folder must be writable. {received} {kept}: make it writable, or give another.", exit_code=2
        )
    return PushError(f"A version must be written whole. {received} {kept}: run again.")
