"""The tables of versions are read from whole ELF files, and anything else is refused."""

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from install.elf import WEAK, Elf, ElfError
from install.system import defined_versions
from tests.helpers.extension_modules import LINUX_X86_64

STRINGS = b"\0libc.so.6\0GLIBC_2.38\0GLIBC_2.2.5\0__isoc23_strtol\0malloc\0libmine.so\0MINE_1\0"


def string(name: bytes) -> int:
    return STRINGS.index(b"\0" + name + b"\0") + 1


def elf() -> bytes:
    """A library `libmine.so` that defines MINE_1 and takes two symbols of libc.so.6, of a version each."""
    needs = struct.pack("<HHIII", 1, 2, string(b"libc.so.6"), 16, 0)
    needs += struct.pack("<IHHII", 0, 0, 2, string(b"GLIBC_2.38"), 16)
    needs += struct.pack("<IHHII", 0, WEAK, 3, string(b"GLIBC_2.2.5"), 0)
    definitions = struct.pack("<HHHHIII II", 1, 1, 1, 1, 0, 20, 28, string(b"libmine.so"), 0)
    definitions += struct.pack("<HHHHIII II", 1, 0, 4, 1, 0, 20, 0, string(b"MINE_1"), 0)
    names = (b"__isoc23_strtol", b"malloc")
    symbols = bytes(24) + b"".join(struct.pack("<I20x", string(name)) for name in names)
    versions = struct.pack("<HHH", 0, 2, 0x8003)
    parts = [(3, STRINGS, 0), (0x6FFFFFFE, needs, 0), (0x6FFFFFFD, definitions, 0), (11, symbols, 0)]
    parts += [(0x6FFFFFFF, versions, 3)]
    body, headers = b"", b""
    for kind, data, link in parts:
        headers += struct.pack("<IIQQQQIIQQ", 0, kind, 0, 0, 64 + len(body), len(data), link, 0, 0, 0)
        body += data
    header = b"\x7fELF\x02\x01".ljust(0x28, b"\0") + struct.pack("<Q", 64 + len(body))
    header = header.ljust(0x3C, b"\0") + struct.pack("<HH", len(parts), 0)
    return header + body + headers


def read(data: bytes):
    library = Elf(data)
    return library.needs, library.definitions, library.symbols


def test_needs_name_the_library_the_version_and_whether_it_may_lack():
    needs = [need[:4] for need in Elf(elf()).needs]
    assert needs == [("libc.so.6", "GLIBC_2.38", 2, 0), ("libc.so.6", "GLIBC_2.2.5", 3, WEAK)]


def test_definitions_are_the_library_s_name_and_its_versions():
    assert Elf(elf()).definitions == ("libmine.so", {"MINE_1"})


def test_symbols_have_their_version_and_the_places_of_both():
    data = elf()
    symbols = Elf(data).symbols
    assert [(one.name, one.version) for one in symbols] == [("", 0), ("__isoc23_strtol", 2), ("malloc", 3)]
    for one in symbols:
        assert data[one.name_at :].startswith(one.name.encode() + b"\0")
    assert data[symbols[1].version_at] == 2


def test_a_library_without_the_tables_needs_and_defines_nothing():
    bare = elf()[:0x3C] + struct.pack("<HH", 0, 0)
    assert read(bare) == ([], ("", frozenset()), [])


@pytest.mark.parametrize("data", [b"", b"\x7fELF", b"#!/bin/sh\n", b"\x7fELF\x01\x01" + bytes(100), elf()[:70]])
def test_what_is_no_whole_64_bit_little_endian_elf_file_is_refused(data):
    with pytest.raises(ElfError, match="Received: "):
        read(data)


@given(st.integers(0, len(elf()) - 1), st.integers(1, 255))
def test_damage_is_refused_or_read_as_it_stands(at, flip):
    data = bytearray(elf())
    data[at] ^= flip
    try:
        read(bytes(data))
    except ElfError as error:
        assert "Received: " in str(error)


@pytest.mark.skipif(not LINUX_X86_64, reason="reads /proc and Linux's libraries")
def test_the_loader_s_libraries_define_what_every_system_of_today_has():
    defined = defined_versions(["libc.so.6", "libstdc++.so.6", "libm.so.6", "libno-such.so.1"])
    assert defined["libc.so.6"] >= {"GLIBC_2.2.5", "GLIBC_2.17"}
    assert defined["libstdc++.so.6"] >= {"GLIBCXX_3.4", "GLIBCXX_3.4.21", "CXXABI_1.3"}
    assert "GLIBC_2.2.5" in defined["libm.so.6"]
    assert "libno-such.so.1" not in defined


@pytest.mark.skipif(not LINUX_X86_64, reason="reads /proc and Linux's libraries")
def test_this_python_needs_nothing_that_its_system_lacks():
    import _struct  # an extension module, or built in

    path = getattr(_struct, "__file__", None)
    needs = Elf(Path(path).read_bytes()).needs if path else []
    defined = defined_versions({need.library for need in needs})
    assert all(need.version in defined[need.library] for need in needs)
