"""Bounds for untrusted input: gzip, lines, CSV and YAML that expand, and text with control characters."""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO, TypeVar

if TYPE_CHECKING:
    from _csv import Reader
    from _io import _BufferedReaderStream

    import yaml

_Stream = TypeVar("_Stream", bound="_BufferedReaderStream")

MOST_EXPANSION = 50
"""Times that gzip may make text smaller; CSV and JSON become 3 to 30 times smaller, a bomb 200 to 1,000 times."""
_BUFFER_BYTES = 1 << 16
_FREE_BYTES = 1 << 22  # a few rows that come again and again are no attack yet

MAX_LINE_CHARACTERS = 1 << 24
MAX_FIELD_CHARACTERS = 1 << 20
"""Of a row of CSV: one may be long; a quote that is never closed must not read a file of any size into one field."""
csv.field_size_limit(MAX_FIELD_CHARACTERS)  # of the process: rejected rows are written and read back elsewhere

# Of Unicode: controls but line feed and tab, and what turns the direction of the text around it.
_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_MOST_YAML_NODES = 100_000
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")


class Gunzip(gzip.GzipFile):
    """A gzip stream that raises an OSError where it expands far more than text does.

    Args:
      packed: the compressed bytes.

    Example:
        >>> import io
        >>> Gunzip(io.BytesIO(gzip.compress(b"title,label"))).read()
        b'title,label'
    """

    def __init__(self, packed: BinaryIO):
        self._packed = _Counted(packed)
        self._unpacked_bytes = 0
        super().__init__(fileobj=self._packed, mode="rb")

    def read(self, size: int | None = -1) -> bytes:
        """As `GzipFile.read`."""
        return self._checked(super().read(size))

    def read1(self, size: int = -1) -> bytes:
        """As `GzipFile.read1`."""
        return self._checked(super().read1(size))

    def _checked(self, block: bytes) -> bytes:
        self._unpacked_bytes += len(block)
        if self._unpacked_bytes > _FREE_BYTES + MOST_EXPANSION * self._packed.count:
            raise OSError(
                f"it unpacks to more than {MOST_EXPANSION} times its size, which text never does; give it unpacked if "
                "you trust it"
            )
        return block


class _Counted:
    def __init__(self, stream: BinaryIO):
        self.count = 0
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        block = self._stream.read(size)
        self.count += len(block)
        return block

    def seek(self, offset: int) -> int:
        return self._stream.seek(offset)


@contextlib.contextmanager
def unpacked(
    packed: io.BufferedReader[_Stream],
) -> Iterator[io.BufferedReader[_Stream] | io.BufferedReader[Gunzip]]:
    """Yields a stream of the bytes, decompressed where they are gzip, whatever the file is called."""
    if packed.peek(2)[:2] != b"\x1f\x8b":
        yield packed
        return
    with io.BufferedReader(Gunzip(packed), _BUFFER_BYTES) as stream:
        yield stream


class LongLineError(ValueError):
    """A line has more than `MAX_LINE_CHARACTERS`.

    Attributes:
      number: the line's, from 1 on.
    """

    def __init__(self, number: int):
        super().__init__(f"line {number} has more than {MAX_LINE_CHARACTERS:,} characters")
        self.number = number


def bounded_lines(stream: io.TextIOBase) -> Iterator[str]:
    """Yields the lines of a text with their ends.

    Raises:
      LongLineError: one is too long.
    """
    number = 0
    while line := stream.readline(MAX_LINE_CHARACTERS):
        number += 1
        if len(line) == MAX_LINE_CHARACTERS and line[-1] not in "\r\n":
            raise LongLineError(number)
        yield line


def strict_csv(lines: Iterator[str]) -> Reader:
    """Returns a reader of RFC 4180 that refuses what is not, and fields of more than `MAX_FIELD_CHARACTERS`."""
    return csv.reader(lines, strict=True)


def compose_yaml(text: str, loader: type[yaml.SafeLoader]) -> list[yaml.Node]:
    """Parses the documents of a YAML text to nodes; an alias is the node that it names.

    Raises:
      yaml.YAMLError: the text is not YAML, or its aliases and nesting exceed the bounds.
    """
    import yaml

    try:
        documents = list(yaml.compose_all(text, loader))
    except RecursionError as error:
        raise yaml.MarkedYAMLError(problem="it is nested too deep") from error
    nodes, waiting = 0, list(documents)
    while waiting:
        node, nodes = waiting.pop(), nodes + 1
        if nodes > _MOST_YAML_NODES:
            raise yaml.MarkedYAMLError(problem=f"its aliases make more than {_MOST_YAML_NODES:,} values of it")
        if isinstance(node, yaml.MappingNode):
            waiting.extend(part for pair in node.value for part in pair)
        elif isinstance(node, yaml.SequenceNode):
            waiting.extend(node.value)
    return documents


def visible(text: str) -> str:
    r"""Returns text for a terminal, with control characters escaped as in JSON.

    Example:
        >>> visible("\x1b[2J10 Cats")
        '\\u001b[2J10 Cats'
    """
    return _STEERING.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def inert_cell(text: str) -> str:
    """Returns text for a cell of a CSV, with an apostrophe before what a spreadsheet would take for a formula.

    As https://owasp.org/www-community/attacks/CSV_Injection says; numbers are no formulas. `plain_cell` takes it back.

    Example:
        >>> inert_cell('=HYPERLINK("http://a")'), inert_cell("-0.5")
        ('\\'=HYPERLINK("http://a")', '-0.5')
    """
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def plain_cell(text: str) -> str:
    """Returns the text that `inert_cell` was given.

    Example:
        >>> plain_cell("'=1+1"), plain_cell("'tis")
        ('=1+1', "'tis")
    """
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text
