"""Files on any of TFX's filesystems as streams of Python's io module, byte for byte.

What `fileio.open` returns is no such stream, and its lines lose carriage returns.
"""

from __future__ import annotations

import io


class TfxFile(io.RawIOBase):
    """A file's bytes, to be read once from its beginning.

    Args:
      path: on any filesystem; importing TensorFlow is left to who opens one.

    Raises:
      OSError: from reading, when the file cannot be read.
    """

    def __init__(self, path: str):
        from tfx.dsl.io import fileio

        self._file = fileio.open(path, "rb")

    def readable(self) -> bool:
        """Returns True."""
        return True

    def readinto(self, buffer: memoryview | bytearray) -> int:  # type: ignore[override]  # what Python's io hands over
        """Reads as `io.RawIOBase.readinto` does."""
        from tensorflow import errors

        try:
            data = self._file.read(len(buffer))
        except errors.OpError as error:
            raise OSError(error.message) from error
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Closes the file."""
        if not self.closed:
            self._file.close()
        super().close()


def open_csv(path: str) -> io.TextIOWrapper:
    """Opens a UTF-8 text for the csv module, with its line breaks unchanged."""
    return io.TextIOWrapper(io.BufferedReader(TfxFile(path), 1 << 16), encoding="utf-8", newline="")
