"""Unpacks a tar archive of a SavedModel: nothing outside the target, nothing half done."""

from __future__ import annotations

import lzma
import shutil
import tarfile
import uuid
import zlib
from pathlib import Path, PurePosixPath

from trainer.encoders.errors import EncoderError

# What the decompressors raise on an archive that is cut off or damaged.
_DAMAGED = (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError)


def is_archive(path: Path) -> bool:
    """Says whether the file starts as a tar, plain or compressed with gzip, bzip2 or xz, does."""
    try:
        with tarfile.open(path):
            return True
    except (*_DAMAGED, OSError):
        with path.open("rb") as stream:
            # A gzip file that is cut off in its first block is a damaged archive, not a foreign file.
            return stream.read(2) == b"\x1f\x8b"


def unpack(archive: Path, target: Path) -> None:
    """Unpacks `archive` into the new folder `target`, which appears whole or not at all.

    Only files and folders are taken, as in any SavedModel. The caller holds a lock on `target`: temporary folders
    that a killed process left beside it are removed.

    Raises: `EncoderError` for a damaged archive and for a member that is a link, a device or leads out of `target`.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    for left_over in target.parent.glob(f"{target.name}.*.tmp"):
        shutil.rmtree(left_over, ignore_errors=True)
    temporary = target.with_name(f"{target.name}.{uuid.uuid4().hex}.tmp")
    temporary.mkdir()
    try:
        with tarfile.open(archive) as members:
            for member in members:
                _extract(archive, members, member, temporary)
            # The checksum of a gzip file stands behind the end of the tar, where tarfile does not read.
            while members.fileobj.read(1 << 20):
                pass
        temporary.rename(target)
    except (*_DAMAGED, OSError) as error:
        if isinstance(error, OSError) and error.errno:
            raise EncoderError(
                f"The encoder archive {archive} cannot be unpacked into {target.parent}: {error.strerror}. "
                "Make room there, or set CLICKBAIT_CACHE to another folder."
            ) from error
        raise EncoderError(
            f"The encoder archive {archive} ({archive.stat().st_size:,} bytes) is damaged or cut off: {error}. "
            "Download it again, and compare its size and checksum with those of the source."
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _extract(archive: Path, members: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    name = PurePosixPath(member.name)
    if name.is_absolute() or ".." in name.parts or not (member.isfile() or member.isdir()):
        raise EncoderError(
            f"An encoder archive holds files and folders below its own root only. Received: {member.name!r} "
            f"in {archive}. Do not use an archive that you do not trust; pack the SavedModel folder anew."
        )
    path = target.joinpath(*name.parts)
    if member.isdir():
        path.mkdir(parents=True, exist_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with members.extractfile(member) as source, path.open("wb") as out:
        shutil.copyfileobj(source, out, 1 << 20)
