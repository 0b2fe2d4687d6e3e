"""The options of a rehearsal are checked before anything starts."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from components.headline_example_gen.settings import DataConfig
from kubeflow.spec.pipeline_spec import write_spec
from pipeline.cli import main
from tests.helpers.object_stores import s3_server
from tests.helpers.specs import container_task, pipeline_of

SETTINGS = DataConfig(text_column="text", label_column="kind", labels={"no": 0, "yes": 1})


@pytest.fixture
def rehearse(tmp_path):
    """Runs the command and returns what it says; it must not get as far as an output."""
    constants = {"settings": {"runtimeValue": {"constant": SETTINGS.model_dump_json()}}}
    ingest = container_task("HeadlineExampleGen", "true", parameters=constants)
    spec = pipeline_of([ingest])
    told = {name: {"parameterType": "STRING"} for name in ("data", "data_digest")}
    spec["root"]["inputDefinitions"] = {"parameters": told}
    write_spec(spec, tmp_path / "spec.yaml")

    def rehearse(*arguments: str) -> str:
        places = ["--spec", str(tmp_path / "spec.yaml"), "--output", str(tmp_path / "output")]
        result = CliRunner().invoke(main, ["kubeflow", "rehearse", *places, *arguments])
        assert result.exit_code == 2, result.output
        assert "Traceback" not in result.output
        assert not (tmp_path / "output").exists()
        return result.output

    return rehearse


@pytest.mark.parametrize("store", ["bucket/folder", "s3://", "http://host/folder", "file:///tmp/folder"])
def test_a_store_that_is_none(rehearse, store):
    assert (
        f"--store must be s3://BUCKET/FOLDER, gs://BUCKET/FOLDER or minio://BUCKET/FOLDER. Received: {store}."
        in rehearse("--store", store)
    )


@pytest.mark.parametrize(
    "arguments", [["--data", "s3://b/a.csv"], ["--parameter", "data=s3://b/a.csv"]], ids=["option", "parameter"]
)
def test_data_in_a_store_that_holds_none(rehearse, arguments):
    with s3_server():
        assert "Received: s3://b/a.csv: nothing is there" in rehearse(*arguments)


def test_a_parameter_that_the_spec_has_not(rehearse):
    assert "Received: epochs=3. Give one of " in rehearse("--parameter", "epochs=3")


def test_data_that_is_not_there(rehearse):
    assert "Received: gone.csv, where there is nothing" in rehearse("--parameter", "data=gone.csv")


def test_columns_are_those_that_the_spec_was_compiled_with(rehearse, tmp_path):
    (tmp_path / "data.csv").write_text("title,label\na,0\n")
    assert "the first line must have the columns 'text' and 'kind'" in rehearse("--data", str(tmp_path / "data.csv"))


def test_eval_data_that_the_spec_does_not_read(rehearse):
    assert "--eval-data must be given to `kubeflow compile`, too. Received: e.csv" in rehearse("--eval-data", "e.csv")


def test_label_fixes_that_the_spec_does_not_read(rehearse):
    message = "data.label_fixes must be given to `kubeflow compile`, too. Received: f.csv"
    assert message in rehearse("--set", "data.label_fixes=f.csv")


def test_a_challenge_that_the_spec_does_not_know(rehearse):
    message = "--challenge must be given to `kubeflow compile`, too. Received: tube, and a spec with none."
    assert message in rehearse("--challenge", "tube=t.csv")
