"""Fits the installed extension modules to this system: known files only, each replaced whole, or a clear error."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from contextlib import ExitStack
from pathlib import Path

from install.elf import Elf, ElfError
from install.plan import Lack, fit, lacking
from install.system import defined_versions
from pipeline.extension_modules import ANEW, FITTED, ExtensionModule, load_error, sha256

_WAYS_OUT = "Debian 13, Ubuntu 24.04 and the container image (`make image`) need no fitting."

#: Gives the versions that a system's libraries define, by library.
System = Callable[[Iterable[str]], Mapping[str, AbstractSet[str]]]


class FittingError(Exception):
    """The modules cannot be fitted; the message names the rule, the value received and the way out."""


def fit_modules(
    modules: list[ExtensionModule], lock: Path, system: System = defined_versions
) -> dict[ExtensionModule, list[Lack]]:
    """Fits the modules that cannot load on the system as they are, and returns them with the versions that it lacks.

    A module is written beside its path, loaded there by a process of its own, and renamed: a killed fitting leaves
    each module as published or fitted, and the next one continues. The published file, which uv hard-links to its
    cache, is never written into. One fitting at a time holds the file `lock`; where nothing lacks, no file is touched.

    Raises:
      FittingError: a module is damaged or unknown, needs more than the fitting can replace, does not load once fitted,
        or cannot be replaced.
    """
    try:
        if not any(_plan(module, system) for module in modules):
            return {}
        with lock.open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            return _fit(modules, system)
    except OSError as error:
        raise FittingError(
            f"The extension modules must be readable and their folders writable. Received: {error}. {ANEW}"
        ) from error


def _fit(modules: list[ExtensionModule], system: System) -> dict[ExtensionModule, list[Lack]]:
    plans = [(module, *plan) for module in modules if (plan := _plan(module, system))]
    with ExitStack() as leftovers:
        for module, fitted, _ in plans:
            beside = _beside(module)
            beside.unlink(missing_ok=True)  # of a fitting that was killed
            leftovers.callback(beside.unlink, missing_ok=True)
            _write(beside, fitted)
            shutil.copymode(module.path, beside)
            if error := load_error(beside):
                raise FittingError(f"{module.path} must load once it is fitted. Received: {error}. {_WAYS_OUT}")
        for module, _, _ in plans:
            _beside(module).replace(module.path)
    return {module: lacks for module, _, lacks in plans}


def _plan(module: ExtensionModule, system: System) -> tuple[bytes, list[Lack]] | None:
    """Returns the module's fitted bytes and the versions that the system lacks; None where it can load as it is."""
    data = module.path.read_bytes()
    digest = sha256(data)
    try:
        defined = system({need.library for need in Elf(data).needs})
        lacks = lacking(data, defined)
    except ElfError as error:
        raise FittingError(f"{module.path} must be a whole extension module. {error} {ANEW}") from error
    if not lacks:
        return None
    if digest not in FITTED and digest not in FITTED.values():
        raise FittingError(
            f"{module.path} must be of a wheel named in uv.lock, for this system lacks {_versions(lacks)}. "
            f"Received: another file, sha256 {digest}. {ANEW} {_WAYS_OUT}"
        )
    fitted = fit(data)
    if beyond := lacking(fitted, defined):
        symbols = ", ".join(name for lack in beyond for name in lack.symbols)
        raise FittingError(
            f"{module.path} must find {symbols} here, which the fitting cannot replace. "
            f"Received: a system that lacks {_versions(beyond)}. {_WAYS_OUT}"
        )
    if sha256(fitted) != FITTED[digest]:
        raise FittingError(
            f"{module.path}, fitted, must have sha256 {FITTED[digest]}. Received: {sha256(fitted)}. {_WAYS_OUT}"
        )
    return fitted, lacks


def _versions(lacks: list[Lack]) -> str:
    return ", ".join(lack.version for lack in lacks)


def _beside(module: ExtensionModule) -> Path:
    return module.path.with_name(f"{module.path.name}.fitting")


def _write(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
