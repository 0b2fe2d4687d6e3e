"""Run folders: `<output>/runs/<run-id>/` with the configuration, the log and the verdict. Light: no TensorFlow."""

from __future__ import annotations

import contextlib
import datetime
import functools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import overload

from filelock import FileLock, Timeout

from pipeline.results.verdict import VERDICT_FILE, Verdict, read_verdict

CONFIG_FILE = "config.yaml"
LOG_FILE = "log.txt"
REJECTS_FILE = "rejects.csv"
REPORT_FILE = "report.html"
MODEL_CARD_FILE = "model_card.md"

_SQLITE = b"SQLite format 3"  # https://www.sqlite.org/fileformat.html


class RunNotFound(Exception):  # noqa: N818  the contract's own words
    """There is no such run."""

    exit_code = 2


class OutputError(Exception):
    """The output folder, or a run's files there, cannot be used."""

    exit_code = 2


def new_run_id() -> str:
    """Returns an id that sorts by time, to the microsecond, so that no two are equal."""
    now = datetime.datetime.now(datetime.UTC)
    return f"{now:%Y%m%d-%H%M%S}-{now.microsecond:05x}"


@contextlib.contextmanager
def claim_output(output: Path, metadata: Path) -> Iterator[None]:
    """Locks an output folder against other runs, and refuses one that TFX cannot work in.

    Args:
      output: the folder, made when missing.
      metadata: ML Metadata's file in it.

    Raises:
      OutputError: another run is at work there, it cannot be written, or it holds what is no database.
    """
    if "[" in str(output):
        raise OutputError(
            f"The output must have no [ in its path, which Beam reads as a pattern. Received: {output}. Give another."
        )
    if any(part.endswith(":") for part in output.parts):  # what a path makes of s3://
        raise OutputError(
            f"The output must be a folder of this machine. Received: {output}, which was a URL. Give a folder; "
            "kubeflow.push_destination may be in a store."
        )
    lock = FileLock(output / ".lock", timeout=0)
    try:
        output.mkdir(parents=True, exist_ok=True)
        lock.acquire()
        if metadata.exists() and not _is_database(metadata):
            raise OutputError(
                f"ML Metadata must be an SQLite database. Received: {metadata}, which is none. Move it away, or give "
                "another --output."
            )
    except Timeout as error:
        raise OutputError(
            f"An output must have one run at a time. Received: {output}, where another run is at work. Wait for it, or "
            "give another --output."
        ) from error
    except OSError as error:
        raise unwritable(output, error) from error
    try:
        yield
    finally:
        lock.release()


def make_folder(folder: Path, config: str) -> Path:
    """Makes a run's folder and writes its configuration into it.

    Raises:
      OutputError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True)
        (folder / CONFIG_FILE).write_text(config, encoding="utf-8")
    except OSError as error:
        raise unwritable(folder.parent.parent, error) from error
    return folder


def _is_database(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(len(_SQLITE)) in (b"", _SQLITE)


def unwritable(output: Path, error: OSError) -> OutputError:
    """Returns the error for an output folder that cannot be written."""
    return OutputError(
        f"The output must be a folder that can be written. Received: {output}: {error.strerror}. "
        "Give another with --output."
    )


class Runs(Sequence[Verdict]):
    """Verdicts, each read on access: there may be hundreds, and most callers want the newest.

    Args:
      folders: of the runs, oldest first.
    """

    def __init__(self, folders: Sequence[Path]):
        self._folders = folders
        self._read = functools.cache(read_verdict)

    def __len__(self) -> int:
        return len(self._folders)

    @overload
    def __getitem__(self, index: int) -> Verdict: ...

    @overload
    def __getitem__(self, index: slice) -> list[Verdict]: ...

    def __getitem__(self, index: int | slice) -> Verdict | list[Verdict]:
        if isinstance(index, slice):
            return [self._read(folder) for folder in self._folders[index]]
        return self._read(self._folders[index])

    def named(self, run: str) -> list[Verdict]:
        """Returns the runs of that id, or else those whose ids begin with it; no others are read."""
        folders = [folder for folder in self._folders if folder.name == run]
        folders = folders or [folder for folder in self._folders if folder.name.startswith(run)]
        return [self._read(folder) for folder in folders]


def read_runs(output: str | Path, holding: str = "") -> Runs:
    """Returns the verdicts in an output folder, oldest first; a run without one appears as `interrupted`.

    Args:
      output: the folder.
      holding: only those whose file has this text, which is far quicker to look for than to read.
    """
    folders = sorted(folder for folder in (Path(output).expanduser() / "runs").glob("*") if folder.is_dir())
    if holding:
        files = {folder: folder / VERDICT_FILE for folder in folders}
        folders = [folder for folder, file in files.items() if file.is_file() and holding.encode() in file.read_bytes()]
    return Runs(folders)


def newest_refusal(output: str | Path) -> str | None:
    """Returns the newest run whose model failed infra validation; the cache key of the next validation has it."""
    perhaps = reversed(read_runs(output, holding='"blessed": false'))
    return next((verdict.run_id for verdict in perhaps if verdict.infra and not verdict.infra.blessed), None)


def find_run(output: Path | str, run: str | None) -> Verdict:
    """Returns the verdict of a run by its id, the beginning of that, or its folder; of the newest where none is given.

    Raises:
      RunNotFound: there is no such run.
    """
    if run and Path(run, CONFIG_FILE).is_file():
        folder = Path(run).resolve()
        return read_run(folder.parent.parent, folder.name)
    return read_run(output, run)


def read_run(output: str | Path, run: str | None = None) -> Verdict:
    """Returns the verdict of a run.

    Args:
      output: the output folder.
      run: its id or the unique beginning of one; none is the newest.

    Raises:
      RunNotFound: no run, or more than one, answers to that.
    """
    runs = read_runs(output)
    if not runs:
        raise RunNotFound(f"There must be a run to look at. Received: {output}, which has none. Type `clickbait run`.")
    if run is None:
        return runs[-1]
    known = runs.named(run)
    if len(known) != 1:
        newest = ", ".join(verdict.run_id for verdict in runs[-5:])
        problem = "which no run has" if not known else f"with which {len(known)} runs begin"
        raise RunNotFound(
            f"RUN must be a run's id or its beginning. Received: {run!r}, {problem}. The newest: {newest}."
        )
    return known[0]
