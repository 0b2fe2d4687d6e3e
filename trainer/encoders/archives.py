"""Unpacks a tar archive of a SavedModel: nothing outside the target, atomically, and within bounds."""

from __future__ import annotations

import contextlib
import gzip
import io
import shutil
import tarfile
import uuid
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from trainer.encoders.errors import EncoderError

MOST_BYTES = 16 << 30
"""Of an archive, packed or unpacked; the largest text encoders of TF Hub and Kaggle have 2 GB."""
MOST_MEMBERS = 10_000
_SPARE_BYTES = 1 << 30  # left free on the disk
_MOST_HEADER_BYTES = 1 << 20
_BLOCK_BYTES = 1 << 20
_GZIP = b"\x1f\x8b"
_DAMAGED = (tarfile.TarError, EOFError, zlib.error)
_CLASHES = (FileExistsError, IsADirectoryError, NotADirectoryError)  # a name for a file and for a folder
_DISTRUST = "Do not use an archive that you do not trust; pack the SavedModel folder anew."


def is_archive(path: Path) -> bool:
    """Returns whether the file starts like a tar, plain or compressed with gzip."""
    try:
        with _opened(path, str(path)):
            return True
    except (*_DAMAGED, OSError):
        with path.open("rb") as stream:
            # A gzip file that is cut off in its first block is a damaged archive, not a foreign file.
            return stream.read(2) == _GZIP


def unpack(archive: Path, target: Path, name: str | None = None) -> None:
    """Unpacks `archive` into the new folder `target`, atomically.

    Only files and folders are taken, as in any SavedModel. The caller holds a lock on `target`: temporary folders
    that a killed process left beside it are removed.

    Args:
        archive: a tar, plain or compressed with gzip.
        target: does not exist.
        name: of the archive in messages; its path if not given.

    Raises:
        EncoderError: the archive is damaged, a member is a link or a device or leads out of `target`, or the archive
            exceeds the bounds or the disk.
    """
    name = name or str(archive)
    target.parent.mkdir(parents=True, exist_ok=True)
    for left_over in target.parent.glob(f"{target.name}.*.tmp"):
        shutil.rmtree(left_over, ignore_errors=True)
    temporary = target.with_name(f"{target.name}.{uuid.uuid4().hex}.tmp")
    temporary.mkdir()
    try:
        with _opened(archive, name) as (members, source):
            for number, member in enumerate(members, start=1):
                path = _path(member, temporary, name)
                require_room(source.used, member.size, temporary, name)
                if number > MOST_MEMBERS:
                    raise EncoderError(
                        f"An encoder archive must have at most {MOST_MEMBERS:,} files and folders. Received: more in "
                        f"{name}. {_DISTRUST}"
                    )
                source.allow(member.size)
                _extract(members, member, path)
            # The checksum of a gzip file stands behind the end of the tar, where tarfile does not read.
            while source.read(_BLOCK_BYTES // 2):
                pass
        temporary.rename(target)
    except (*_DAMAGED, OSError) as error:
        if isinstance(error, OSError) and error.errno and not isinstance(error, _CLASHES):
            raise EncoderError(
                f"The folder for the encoder archive {name} must be writable. Received: {target.parent}: "
                f"{error.strerror}. Make room there, or set CLICKBAIT_CACHE to another folder."
            ) from error
        raise EncoderError(
            f"The encoder archive {name} must be whole. Received: {archive.stat().st_size:,} bytes, damaged or cut "
            f"off: {error}. Download it again, and compare its size and checksum with those of the source."
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def require_room(before: int, size: int, folder: Path, name: str) -> None:
    """Checks that the next bytes of an archive, packed or unpacked, are within the bounds and fit on the disk.

    Args:
        before: its bytes so far.
        size: of the next bytes.
        folder: where they are written.
        name: of the archive in messages.

    Raises:
        EncoderError: they are not, or do not; the message gives the limit in bytes.
    """
    if before + size > MOST_BYTES:
        raise EncoderError(
            f"An encoder archive must hold at most {MOST_BYTES:,} bytes. Received: more in {name}. {_DISTRUST}"
        )
    if (free := shutil.disk_usage(folder).free) - size < _SPARE_BYTES:
        raise EncoderError(
            f"The disk of {folder.parent} must keep {_SPARE_BYTES:,} bytes free. Received: {free:,} bytes, and "
            f"{size:,} that come next of the encoder archive {name}. Make room there, or set CLICKBAIT_CACHE to "
            "another folder."
        )


class _Metered:
    """A stream for tarfile with a bound on headers, which tarfile reads to their ends, however long.

    Attributes:
        used: bytes that were read.
    """

    def __init__(self, stream: io.BufferedIOBase, name: str):
        self.used = 0
        self._stream = stream
        self._name = name
        self._allowed = _MOST_HEADER_BYTES

    def allow(self, size: int) -> None:
        """Allows reading so many bytes of a member, and the next header."""
        self._allowed = self.used + size + _MOST_HEADER_BYTES

    def read(self, size: int) -> bytes:
        """Reads at most `size` bytes.

        Raises:
            EncoderError: the bound is exceeded.
        """
        if self.used > self._allowed:
            raise EncoderError(
                f"An encoder archive must have {_MOST_HEADER_BYTES:,} bytes at most between its files. Received: more "
                f"in {self._name}. {_DISTRUST}"
            )
        block = self._stream.read(size)
        self.used += len(block)
        return block


@contextlib.contextmanager
def _opened(archive: Path, name: str) -> Iterator[tuple[tarfile.TarFile, _Metered]]:
    with contextlib.ExitStack() as stack:
        packed = stack.enter_context(archive.open("rb"))
        is_gzip = packed.peek(len(_GZIP)).startswith(_GZIP)
        source = _Metered(stack.enter_context(gzip.GzipFile(fileobj=packed)) if is_gzip else packed, name)
        # The stub asks for more than `read`, which is all that the mode "r|" uses.
        with tarfile.open(fileobj=source, mode="r|", bufsize=_BLOCK_BYTES // 4) as members:  # type: ignore[call-overload]
            yield members, source


def _path(member: tarfile.TarInfo, target: Path, name: str) -> Path:
    path = PurePosixPath(member.name)
    is_plain = (member.isfile() and not member.issparse()) or member.isdir()
    if path.is_absolute() or ".." in path.parts or not is_plain:
        raise EncoderError(
            f"An encoder archive must hold files and folders below its own root only. Received: {member.name!r} "
            f"in {name}. {_DISTRUST}"
        )
    return target.joinpath(*path.parts)


def _extract(members: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    if member.isdir():
        path.mkdir(parents=True, exist_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    packed = members.extractfile(member)
    assert packed is not None  # `_path` let files and folders pass, and it is no folder
    with packed as source, path.open("wb") as out:
        shutil.copyfileobj(source, out, _BLOCK_BYTES)
