"""TFRecord files without TensorFlow: for each record its length, that length's checksum, the content, its checksum."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from typing import BinaryIO

import google_crc32c

_LENGTH = struct.Struct("<Q")
_CHECKSUM = struct.Struct("<I")
_HEAD_BYTES = _LENGTH.size + _CHECKSUM.size
_MASK_DELTA = 0xA282EAD8
MOST_RECORD_BYTES = 1 << 28
"""Far more than a server takes in one call."""


class RecordError(ValueError):
    """The next bytes of a file are not a whole record.

    Attributes:
      torn: whether the file ends within a record, as that of a killed writer does; else its bytes were changed.
    """

    def __init__(self, message: str, *, torn: bool):
        super().__init__(message)
        self.torn = torn


def frame(content: bytes) -> bytes:
    """Returns a record as it is written to a file."""
    length = _LENGTH.pack(len(content))
    return b"".join([length, _checksum(length), content, _checksum(content)])


def read_records(stream: BinaryIO | io.BufferedIOBase) -> Iterator[bytes]:
    """Yields the records of a file, in order.

    Raises:
      RecordError: the bytes after the last whole record are not a record.
    """
    while head := stream.read(_HEAD_BYTES):
        length = head[: _LENGTH.size]
        if len(head) == _HEAD_BYTES and head[_LENGTH.size :] != _checksum(length):
            raise RecordError("the checksum of a record's length is wrong", torn=False)
        size = _LENGTH.unpack(length)[0] if len(head) == _HEAD_BYTES else 0
        if size > MOST_RECORD_BYTES:
            raise RecordError(f"a record's length is {size:,} bytes, more than that of any request", torn=False)
        content = stream.read(size)
        end = stream.read(_CHECKSUM.size)
        if len(head) < _HEAD_BYTES or len(content) < size or len(end) < _CHECKSUM.size:
            raise RecordError("the file ends within a record", torn=True)
        if end != _checksum(content):
            raise RecordError("a record's checksum is wrong", torn=False)
        yield content


def _checksum(content: bytes) -> bytes:
    """CRC32C, rotated and moved, so that it is no checksum of bytes that hold checksums themselves."""
    crc = google_crc32c.value(content)
    return _CHECKSUM.pack(((crc >> 15 | crc << 17) + _MASK_DELTA) & 0xFFFFFFFF)
