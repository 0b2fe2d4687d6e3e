"""Late labels against figures that are known: joins, repeats, days, versions, and what is no figure."""

from __future__ import annotations

import math

import numpy as np
import pytest

from components.errors import InputError
from components.evaluator.intervals import area_under_roc, calibration_error, proportion
from components.headline_example_gen.settings import DataConfig
from pipeline.config.monitor import MonitorConfig
from pipeline.monitoring import labels as labels_module
from pipeline.monitoring.labels import LastScores, LateLabels, judge_labels
from pipeline.monitoring.served_version import MonitorError
from pipeline.monitoring.traffic import Row, read_logs
from tests.helpers.request_logs import an_entry, write_log

DAY = 86_400
ROWS = 400


def late_labels(tmp_path, lines, **settings) -> LateLabels:
    path = tmp_path / "labels.csv"
    path.write_text("\n".join(["title,label", *lines, ""]), encoding="utf-8")
    return LateLabels.read(str(path), DataConfig(**settings))


def judge(late: LateLabels, version=7, **policy):
    return judge_labels(late, version, MonitorConfig(**{"min_labelled_rows": 1, **policy}))


def observed(findings) -> list[tuple[str, str]]:
    return [(finding.where, finding.outcome) for finding in findings]


@pytest.fixture
def rows() -> tuple[np.ndarray, np.ndarray]:
    """Labels, and scores that are often right."""
    random = np.random.default_rng(1)
    labels = random.integers(0, 2, ROWS)
    return labels, np.clip(labels / 2 + random.normal(0.25, 0.25, ROWS), 0, 1).astype(np.float32).astype(float)


@pytest.fixture
def scored(tmp_path, rows) -> LateLabels:
    """All of them in a log: the even ones on the first day, the others on the second."""
    labels, scores = rows
    late = late_labels(tmp_path, [f"t{row:03},{label}" for row, label in enumerate(labels)])
    entries = [
        an_entry([f"t{row:03}" for row in range(day, ROWS, 2)], list(scores[day::2]), time=DAY * day + 5)
        for day in (0, 1)
    ]
    read_logs([write_log(tmp_path / "1.tfrecord", entries)], "clickbait", most_rows=10, sink=late)
    return late


def test_the_metrics_are_those_of_the_rows(scored, rows):
    labels, scores = rows
    report, findings = judge(scored)
    assert (findings, report.not_in_log, report.texts) == ([], 0, ROWS)
    assert [(part.version, part.day, part.rows) for part in report.slices] == [
        ("7", None, 400),
        ("7", "1970-01-01", 200),
        ("7", "1970-01-02", 200),
    ]
    for part, chosen in zip(report.slices, (slice(None), slice(0, None, 2), slice(1, None, 2)), strict=True):
        of, given = labels[chosen], scores[chosen]
        expected = {
            "binary_accuracy": proportion(int(((given > 0.5) == of).sum()), len(of)),
            "auc": area_under_roc(of, given),
            "ece": calibration_error(of, given),
        }
        for name, estimate in expected.items():
            assert part.metrics[name].value == pytest.approx(estimate.value)
            # That of the calibration error is bootstrapped, and the rows stand in another order here.
            assert part.metrics[name].interval == pytest.approx(list(estimate[1:]), abs=1e-2 if name == "ece" else 1e-9)
        bias = part.metrics["mean_score_minus_share"]
        half = 1.96 * (given - of).std(ddof=1) / math.sqrt(len(of))
        assert bias.value == pytest.approx(given.mean() - of.mean())
        assert bias.interval == pytest.approx([bias.value - half, bias.value + half], abs=1e-4)
        assert (part.clickbait, part.non_finite) == (of.sum(), 0)


def test_an_alarm_where_the_whole_interval_lies_below(scored):
    part = judge(scored)[0].slices[0]
    value, (low, high) = part.metrics["binary_accuracy"].value, part.metrics["binary_accuracy"].interval
    assert low < value < high
    assert observed(judge(scored, min_accuracy=high + 1e-6)[1]) == [("accuracy", "fail")]
    assert observed(judge(scored, min_accuracy=high - 1e-6)[1]) == [("accuracy", "kept")]
    assert observed(judge(scored, min_accuracy=0.99, min_auc=0.5, labels="warn")[1]) == [
        ("accuracy", "warn"),
        ("AUC", "kept"),
    ]


@pytest.mark.parametrize("version", [7, 8, None])
def test_too_few_labelled_texts_are_no_alarm(scored, version):
    _, (finding,) = judge(scored, version, min_accuracy=1, min_labelled_rows=401)
    assert (finding.outcome, finding.bound) == ("not judged", ">= 401 labelled texts in the log")
    assert finding.observed == ("400" if version == 7 else "0")


def test_repeats_contradictions_and_rejects_are_counted_and_no_figure_is_of_them(tmp_path):
    lines = ["a,1", "a,1", "b,0", "b,1", "c,0", "d,7", ",1", "never sent,1", "A,0"]
    late = late_labels(tmp_path, lines)
    for text in (b"a", b"b", b"c", b"d", b"\xff"):
        late.add(7, 0.0, Row(text, 0.9))
    report, _ = judge(late)
    assert (report.rows, report.texts, report.repeats, report.contradictory) == (9, 4, 1, 2)
    assert report.rejected == {"unknown_label": 1, "blank_title": 1}
    assert report.not_in_log == 2  # "never sent", and "A", which is no "a"
    assert (report.slices[0].rows, report.slices[0].clickbait) == (2, 1)
    assert report.slices[0].metrics["binary_accuracy"].value == 0.5


def test_a_text_counts_once_for_a_day_and_once_for_its_version_by_its_last_score(tmp_path):
    late = late_labels(tmp_path, ["a,1", "b,0"])
    for version, time, text, score in [
        (7, 20, b"a", 0.9),
        (7, 10, b"a", 0.1),  # logged later, sent before
        (7, DAY, b"a", 0.2),
        (7, DAY, b"a", 0.3),  # at the same time: the later in the log
        (8, 5, b"a", 0.8),
        (None, 5, b"b", 0.6),
    ]:
        late.add(version, time, Row(text, score))
    found = [(part.version, part.day, [*part.labels], [*part.scores]) for part in late.slices()]
    assert found == [
        (7, None, [1], [0.3]),
        (7, "1970-01-01", [1], [0.9]),
        (7, "1970-01-02", [1], [0.3]),
        (8, None, [1], [0.8]),
        (8, "1970-01-01", [1], [0.8]),
        (None, None, [0], [0.6]),
        (None, "1970-01-01", [0], [0.6]),
    ]
    assert late.not_in_log() == 0
    assert [part.version for part in judge(late, None)[0].slices][-1] == "not named"


@pytest.mark.parametrize("score", [0.9, math.nan])
def test_without_both_classes_or_numbers_there_is_no_auc_and_no_alarm_by_it(tmp_path, score):
    late = late_labels(tmp_path, ["a,1", f"b,{int(math.isnan(score))}", "c,0"][: 3 if math.isnan(score) else 1])
    late.add(7, 0.0, Row(b"a", score))
    if math.isnan(score):
        late.add(7, 0.0, Row(b"c", 0.1))
    report, (accuracy, auc) = judge(late, min_accuracy=0.1, min_auc=0.5)
    assert (accuracy.outcome, auc.outcome) == ("kept", "not judged")
    assert auc.detail == ("a score is no number" if math.isnan(score) else "all labels are of one class")
    metrics = report.slices[0].metrics
    assert (metrics["auc"].value, metrics["auc"].interval) == (None, None)
    assert metrics["binary_accuracy"].value == (0.5 if math.isnan(score) else 1.0)
    assert (metrics["ece"].value is None) == (metrics["mean_score_minus_share"].value is None) == math.isnan(score)


def test_memory_grows_with_the_texts_and_not_with_the_log(monkeypatch):
    monkeypatch.setattr(labels_module, "_LEAST_KEPT", 8)
    scores = LastScores()
    for number in range(1000):
        scores.add(number % 5, float(number), number / 1000)
        assert len(scores._texts) < 11
    texts, times, last = scores.columns()
    assert (texts.tolist(), times.tolist()) == ([0, 1, 2, 3, 4], [995, 996, 997, 998, 999])
    assert last.tolist() == [0.995, 0.996, 0.997, 0.998, 0.999]


def test_columns_and_values_are_the_sections(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("head,kind\na,yes\nb,no\n")
    settings = DataConfig(
        text_column="head", label_column="kind", labels={"yes": 1, "no": 0}, group_column="site", split_column="part"
    )
    assert LateLabels.read(str(path), settings).labelled.rows == 2
    with pytest.raises(InputError, match="the first line must have the columns 'title' and 'label'"):
        LateLabels.read(str(path), DataConfig())


@pytest.mark.parametrize(
    ("lines", "received"),
    [
        ([], "0 rows, 0 of texts with both labels, 0 rejected. Give"),
        (["a,2", "b,3"], "2 rows, 0 of texts with both labels, 2 rejected (2 unknown_label). Give"),
        (["a,0", "a,1"], "2 rows, 2 of texts with both labels, 0 rejected. Give"),
    ],
)
def test_a_file_without_a_label_is_refused(tmp_path, lines, received):
    with pytest.raises(MonitorError) as error:
        late_labels(tmp_path, lines)
    assert received in str(error.value)
