"""Trainer and Tuner look at the gate's verdict themselves, whatever the runner made of the DAG."""

import trainer.tensorflow_setup.keras_policy  # noqa: F401  isort: skip

import json

import pytest

from components.errors import DataRefused

pytestmark = pytest.mark.slow

ACCEPTED = '{"accepted": true, "findings": []}'


@pytest.fixture
def train(tmp_path, monkeypatch):
    """Runs the executor with TFX's own part replaced; returns the inputs and properties that this part was given."""
    from tfx.components.trainer import executor as tfx_trainer

    from components.data_gate.verdict import DataVerdict
    from components.trainer.component import Executor

    given = []
    monkeypatch.setattr(tfx_trainer.GenericExecutor, "Do", lambda *call: given.append((call[1], call[3])))

    def train(content: str | None, **properties) -> tuple[dict, dict]:
        verdict = DataVerdict()
        verdict.uri = str(tmp_path)
        if content is not None:
            (tmp_path / "verdict.json").write_text(content)
        properties = {"custom_config": '{"epochs": 2, "seed": 1}', **properties}
        Executor().Do({"examples": ["some"], "data_verdict": [verdict]}, {}, properties)
        return given[-1]

    return train


def test_accepted_data_is_trained_on(train):
    inputs, properties = train(ACCEPTED)
    assert inputs == {"examples": ["some"]}
    assert json.loads(properties["custom_config"]) == {"epochs": 2, "seed": 1}


def test_settings_that_the_run_was_told_stand_for_those_of_the_configuration(train):
    _, properties = train(ACCEPTED, epochs=7, encoder="another", seed=None)
    assert properties.keys() == {"custom_config"}
    assert json.loads(properties["custom_config"]) == {"epochs": 7, "seed": 1, "encoder": "another"}


@pytest.mark.parametrize("content", [None, '{"accepted": false, "findings": []}'])
def test_other_data_is_not(train, content):
    with pytest.raises(DataRefused, match="must use data that DataGate accepted"):
        train(content)


@pytest.mark.parametrize("content", [None, '{"accepted": false, "findings": []}'])
def test_neither_is_a_recipe_looked_for_on_other_data(content, tmp_path, monkeypatch):
    from tfx.components.tuner import executor as tfx_tuner

    from components.data_gate.verdict import DataVerdict
    from components.tuner.component import Executor

    monkeypatch.setattr(tfx_tuner.Executor, "Do", lambda *call: pytest.fail("was tuned"))
    verdict = DataVerdict()
    verdict.uri = str(tmp_path)
    if content is not None:
        (tmp_path / "verdict.json").write_text(content)
    with pytest.raises(DataRefused, match="must use data that DataGate accepted"):
        Executor().Do({"examples": ["some"], "data_verdict": [verdict]}, {}, {"custom_config": "{}"})
