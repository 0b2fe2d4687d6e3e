"""`clickbait versions` and `clickbait rollback` as a person meets them."""

from __future__ import annotations

import uuid

import fsspec
import pytest
from click.testing import CliRunner
from ml_metadata.metadata_store import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd

from pipeline.commands.versions import rollback, versions
from pipeline.results.verdict import Verdict
from serving.client import ServingError
from serving.versions.object_store import push_to_store
from serving.versions.push import push_model
from serving.versions.version_folder import PushError, list_versions
from tests.helpers.encoders import write_shell
from tests.helpers.verdicts import a_verdict, write_run
from tests.serving.client import fakes


@pytest.fixture
def output(tmp_path, monkeypatch):
    monkeypatch.delenv("CLICKBAIT__OUTPUT", raising=False)
    return tmp_path / "out"


@pytest.fixture
def push(tmp_path, output):
    """Returns a function that pushes a model, by its weights, as the run of that name."""

    def push(weights: str, model: str = "clickbait") -> int:
        folder = write_shell(tmp_path / "models" / weights)
        (folder / "variables" / "variables.data-00000-of-00001").write_text(weights)
        serving = output / "serving" / model
        return push_model(folder, serving, run_id=f"run-{weights}", fingerprint=weights, keep_versions=5).version

    return push


def call(command, *arguments):
    return CliRunner().invoke(command, [*map(str, arguments)], catch_exceptions=False)


def lines(result):
    assert result.exit_code == 0
    return [line.split() for line in result.output.splitlines()]


def test_without_versions_the_list_says_what_to_do(output):
    result = call(versions, "--output", output)
    assert (result.exit_code, result.output) == (
        0,
        f"No versions in {output}/serving/clickbait. Type `clickbait run`.\n",
    )


def test_a_version_that_broke_rules_says_why_it_was_pushed(output, tmp_path):
    folder = write_shell(tmp_path / "model")
    serving = output / "serving" / "clickbait"
    push_model(folder, serving, run_id="r1", fingerprint="f", keep_versions=5, override="we must")
    assert "failed rules, overridden: we must" in call(versions, "--output", output).output


def test_the_list_tells_version_time_run_accuracy_digest_and_which_is_served(output, push):
    first, second = push("one"), push("two")
    judged = {"split": "eval", "metric": "binary_accuracy", "against": "bound", "bound": 0.9, "passed": True}
    write_run(output, a_verdict(run_id="run-two", thresholds=[{**judged, "observed": 0.98765}]))
    write_run(output, Verdict(run_id="run-other", status="interrupted"))
    header, one, two = lines(call(versions, "--output", output))
    assert header == ["version", "pushed", "(UTC)", "run", "eval", "digest", "note"]
    assert [one[0], *one[3:4]] == [str(first), "run-one"]
    assert [two[0], two[1], *two[4:6]] == [str(second), "serving", "run-two", "0.9877"]
    assert len(two[6]) == 8


def test_the_list_tells_what_is_strange_damaged_or_rolled_back(output, push):
    first, second = push("one"), push("two")
    done = call(rollback, "--output", output)
    newest = list_versions(output / "serving" / "clickbait")[-1]
    assert done.output == f"version {newest} is a copy of version {first} and replaces version {second}\n"
    (output / "serving" / "clickbait" / str(first) / "variables" / "variables.index").unlink()
    write_shell(output / "serving" / "clickbait" / "3")
    shown = call(versions, "--output", output).output.splitlines()
    assert "not pushed by clickbait" in shown[1]
    assert "not whole: variables/variables.index is missing" in shown[2]
    assert "rolled back" in shown[3]
    assert f"copy of {first}, replaces {second}" in shown[4]
    assert [("serving" in line) for line in shown[1:]] == [False, False, False, True]


def test_the_list_of_an_object_store_marks_what_lost_its_variables(output, tmp_path):
    url = f"memory://{uuid.uuid4().hex}/clickbait"
    folder = write_shell(tmp_path / "model")
    version = push_to_store(folder, url, run_id="run-one", fingerprint="f", keep_versions=5).version
    whole = call(versions, "--output", output, "--serving", url).output.splitlines()
    assert str(version) in whole[1] and "serving" in whole[1] and "run-one" in whole[1]
    fsspec.filesystem("memory").rm_file(f"{url}/{version}/variables/variables.data-00000-of-00001")
    shown = call(versions, "--output", output, "--serving", url).output
    assert "not whole: it has 0 of 1 files variables/variables.data-*" in shown and "not whole" not in whole[1]
    empty = f"memory://{uuid.uuid4().hex}/clickbait"
    assert call(versions, "--serving", empty).output == f"No versions in {empty}. Type `clickbait run`.\n"


def test_what_is_served_already_is_said_and_left(output, push):
    first, _ = push("one"), push("two")
    call(rollback, "--output", output, "--to", first)
    newest = list_versions(output / "serving" / "clickbait")[-1]
    for to, said in ((newest, "is served already"), (first, f"which is served, is a copy of version {first}")):
        result = call(rollback, "--output", output, "--to", to)
        assert result.exit_code == 0
        assert said in result.output
        assert result.output.endswith("nothing is changed\n")
    assert list_versions(output / "serving" / "clickbait")[-1] == newest


@pytest.mark.parametrize("arguments", [(), ("--to", 7)], ids=["none", "no-such"])
def test_mistakes_are_errors_with_exit_code_2(output, push, arguments):
    if arguments:
        push("one")
    with pytest.raises(Exception, match="Received: ") as raised:
        call(rollback, "--output", output, *arguments)
    assert raised.value.exit_code == 2


def test_another_model_has_a_folder_of_its_own(output, push):
    push("one")
    other = push("two", "other")
    assert [line[0] for line in lines(call(versions, "--output", output, "--model", "other"))[1:]] == [str(other)]


def test_the_environment_names_the_output_as_it_does_for_run(output, push, monkeypatch):
    version = push("one")
    monkeypatch.setenv("CLICKBAIT__OUTPUT", str(output))
    assert [line[0] for line in lines(call(versions))[1:]] == [str(version)]


def test_a_rollback_is_recorded_in_ml_metadata_where_there_is_one(output, push):
    push("one"), push("two")
    config = mlmd.ConnectionConfig()
    config.sqlite.filename_uri = str(output / "metadata.db")
    config.sqlite.connection_mode = mlmd.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
    store = MetadataStore(config)
    call(rollback, "--output", output)
    assert len(store.get_executions_by_type("Rollback")) == 1


def test_a_damaged_ml_metadata_does_not_hinder_a_rollback(output, push):
    push("one"), push("two")
    (output / "metadata.db").write_text("no database")
    result = call(rollback, "--output", output)
    assert result.exit_code == 0
    assert "warning: not recorded in" in result.output
    assert len(list_versions(output / "serving" / "clickbait")) == 3


def test_a_server_is_asked_whether_it_serves_the_restored_version(output, push):
    push("one"), push("two")
    model = fakes.FakeModel()
    with fakes.grpc_server(model) as port:
        serving = output / "serving" / "clickbait"
        model.versions = {list_versions(serving)[-1] + 1: "AVAILABLE"}
        result = call(rollback, "--output", output, "--target", f"localhost:{port}")
    assert result.output.endswith(f"localhost:{port} serves it\n")
    assert len(model.calls) == 1


def test_a_server_tells_which_versions_it_serves(output, push):
    first, second = push("one"), push("two")
    model = fakes.FakeModel()
    model.versions = {first: "AVAILABLE", second: "LOADING"}
    with fakes.grpc_server(model) as port:
        shown = lines(call(versions, "--output", output, "--target", f"localhost:{port}"))
    assert [line[:2] for line in shown[1:]] == [[str(first), "serving"], [str(second), "loading"]]


def test_what_a_server_serves_from_elsewhere_is_said(output, push):
    first = push("one")
    model = fakes.FakeModel()
    model.versions = {first: "AVAILABLE", 9: "AVAILABLE", 8: "END"}
    with fakes.grpc_server(model) as port:
        shown = call(versions, "--output", output, "--target", f"localhost:{port}")
        without = call(versions, "--output", output / "none", "--target", f"localhost:{port}")
    serving = output / "serving" / "clickbait"
    assert shown.output.splitlines()[-1] == f"localhost:{port} serves version 9, which is not in {serving}"
    assert len(shown.output.splitlines()) == 3
    assert without.output.splitlines()[-2:] == [
        f"localhost:{port} serves version {number}, which is not in {output / 'none' / 'serving' / 'clickbait'}"
        for number in sorted((9, first))
    ]


@pytest.mark.parametrize(
    ("target", "exit_code", "part"),
    [("here", 2, "The target must be HOST:PORT"), ("localhost:1", 1, "A server must listen at localhost:1")],
)
def test_a_server_that_cannot_be_asked_is_told_in_this_commands_words(output, push, target, exit_code, part):
    push("one")
    with pytest.raises(ServingError, match=part) as raised:
        call(versions, "--output", output, "--target", target)
    assert raised.value.exit_code == exit_code
    assert str(raised.value).endswith("Give the --target of a running server, or none to list the folder.")
    assert "--wait" not in str(raised.value)


def test_a_server_that_does_not_serve_it_is_an_error(output, push, monkeypatch):
    monkeypatch.setattr("pipeline.commands.versions._CONFIRM_SECONDS", 0.5)
    push("one"), push("two")
    with pytest.raises(PushError, match="must serve version"):
        call(rollback, "--output", output, "--target", "localhost:1")
    assert len(list_versions(output / "serving" / "clickbait")) == 3


@pytest.mark.parametrize("command", [versions, rollback])
def test_the_commands_have_help(command):
    result = call(command, "--help")
    assert result.exit_code == 0
    assert result.output.startswith("Usage:")
