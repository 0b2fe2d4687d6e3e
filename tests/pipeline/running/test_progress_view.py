"""TFX's and the Trainer's log records become a line a component and the training's progress."""

import importlib.util
import io
import logging
import sys
from pathlib import Path

import pytest
from rich.console import Console

from pipeline.results.verdict import Timing
from pipeline.running import progress_view
from pipeline.running.progress_view import RunView


@pytest.fixture
def clock(monkeypatch):
    """The time that has passed, in seconds, as a list of one number."""
    now = [100.0]
    monkeypatch.setattr(progress_view.time, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def screen():
    return io.StringIO()


@pytest.fixture
def view(screen):
    return RunView(Console(file=screen, width=120))


def started(node):
    logging.getLogger("absl").info("Component %s is running.", node)


def finished(node):
    logging.getLogger("absl").info("Component %s is finished.", node)


def cached():
    logging.getLogger("absl").info("A cached execution %d is used.", 7)


def trained(step, steps=100, *, done=False, **metrics):
    progress = {"epoch": 1, "epochs": 2, "step": step, "steps": steps, "done": done, **metrics}
    logging.getLogger("trainer").info("epoch", extra={"progress": progress})


def test_a_component_is_a_line_with_its_time(view, screen, clock):
    with view.listening():
        started("Trainer")
        clock[0] += 12.34
        finished("Trainer")
    assert screen.getvalue().split() == ["✓", "Trainer", "12.3", "s"]
    assert view.timings == {"Trainer": Timing("done", 12.34)}


def test_components_are_kept_in_the_order_of_their_run(view, screen):
    with view.listening():
        for node in ("B", "A", "C"):
            started(node)
            finished(node)
    assert list(view.timings) == ["B", "A", "C"]
    assert [line.split()[1] for line in screen.getvalue().splitlines()] == ["B", "A", "C"]


def test_a_component_from_the_cache_is_said_to_be_unchanged_and_the_next_is_not(view, screen):
    with view.listening():
        started("Trainer")
        cached()
        finished("Trainer")
        started("Evaluator")
        finished("Evaluator")
    first, second = screen.getvalue().splitlines()
    assert first.split()[:2] == ["=", "Trainer"]
    assert first.endswith("unchanged, taken from the cache")
    assert second.split()[:2] == ["✓", "Evaluator"]
    assert [timing.status for timing in view.timings.values()] == ["cached", "done"]


@pytest.mark.parametrize(("error", "status"), [(ValueError, "failed"), (KeyboardInterrupt, "interrupted")])
def test_the_component_that_an_exception_ends_is_marked(view, screen, clock, error, status):
    with pytest.raises(error), view.listening():
        started("StatisticsGen")
        finished("StatisticsGen")
        started("Trainer")
        clock[0] += 3
        raise error
    assert screen.getvalue().splitlines()[1].split() == ["✗", "Trainer", "3.0", "s", status]
    assert view.timings["StatisticsGen"].status == "done"
    assert view.timings["Trainer"] == Timing(status, 3.0)


def test_an_exception_between_components_fails_none(view):
    with pytest.raises(ValueError), view.listening():
        started("Trainer")
        finished("Trainer")
        raise ValueError
    assert view.timings["Trainer"].status == "done"


def test_the_end_of_an_epoch_is_a_line_with_its_metrics(view, screen):
    with view.listening():
        started("Trainer")
        trained(50, done=True, loss=0.25, accuracy=0.9, val_loss=0.5, val_accuracy=0.875, other=1.0)
    line = "epoch 1/2  step 50/100  loss 0.2500  accuracy 0.9000  val_loss 0.5000  val_accuracy 0.8750"
    assert screen.getvalue().strip() == line


def test_steps_within_an_epoch_are_no_lines_in_a_log(view, screen):
    with view.listening():
        started("Trainer")
        trained(10, loss=0.25)
    assert screen.getvalue() == ""


def test_on_a_terminal_a_step_shows_what_is_done_and_how_long_the_rest_takes(clock, monkeypatch):
    view = RunView(Console(file=io.StringIO(), force_terminal=True))
    said = []
    monkeypatch.setattr(view, "say", said.append)
    with view.listening():
        started("Trainer")
        clock[0] += 30
        trained(25, loss=0.25)
    assert said == ["Trainer", "Trainer  epoch 1/2  step 25/100  loss 0.2500  about 90 s left"]


def test_a_trial_is_a_line_when_it_has_ended(view, screen):
    with view.listening():
        started("Tuner")
        for line, done in (("trial 1", False), ("trial 1  loss 0.2500", True)):
            logging.getLogger("trainer").info(line, extra={"tuning": {"line": line, "done": done}})
    assert screen.getvalue() == "   trial 1  loss 0.2500\n"


def test_what_the_trainer_notices_is_shown(view, screen):
    with view.listening():
        started("Trainer")
        logging.getLogger("trainer").warning("no room in %s", "[folder]", extra={"notice": True})
    assert screen.getvalue() == "   no room in [folder]\n"


def test_other_records_are_not_shown(view, screen):
    with view.listening():
        started("Trainer")
        logging.getLogger("absl").info("Component %s was running.", "Trainer")
        logging.getLogger("absl").warning("something odd")
        logging.getLogger("other").info("Component %s is finished.", "Trainer")
        cached_elsewhere = logging.getLogger("trainer")
        cached_elsewhere.info("no progress")
    assert screen.getvalue() == ""


def test_a_name_is_not_read_as_markup(view, screen):
    with view.listening():
        started("[red]Odd")
        finished("[red]Odd")
    assert "[red]Odd" in screen.getvalue()


def test_nothing_is_heard_after_the_end(view, screen):
    with view.listening():
        pass
    started("Trainer")
    assert view.timings == {}
    assert all(view not in logging.getLogger(name).handlers for name in ("absl", "trainer"))


@pytest.mark.parametrize(
    ("phrase", "file"),
    [
        (progress_view._STARTED, "local/local_dag_runner.py"),
        (progress_view._FINISHED, "local/local_dag_runner.py"),
        (progress_view._CACHED, "portable/launcher.py"),
    ],
)
def test_the_phrases_are_those_of_the_installed_tfx(phrase, file):
    package = Path(importlib.util.find_spec("tfx").submodule_search_locations[0])
    source = (package / "orchestration" / file).read_text(encoding="utf-8")
    assert f"logging.info('{phrase}'" in source
    assert "from absl import logging" in source


def test_on_a_terminal_the_spinner_shows_what_is_going_on_and_never_what_libraries_print(capsys):
    screen = io.StringIO()
    view = RunView(Console(file=screen, force_terminal=True, width=120))
    with view.listening():
        started("StatisticsGen")
        print("INFO:absl: library noise", file=sys.stderr)
        print("library noise")
        finished("StatisticsGen")
    assert "library noise" not in screen.getvalue()
    assert "library noise" in capsys.readouterr().err
    assert "StatisticsGen" in screen.getvalue()
