"""The installed extension modules' published bytes, and systems as the versions that their libraries define."""

import platform
import struct
import sys
from collections.abc import Callable
from pathlib import Path

from install.elf import WEAK, Elf
from install.plan import REPLACEMENTS
from pipeline.extension_modules import ExtensionModule, installed_modules, sha256

#: Whether the modules here are of the kind that is fitted.
LINUX_X86_64 = (sys.platform, platform.machine()) == ("linux", "x86_64")

#: The versions that the replaced symbols had.
_VERSIONS = dict.fromkeys(REPLACEMENTS, "GLIBC_2.38") | {
    "__cxa_call_terminate": "CXXABI_1.3.15",
    "_ZSt21ios_base_library_initv": "GLIBCXX_3.4.32",
}


def system(glibc: int, glibcxx: int, cxxabi: int) -> Callable:
    """A system of the last version of each: GLIBC_2.*, GLIBCXX_3.4.* and CXXABI_1.3.*."""
    libc = {f"GLIBC_2.{number}" for number in range(glibc + 1)} | {"GLIBC_2.2.5", "GLIBC_2.3.4"}
    libstdcxx = {f"GLIBCXX_3.4.{number}" for number in range(1, glibcxx + 1)} | {"GLIBCXX_3.4"}
    libstdcxx |= {f"CXXABI_1.3.{number}" for number in range(1, cxxabi + 1)} | {"CXXABI_1.3"}
    names = ("libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "ld-linux-x86-64.so.2")
    defined = dict.fromkeys(names, libc) | {"libstdc++.so.6": libstdcxx, "libgcc_s.so.1": {"GCC_3.0"}}
    return lambda libraries: {library: defined[library] for library in libraries}


DEBIAN_13 = system(41, 33, 15)
UBUNTU_24_04 = system(39, 33, 15)
DEBIAN_12 = system(36, 30, 13)
UBUNTU_22_04 = system(35, 30, 13)
RHEL_9 = system(34, 29, 13)
DEBIAN_11 = system(31, 28, 12)


def published_modules(folder: Path) -> list[ExtensionModule]:
    """Copies of the installed modules as they were published, each in a folder of its own."""
    copies = []
    for module in installed_modules():
        data = _unfit(module.path.read_bytes())
        assert sha256(data) == module.published, f"{module.path} is neither published nor fitted: make setup"
        path = folder / module.distribution / module.path.name
        path.parent.mkdir(parents=True)
        path.write_bytes(data)
        path.chmod(0o755)
        copies.append(module._replace(path=path))
    assert len(copies) == 2
    return copies


def _unfit(data: bytes) -> bytes:
    """Turns a fitting back: a name that was replaced by a shorter one has NUL bytes after it."""
    elf = Elf(data)
    indexes = {need.version: need.number for need in elf.needs}
    published = bytearray(data)
    for symbol in elf.symbols:
        for name, (replacement, *_) in REPLACEMENTS.items():
            end = symbol.name_at + len(name)
            rest = data[symbol.name_at + len(symbol.name) : end + 2]
            if symbol.name == replacement and rest[-1:] != b"\0" and not any(rest[:-1]):
                published[symbol.name_at : end] = name.encode()
                struct.pack_into("<H", published, symbol.version_at, indexes[_VERSIONS[name]])
    for need in elf.needs:
        struct.pack_into("<H", published, need.at + 4, need.flags & ~WEAK)
    return bytes(published)
