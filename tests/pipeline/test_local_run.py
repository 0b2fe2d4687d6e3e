"""The whole way with the real default encoder: a CSV of 300 rows to a pushed model, and what can go otherwise."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from components.variant_example_gen.perturbations import VARIANTS
from components.versioned_pusher.rollback import restore_version
from components.versions import read_card
from pipeline.config import PipelineConfig, load_config
from pipeline.lineage import read_outputs
from pipeline.local_runner import run_pipeline
from pipeline.paths import SAMPLE_FILE
from pipeline.report.facts import FACTS_FILE
from pipeline.report.write import MODEL_CARD_FILE, REPORT_FILE
from pipeline.runs import read_run
from tests.helpers.serving import ServerProcess

pytestmark = pytest.mark.slow

ROWS = 300


@pytest.fixture(scope="module")
def data_file(tmp_path_factory) -> Path:
    """The first rows of the sample, under other column names and with a column more."""
    path = tmp_path_factory.mktemp("data") / "headlines.csv"
    with SAMPLE_FILE.open(encoding="utf-8", newline="") as source, path.open("w", encoding="utf-8", newline="") as sink:
        writer = csv.writer(sink)
        writer.writerow(["id", "headline", "clickbait"])
        for number, row in enumerate(csv.DictReader(source)):
            if number < ROWS:
                writer.writerow([number, row["title"], row["label"]])
    return path


@pytest.fixture(scope="module")
def output(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("output")


@pytest.fixture(scope="module")
def make_config(data_file, output):
    def make(*overrides: str) -> PipelineConfig:
        flags = {
            "data.path": data_file,
            "data.text_column": "headline",
            "data.label_column": "clickbait",
            "training.epochs": 2,
            "output": output,
        }
        return load_config("smoke", overrides=overrides, flags=flags, environ={})

    return make


@pytest.fixture(scope="module")
def call(data_file, output) -> list[str]:
    """The same run as a command line."""
    columns = ["--text-column", "headline", "--label-column", "clickbait"]
    run = ["run", "--preset", "smoke", "--data", str(data_file), "--output", str(output), *columns]
    return [sys.executable, "-m", "pipeline", *run]


@pytest.fixture(scope="module")
def first_run(call):
    """One real run by the command line; the others of this module go on from its cache."""
    return subprocess.run([*call, "--epochs", "2"], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def first_verdict(first_run, output):
    return _newest(output)


def test_a_csv_becomes_a_pushed_model(first_run, first_verdict, output):
    assert first_run.returncode == 0, first_run.stdout + first_run.stderr
    assert first_verdict["status"] == "pushed"
    assert first_verdict["blessed"] is True
    assert first_verdict["data"]["origin"] == "given"
    assert sum(split["rows"] for split in first_verdict["rows"].values()) == ROWS
    assert first_verdict["infra"]["blessed"] is True
    assert Path(first_verdict["pushed"]["path"], "saved_model.pb").is_file()
    assert Path(first_verdict["pushed"]["path"], "assets.extra", "tf_serving_warmup_requests").is_file()
    versions = [path.name for path in (output / "serving" / "clickbait").iterdir()]
    assert versions == [str(first_verdict["pushed"]["version"])]


def test_the_run_folder_has_page_card_and_facts_of_all_artifacts(first_verdict):
    folder = Path(first_verdict["folder"])
    facts = json.loads((folder / FACTS_FILE).read_text(encoding="utf-8"))
    assert set(facts["statistics"]) == {"train", "eval"}
    assert {"candidate", "tfidf_cased", "tfidf_lower"} <= set(facts["curves"]["roc"])
    assert sum(one["rows"] for one in facts["curves"]["reliability"]) == first_verdict["rows"]["eval"]["rows"]
    pushed = [file for file in Path(first_verdict["pushed"]["path"]).rglob("*") if file.is_file()]
    assert 0 < facts["model_bytes"] <= sum(file.stat().st_size for file in pushed)
    page = (folder / REPORT_FILE).read_text(encoding="utf-8")
    assert all(first_verdict[key]["sha256" if key == "data" else "digest"] in page for key in ("data", "encoder"))
    assert first_verdict["run_id"] in (folder / MODEL_CARD_FILE).read_text(encoding="utf-8")


def test_the_terminal_shows_one_screen_and_no_library(first_run, data_file):
    lines = first_run.stdout.splitlines()
    assert str(data_file) in lines[0]
    assert len(lines) <= 55
    for node in (
        "HeadlineExampleGen",
        "StatisticsGen",
        "ExampleValidator",
        "Trainer",
        "LocalInfraValidator",
        "VersionedPusher",
    ):
        assert sum(node in line for line in lines) == 1
    assert first_run.stderr == ""
    assert not [line for line in lines if "arning" in line or "absl" in line or "tensorflow/" in line]


def test_the_log_has_what_the_terminal_has_not(first_run, first_verdict):
    log = Path(first_verdict["folder"], "log.txt").read_text(encoding="utf-8", errors="replace")
    assert "Component Trainer is finished." in log
    assert "absl::InitializeLog" in log or "tensorflow/core" in log  # what C++ writes by itself


def test_the_split_is_near_70_to_30(first_verdict):
    rows = first_verdict["rows"]
    assert rows["train"]["rows"] / ROWS == pytest.approx(0.7, abs=0.08)


def test_all_weights_of_the_encoder_are_trained(first_verdict):
    assert first_verdict["training"]["trainable_parameters"] == 68_927_232 + 513


def test_every_threshold_stands_in_the_verdict_with_what_was_observed(first_verdict):
    rules = {(one["split"], one["metric"]): one for one in first_verdict["thresholds"] if one["against"] == "bound"}
    asked = [("eval", "binary_accuracy"), ("eval", "auc"), ("train", "binary_accuracy")]
    assert {*rules} == {*asked, ("eval", "non_finite"), ("train", "non_finite")}
    assert all(0 < rules[one]["observed"] <= 1 for one in asked)
    evaluated = first_verdict["evaluation"]["slices"]
    assert {one["variant"] for one in evaluated if "variant" in one} == {*VARIANTS[1:]}
    assert {*first_verdict["evaluation"]["contenders"]} == {"tfidf_cased", "tfidf_lower"}


def test_the_evaluator_agrees_with_the_pushed_model_in_a_fresh_process(first_verdict, data_file):
    """Accuracy over both splits, recounted from the SavedModel alone by a process that knows nothing of the project."""
    verdict = first_verdict
    script = """
import csv, json, sys
import tensorflow as tf, tensorflow_text
model = tf.saved_model.load(sys.argv[1])
rows = list(csv.DictReader(open(sys.argv[2], encoding="utf-8", newline="")))
titles = [row["headline"] for row in rows]
scores = model.signatures["serving_default"](title=tf.constant(titles))["probability"].numpy()[:, 0]
examples = [tf.train.Example(features=tf.train.Features(feature={"title": tf.train.Feature(
    bytes_list=tf.train.BytesList(value=[title.encode()]))})).SerializeToString() for title in titles]
parsed = model.signatures["serving_examples"](examples=tf.constant(examples))["probability"].numpy()[:, 0]
right = sum((score > 0.5) == (row["clickbait"] == "1") for score, row in zip(scores, rows))
print(json.dumps({"right": int(right), "difference": float(abs(scores - parsed).max())}))
"""
    path = verdict["pushed"]["path"]
    done = subprocess.run([sys.executable, "-c", script, path, data_file], capture_output=True, text=True, check=True)
    recount = json.loads(done.stdout)
    expected = sum(
        one["observed"] * verdict["rows"][one["split"]]["rows"]
        for one in verdict["thresholds"]
        if one["rule"] == "accuracy"
    )
    # A score within rounding of 0.5 may fall to the other side in another batch.
    assert recount["right"] == pytest.approx(expected, abs=1.5)
    assert recount["difference"] < 1e-5


def test_an_unchanged_rerun_takes_all_from_the_cache_and_pushes_nothing(first_verdict, make_config, output):
    assert run_pipeline(make_config()) == 0
    verdict = _newest(output)
    ran = {name for name, timing in verdict["components"].items() if timing["status"] != "cached"}
    assert ran == {"VersionedPusher"}
    assert verdict["status"] == "unchanged"
    assert verdict["pushed"]["version"] == first_verdict["pushed"]["version"]


def test_a_file_is_scored_in_bulk_as_the_server_scores_it(first_verdict, data_file, make_config, output, tmp_path):
    texts = tmp_path / "new.csv"
    with data_file.open(encoding="utf-8", newline="") as source, texts.open("w", encoding="utf-8", newline="") as sink:
        csv.writer(sink).writerows([row["headline"]] for row in [{"headline": "title"}, *csv.DictReader(source)])
    assert run_pipeline(make_config(f"bulk.path={texts}")) == 0
    verdict = _newest(output)
    ran = {name for name, timing in verdict["components"].items() if timing["status"] != "cached"}
    assert ran == {"BulkExampleGen", "BulkInferrer", "VersionedPusher"}
    assert verdict["bulk"]["rows"] == ROWS
    in_bulk = _read_scores(verdict["bulk"]["path"])

    scored = tmp_path / "scored.csv"
    with ServerProcess(output / "serving" / "clickbait", tmp_path / "server.log", "clickbait") as server:
        server.wait_until_ready()
        call = ["predict", "--target", f"localhost:{server.port}", "--input", str(texts), "--output", str(scored)]
        subprocess.run([sys.executable, "-m", "pipeline", *call], capture_output=True, check=True)
    with scored.open(encoding="utf-8", newline="") as stream:
        served = [(row["title"], float(row["probability"])) for row in csv.DictReader(stream)]
    assert [title for title, _ in in_bulk] == [title for title, _ in served]
    assert [score for _, score in in_bulk] == pytest.approx([score for _, score in served], abs=1e-6)


def test_a_model_that_is_not_fit_to_be_served_is_not_pushed_and_ends_with_5(first_verdict, make_config, output, capfd):
    tight = make_config("infra.max_memory_gb=0.1")
    for _ in range(2):  # the second is no answer from the cache: a refusal may be the machine's fault
        assert run_pipeline(tight) == 5
        verdict = _newest(output)
        ran = {name for name, timing in verdict["components"].items() if timing["status"] != "cached"}
        assert ran == {"LocalInfraValidator", "VersionedPusher"}
    assert verdict["status"] == "infra not blessed"
    assert [one["rule"] for one in verdict["infra"]["findings"] if one["outcome"] == "fail"] == ["memory"]
    assert "not fit to be served: memory, server: expected peak at most 0.1 GB" in capfd.readouterr().out
    assert Path(verdict["infra"]["log"]).is_file()
    assert len(list((output / "serving" / "clickbait").iterdir())) == 1


def test_a_model_below_a_threshold_is_not_pushed_and_ends_with_4(
    first_verdict, make_config, output, capfd, monkeypatch
):
    # TFX's Beam components read absl's flags from the command line, where -v would be a number.
    monkeypatch.setattr(sys, "argv", ["clickbait", "run", "-v", "--preset"])
    untrained = make_config("evaluation.min_eval_accuracy=1.0", "training.learning_rate=1e-9")
    code = run_pipeline(untrained)
    verdict = _newest(output)
    broken = [one for one in verdict["thresholds"] if one["gates"] and not one["passed"]]
    assert code == 4
    assert verdict["status"] == "not blessed"
    assert [(one["split"], one["metric"], one["bound"]) for one in broken] == [("eval", "binary_accuracy", 1.0)]
    assert "not kept: eval accuracy 0." in capfd.readouterr().out
    assert len(list((output / "serving" / "clickbait").iterdir())) == 1


def test_an_override_pushes_stays_visible_and_is_not_inherited(first_verdict, make_config, output, capfd):
    broken = ("evaluation.min_eval_accuracy=1.0", "training.learning_rate=1e-9")
    assert run_pipeline(make_config(*broken, "evaluation.bless_anyway=new rules are to come")) == 0
    verdict = _newest(output)
    ran = {name for name, timing in verdict["components"].items() if timing["status"] != "cached"}
    assert ran == {"Evaluator", "VersionedPusher"}  # judged anew, scored no more
    assert verdict["status"] == "pushed"
    assert verdict["evaluation"]["override"] == {"reason": "new rules are to come"}
    assert [one["rule"] for one in verdict["thresholds"] if one["gates"] and not one["passed"]] == ["accuracy"]
    shown = capfd.readouterr().out
    assert "override broken rules are overridden: new rules are to come" in shown
    assert "pushed: overridden, not kept: eval accuracy 0." in shown
    card = read_card(output / "serving" / "clickbait", verdict["pushed"]["version"])
    assert card.override == "new rules are to come"
    properties = read_outputs(output / "metadata.db", "clickbait")["VersionedPusher"]["pushed_model"].custom_properties
    assert properties["override"].string_value == "new rules are to come"

    written = Path(verdict["folder"], "config.yaml")
    assert load_config(file=written, environ={}).evaluation.bless_anyway is None
    assert run_pipeline(make_config(*broken)) == 4
    assert _newest(output)["baseline_version"] == verdict["baseline_version"]  # what broke rules is no measure
    restore_version(output / "serving" / "clickbait", first_verdict["pushed"]["version"])


def test_the_second_model_is_compared_with_the_first(first_verdict, output):
    (change,) = [one for one in _newest(output)["thresholds"] if one["against"] == "last blessed model"]
    assert change["bound"] == -1.0
    assert -1 <= change["observed"] <= 1


def test_a_run_to_the_trainer_pushes_nothing_and_one_from_the_evaluator_goes_on_from_there(
    first_verdict, make_config, output
):
    config = make_config("training.seed=3")
    assert run_pipeline(config, to_node="Trainer") == 0
    trained = _newest(output)
    assert list(trained["components"])[-1] == "Trainer"
    assert trained["status"] == "done"
    assert run_pipeline(config, from_node="VariantExampleGen", to_node="Evaluator") == 0
    evaluated = _newest(output)
    assert list(evaluated["components"]) == ["VariantExampleGen", "BaselineScorer", "ModelScorer", "Evaluator"]
    assert evaluated["training"] == trained["training"]
    assert {one["split"] for one in evaluated["thresholds"]} == {"eval", "train"}


def test_from_the_trainer_takes_the_data_of_the_last_run_and_refuses_other_data(
    first_verdict, make_config, output, capfd
):
    assert run_pipeline(make_config("data.limit_rows=200"), from_node="Trainer") == 2
    assert "with another data.limit_rows" in capfd.readouterr().err
    assert run_pipeline(make_config("training.seed=4"), from_node="Trainer") == 0
    verdict = _newest(output)
    assert "HeadlineExampleGen" not in verdict["components"]
    assert verdict["components"]["VersionedPusher"]["status"] == "done"
    assert verdict["rows"] == first_verdict["rows"]
    assert verdict["training"]["settings"]["seed"] == 4


def test_ctrl_c_in_training_ends_cleanly_and_the_components_before_it_are_not_run_again(first_verdict, call, output):
    run = subprocess.Popen(
        [*call, "--epochs", "900"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell that runs the tests in the background has SIGINT ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    shown = ""
    for line in run.stdout:
        shown += line
        # Once: the line that the signal breaks off may be printed again.
        if "epoch 1/900" in line and shown.count("epoch 1/900") == 1:
            run.send_signal(signal.SIGINT)
    run.wait(timeout=60)
    verdict = _newest(output)
    assert run.returncode == 130
    assert run.stderr.read() == ""
    assert "interrupted: " in shown
    assert "Traceback" not in shown
    statuses = {name: timing["status"] for name, timing in verdict["components"].items()}
    assert statuses["Trainer"] == "interrupted"
    assert {statuses["HeadlineExampleGen"], statuses["StatisticsGen"]} == {"cached"}


def test_bad_rows_end_with_3_and_nothing_is_trained(tmp_path, capfd):
    bad = tmp_path / "bad.csv"
    bad.write_text(
        "headline,clickbait\n" + "Storm hits coast,0\n" * 20 + "What happened next,maybe\n", encoding="utf-8"
    )
    flags = {
        "data.path": bad,
        "data.text_column": "headline",
        "data.label_column": "clickbait",
        "output": tmp_path / "output",
    }
    assert run_pipeline(load_config("smoke", flags=flags, environ={})) == 3
    shown = capfd.readouterr()
    assert f"{bad}:22: the clickbait is 'maybe', expected 0 or 1" in shown.err
    assert "Traceback" not in shown.err + shown.out
    assert not (tmp_path / "output" / "serving").exists()


def _read_scores(folder: str) -> list[tuple[str, float]]:
    """Titles and probabilities in the order of the file's rows."""
    import tensorflow as tf

    records = tf.data.TFRecordDataset([*map(str, sorted(Path(folder).iterdir()))], "GZIP").as_numpy_iterator()
    features = [tf.train.Example.FromString(record).features.feature for record in records]
    rows = sorted(features, key=lambda one: one["row"].int64_list.value[0])
    return [(one["title"].bytes_list.value[0].decode(), one["probability"].float_list.value[0]) for one in rows]


def _newest(output: Path) -> dict:
    return read_run(output)
