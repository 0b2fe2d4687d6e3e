"""Older runs are removed, and nothing that is still needed: outputs as TFX lays them out."""

from __future__ import annotations

import json
import os
import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner
from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd

from pipeline.cli import main
from pipeline.config.paths import OutputPaths
from pipeline.config.pipeline_config import load_config
from pipeline.results.clean import choose_removable, remove
from pipeline.results.run_folders import OutputError, claim_output
from pipeline.results.verdict import Data
from serving.versions.version_folder import CARD
from tests.helpers.verdicts import a_verdict, an_infra_verdict, write_run

FILE_BYTES = 1 << 16


class Output:
    """An output folder in which runs of two nodes went by."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.paths = OutputPaths.of(load_config(flags={"output": str(folder)}, environ={}))
        config = mlmd.ConnectionConfig()
        config.sqlite.filename_uri = str(self.paths.metadata)
        config.sqlite.connection_mode = mlmd.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
        folder.mkdir()
        self.store = MetadataStore(config)
        kinds = ("pipeline", "pipeline_run", "node", "execution_cache")
        self.kinds = {name: self.store.put_context_type(mlmd.ContextType(name=name)) for name in kinds}
        self.execution_type = self.store.put_execution_type(mlmd.ExecutionType(name="Any"))
        self.artifact_type = self.store.put_artifact_type(mlmd.ArtifactType(name="Any"))
        self.contexts: dict[str, mlmd.Context] = {}
        self.artifacts: dict[str, mlmd.Artifact] = {}

    def run(self, run_id: str, *, data: str, status: str = "pushed", version: int | None = None) -> None:
        """Two nodes: examples of `data`, from the cache where it knows that, and a model; perhaps a version."""
        write_run(self.folder, a_verdict(run_id=run_id, status=status))
        of_run = [self.context("pipeline", "clickbait"), self.context("pipeline_run", f"tfx {run_id}")]
        if len(self.store.get_parent_contexts_by_context(of_run[1].id)) == 0:
            self.store.put_parent_contexts([mlmd.ParentContext(child_id=of_run[1].id, parent_id=of_run[0].id)])
        for node, name in (("Gen", f"examples of {data}"), ("Trainer", f"model of {run_id}")):
            together = [*of_run, self.context("node", node), self.context("execution_cache", name)]
            execution = mlmd.Execution(type_id=self.execution_type, name=f"{run_id} {node}")
            execution.custom_properties["run_id"].string_value = run_id
            (number,) = self.store.put_executions([execution])
            execution.id = number
            artifact = self.artifacts.get(name) or self.artifact(node, number)
            event = mlmd.Event(type=mlmd.Event.OUTPUT)
            event.path.steps.add().key = "out"
            _, (artifact.id,), _ = self.store.put_execution(execution, [(artifact, event)], together)
            self.artifacts[name] = artifact
        if version is not None:
            place = self.paths.serving_model / str(version)
            (place / CARD).parent.mkdir(parents=True)
            card = {"digest": "sha256:a", "run_id": run_id, "fingerprint": "f", "pushed_at": "2026-01-01T00:00:00"}
            (place / CARD).write_text(json.dumps(card))
            os.link(Path(artifact.uri, "file"), place / "saved_model.pb")

    def context(self, kind: str, name: str) -> mlmd.Context:
        if name not in self.contexts:
            (number,) = self.store.put_contexts([mlmd.Context(type_id=self.kinds[kind], name=name)])
            self.contexts[name] = mlmd.Context(id=number, type_id=self.kinds[kind], name=name)
        return self.contexts[name]

    def artifact(self, node: str, number: int) -> mlmd.Artifact:
        place = self.paths.pipeline_root / node / "out" / str(number)
        system = self.paths.pipeline_root / node / ".system" / "executor_execution" / str(number)
        for folder in (place, system):
            folder.mkdir(parents=True)
            (folder / "file").write_bytes(os.urandom(FILE_BYTES))
        return mlmd.Artifact(type_id=self.artifact_type, uri=str(place))

    def left(self) -> dict[str, list[str]]:
        """The folders of runs, and of the artifacts by node."""
        nodes = [node.name for node in self.paths.pipeline_root.iterdir()]
        artifacts = {node: _names(self.paths.pipeline_root / node / "out") for node in nodes}
        return {"runs": _names(self.paths.runs), **artifacts}

    def executions(self) -> list[str]:
        return sorted(execution.name for execution in self.store.get_executions())


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def output(tmp_path) -> Output:
    """Runs 1 to 5; run 1 is served, and runs 4 and 5 took their examples from run 2."""
    output = Output(tmp_path / "output")
    output.run("1", data="a", version=7)
    output.run("2", data="b")
    output.run("3", data="c")
    output.run("4", data="b")
    output.run("5", data="b")
    return output


def clean(output: Output, *arguments: str):
    return CliRunner().invoke(main, ["clean", "--output", str(output.folder), *arguments])


def test_what_is_served_and_what_the_newest_runs_have_from_the_cache_stays(output):
    before = output.left()
    assert before == {"runs": ["1", "2", "3", "4", "5"], "Gen": ["1", "3", "5"], "Trainer": ["10", "2", "4", "6", "8"]}
    plan = choose_removable(output.paths, keep=2)
    remove(output.paths, plan)
    assert output.left() == {"runs": ["1", "4", "5"], "Gen": ["1", "3"], "Trainer": ["10", "2", "8"]}
    assert output.executions() == [f"{run} {node}" for run in (1, 4, 5) for node in ("Gen", "Trainer")]
    assert choose_removable(output.paths, keep=2).folders == ()


def test_ml_metadata_knows_the_rest_as_before(output):
    def known():
        return {
            execution.name: (
                [context.name for context in output.store.get_contexts_by_execution(execution.id)],
                [event.artifact_id for event in output.store.get_events_by_execution_ids([execution.id])],
            )
            for execution in output.store.get_executions()
            if execution.name[0] in "145"
        }

    before = known()
    remove(output.paths, choose_removable(output.paths, keep=2))
    assert known() == before
    runs = [context.name for context in output.store.get_contexts_by_type("pipeline_run")]
    assert runs == ["tfx 1", "tfx 4", "tfx 5"]
    caches = {context.name for context in output.store.get_contexts_by_type("execution_cache")}
    assert caches == {"examples of a", "examples of b", *(f"model of {run}" for run in (1, 4, 5))}
    assert {artifact.uri.rpartition("/")[2] for artifact in output.store.get_artifacts()} == {"1", "2", "3", "8", "10"}
    with sqlite3.connect(output.paths.metadata) as database:
        for table, column, of in (
            ("EventPath", "event_id", "Event"),
            ("Event", "artifact_id", "Artifact"),
            ("Association", "context_id", "Context"),
            ("ExecutionProperty", "execution_id", "Execution"),
        ):
            query = f"SELECT count(*) FROM {table} WHERE {column} NOT IN (SELECT id FROM {of})"
            assert database.execute(query).fetchone() == (0,)


def test_without_yes_nothing_goes_and_the_bytes_are_said(output):
    before = output.left()
    shown = clean(output, "--keep", "2")
    assert shown.exit_code == 0
    # Of runs 2 and 3: two models, the examples of one, and four folders of executors.
    size = choose_removable(output.paths, 2).size
    assert size >= 7 * FILE_BYTES
    assert shown.output.splitlines()[-1] == f"2 runs, 9 folders, {size:,} bytes can be removed; --yes removes them"
    assert output.left() == before
    done = clean(output, "--keep", "2", "--yes")
    assert done.output.splitlines()[-1] == f"removed: 2 runs, 9 folders, {size:,} bytes"
    assert clean(output, "--keep", "2").output == "nothing to remove\n"


def test_an_output_that_was_moved_keeps_the_same(output):
    plan = choose_removable(output.paths, 2)
    moved = output.folder.rename(output.folder.with_name("moved"))
    paths = OutputPaths.of(load_config(flags={"output": str(moved)}, environ={}))
    assert [folder.relative_to(moved) for folder in choose_removable(paths, 2).folders] == [
        folder.relative_to(output.folder) for folder in plan.folders
    ]


def test_data_that_was_copied_from_a_store_stays_while_a_run_that_read_it_does(output):
    for copy, run in (("old", "6"), ("new", "7"), (".killed", None)):
        path = output.paths.inputs / copy / "days" / "titles.csv"
        path.parent.mkdir(parents=True)
        path.touch()
        if run:
            write_run(output.folder, a_verdict(run_id=run, data=Data(files=[str(path)])))
    plan = choose_removable(output.paths, keep=1)
    assert {folder.name for folder in plan.folders if folder.parent == output.paths.inputs} == {"old", ".killed"}


def test_a_file_that_is_served_too_frees_nothing(output):
    (output.paths.serving_model / "7" / CARD).unlink()  # nobody's version: its run may go, its bytes stay
    served = choose_removable(output.paths, 4)
    assert str(output.paths.runs / "1") in map(str, served.folders)
    assert 3 * FILE_BYTES <= served.size < 4 * FILE_BYTES


def test_what_a_killed_run_left_goes_and_links_are_not_followed(output, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "file").touch()
    (output.paths.pipeline_root / "Gen" / "out" / "99").mkdir()
    (output.paths.pipeline_root / "Gen" / "out" / "98").symlink_to(elsewhere)
    (output.paths.runs / "0").symlink_to(elsewhere)
    plan = choose_removable(output.paths, keep=5)
    assert [folder.name for folder in plan.folders] == ["99"]
    remove(output.paths, plan)
    assert (elsewhere / "file").is_file()


def test_the_newest_refusal_of_a_server_stays(output):
    for run in ("0a", "0b"):
        write_run(
            output.folder, a_verdict(run_id=run, status="infra not blessed", infra=an_infra_verdict(blessed=False))
        )
    remove(output.paths, choose_removable(output.paths, keep=1))
    assert output.left()["runs"] == ["0b", "1", "5"]


@pytest.mark.parametrize(("status", "stays"), [("interrupted", True), ("failed", True), ("pushed", False)])
def test_a_training_that_was_broken_off_stays_as_long_as_its_run(output, status, stays):
    (output.paths.checkpoints / "abc").mkdir(parents=True)
    output.run("6", data="b", status=status)
    plan = choose_removable(output.paths, keep=1)
    assert (output.paths.checkpoints / "abc" in plan.folders) is not stays


def test_nothing_goes_while_a_run_is_at_work(output):
    before = output.left()
    with claim_output(output.folder, output.paths.metadata):
        done = clean(output, "--keep", "1", "--yes")
    assert done.exit_code == 2
    assert "where another run is at work" in done.output
    assert output.left() == before


def test_metadata_of_another_schema_is_left_alone(output):
    with sqlite3.connect(output.paths.metadata) as database:
        database.execute("UPDATE MLMDEnv SET schema_version = 11")
    with pytest.raises(OutputError, match="of schema 10 to be cleaned. Received: .* of 11"):
        choose_removable(output.paths, 1)


def test_an_output_without_runs_is_a_mistake(tmp_path):
    done = CliRunner().invoke(main, ["clean", "--output", str(tmp_path)])
    assert done.exit_code == 2
    assert "There must be runs to clean" in done.output


def test_cached_encoders_that_no_kept_run_used(output, tmp_path, monkeypatch):
    monkeypatch.setenv("CLICKBAIT_CACHE", str(tmp_path / "cache"))
    write_run(
        output.folder, a_verdict(run_id="6", encoder={"source": "a", "fine_tuned": True, "digest": "sha256:used"})
    )
    for kind, name, digest in (("hub", "a", "used"), ("archives", "b", "old"), ("embedded", "c", "old")):
        (tmp_path / "cache" / kind / name).mkdir(parents=True)
        (tmp_path / "cache" / kind / f"{name}.sealed").write_text(f"sha256:{digest}")
    assert "archives" not in clean(output).output
    assert f"1 folders of {tmp_path / 'cache' / 'archives'}" in clean(output, "--encoders").output
    assert clean(output, "--encoders", "--yes").exit_code == 0
    assert [path.name for path in sorted((tmp_path / "cache").rglob("*")) if path.parent.name != "cache"] == [
        "a",
        "a.sealed",
    ]
