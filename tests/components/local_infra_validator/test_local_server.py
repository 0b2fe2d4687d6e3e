"""The component, with the local server and TensorFlow: what can be served is blessed and nothing else."""

from __future__ import annotations

import trainer.tensorflow_setup.keras_policy  # noqa: F401  isort: skip

import json
import re
import shutil
from pathlib import Path

import pytest

from components.local_infra_validator import expected_scores
from components.local_infra_validator.policy import read_verdict
from tests.helpers.serving import write_model

pytestmark = pytest.mark.slow

POLICY = {"server": "local", "cold_start_seconds": 120.0, "max_p99_milliseconds": 5000.0, "max_memory_gb": 8.0}


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return write_model(tmp_path_factory.mktemp("exported") / "model", weight=0.01)


@pytest.fixture
def validate(tmp_path, examples):
    """Returns a function that runs the component on a SavedModel and returns the blessing."""
    import tfx.v1 as tfx

    from components.local_infra_validator.component import LocalInfraValidator

    def artifact(kind: str, place: Path):
        made = getattr(tfx.types.standard_artifacts, kind)()
        made.uri = str(place)
        return made

    def validate(saved_model: Path, **changes):
        shutil.copytree(saved_model, tmp_path / "model" / "Format-Serving")
        split = Path(examples([("Budget vote", 0), ("What this cat did", 1), ("Election", 0)])).parent
        shutil.copytree(split, tmp_path / "examples" / "Split-eval")
        blessing = artifact("InfraBlessing", tmp_path / "blessing")
        LocalInfraValidator.EXECUTOR_SPEC.executor_class._FUNCTION(
            model=artifact("Model", tmp_path / "model"),
            examples=artifact("Examples", tmp_path / "examples"),
            blessing=blessing,
            policy=json.dumps({**POLICY, "golden_rows": 2, **changes}),
            model_name="m",
        )
        return blessing

    return validate


def broken(blessing):
    return {finding.rule: finding.detail for finding in read_verdict(blessing.uri).findings if finding.kept is False}


def test_a_model_that_is_served_as_it_was_exported_is_blessed(validate, model):
    blessing = validate(model)
    assert broken(blessing) == {}
    assert blessing.get_int_custom_property("blessed") == 1
    verdict = read_verdict(blessing.uri)
    assert verdict.golden_titles == 4
    assert blessing.get_string_custom_property("digest") == verdict.digest
    assert Path(blessing.uri, "INFRA_BLESSED").is_file()
    assert Path(blessing.uri, expected_scores.WARMUP_FILE).is_file()
    assert {path.name for path in Path(blessing.uri).iterdir()} == {
        *("verdict.json", "server.log", "INFRA_BLESSED", "assets.extra")
    }
    assert "version 1 available" in Path(blessing.uri, "server.log").read_text()


def test_a_model_that_gives_nan_is_not_blessed(validate, tmp_path, quick_server):
    blessing = validate(write_model(tmp_path / "exported", weight=float("nan")), server="path")
    assert broken(blessing) == {"range": "e.g. nan"}
    assert blessing.get_int_custom_property("blessed") == 0
    assert Path(blessing.uri, "INFRA_NOT_BLESSED").is_file()


def test_a_model_that_does_not_load_is_not_blessed(validate, tmp_path, model, quick_server):
    damaged = shutil.copytree(model, tmp_path / "damaged")
    (damaged / "variables" / "variables.index").write_bytes(b"x" * 100)
    found = broken(validate(damaged, server="path"))
    assert set(found) == {"starts", "loads"}
    assert re.search(r"ended with exit code (1|255)\b", found["starts"])  # 255 by a real tensorflow_model_server
