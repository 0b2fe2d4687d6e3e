"""What strangers may have written, held to bounds: gzip and YAML that are bombs, text that steers or computes."""

from __future__ import annotations

import gzip
import re
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    import yaml

MOST_EXPANSION = 50
"""Times that gzip may make text smaller; CSV and JSON become 3 to 30 times smaller, a bomb 200 to 1,000 times."""
_FREE_BYTES = 1 << 22  # a few rows that come again and again are no attack yet

# Of Unicode: controls but line feed and tab, and what turns the direction of the text around it.
_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_MOST_YAML_NODES = 100_000
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")


class Gunzip(gzip.GzipFile):
    """A gzip stream that ends with an OSError where it becomes far larger than text would.

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
                f"it unpacks to more than {MOST_EXPANSION} times its size, as text does not; give it unpacked if you "
                "know what it is"
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


def compose_yaml(text: str, loader: type[yaml.SafeLoader]) -> list[yaml.Node]:
    """The documents of a YAML text, as nodes; a node that is named again by an alias is the same one.

    Raises:
      yaml.YAMLError: it is none, or its aliases and nesting make it larger than any file of ours.
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
    r"""Text for a terminal, with the characters that would steer it spelled as JSON spells them.

    Example:
        >>> visible("\x1b[2J10 Cats")
        '\\u001b[2J10 Cats'
    """
    return _STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def inert_cell(text: str) -> str:
    """Text for a cell of a CSV, with an apostrophe before what a spreadsheet would take for a formula.

    As https://owasp.org/www-community/attacks/CSV_Injection says; numbers are no formulas. `plain_cell` takes it back.

    Example:
        >>> inert_cell('=HYPERLINK("http://a")'), inert_cell("-0.5")
        ('\\'=HYPERLINK("http://a")', '-0.5')
    """
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def plain_cell(text: str) -> str:
    """The text that `inert_cell` was given.

    Example:
        >>> plain_cell("'=1+1"), plain_cell("'tis")
        ('=1+1', "'tis")
    """
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text
