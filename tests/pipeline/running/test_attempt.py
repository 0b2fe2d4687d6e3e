"""Whatever ends a run leaves a verdict."""

from __future__ import annotations

import pytest

from components.data_gate.policy import Finding
from components.errors import DataRefused, InputError
from pipeline.config.pipeline_config import load_config
from pipeline.inputs import choose_data
from pipeline.results.run_folders import OutputError, read_run
from pipeline.results.verdict import Timing
from pipeline.running.attempt import open_attempt

FINDING = Finding("rows", "eval", ">= 50 rows", 3, kept=False, outcome="fail").as_dict()
TIMINGS = {"Trainer": Timing("interrupted", 1.5)}


@pytest.fixture
def opened(tmp_path):
    """Opens a run in an output of its own."""
    config = load_config("smoke", flags={"output": tmp_path / "output"}, environ={})
    return lambda: open_attempt(config, choose_data(config), began=0.0, verbose=False)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (KeyboardInterrupt(), {"status": "interrupted", "exit_code": 130, "reason": "it goes on"}),
        (InputError("no file"), {"status": "failed", "exit_code": 2, "reason": "no file"}),
        (ZeroDivisionError("by zero"), {"status": "failed", "exit_code": 1, "reason": "ZeroDivisionError: by zero"}),
        (
            DataRefused("too few rows", [FINDING]),
            {
                "status": "refused",
                "exit_code": 3,
                "reason": "too few rows",
                "gate": {"accepted": False, "findings": [FINDING]},
            },
        ),
    ],
    ids=["Ctrl-C", "a wrong input", "a bug", "refused data"],
)
def test_what_ends_a_run_is_in_its_verdict(opened, error, expected, tmp_path):
    with opened() as attempt, attempt.judged(TIMINGS, "it goes on"):
        raise error
    verdict = read_run(tmp_path / "output")
    assert expected.items() <= verdict.as_dict().items()
    assert verdict.components == TIMINGS
    assert verdict.seconds > 0


def test_the_runs_before_it_are_not_itself_and_no_other_runs_beside_it(opened):
    with opened() as attempt:
        assert len(attempt.earlier) == 0
        with pytest.raises(OutputError, match="where another run is at work"), opened():
            pass
    with opened() as attempt:
        assert len(attempt.earlier) == 1
