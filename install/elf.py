"""Reads the versions that a shared library needs and defines, with their offsets: 64-bit little-endian ELF.

Only the tables of symbol versions are read: `.gnu.version_r` (needs), `.gnu.version_d` (definitions), `.dynsym` with
`.gnu.version` (the dynamic symbols). Bytes in, values out; no file is opened here.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

_DYNSYM, _VERDEF, _VERNEED, _VERSYM = 11, 0x6FFFFFFD, 0x6FFFFFFE, 0x6FFFFFFF
_BASE, WEAK = 1, 2
_SYMBOL_SIZE, _SECTION_SIZE = 24, 64
_KIND, _START, _SIZE, _LINK = 1, 4, 5, 6  # fields of a section's header
_HIDDEN = 0x8000
_CUT_SHORT = "Received: an ELF file that is cut short."


class ElfError(ValueError):
    """The bytes are no whole ELF file of this kind; the message is the part after the rule."""


class VersionNeed(NamedTuple):
    """A version that a library must have; `at` is the offset of the entry, `number` the version's index for symbols."""

    library: str
    version: str
    number: int
    flags: int
    at: int


class Symbol(NamedTuple):
    """A dynamic symbol; its name is at offset `name_at` and its version's index at `version_at`."""

    name: str
    version: int
    name_at: int
    version_at: int


class Elf:
    """The version tables of one shared library. Raises ElfError where its bytes are not whole."""

    def __init__(self, data: bytes):
        if data[:6] != b"\x7fELF\x02\x01":
            raise ElfError("Received: no 64-bit little-endian ELF file.")
        self._data = data
        (start,), (count,) = self._unpack("Q", 0x28), self._unpack("H", 0x3C)
        headers = [self._unpack("IIQQQQIIQQ", start + _SECTION_SIZE * number) for number in range(count)]
        if any(header[_LINK] >= count for header in headers):
            raise ElfError(_CUT_SHORT)
        #: By kind: where the section begins, its size, and where the section begins that holds its strings.
        self._sections = {
            header[_KIND]: (header[_START], header[_SIZE], headers[header[_LINK]][_START]) for header in headers
        }

    @cached_property
    def needs(self) -> list[VersionNeed]:
        needs = []
        for at, (_, _, library, first, _), strings in self._table(_VERNEED, "HHIII"):
            for entry, (_, flags, number, name, _) in self._chain(at + first, "IHHII"):
                names = self._string(strings + library), self._string(strings + name)
                needs.append(VersionNeed(*names, number, flags, entry))
        return needs

    @cached_property
    def definitions(self) -> tuple[str, frozenset[str]]:
        """The library's own name and the versions that it defines; an empty name where it defines none."""
        library, versions = "", set()
        for at, (_, flags, _, _, _, first, _), strings in self._table(_VERDEF, "HHHHIII"):
            name = self._string(strings + self._unpack("I", at + first)[0])
            if flags & _BASE:
                library = name
            else:
                versions.add(name)
        return library, frozenset(versions)

    @cached_property
    def symbols(self) -> list[Symbol]:
        """The dynamic symbols, where they have versions."""
        if not self._sections.keys() >= {_DYNSYM, _VERSYM}:
            return []
        table, size, strings = self._sections[_DYNSYM]
        versions, _, _ = self._sections[_VERSYM]
        symbols = []
        for number in range(size // _SYMBOL_SIZE):
            name_at = strings + self._unpack("I", table + _SYMBOL_SIZE * number)[0]
            version_at = versions + 2 * number
            version = self._unpack("H", version_at)[0] & ~_HIDDEN
            symbols.append(Symbol(self._string(name_at), version, name_at, version_at))
        return symbols

    def _table(self, kind: int, form: str) -> Iterator[tuple[int, tuple[int, ...], int]]:
        """Yields the entries of a table with the offsets of each and of the table's strings; none without a table."""
        if kind in self._sections:
            start, _, strings = self._sections[kind]
            for at, fields in self._chain(start, form):
                yield at, fields, strings

    def _chain(self, at: int, form: str) -> Iterator[tuple[int, tuple[int, ...]]]:
        """Yields entries whose last field is the distance to the next one, 0 in the last."""
        step = 1
        while step:
            fields = self._unpack(form, at)
            yield at, fields
            step = fields[-1]
            at += step

    def _unpack(self, form: str, at: int) -> tuple[int, ...]:
        if at + struct.calcsize("<" + form) > len(self._data):
            raise ElfError(_CUT_SHORT)
        return struct.unpack_from("<" + form, self._data, at)

    def _string(self, at: int) -> str:
        end = self._data.find(0, at)
        if end < 0:
            raise ElfError(_CUT_SHORT)
        return self._data[at:end].decode("ascii", "replace")
