"""`python -m notebooks` runs the notebook and keeps its outputs; `--check` says where they are of other cells."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

FILE = Path(__file__).with_name("is_this_title_clickbait.ipynb")
NOT_COMMITTED = "output-not-committed"
"""The tag of cells whose output needs a network to be seen, or is large."""

_DIGEST = "clickbait_cells_sha256"
_CELL_SECONDS = 300


def execute(notebook: nbformat.NotebookNode) -> None:
    """Runs all cells in a kernel of this Python, as Jupyter does, and puts their outputs in.

    Raises:
      CellExecutionError: a cell failed; the cells before it have their outputs.
    """
    client = NotebookClient(
        notebook,
        timeout=_CELL_SECONDS,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,
        extra_arguments=["--log-level=ERROR"],  # the kernel's own
        resources={"metadata": {"path": str(FILE.parent)}},
    )
    client.execute()


def keep(notebook: nbformat.NotebookNode) -> None:
    """Leaves out the outputs that are not committed, and notes of which cells the others are."""
    for cell in notebook.cells:
        if NOT_COMMITTED in cell.metadata.get("tags", ()):
            cell.outputs = []
    notebook.metadata[_DIGEST] = _digest(notebook)


def find_stale(notebook: nbformat.NotebookNode) -> str | None:
    """Returns why the outputs are not those of the cells, run once from the first to the last; None where they are."""
    if notebook.metadata.get(_DIGEST) != _digest(notebook):
        return "its cells changed after they were run"
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    if [cell.execution_count for cell in code] != [*range(1, len(code) + 1)]:
        return "its cells were not run in their order"
    return None


def _digest(notebook: nbformat.NotebookNode) -> str:
    sources = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    return hashlib.sha256("\0".join(sources).encode()).hexdigest()


def main(*arguments: str) -> int:
    if arguments not in ((), ("--check",)):
        print(f"The argument must be --check, or none. Received: {' '.join(arguments)}.", file=sys.stderr)
        return 2
    notebook = nbformat.read(FILE, as_version=4)
    if arguments:
        reason = find_stale(notebook)
        if reason:
            print(f"{FILE.name} must have its outputs. Received: {reason}. Type `make notebook`.", file=sys.stderr)
        return 1 if reason else 0
    try:
        execute(notebook)
    except CellExecutionError as error:
        print(f"A cell of {FILE.name} must run. Received: {error}", file=sys.stderr)
        return 1
    keep(notebook)
    nbformat.write(notebook, FILE)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
