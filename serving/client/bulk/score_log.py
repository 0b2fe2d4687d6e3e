"""The scores of a file so far, on disk, so that a run that was killed resumes where it was.

Only scores are expensive; the rows are read again. The log is a sequence of records: how many scores, their checksum,
the scores. A record that is not whole, the last one of a killed run, counts for nothing and is overwritten.
"""

from __future__ import annotations

import array
import json
import os
import struct
import sys
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, TypeAlias

from serving.whole_file import write_whole

Identity: TypeAlias = Mapping[str, str | int | None]
"""The inputs that scores depend on, by name."""

_HEAD = struct.Struct("<II")
_SCORE_BYTES = 8
_MAX_SCORES = 1 << 24


class ScoreLog:
    """The scores of one input by one model version.

    Args:
      folder: of this log alone.
      identity: the inputs that the scores depend on; a log of another identity is started over.

    Attributes:
      rows: how many scores are on disk.
      changes: where a log was started over, the differences of the identity: names to (was, is).
    """

    def __init__(self, folder: Path, identity: Identity):
        self._path = folder / "scores"
        state_path = folder / "state.json"
        self.changes = _changes(state_path, identity)
        if self.changes or not self._path.exists():
            self._path.write_bytes(b"")
            write_whole(state_path, json.dumps(identity, indent=2), flush=True)
        self._stream: BinaryIO = self._path.open("r+b")
        self.rows = sum(len(scores) for scores in self._read(self._stream))
        self._stream.truncate()

    def append(self, scores: Sequence[float]) -> None:
        """Adds scores, and returns when they are on the disk."""
        values = array.array("d", scores)
        if sys.byteorder == "big":
            values.byteswap()
        content = values.tobytes()
        self._stream.write(_HEAD.pack(len(values), zlib.crc32(content)) + content)
        self._stream.flush()
        os.fsync(self._stream.fileno())
        self.rows += len(values)

    def read(self) -> Iterator[float]:
        """Yields all scores, in order."""
        with self._path.open("rb") as stream:
            for scores in self._read(stream):
                yield from scores

    def close(self) -> None:
        """Closes the file."""
        self._stream.close()

    def _read(self, stream: BinaryIO) -> Iterator[array.array[float]]:
        """Yields the whole records; leaves the stream after the last."""
        end = 0
        while len(head := stream.read(_HEAD.size)) == _HEAD.size:
            count, checksum = _HEAD.unpack(head)
            content = stream.read(count * _SCORE_BYTES) if count <= _MAX_SCORES else b""
            if len(content) != count * _SCORE_BYTES or zlib.crc32(content) != checksum:
                break
            end = stream.tell()
            values = array.array("d", content)
            if sys.byteorder == "big":
                values.byteswap()
            yield values
        stream.seek(end)


def _changes(state_path: Path, identity: Identity) -> dict[str, tuple[object, object]]:
    try:
        known = json.loads(state_path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        return {"state": ("unreadable", "new")}
    if not isinstance(known, dict):
        return {"state": ("unreadable", "new")}
    return {name: (known.get(name), value) for name, value in identity.items() if known.get(name) != value}
