"""The schedule of docs/continuous-training.md over three spans: the script is run as it stands there."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from pipeline.config.paths import SAMPLE_FILE
from pipeline.results.run_folders import read_run
from serving.versions.version_folder import list_versions
from tests.helpers.request_logs import an_entry, write_log

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("quick_server")]

ROOT = Path(__file__).parents[2]
SPAN_ROWS = 600


class Outcome(NamedTuple):
    """Of one start of the script."""

    code: int
    said: str
    verdict: dict[str, Any]
    versions: list[int]


@pytest.fixture(scope="module")
def rows() -> list[tuple[str, str]]:
    with SAMPLE_FILE.open(encoding="utf-8", newline="") as stream:
        return [(row["title"], row["label"]) for row in csv.DictReader(stream)]


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder with the script in it."""
    place = tmp_path_factory.mktemp("schedule")
    (script,) = re.findall(r"```bash\n(.*?)```", (ROOT / "docs" / "continuous-training.md").read_text(), re.DOTALL)
    (place / "retrain.sh").write_text(script, encoding="utf-8")
    (place / "retrain.sh").chmod(0o755)
    return place


@pytest.fixture(scope="module")
def schedule(place, rows, tiny_encoder, clickbait) -> dict[str, Outcome]:
    """What comes of the script, one start after the other."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("CLICKBAIT__")},
        "PATH": os.pathsep.join([str(clickbait.parent), os.environ["PATH"]]),
        "PYTHONPATH": str(ROOT),
    }

    def retrain() -> Outcome:
        # The quickest casing to build.
        settings = ["--set", "data.limit_rows=null", "--set", "training.casing=as_is"]
        call = ["./retrain.sh", "--preset", "smoke", "--encoder", str(tiny_encoder), *settings]
        done = subprocess.run(call, cwd=place, env=environment, capture_output=True, text=True, timeout=300)
        versions = list_versions(place / "output" / "serving" / "clickbait")
        return Outcome(done.returncode, done.stdout + done.stderr, read_run(place / "output"), versions)

    def arrive(number: int, span: list[tuple[str, str]]) -> None:
        arriving = place / "spans" / f".arriving-{number}"
        arriving.mkdir(parents=True)
        with (arriving / "headlines.csv").open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows([("title", "label"), *span])
        arriving.rename(place / "spans" / f"span-{number}")

    spans = [rows[at : at + SPAN_ROWS] for at in range(0, 3 * SPAN_ROWS, SPAN_ROWS)]
    outcomes = {}
    arrive(1, spans[0])
    outcomes["first span"] = retrain()
    arrive(2, spans[1])
    outcomes["second span"] = second = retrain()
    served = [title.lower() for title, _ in spans[2]]
    entry = an_entry(served, [0.5] * len(served), time=int(time.time()), version=second.versions[-1])
    write_log(place / "logs" / "requests-1.tfrecord", [entry])
    outcomes["drift"] = retrain()
    arrive(3, [(title.lower(), label) for title, label in spans[2]])
    outcomes["odd third span"] = retrain()
    shutil.rmtree(place / "spans" / "span-3")
    arrive(3, spans[2])
    outcomes["mended third span"] = retrain()
    return outcomes


def span_names(outcome: Outcome) -> list[str]:
    return sorted(Path(file).parent.name for file in outcome.verdict.data.files)


def test_the_first_span_becomes_the_first_version(schedule):
    outcome = schedule["first span"]
    assert outcome.code == 0, outcome.said
    assert (outcome.verdict.status, len(outcome.versions)) == ("pushed", 1)


def test_a_second_span_is_added_to_the_window_and_becomes_a_version(schedule):
    outcome = schedule["second span"]
    assert outcome.code == 0, outcome.said
    assert span_names(outcome) == ["span-1", "span-2"]
    assert (outcome.verdict.status, len(outcome.versions)) == ("pushed", 2)
    assert outcome.verdict.baseline_version == str(outcome.versions[0])


def test_drift_of_what_is_served_without_new_labels_asks_for_labels(schedule):
    outcome = schedule["drift"]
    assert outcome.code == 3
    assert "title_casing" in outcome.said
    assert "label some of it" in outcome.said
    assert outcome.verdict.status == "unchanged"
    assert outcome.versions == schedule["second span"].versions


def test_a_span_unlike_those_before_is_refused_and_what_is_served_stays(schedule):
    outcome = schedule["odd third span"]
    assert outcome.code == 3
    assert outcome.verdict.status == "refused"
    assert "drift, title_casing" in outcome.verdict.reason
    assert outcome.versions == schedule["second span"].versions


def test_the_mended_span_moves_the_window_on_and_becomes_a_version(schedule):
    outcome = schedule["mended third span"]
    assert outcome.code == 0, outcome.said
    assert span_names(outcome) == ["span-1", "span-2", "span-3"]
    assert (outcome.verdict.status, len(outcome.versions)) == ("pushed", 3)
    assert json.dumps(outcome.verdict.gate.as_dict()).count('"rule": "drift"') > 1
