"""The whole way with the real default encoder: a CSV of 300 rows to a pushed model, and what can go otherwise."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

from components.slices import VARIANTS
from pipeline.config.paths import SAMPLE_FILE
from pipeline.config.pipeline_config import PipelineConfig, load_config
from pipeline.results.report.facts import FACTS_FILE
from pipeline.results.run_folders import MODEL_CARD_FILE, REPORT_FILE, read_run
from pipeline.running.local_runner import run_pipeline
from serving.protocol.messages import PredictionLog
from serving.protocol.records import read_records
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
    assert first_verdict.status == "pushed"
    assert first_verdict.blessed is True
    assert first_verdict.data.origin == "given"
    assert sum(split.rows for split in first_verdict.rows.values()) == ROWS
    assert first_verdict.infra.blessed is True
    assert Path(first_verdict.pushed.path, "saved_model.pb").is_file()
    versions = [path.name for path in (output / "serving" / "clickbait").iterdir()]
    assert versions == [str(first_verdict.pushed.version)]


def test_the_pushed_model_warms_each_of_its_signatures_up(first_verdict):
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    pushed = Path(first_verdict.pushed.path)
    (graph,) = SavedModel.FromString((pushed / "saved_model.pb").read_bytes()).meta_graphs
    with (pushed / "assets.extra" / "tf_serving_warmup_requests").open("rb") as stream:
        specs = [PredictionLog.FromString(record).predict_log.request.model_spec for record in read_records(stream)]
    signatures = {name for name in graph.signature_def if not name.startswith("__")}
    assert signatures and {spec.signature_name for spec in specs} == signatures


def test_the_run_folder_has_page_card_and_facts_of_all_artifacts(first_verdict):
    folder = Path(first_verdict.folder)
    facts = json.loads((folder / FACTS_FILE).read_text(encoding="utf-8"))
    assert set(facts["statistics"]) == {"train", "eval"}
    assert {"candidate", "tfidf_cased", "tfidf_lower"} <= set(facts["curves"]["roc"])
    assert sum(point["rows"] for point in facts["curves"]["reliability"]) == first_verdict.rows["eval"].rows
    pushed = [file for file in Path(first_verdict.pushed.path).rglob("*") if file.is_file()]
    assert 0 < facts["model_bytes"] <= sum(file.stat().st_size for file in pushed)
    page = (folder / REPORT_FILE).read_text(encoding="utf-8")
    assert all(digest in page for digest in (first_verdict.data.sha256, first_verdict.encoder.digest))
    assert first_verdict.run_id in (folder / MODEL_CARD_FILE).read_text(encoding="utf-8")


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
    log = Path(first_verdict.folder, "log.txt").read_text(encoding="utf-8", errors="replace")
    assert "Component Trainer is finished." in log
    assert "absl::InitializeLog" in log or "tensorflow/core" in log  # what C++ writes by itself


def test_the_split_is_near_70_to_30(first_verdict):
    rows = first_verdict.rows
    assert rows["train"].rows / ROWS == pytest.approx(0.7, abs=0.08)


def test_all_weights_of_the_encoder_are_trained(first_verdict):
    assert first_verdict.training.trainable_parameters == 68_927_232 + 513


def test_every_threshold_stands_in_the_verdict_with_what_was_observed(first_verdict):
    rules = {(judged.split, judged.metric): judged for judged in first_verdict.thresholds if judged.against == "bound"}
    asked = [("eval", "binary_accuracy"), ("eval", "auc"), ("train", "binary_accuracy")]
    assert {*rules} == {*asked, ("eval", "non_finite"), ("train", "non_finite")}
    assert all(0 < rules[rule].observed <= 1 for rule in asked)
    evaluated = first_verdict.evaluation.slices
    assert {part.variant for part in evaluated if part.variant} == {*VARIANTS[1:]}
    assert {*first_verdict.evaluation.contenders} == {"tfidf_cased", "tfidf_lower"}


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
    path = verdict.pushed.path
    done = subprocess.run([sys.executable, "-c", script, path, data_file], capture_output=True, text=True, check=True)
    recount = json.loads(done.stdout)
    expected = sum(
        judged.observed * verdict.rows[judged.split].rows for judged in verdict.thresholds if judged.rule == "accuracy"
    )
    # A score within rounding of 0.5 may fall to the other side in another batch.
    assert recount["right"] == pytest.approx(expected, abs=1.5)
    assert recount["difference"] < 1e-5


def test_an_unchanged_rerun_takes_all_from_the_cache_and_pushes_nothing(first_verdict, make_config, output):
    assert run_pipeline(make_config()) == 0
    verdict = _newest(output)
    ran = {name for name, timing in verdict.components.items() if timing.status != "cached"}
    assert ran == {"VersionedPusher"}
    assert verdict.status == "unchanged"
    assert verdict.pushed.version == first_verdict.pushed.version


def test_a_file_is_scored_in_bulk_as_the_server_scores_it(first_verdict, data_file, make_config, output, tmp_path):
    texts = tmp_path / "new.csv"
    with data_file.open(encoding="utf-8", newline="") as source, texts.open("w", encoding="utf-8", newline="") as sink:
        csv.writer(sink).writerows([row["headline"]] for row in [{"headline": "title"}, *csv.DictReader(source)])
    assert run_pipeline(make_config(f"bulk.path={texts}")) == 0
    verdict = _newest(output)
    ran = {name for name, timing in verdict.components.items() if timing.status != "cached"}
    assert ran == {"BulkExampleGen", "BulkInferrer", "VersionedPusher"}
    assert verdict.bulk.rows == ROWS
    in_bulk = _read_scores(verdict.bulk.path)

    scored = tmp_path / "scored.csv"
    served, log = output / "serving" / "clickbait", tmp_path / "server.log"
    with ServerProcess(served, log, "clickbait") as server:
        server.wait_until_ready()
        call = ["predict", "--target", f"localhost:{server.port}", "--input", str(texts), "--output", str(scored)]
        subprocess.run([sys.executable, "-m", "pipeline", *call], capture_output=True, check=True)
    with scored.open(encoding="utf-8", newline="") as stream:
        served = [(row["title"], float(row["probability"])) for row in csv.DictReader(stream)]
    assert [title for title, _ in in_bulk] == [title for title, _ in served]
    assert [score for _, score in in_bulk] == pytest.approx([score for _, score in served], abs=1e-6)


def _read_scores(folder: str) -> list[tuple[str, float]]:
    """Titles and probabilities in the order of the file's rows."""
    import tensorflow as tf

    records = tf.data.TFRecordDataset([*map(str, sorted(Path(folder).iterdir()))], "GZIP").as_numpy_iterator()
    features = [tf.train.Example.FromString(record).features.feature for record in records]
    rows = sorted(features, key=lambda row: row["row"].int64_list.value[0])
    return [(row["title"].bytes_list.value[0].decode(), row["probability"].float_list.value[0]) for row in rows]


def _newest(output: Path) -> dict:
    return read_run(output)


def test_elsewhere_the_model_is_measured_and_refused_below_a_bound(first_verdict, output, make_config, tmp_path):
    with SAMPLE_FILE.open(encoding="utf-8", newline="") as stream:
        rows = [(row["title"], row["label"]) for row in csv.DictReader(stream)][: ROWS + 100]
    with (tmp_path / "more.csv").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([("title", "label"), *rows])
    (tmp_path / "one.csv").write_text("title,label\nAnother,0\n")
    more, one_class = (f"path: {tmp_path / name}" for name in ("more.csv", "one.csv"))
    challenges = [
        f"{{name: more, {more}, min_auc: 0.6}}",
        f"{{name: turned, {more}, labels: {{0: 1, 1: 0}}, min_auc: 0.5}}",
        f"{{name: one, {one_class}, min_auc: 1}}",
    ]
    code = run_pipeline(make_config(f"evaluation.challenges=[{', '.join(challenges)}]"))
    verdict = _newest(output)
    assert (code, verdict.status) == (4, "not blessed")
    assert [judged.slice for judged in verdict.failed_rules] == [{"challenge": "turned"}]
    versions = [path.name for path in (output / "serving" / "clickbait").iterdir()]
    assert versions == [str(first_verdict.pushed.version)]
    found, _, few = verdict.challenges
    assert (found.read, found.trained_on) == (ROWS + 100, first_verdict.rows["train"].rows)
    assert found.rows == found.read - found.trained_on
    assert {*found.auc} == {*found.lower.auc} == {"model", "last_blessed", "linear_lower"}
    assert (few.auc["model"].value, few.findings) == (None, ["all 1 rows are news: there is no AUC"])
    before, after = (
        {
            (part.split, *part.slice.items(), name): part.metrics[name].value
            for part in run.evaluated
            for name in ("binary_accuracy", "auc", "ece", "brier")
            if part.metrics[name].value is not None  # an AUC of one class
        }
        for run in (first_verdict, verdict)
    )
    assert after == pytest.approx(before, rel=1e-12)  # Beam sums the same scores in an order of its own
