"""Only a model that all validations blessed scores in bulk."""

from __future__ import annotations

import trainer.tensorflow_setup.keras_policy  # noqa: F401  isort: skip

import pytest

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("blessed", [(1, 1), (0, 1), (1, 0)])
def test_one_blessing_that_is_missing_and_nothing_is_scored(tmp_path, monkeypatch, blessed):
    from tfx.components.bulk_inferrer import executor as tfx_executor
    from tfx.types.standard_artifacts import InfraBlessing, ModelBlessing

    from components.bulk_inferrer.component import Executor

    seen = []
    monkeypatch.setattr(tfx_executor.Executor, "Do", lambda self, inputs, outputs, properties: seen.append(inputs))
    inputs = {"examples": [], "model": []}
    kinds = {"blessing": ModelBlessing, "infra_blessing": InfraBlessing}
    for (key, kind), value in zip(kinds.items(), blessed, strict=True):
        artifact = kind()
        artifact.set_int_custom_property("blessed", value)
        inputs[key] = [artifact]
    Executor().Do(inputs, {}, {})
    assert seen == ([{"examples": [], "model": []}] if all(blessed) else [])
