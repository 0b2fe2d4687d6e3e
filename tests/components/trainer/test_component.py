"""The Trainer looks at the gate's verdict itself, whatever the runner made of the DAG."""

import trainer.keras_policy  # noqa: F401  isort: skip

import pytest

from components.errors import DataRefused

pytestmark = pytest.mark.slow


@pytest.fixture
def train(tmp_path, monkeypatch):
    """Runs the executor with TFX's own part replaced; returns the inputs that this part was given."""
    from tfx.components.trainer import executor as tfx_trainer

    from components.data_gate.verdict import DataVerdict
    from components.trainer.component import Executor

    given = []
    monkeypatch.setattr(tfx_trainer.GenericExecutor, "Do", lambda self, inputs, *_: given.append(inputs))

    def train(content: str | None) -> dict:
        verdict = DataVerdict()
        verdict.uri = str(tmp_path)
        if content is not None:
            (tmp_path / "verdict.json").write_text(content)
        Executor().Do({"examples": ["some"], "data_verdict": [verdict]}, {}, {})
        return given[-1]

    return train


def test_accepted_data_is_trained_on(train):
    assert train('{"accepted": true, "findings": []}') == {"examples": ["some"]}


@pytest.mark.parametrize("content", [None, '{"accepted": false, "findings": []}'])
def test_other_data_is_not(train, content):
    with pytest.raises(DataRefused, match="needs data that DataGate accepted"):
        train(content)
