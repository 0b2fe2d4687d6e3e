"""The facts of this system for the installation: its glibc, and the versions that its libraries define."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable
from pathlib import Path

from install.elf import Elf, ElfError

_BUILT_FOR = (2, 39)  # the glibc of the newest wheels in uv.lock


def glibc() -> str | None:
    """Returns the version of the C library that this Python runs on, e.g. `2.36`; None where it is another library."""
    if "CS_GNU_LIBC_VERSION" not in os.confstr_names:
        return None
    return (os.confstr("CS_GNU_LIBC_VERSION") or "").removeprefix("glibc ") or None


def uv_flags(glibc: str | None, machine: str) -> list[str]:
    """Returns the flags that make uv accept the newest wheels on a system that is older than they are."""
    older = glibc is not None and tuple(map(int, glibc.split(".")[:2])) < _BUILT_FOR
    return ["--python-platform", "x86_64-manylinux_2_40"] if older and machine == "x86_64" else []


def defined_versions(libraries: Iterable[str]) -> dict[str, frozenset[str]]:
    """Returns the versions that the loaded libraries of this Python define, by library; Linux only."""
    for library in libraries:
        try:
            ctypes.CDLL(library)
        except OSError:
            continue  # it is missing, and so are its versions
    lines = Path("/proc/self/maps").read_text().splitlines()
    mapped = {fields[5] for line in lines if len(fields := line.split(maxsplit=5)) == 6 and ".so" in fields[5]}
    definitions = {}
    for path in sorted(mapped):
        try:
            library, versions = Elf(Path(path).read_bytes()).definitions
        except ElfError:
            continue  # mapped data that is no library
        definitions[library] = versions
    return definitions
