"""The checks of `clickbait doctor`: whether this installation can run, and how to repair it."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from data.fetch import DEFAULT_DESTINATION
from pipeline.config.paths import KEPT_RUNS, OutputPaths
from pipeline.extension_modules import ANEW, failure, installed_modules, load_error, origin
from pipeline.results.clean import choose_removable
from pipeline.results.run_folders import OutputError
from trainer.encoders.cache import cache_dir
from trainer.encoders.embedded import verify_package
from trainer.encoders.errors import EncoderError
from trainer.tensorflow_setup import cuda

_DISTRIBUTION = "clickbait-tfx"
_NAMESAKE = "kubeflow"  # the package of ours whose name the SDK of Kubeflow has, too
_NEEDED_DISK_GIB = 5
_NEEDED_MEMORY_GIB = 6
_WORTH_CLEANING_GIB = 1
_GIB = 2**30
_ORIGINS = {
    "published": "as published",
    "fitted": "fitted to older systems than it was published for",
    "unknown": "neither as published nor as fitted",
}

# In a process of its own, as every command of the project begins: policy first, then TensorFlow.
_PROBE = """
import trainer.tensorflow_setup.keras_policy, tensorflow as tf, tensorflow_hub, tensorflow_text, pipeline.pipeline
assert tf.keras.layers.Dense.__module__.startswith("tf_keras."), "tf.keras is Keras 3"
"""


class Finding(NamedTuple):
    """The result of one check, and the way out where it failed."""

    name: str
    result: str
    way_out: str | None = None


def check_python() -> Iterator[Finding]:
    """Checks the interpreter's version against the project's."""
    needed = metadata.metadata(_DISTRIBUTION)["Requires-Python"]
    fit = SpecifierSet(needed).contains(platform.python_version(), prereleases=True)
    way_out = None if fit else f"Python must be {needed}: `make setup` makes .venv with an installed one."
    yield Finding("python", f"{platform.python_version()} in {sys.prefix}", way_out)


def check_packages() -> Iterator[Finding]:
    """Checks each requirement of the project against the installed version."""
    wrong = []
    required = [Requirement(line) for line in metadata.requires(_DISTRIBUTION) or []]
    required = [item for item in required if item.marker is None or item.marker.evaluate({"extra": ""})]
    for requirement in required:
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            wrong.append(f"{requirement.name} is missing")
            continue
        if version not in requirement.specifier:
            wrong.append(f"{requirement.name} is {version}, needed {requirement.specifier}")
    result = "; ".join(wrong) or f"{len(required)} as pinned"
    yield Finding("packages", result, "`make setup` installs the lock." if wrong else None)


def check_namesakes() -> Iterator[Finding]:
    """Finds other distributions that have a package `kubeflow`, as the SDK of Kubeflow has."""
    owners = sorted({*metadata.packages_distributions().get(_NAMESAKE, ())} - {_DISTRIBUTION})
    if not owners:
        yield Finding("namesakes", f"no other package has the name {_NAMESAKE}")
        return
    names = " and ".join(f"{name} {metadata.version(name)}" for name in owners)
    yield Finding(
        "namesakes",
        f"{names} {'have' if len(owners) > 1 else 'has'} a package {_NAMESAKE}, too: one hides the other",
        f"Give it an environment of its own: `pip uninstall {' '.join(owners)}` here, then "
        f"`pip install --force-reinstall --no-deps {_DISTRIBUTION}`, for both own {_NAMESAKE}/__init__.py; in a clone, "
        f"{ANEW}",
    )


def check_modules() -> Iterator[Finding]:
    """Checks the extension modules that are fitted to older systems: whose bytes they are, and that they load."""
    for module in installed_modules():
        whose, error = origin(module), load_error(module.path)
        loads = f"does not load: {error}" if error else "loads"
        result = f"{module.distribution}'s extension module is {_ORIGINS[whose]} and {loads}"
        way_out = None
        if whose == "unknown" or (error and whose == "fitted"):
            way_out = ANEW
        elif error:
            way_out = "`make setup` fits it to this system."
        yield Finding("modules", result, way_out)


def check_imports() -> Iterator[Finding]:
    """Checks that TensorFlow, Hub, Text, TFX and all components import together, under the Keras policy."""
    if error := failure(_PROBE):
        # uv keeps what it compiled, also for a system that is no longer this one.
        yield Finding("imports", error, f"{ANEW} Where it ends the same, `uv cache clean` goes before it.")
    else:
        yield Finding(
            "imports", "tensorflow, tensorflow_hub, tensorflow_text, tfx and all components import with Keras 2"
        )


def check_encoder() -> Iterator[Finding]:
    """Checks the embedded encoder's files and the cache's folder."""
    try:
        verify_package()
        yield Finding("encoder", "the embedded encoder's files have their checksums")
    except EncoderError as error:
        yield Finding("encoder", str(error), "`make setup` installs the lock.")
    yield _writable("cache", cache_dir(), "Set CLICKBAIT_CACHE to a folder that you may write.")


def check_machine() -> Iterator[Finding]:
    """Checks disk and memory for a run on 32,000 rows."""
    yield _writable("output", Path("output"), "Give a folder that you may write with --output.")
    free = shutil.disk_usage(Path.cwd()).free / _GIB
    way_out = f"A run writes up to {_NEEDED_DISK_GIB} GiB: give a folder on a larger disk with --output."
    yield Finding("disk", f"{free:.0f} GiB free{_cleanable()}", way_out if free < _NEEDED_DISK_GIB else None)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / _GIB
    way_out = f"Training takes up to {_NEEDED_MEMORY_GIB} GiB; --limit and a smaller batch take less."
    result = f"{memory:.0f} GiB, {os.cpu_count()} cores"
    yield Finding("memory", result, way_out if memory < _NEEDED_MEMORY_GIB else None)


def _cleanable() -> str:
    """Returns how much `clickbait clean` frees, as text; empty where it is little."""
    from pipeline.config.pipeline_config import load_config

    paths = OutputPaths.of(load_config(environ={}))
    try:
        freed = choose_removable(paths, KEPT_RUNS).size / _GIB
    except OutputError:
        return ""
    return f"; `clickbait clean` frees {freed:.1f} GiB of {paths.runs.parent}" if freed > _WORTH_CLEANING_GIB else ""


def check_gpu() -> Iterator[Finding]:
    """Says whether TensorFlow can use this machine's NVIDIA GPU; nothing where there is none."""
    if cuda.has_nvidia_gpu() and cuda.has_cuda_wheels():
        yield Finding("gpu", "an NVIDIA GPU, and TensorFlow's CUDA wheels")
    elif cuda.has_nvidia_gpu():
        yield Finding("gpu", f"an NVIDIA GPU that training leaves unused: {cuda.CUDA_WHEELS}, has the CUDA wheels")


def check_data() -> Iterator[Finding]:
    """Finds the data that a run without --data takes."""
    if DEFAULT_DESTINATION.is_file():
        yield Finding("data", f"{DEFAULT_DESTINATION} is there")
    else:
        yield Finding("data", "the bundled sample; `clickbait fetch` gets 32,000 real headlines")


def _writable(name: str, folder: Path, way_out: str) -> Finding:
    existing = next(path for path in [folder.absolute(), *folder.absolute().parents] if path.exists())
    fit = existing.is_dir() and os.access(existing, os.W_OK)
    return Finding(name, f"{folder} {'can' if fit else 'cannot'} be written", None if fit else way_out)


CHECKS: tuple[Callable[[], Iterator[Finding]], ...] = (
    check_python,
    check_packages,
    check_namesakes,
    check_modules,
    check_imports,
    check_encoder,
    check_machine,
    check_gpu,
    check_data,
)
