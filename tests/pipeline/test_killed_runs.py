"""A run that dies by SIGKILL at any component and is started again ends as if nothing had happened."""

from __future__ import annotations

import csv
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner

from components.data_gate.accepted import list_accepted
from pipeline.cli import main
from pipeline.config.paths import SAMPLE_FILE
from pipeline.results.run_folders import claim_output, read_run
from pipeline.running.partial_run import BULK_NODES, NODES, TUNER_NODE
from serving.versions.version_folder import list_versions, read_card
from tests.helpers.killed_runs import PATIENCE, Moment, find_examples, run_child

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("quick_server")]

AGAIN_AND_AGAIN = "again and again"
BY_COMMAND = "the command"
RUN_NODES = [node for node in NODES if node not in (*BULK_NODES, TUNER_NODE)]
CHAINS = 2
"""A run that died in one node goes on until it dies in another, as far away as there are chains."""
CASES = [
    *((tuple(RUN_NODES[first::CHAINS]), AGAIN_AND_AGAIN) for first in range(CHAINS)),
    (("Trainer",), BY_COMMAND),
]
# ML Metadata makes its tables in an empty output.
BEFORE = {RUN_NODES[0]: [Moment(RUN_NODES[0], seconds=0.004)]}
# What a node writes outside TFX's folders, in the middle of the copy and just before it gets its name.
COPIES = {
    "DataGate": [("shutil.copyfile", "Split-train"), ("os.rename", "accepted_data")],
    "VersionedPusher": [("shutil.copyfile", "variables"), ("os.rename", "serving")],
}
AFTER = {RUN_NODES[-1]: [Moment(RUN_NODES[-1], event="os.rename", path="verdict.json")]}


class Outcome(NamedTuple):
    """Of the last run in an output."""

    folder: Path
    """The output."""
    killed: list[int]
    """The exit codes of the runs before it."""
    verdict: dict[str, Any]
    examples: dict[str, list[bytes]]
    """By the names of the files."""
    rejects: bytes


def name(case: tuple[tuple[str, ...], str]) -> str:
    nodes, how = case
    return f"{' '.join(nodes)} {how}"


@pytest.fixture(scope="module")
def flags(tmp_path_factory, tiny_encoder):
    """Makes the flags of a run in an output of that name; the data has rows to set aside and titles that come twice."""
    place = tmp_path_factory.mktemp("killed")
    with SAMPLE_FILE.open(encoding="utf-8", newline="") as stream:
        header, *rows = csv.reader(stream)
    planted = [
        ["What Happened Next", "maybe"],
        ["", "1"],
        ["Storm hits coast", "0"],
        ["Storm hits coast", "1"],
        ["Too long " * 2000, "0"],
    ]
    with (place / "headlines.csv").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([header, *planted, *rows[:5], *rows])

    def make(name: str) -> dict[str, Any]:
        return {
            "data.path": place / "headlines.csv",
            "encoder.source": tiny_encoder,
            "output": place / name.replace(" ", "-"),
            "training.casing": "as_is",  # the quickest to build
        }

    return make


@pytest.fixture(scope="module")
def undisturbed(flags) -> Outcome:
    assert run_child(flags("undisturbed")) == 0
    return look(flags("undisturbed"), [])


@pytest.fixture(scope="module")
def endings(request, flags, undisturbed, clickbait):
    """The futures of all cases that are asked for: two at a time, for most of a run takes one core."""
    asked = [item.callspec.params["case"] for item in request.session.items if "endings" in item.fixturenames]
    with ThreadPoolExecutor(2) as pool:
        yield {case: pool.submit(die_and_go_on, case, flags(name(case)), undisturbed, clickbait) for case in asked}


def die_and_go_on(
    case: tuple[tuple[str, ...], str], flags: dict[str, Any], undisturbed: Outcome, program: Path
) -> Outcome:
    nodes, how = case
    if how == BY_COMMAND:
        killed = [kill_command(program, flags, *nodes)]
        assert command(program, flags).wait(PATIENCE) == 0
    else:
        ran = undisturbed.verdict.components  # in their order
        killed = [
            run_child(flags, moment)
            for node in ran
            if node in nodes
            for moment in moments(node, max(ran[node].seconds / 2, 0.01))
        ]
        assert run_child(flags) == 0
    return look(flags, killed)


def moments(node: str, half: float) -> list[Moment]:
    copies = [Moment(node, event=event, path=path) for event, path in COPIES.get(node, ())]
    # The copies first: at half of its time on a slower run a node may have made them, and makes none again.
    # What a node leaves in TFX's folders alone, TFX alone makes good, and for every node in the same way.
    watched = copies or node == "Trainer"
    started, executed = ([Moment(node)], [Moment(node, executed=True)]) if watched else ([], [])
    return [*BEFORE.get(node, ()), *started, *copies, Moment(node, seconds=half), *executed, *AFTER.get(node, ())]


def command(program: Path, flags: dict[str, Any]) -> subprocess.Popen:
    call = [program, "run", "--preset", "smoke", "--output", flags["output"]]
    call += [f"--set={key}={value}" for key, value in flags.items() if key != "output"]
    with Path(f"{flags['output']}.txt").open("ab") as shown:
        return subprocess.Popen(call, stdout=shown, stderr=shown)


def kill_command(program: Path, flags: dict[str, Any], node: str) -> int:
    run = command(program, flags)
    said = f"Component {node} is running.".encode()
    while run.poll() is None and not any(said in log.read_bytes() for log in flags["output"].glob("runs/*/log.txt")):
        time.sleep(0.2)
    time.sleep(1)
    run.kill()
    return run.wait()


def look(flags: dict[str, Any], killed: list[int]) -> Outcome:
    import tensorflow as tf

    verdict, folder = read_run(flags["output"]), find_examples(flags)
    examples = {
        str(file.relative_to(folder)): list(tf.data.TFRecordDataset(str(file), "GZIP").as_numpy_iterator())
        for file in folder.rglob("*")
        if file.is_file()
    }
    return Outcome(flags["output"], killed, verdict, examples, Path(verdict.folder, "rejects.csv").read_bytes())


def test_the_undisturbed_run_has_rows_of_every_kind(undisturbed):
    counts = undisturbed.verdict.ingest.as_dict()
    assert undisturbed.verdict.status == "pushed"
    assert {name for name, count in counts.items() if not count} == {"in_eval"}  # which takes two files
    assert len(counts["rejected_by_rule"]) == 4
    assert {name.split("/")[0] for name in undisturbed.examples} == {"Split-train", "Split-eval"}
    assert sum(map(len, undisturbed.examples.values())) == 300


@pytest.mark.parametrize("case", CASES, ids=name)
def test_a_killed_run_that_is_started_again_ends_as_if_nothing_had_happened(case, endings, undisturbed):
    outcome = endings[case].result()
    assert outcome.killed
    assert set(outcome.killed) == {-signal.SIGKILL}
    assert outcome.verdict.rows == undisturbed.verdict.rows
    assert outcome.verdict.ingest == undisturbed.verdict.ingest
    assert outcome.examples == undisturbed.examples
    assert outcome.rejects == undisturbed.rejects

    serving, accepted = outcome.folder / "serving" / "clickbait", outcome.folder / "accepted_data" / "data"
    (version,) = list_versions(serving)
    assert [place.name for place in serving.iterdir()] == [str(version)]
    assert version == outcome.verdict.pushed.version
    assert read_card(serving, version)
    (entry,) = list_accepted(accepted)
    assert [place.name for place in accepted.iterdir()] == [str(entry.number)]

    with claim_output(outcome.folder, outcome.folder / "metadata.db"):
        listed = CliRunner().invoke(main, ["runs", "--output", str(outcome.folder)]).output.splitlines()
    assert sum(" interrupted " in line for line in listed) == len(outcome.killed)
    assert len(listed) == 1 + len(outcome.killed) + 1
