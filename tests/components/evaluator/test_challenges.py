"""What models are worth elsewhere: the figures are scikit-learn's, and what cannot be measured is said."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from sklearn.metrics import accuracy_score, brier_score_loss, roc_auc_score

from components.challenges import ChallengeConfig, ChallengeRows
from components.evaluator import challenges
from components.evaluator.challenges import judge_challenges, measure_challenges
from components.evaluator.compose import compose_verdict
from components.evaluator.intervals import calibration_error
from components.evaluator.results import EvaluationVerdict
from components.evaluator.rules import describe
from tests.helpers.evaluations import a_policy, good_slices


def count(name: str, labels, **changes) -> ChallengeRows:
    rows = {"read": len(labels), "rejected": 0, "rejected_by_rule": {}, "repeats": 0}
    left_out = {"trained_on": 0, "trained_on_exactly": 0, "rows": len(labels), "clickbait": int(np.sum(labels))}
    return ChallengeRows(**{"name": name, "path": f"{name}.csv", "sha256": "sha256:1", **rows, **left_out, **changes})


def write(folder, rows):
    """Writes rows of `(challenge, variant, label, scores, slices)` as ModelScorer does."""
    folder.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(folder / "data.gz"), "GZIP") as writer:
        for challenge, variant, label, scores, slices in rows:
            example = tf.train.Example()
            feature = example.features.feature
            feature["challenge"].bytes_list.value.append(challenge.encode())
            feature["variant"].bytes_list.value.append(variant.encode())
            feature["label"].int64_list.value.append(int(label))
            for name, value in slices.items():
                feature[name].bytes_list.value.append(value.encode())
            for name, score in scores.items():
                feature[name].float_list.value.append(score)
            writer.write(example.SerializeToString())
    return str(folder)


def measured(tmp_path, by_name, columns=None, **changes):
    """Measures challenges of labels and scores, lower-cased with scores that are half of those.

    Args:
      tmp_path: a folder.
      by_name: labels and scores, by challenge.
      columns: the values of the rows of each challenge, by column.
      changes: of the counts.
    """
    rows = [
        (
            *(name, variant, label, {feature: factor * score[at] for feature, score in scores.items()}),
            {f"slice:{column}": values[at] for column, values in (columns or {}).items()},
        )
        for variant, factor in (("as_is", 1.0), ("lower", 0.5))
        for name, (labels, scores) in by_name.items()
        for at, label in enumerate(labels)
    ]
    counts = [count(name, labels, **changes) for name, (labels, _) in by_name.items()]
    return measure_challenges(write(tmp_path / "scored", rows), counts)


def random_scores(rows: int, seed: int):
    random = np.random.default_rng(seed)
    labels = random.integers(2, size=rows)
    return labels, np.float32(np.clip(0.35 * labels + 0.6 * random.random(rows), 0, 1))


def test_figures_are_those_of_each_model_and_of_each_variant(tmp_path):
    labels, scores = random_scores(500, 1)
    _, others = random_scores(500, 2)
    other, _ = random_scores(300, 3)
    models = {"probability": scores, "last_blessed": others, "tfidf_lower": 1 - scores}
    perfect = dict.fromkeys(models, other)
    challenge, second = measured(tmp_path, {"a": (labels, models), "b": (other, perfect)})
    for name, of_model in (("model", scores), ("last_blessed", others), ("linear_lower", 1 - scores)):
        assert challenge.auc[name].value == pytest.approx(roc_auc_score(labels, of_model))
        assert challenge.accuracy[name].value == accuracy_score(labels, of_model > 0.5)
        assert challenge.brier[name].value == pytest.approx(brier_score_loss(labels, of_model), abs=1e-6)
        assert challenge.ece[name].value == pytest.approx(calibration_error(labels, of_model.astype(float)).value)
        low, high = challenge.auc[name].interval
        assert low < challenge.auc[name].value < high
    assert challenge.lower.rows == challenge.rows
    assert challenge.lower.auc["model"].value == challenge.auc["model"].value  # half of a score ranks as the score
    assert challenge.lower.accuracy["model"].value == accuracy_score(labels, scores > 1)
    at = challenge.accuracy_at_share["model"]
    taken = scores >= at.threshold
    assert taken.sum() == labels.sum()
    assert at.accuracy.value == accuracy_score(labels, taken)
    assert at.precision.value == at.recall.value == labels[taken].mean()
    assert (challenge.rows, challenge.clickbait_share, challenge.findings) == (500, labels.mean(), [])
    assert second.auc["model"].value == second.accuracy_at_share["model"].accuracy.value == 1.0


def test_rows_of_one_score_are_taken_together(tmp_path):
    labels = [1, 1, 0, 0, 0]
    (challenge,) = measured(tmp_path, {"a": (labels, {"probability": [0.9, 0.5, 0.5, 0.5, 0.1]})})
    at = challenge.accuracy_at_share["model"]
    assert (at.threshold, at.recall.value, at.precision.value) == (pytest.approx(0.9), 0.5, 1.0)
    assert "linear_lower" not in challenge.auc
    assert challenge.findings == ["5 rows are few: figures differ by chance as far as their intervals reach"]


def test_one_class_has_no_area_and_says_so(tmp_path):
    (challenge,) = measured(tmp_path, {"a": ([1] * 300, {"probability": [0.75] * 300})})
    assert challenge.auc["model"].value is None
    assert challenge.accuracy_at_share["model"] is None
    assert challenge.accuracy["model"].value == 1.0
    assert challenge.findings == ["all 300 rows are clickbait: there is no AUC"]
    (judged,) = judge_challenges([challenge], [ChallengeConfig(name="a", path="a.csv", min_auc=0.5)])
    assert (judged.outcome, judged.refuses) == ("not judged", False)
    assert describe(judged) == "challenge challenge=a AUC: all 300 rows are clickbait: there is no AUC"


def test_without_rows_nothing_is_measured_and_it_says_why(tmp_path):
    folder = write(tmp_path / "scored", [])
    (challenge,) = measure_challenges(folder, [count("a", [], read=7, trained_on=7, trained_on_exactly=7)])
    assert challenge.findings == ["no row is left of 7, of which 7 were trained on: nothing is measured"]
    assert challenge.clickbait_share is challenge.auc["model"].value is challenge.lower.ece["model"].value is None


def test_a_score_that_is_no_number_is_an_error_whatever_the_bounds(tmp_path):
    labels, scores = random_scores(400, 4)
    scores[3] = np.nan
    (challenge,) = measured(tmp_path, {"a": (labels, {"probability": scores, "tfidf_lower": labels.astype(float)})})
    assert challenge.auc["model"].value is challenge.ece["model"].value is challenge.brier["model"].value is None
    assert challenge.auc["linear_lower"].value == 1.0
    assert challenge.findings == ["1 scores of model are no numbers: it has no AUC, ECE and Brier score"]
    config = ChallengeConfig(name="a", path="a.csv", min_auc=0.0, max_auc_below_linear=1.0)
    assert [(judged.rule, judged.refuses) for judged in judge_challenges([challenge], [config])] == [
        ("finite", True),
        ("challenge_auc", True),
        ("challenge_below_linear", True),
    ]
    assert [judged.rule for judged in judge_challenges([challenge], [])] == ["finite"]


def test_bounds_that_are_given_refuse_a_model(tmp_path):
    labels, scores = random_scores(400, 5)
    (challenge,) = measured(tmp_path, {"a": (labels, {"probability": scores, "tfidf_lower": labels.astype(float)})})
    area = challenge.auc["model"].value
    config = ChallengeConfig(name="a", path="a.csv", min_auc=area, max_auc_below_linear=1 - area + 1e-9)
    assert [judged.outcome for judged in judge_challenges([challenge], [config])] == ["kept", "kept"]
    config = ChallengeConfig(name="a", path="a.csv", min_auc=0.999, max_auc_below_linear=0.001)
    verdict = compose_verdict(good_slices(), [], a_policy(challenges=[config]), challenges=[challenge])
    assert [(judged.rule, judged.observed) for judged in verdict.thresholds if judged.refuses] == [
        ("challenge_auc", area),
        ("challenge_below_linear", area - 1),
    ]
    assert not verdict.blessed
    assert EvaluationVerdict.from_dict(verdict.as_dict()) == verdict
    assert describe(verdict.thresholds[-1]).startswith("challenge challenge=a AUC against the tfidf_lower -0.")


def test_without_a_linear_model_the_difference_to_it_is_not_judged(tmp_path):
    labels, scores = random_scores(400, 6)
    (challenge,) = measured(tmp_path, {"a": (labels, {"probability": scores})})
    (judged,) = judge_challenges([challenge], [ChallengeConfig(name="a", path="a.csv", max_auc_below_linear=0.0)])
    assert (judged.outcome, judged.detail) == ("not judged", "there are no scores of the simple model")


def test_without_challenges_a_verdict_has_no_such_key():
    assert "challenges" not in compose_verdict(good_slices(), [], a_policy()).as_dict()


# ---- Slices by columns


def test_each_value_of_a_column_has_the_figures_of_its_rows(tmp_path):
    labels, scores = random_scores(400, 7)
    source = np.array([*["bbc"] * 250, *["rare"] * 9, *["rarer"] * 5, *["(none)"] * 36, *["es"] * 100], object)
    models = {"probability": scores, "tfidf_lower": 1 - scores}
    columns = {"source": source, "language": ["(none)"] * 400}
    (challenge,) = measured(tmp_path, {"a": (labels, models)}, columns, slice_columns=["source"])
    assert [(part.value, part.rows, part.together) for part in challenge.slices] == [
        *(("bbc", 250, None), ("es", 100, None), ("(other)", 14, 2), ("(none)", 36, None))
    ]
    for part in challenge.slices:
        chosen = np.isin(source, ["rare", "rarer"]) if part.value == "(other)" else source == part.value
        assert part.auc["model"].value == pytest.approx(roc_auc_score(labels[chosen], scores[chosen]))
        assert part.accuracy["linear_lower"].value == accuracy_score(labels[chosen], 1 - scores[chosen] > 0.5)
        assert part.clickbait_share == labels[chosen].mean()
    assert {part.column for part in challenge.slices} == {"source"}  # the other one is another challenge's
    verdict = compose_verdict(good_slices(), [], a_policy(), challenges=[challenge])
    assert EvaluationVerdict.from_dict(verdict.as_dict()) == verdict


def test_without_columns_a_challenge_has_the_keys_that_it_had(tmp_path):
    (challenge,) = measured(tmp_path, {"a": ([0, 1], {"probability": [0.2, 0.8]})})
    assert not {"slices", "slice_columns"} & {*challenge.as_dict()}


def test_a_column_of_as_many_values_as_rows_is_no_slices_and_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(challenges, "_MOST_VALUES", 20)
    labels, scores = random_scores(300, 8)
    columns = {"id": [str(number) for number in range(300)], "kind": ["a"] * 300}
    (challenge,) = measured(tmp_path, {"a": (labels, {"probability": scores})}, columns, slice_columns=["id", "kind"])
    assert [(part.column, part.value, part.rows) for part in challenge.slices] == [("kind", "a", 300)]
    assert challenge.findings == ["the column id has more than 20 values: they are no slices"]
