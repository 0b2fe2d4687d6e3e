"""Checks that a SavedModel folder is whole, and computes its digest, without TensorFlow.

TensorFlow takes seconds to import and loads a damaged module half-way before it fails with a stack of its own; a walk
over the outermost fields of `saved_model.pb` and the files beside it detects the same damage in milliseconds.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

GRAPH = "saved_model.pb"
TF1_GRAPH = "tfhub_module.pb"

# Field numbers of tensorflow/core/protobuf/saved_model.proto and meta_graph.proto.
_META_GRAPHS = 2
_ASSET_FILE_DEF = 6
_ASSET_FILENAME = 2
_LENGTH_DELIMITED = 2

_INDEX = "variables/variables.index"
_SHARD = re.compile(r"variables/variables\.data-\d{5}-of-(\d{5})")


def locate(folder: Path) -> Path:
    """Returns the SavedModel folder in an unpacked archive: `folder`, or its one sub-folder that holds a SavedModel."""
    if (folder / GRAPH).is_file() or (folder / TF1_GRAPH).is_file():
        return folder
    inside = [child for child in sorted(folder.iterdir()) if (child / GRAPH).is_file() or (child / TF1_GRAPH).is_file()]
    return inside[0] if len(inside) == 1 else folder


def fault(folder: Path) -> str | None:
    """Returns why `folder` is not a whole TF2 SavedModel, in a few words, or `None` if it is one.

    It checks the framing of `saved_model.pb` (https://protobuf.dev/programming-guides/encoding/), the assets that it
    names, and the shards of the variables. Checks that need TensorFlow are left to `check_encoder`.
    """
    if (folder / TF1_GRAPH).is_file():
        return f"it holds {TF1_GRAPH}: a module in the TF1 Hub format, which TF2 cannot fine-tune"
    if not (folder / GRAPH).is_file():
        names = sorted(child.name + "/" * child.is_dir() for child in folder.iterdir())
        return f"it holds no {GRAPH} (it has: {', '.join(names[:6]) + ', ...' * (len(names) > 6) or 'nothing'})"
    try:
        assets = _assets(folder / GRAPH)
    except ValueError as error:
        return f"{GRAPH} is truncated or not a SavedModel ({error})"
    missing = [name for name in assets if not (folder / "assets" / name).is_file()]
    if missing:
        return f"assets/{missing[0]} is missing"
    if not (folder / "variables").is_dir():
        return "its variables/ folder is missing"
    files = (path for path in (folder / "variables").iterdir() if path.is_file())
    return variables_fault({path.relative_to(folder).as_posix(): path.stat().st_size for path in files})


def variables_fault(sizes: Mapping[str, int]) -> str | None:
    """Returns what is missing of the variables of a SavedModel, in a few words; `None` if nothing is.

    TF Serving takes a SavedModel without its variables for one that serves, and fails each call.

    Args:
      sizes: bytes by the files' names in the SavedModel, e.g. as an object store lists them.
    """
    if not sizes.get(_INDEX):
        return f"{_INDEX} is missing or empty"
    shards = {name: match for name in sizes if (match := _SHARD.fullmatch(name))}
    expected = int(next(iter(shards.values()))[1]) if shards else 1
    if len(shards) < expected:
        return f"it has {len(shards)} of {expected} files variables/variables.data-*"
    if not any(sizes[name] for name in shards):
        return "variables/variables.data-* is empty"
    return None


def digest(folder: Path) -> str:
    """Returns `sha256:...` over the names and bytes of `saved_model.pb`, `variables/**` and `assets/**`.

    `fingerprint.pb`, `keras_metadata.pb` and `assets.extra` are left out: they do not change what the module computes.
    """
    total = hashlib.sha256()
    files = [folder / GRAPH, *(folder / "variables").rglob("*"), *(folder / "assets").rglob("*")]
    for name, path in sorted((path.relative_to(folder).as_posix(), path) for path in files if path.is_file()):
        # The length ends the name and the content, so no two trees spell the same byte stream.
        total.update(f"{len(name.encode())}:{name}:{path.stat().st_size}:".encode())
        total.update(bytes.fromhex(file_sha256(path)))
    return f"sha256:{total.hexdigest()}"


def file_sha256(path: Path) -> str:
    """Returns the sha256 of one file in hex digits."""
    total = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            total.update(block)
    return total.hexdigest()


def _assets(graph: Path) -> list[str]:
    """Returns the asset names in `saved_model.pb`; raises `ValueError` if its fields do not fill the file exactly."""
    names, meta_graphs = [], 0
    size = graph.stat().st_size
    with graph.open("rb") as stream:
        for number, start, end in _fields(stream, 0, size):
            if number != _META_GRAPHS:
                continue
            meta_graphs += 1
            for inner, inner_start, inner_end in list(_fields(stream, start, end)):
                if inner != _ASSET_FILE_DEF:
                    continue
                for leaf, leaf_start, leaf_end in list(_fields(stream, inner_start, inner_end)):
                    if leaf == _ASSET_FILENAME:
                        stream.seek(leaf_start)
                        names.append(stream.read(leaf_end - leaf_start).decode("utf-8", "replace"))
    if not meta_graphs:
        raise ValueError(f"{size} bytes, no graph in them")
    return names


def _fields(stream: BinaryIO, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yields number, start and end of the length-delimited protobuf fields between two offsets."""
    position = start
    while position < end:
        stream.seek(position)
        tag = _varint(stream, position)
        wire, number = tag & 7, tag >> 3
        if wire == _LENGTH_DELIMITED:
            length = _varint(stream, position)
            begin = stream.tell()
            position = begin + length
        elif wire == 0:
            _varint(stream, position)
            position = stream.tell()
        elif wire in (1, 5):
            position = stream.tell() + (8 if wire == 1 else 4)
        else:
            raise ValueError(f"byte {position} starts no field")
        if not number or position > end:
            raise ValueError(f"a field ends at byte {position}, the file at {end}" if number else "field number 0")
        if wire == _LENGTH_DELIMITED:
            yield number, begin, position


def _varint(stream: BinaryIO, position: int) -> int:
    value = 0
    for shift in range(0, 70, 7):
        byte = stream.read(1)
        if not byte:
            break
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
    raise ValueError(f"byte {position} starts no field")
