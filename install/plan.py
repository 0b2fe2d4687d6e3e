"""Finds the versions that an extension module needs and a system lacks, and rewrites the module without them."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from install.elf import WEAK, Elf

_FLAGS = 4  # bytes from a version need's beginning to its flags

#: New symbols, and older ones that do the same for the two modules. A name must not be longer than the one that it
#: replaces, since it is written over it in the table of strings.
REPLACEMENTS = {
    # C23's also read binary numerals, "0b1".
    "__isoc23_strtol": ("strtol", "libc.so.6", "GLIBC_2.2.5"),
    "__isoc23_strtoul": ("strtoul", "libc.so.6", "GLIBC_2.2.5"),
    "__isoc23_strtoll": ("strtoll", "libc.so.6", "GLIBC_2.2.5"),
    "__isoc23_strtoull": ("strtoull", "libc.so.6", "GLIBC_2.2.5"),
    # Ends the process where an exception leaves a function that must not throw: std::terminate().
    "__cxa_call_terminate": ("_ZSt9terminatev", "libstdc++.so.6", "GLIBCXX_3.4"),
    # Nothing calls it: it asks for a library that sets up std::cout and its like, which the modules do not use.
    "_ZSt21ios_base_library_initv": ("_ZSt9terminatev", "libstdc++.so.6", "GLIBCXX_3.4"),
}


class Lack(NamedTuple):
    """A version that a system's library does not define, and the module's symbols that need it."""

    library: str
    version: str
    symbols: tuple[str, ...]


def lacking(data: bytes, system: Mapping[str, AbstractSet[str]]) -> list[Lack]:
    """Compares a module's needs with the versions that the system's libraries define, by library.

    Raises:
      ElfError: the module's bytes are not whole.
    """
    elf = Elf(data)
    return [
        Lack(need.library, need.version, tuple(symbol.name for symbol in elf.symbols if symbol.version == need.number))
        for need in elf.needs
        if not need.flags & WEAK and need.version not in system.get(need.library, ())
    ]


def fit(data: bytes) -> bytes:
    """Returns the module with `REPLACEMENTS` in place of the new symbols; no byte moves.

    A version that only they needed stays in the table of needs and becomes weak, which the loader ignores.
    """
    elf = Elf(data)
    numbers = {(need.library, need.version): need.number for need in elf.needs}
    fitted = bytearray(data)
    replaced, kept = set(), set()
    for symbol in elf.symbols:
        if symbol.name not in REPLACEMENTS:
            kept.add(symbol.version)
            continue
        name, library, version = REPLACEMENTS[symbol.name]
        length = len(symbol.name)
        fitted[symbol.name_at : symbol.name_at + length] = name.encode().ljust(length, b"\0")
        struct.pack_into("<H", fitted, symbol.version_at, numbers[library, version])
        replaced.add(symbol.version)
    for need in elf.needs:
        if need.number in replaced - kept:
            struct.pack_into("<H", fitted, need.at + _FLAGS, need.flags | WEAK)
    return bytes(fitted)
