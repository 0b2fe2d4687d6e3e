"""What an output folder may lose: the runs but the newest, and what of TFX's artifacts nothing asks for any more.

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
    """What ML Metadata is to forget, by the numbers that it has there."""

    executions: frozenset[int] = frozenset()
    contexts: frozenset[int] = frozenset()
    """The runs, and what the cache knew of their executions."""
    artifacts: frozenset[int] = frozenset()


class Plan(NamedTuple):
    """What goes."""

    folders: tuple[Path, ...]
    """Of runs, artifacts and trainings that were broken off."""
    forgotten: Forgotten
    runs: int
    """How many run folders are among the folders."""
    size: int
    """Bytes on the disk that come free; a file that something else links to does not count."""


def choose_removable(paths: OutputPaths, keep: int) -> Plan:
    """What may go while a rerun, a rollback, a report and a comparison with what is served still find what they need.

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
    if not any(run.status in _BROKEN_OFF for run in read_runs(output)[-keep:]):
        folders += [*_folders(paths.checkpoints), *_folders(paths.tuner)]
    forgotten = Forgotten()
    if paths.metadata.is_file():
        forgotten, uris, executions = _read_metadata(paths.metadata, keep, served)
        folders += _unknown_artifacts(paths, uris, executions)
    return Plan(tuple(folders), forgotten, count, _freed(folders))


def remove(paths: OutputPaths, plan: Plan) -> None:
    """Does it: first ML Metadata forgets, so that nothing that is half gone is ever taken for a result.

    Raises:
      OSError: something cannot be removed.
    """
    if plan.forgotten.executions:
        with contextlib.closing(sqlite3.connect(paths.metadata)) as database:
            _forget(database, plan.forgotten)
    for folder in plan.folders:
        shutil.rmtree(folder)


def unused_encoders(paths: OutputPaths, keep: int) -> list[Path]:
    """The folders in the encoder cache that neither the newest runs of the output nor a plain run would take."""
    used = {run.encoder and run.encoder.digest for run in read_runs(paths.runs.parent)[-keep:]}
    cache = cache_dir()
    stored = (one for one in stored_encoders(cache) if one.digest not in used)
    return [one.folder for one in stored if one.folder.is_dir() and one.folder != embedded_folder(cache)]


def remove_encoders(folders: Iterable[Path]) -> None:
    """Removes cached encoders; a run that wants one fetches or builds it again.

    Raises:
      OSError: one cannot be removed.
    """
    for folder in folders:
        seal_of(folder).unlink()
        shutil.rmtree(folder)


def size_of(folders: Iterable[Path]) -> int:
    """Bytes on the disk, each file once, whatever links it has."""
    return sum({(status.st_dev, status.st_ino): status.st_blocks * 512 for status in _files(folders)}.values())


def _folders(parent: Path) -> list[Path]:
    """The folders in another, oldest first by their names; a link is nobody's to follow."""
    if not parent.is_dir():
        return []
    return sorted(one for one in parent.iterdir() if one.is_dir() and not one.is_symlink())


def _read_metadata(metadata: Path, keep: int, served: set[str]) -> tuple[Forgotten, set[str], set[int]]:
    """What may go; the URIs of the artifacts and the executions that stay."""
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
                "SELECT context_id, string_value FROM Association JOIN ExecutionProperty AS told "
                "USING (execution_id) WHERE told.name = 'run_id'"
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
    """What is paired with some of a few, and with nothing else."""
    partners: dict[int, set[int]] = {}
    for one, partner in pairs:
        partners.setdefault(one, set()).add(partner)
    return {one for one, of in partners.items() if of <= few}


def _forget(database: sqlite3.Connection, forgotten: Forgotten) -> None:
    """In one transaction, and then gives the room back to the disk."""
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
    """The folders of executions that ML Metadata does not know, or will not: `<node>/<output>/<execution>`."""
    kept = {PurePosixPath(uri).parts[-3:] for uri in kept_uris}  # whole paths would differ where the output was moved
    found = []
    for output in (output for node in _folders(paths.pipeline_root) for output in _folders(node)):
        if output.name == _SYSTEM:
            places = [place for kind in _folders(output) for place in _folders(kind)]
            found += [one for one in places if one.name.isdigit() and int(one.name) not in kept_executions]
        elif output != paths.checkpoints:
            found += [one for one in _folders(output) if one.name.isdigit() and one.parts[-3:] not in kept]
    return found


def _freed(folders: Iterable[Path]) -> int:
    links: dict[tuple[int, int], list[int]] = {}
    for status in _files(folders):
        of_file = links.setdefault((status.st_dev, status.st_ino), [status.st_nlink, status.st_blocks * 512])
        of_file[0] -= 1
    return sum(size for elsewhere, size in links.values() if not elsewhere)


def _files(folders: Iterable[Path]) -> Iterator[os.stat_result]:
    for folder in folders:
        for place, _, names in os.walk(folder):
            for name in names:
                yield os.lstat(os.path.join(place, name))  # noqa: PTH118  a hundred thousand of them
