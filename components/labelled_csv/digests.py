"""The digests of files, and their errors as messages for the user."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path

from components.errors import InputError


def file_digest(path: str) -> str:
    """Returns the sha256 of a file's bytes.

    Raises:
      InputError: the file cannot be read.
    """
    digest = hashlib.sha256()
    with explained(path), Path(path).open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return f"sha256:{digest.hexdigest()}"


@contextlib.contextmanager
def explained(path: str) -> Iterator[None]:
    """Makes an error of the filesystem an InputError that names the path.

    Raises:
      InputError: for any of them.
    """
    try:
        yield
    except (OSError, RuntimeError) as error:  # no permission, a name too long, no such home
        raise InputError(
            f"The data must be there. Received: {path}: {getattr(error, 'strerror', None) or error}."
        ) from error
