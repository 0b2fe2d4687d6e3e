"""Removes older runs from an output folder, and TFX's artifacts that nothing needs any more.

ML Metadata has no call that forgets a run, so its SQLite file is read and written here, by the tables of
https://github.com/google/ml-metadata/blob/master/ml_metadata/util/metadata_source_query_config.cc. Needs no TensorFlow.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from pipeline.config.paths import OutputPaths
from pipeline.results.run_folders import OutputError, newest_refusal, read_runs
from serving.versions import version_folder
from trainer.encoders.cache import cache_dir, seal_of, stored_encoders
from trainer.encoders.embedded import embedded_folder

_MLMD_SCHEMA = 10  # of ML Metadata 1.0 and all that came since
_BROKEN_OFF = ("interrupted", "failed")  # the same command goes on from what they left
_SYSTEM = ".system"


@dataclasses.dataclass(frozen=True)
class Forgotten:
    """The ids of what is removed from ML Metadata."""

    executions: frozenset[int] = frozenset()
    contexts: frozenset[int] = frozenset()
    """The runs, and the cache's contexts of their executions."""
    artifacts: frozenset[int] = frozenset()


class Plan(NamedTuple):
    """The folders and records to remove."""

    folders: tuple[Path, ...]
    """Of runs, artifacts and interrupted trainings."""
    forgotten: Forgotten
    runs: int
    """The number of run folders among them."""
    size: int
    """Bytes on the disk that become free; a file with other links does not count."""


def choose_removable(paths: OutputPaths, keep: int) -> Plan:
    """Chooses what no rerun, rollback, report or comparison with what is served needs.

    Kept are the newest runs, the runs that made the versions in the serving folders, with all that they read or wrote,
    and a training that was broken off in one of them.

    Args:
      paths: of the output; no run is at work there.
      keep: how many of the newest runs.

    Raises:
      OutputError: ML Metadata's file is none, or is of another release's making.
    """
    output = paths.runs.parent
    served = {
        card.run_id
        for folder in paths.serving_model.parent.glob("*")
        for card in version_folder.read_cards(folder).values()
        if card is not None
    }
    kept = {*served, newest_refusal(output)}
    folders = [folder for folder in _folders(paths.runs)[:-keep] if folder.name not in kept]
    count = len(folders)
    folders += _folders(paths.monitor)[:-keep]
    runs, removed = read_runs(output), {folder.name for folder in folders}
    # The names of folders, since an output may have been moved.
    read = {name for run in runs if run.data and run.run_id not in removed for name in _parts(run.data.files)}
    folders += [copy for copy in _folders(paths.inputs) if copy.name not in read]
    if not any(run.status in _BROKEN_OFF for run in runs[-keep:]):
        folders += [*_folders(paths.checkpoints), *_folders(paths.tuner)]
    forgotten = Forgotten()
    if paths.metadata.is_file():
        forgotten, uris, executions = _read_metadata(paths.metadata, keep, served)
        folders += _unknown_artifacts(paths, uris, executions)
    return Plan(tuple(folders), forgotten, count, _freed(folders))


def remove(paths: OutputPaths, plan: Plan) -> None:
    """Removes it, from ML Metadata first, so that nothing half removed is ever taken for a result.

    Raises:
      OSError: something cannot be removed.
    """
    if plan.forgotten.executions:
        with contextlib.closing(sqlite3.connect(paths.metadata)) as database:
            _forget(database, plan.forgotten)
    for folder in plan.folders:
        shutil.rmtree(folder)


def unused_encoders(paths: OutputPaths, keep: int) -> list[Path]:
    """Returns the folders in the encoder cache that neither the newest runs nor a plain run would use."""
    used = {run.encoder and run.encoder.digest for run in read_runs(paths.runs.parent)[-keep:]}
    cache = cache_dir()
    stored = (encoder for encoder in stored_encoders(cache) if encoder.digest not in used)
    return [
        encoder.folder for encoder in stored if encoder.folder.is_dir() and encoder.folder != embedded_folder(cache)
    ]


def remove_encoders(folders: Iterable[Path]) -> None:
    """Removes cached encoders; a run that needs one fetches or builds it again.

    Raises:
      OSError: one cannot be removed.
    """
    for folder in folders:
        seal_of(folder).unlink()
        shutil.rmtree(folder)


def size_of(folders: Iterable[Path]) -> int:
    """Returns the bytes on the disk, each file once, whatever links it has."""
    return sum({(status.st_dev, status.st_ino): status.st_blocks * 512 for status in _files(folders)}.values())


def _folders(parent: Path) -> list[Path]:
    """Returns the folders in a folder, oldest first by their names, without links."""
    if not parent.is_dir():
        return []
    return sorted(path for path in parent.iterdir() if path.is_dir() and not path.is_symlink())


def _parts(paths: Iterable[str]) -> set[str]:
    return {part for path in paths for part in PurePosixPath(path).parts}


def _read_metadata(metadata: Path, keep: int, served: set[str]) -> tuple[Forgotten, set[str], set[int]]:
    """Returns what to remove, and the URIs of the artifacts and the executions that stay."""
    with contextlib.closing(sqlite3.connect(f"{metadata.as_uri()}?mode=ro", uri=True)) as database:

        def ask(query: str, *values: object) -> sqlite3.Cursor:
            return database.execute(query, values)

        try:
            (schema,) = ask("SELECT schema_version FROM MLMDEnv")
        except sqlite3.DatabaseError as error:
            raise OutputError(f"ML Metadata must be readable. Received: {metadata}: {error}.") from error
        if schema != (_MLMD_SCHEMA,):
            raise OutputError(
                f"ML Metadata must be of schema {_MLMD_SCHEMA} to be cleaned. Received: {metadata} of {schema[0]}."
            )
        runs: dict[int, list[int]] = {}
        for run, pipeline in ask(
            "SELECT run.id, parent_context_id FROM Context AS run JOIN Type ON Type.id = run.type_id "
            "JOIN ParentContext ON context_id = run.id WHERE Type.name = 'pipeline_run' ORDER BY run.id"
        ):
            runs.setdefault(pipeline, []).append(run)
        of_served = {
            run
            for run, name in ask(
                "SELECT context_id, string_value FROM Association JOIN ExecutionProperty AS property "
                "USING (execution_id) WHERE property.name = 'run_id'"
            )
            if name in served
        }
        every_run = {run for of_pipeline in runs.values() for run in of_pipeline}
        old_runs = {run for of_pipeline in runs.values() for run in of_pipeline[:-keep]} - of_served
        associated = ask("SELECT execution_id, context_id FROM Association")
        gone = _of_none_but(old_runs, (pair for pair in associated if pair[1] in every_run))
        artifacts = _of_none_but(gone, ask("SELECT artifact_id, execution_id FROM Event"))
        cached = ask(
            "SELECT context_id, execution_id FROM Association JOIN Context ON Context.id = context_id "
            "JOIN Type ON Type.id = Context.type_id WHERE Type.name = 'execution_cache'"
        )
        contexts = old_runs | _of_none_but(gone, cached)
        uris = {uri for number, uri in ask("SELECT id, uri FROM Artifact") if number not in artifacts}
        stays = {number for (number,) in ask("SELECT id FROM Execution") if number not in gone}
    return Forgotten(frozenset(gone), frozenset(contexts), frozenset(artifacts)), uris, stays


def _of_none_but(few: set[int], pairs: Iterable[tuple[int, int]]) -> set[int]:
    """Returns the items whose partners are all in `few`."""
    partners: dict[int, set[int]] = {}
    for item, partner in pairs:
        partners.setdefault(item, set()).add(partner)
    return {item for item, of_item in partners.items() if of_item <= few}


def _forget(database: sqlite3.Connection, forgotten: Forgotten) -> None:
    """Removes the records in one transaction, and shrinks the file."""
    with database:
        for name, numbers in (
            ("executions", forgotten.executions),
            ("contexts", forgotten.contexts),
            ("artifacts", forgotten.artifacts),
        ):
            database.execute(f"CREATE TEMP TABLE gone_{name} (id INTEGER PRIMARY KEY)")
            database.executemany(f"INSERT INTO gone_{name} VALUES (?)", [(number,) for number in numbers])
        events = "SELECT id FROM Event WHERE execution_id IN gone_executions OR artifact_id IN gone_artifacts"
        database.execute(f"DELETE FROM EventPath WHERE event_id IN ({events})")
        for table, column, gone in (
            ("Event", "execution_id", "executions"),
            ("Event", "artifact_id", "artifacts"),
            ("Association", "execution_id", "executions"),
            ("Association", "context_id", "contexts"),
            ("Attribution", "artifact_id", "artifacts"),
            ("Attribution", "context_id", "contexts"),
            ("ParentContext", "context_id", "contexts"),
            ("ExecutionProperty", "execution_id", "executions"),
            ("ArtifactProperty", "artifact_id", "artifacts"),
            ("ContextProperty", "context_id", "contexts"),
            ("Execution", "id", "executions"),
            ("Artifact", "id", "artifacts"),
            ("Context", "id", "contexts"),
        ):
            database.execute(f"DELETE FROM {table} WHERE {column} IN gone_{gone}")
    database.execute("VACUUM")


def _unknown_artifacts(paths: OutputPaths, kept_uris: set[str], kept_executions: set[int]) -> list[Path]:
    """Returns the folders of executions that ML Metadata does not or will not know: `<node>/<output>/<execution>`."""
    kept = {PurePosixPath(uri).parts[-3:] for uri in kept_uris}  # whole paths would differ where the output was moved
    found = []
    for output in (output for node in _folders(paths.pipeline_root) for output in _folders(node)):
        if output.name == _SYSTEM:
            system = [folder for kind in _folders(output) for folder in _folders(kind)]
            found += [folder for folder in system if folder.name.isdigit() and int(folder.name) not in kept_executions]
        elif output != paths.checkpoints:
            found += [folder for folder in _folders(output) if folder.name.isdigit() and folder.parts[-3:] not in kept]
    return found


def _freed(folders: Iterable[Path]) -> int:
    links: dict[tuple[int, int], list[int]] = {}
    for status in _files(folders):
        of_file = links.setdefault((status.st_dev, status.st_ino), [status.st_nlink, status.st_blocks * 512])
        of_file[0] -= 1
    return sum(size for elsewhere, size in links.values() if not elsewhere)


def _files(folders: Iterable[Path]) -> Iterator[os.stat_result]:
    for folder in folders:
        for parent, _, names in os.walk(folder):
            for name in names:
                yield os.lstat(os.path.join(parent, name))  # noqa: PTH118  a hundred thousand of them
