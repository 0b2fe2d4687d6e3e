"""The thresholds of the configuration are those of the EvalConfig, and they hold for the overall slice only."""

import pytest

from pipeline.config import EvaluationConfig

pytestmark = pytest.mark.slow  # imports TensorFlow Model Analysis

CONFIG = EvaluationConfig(min_eval_accuracy=0.91, min_train_accuracy=0.92, min_eval_auc=0.93, max_accuracy_drop=0.04)


@pytest.fixture(scope="module")
def evaluation():
    from pipeline import evaluation

    return evaluation


@pytest.fixture(scope="module")
def tfma():
    import tensorflow_model_analysis as tfma

    return tfma


@pytest.fixture(scope="module")
def metrics(evaluation):
    """Metric name -> MetricConfig of a split."""

    def metrics(split, config=CONFIG):
        (spec,) = evaluation.create_eval_config(config, split).metrics_specs
        return {metric.class_name: metric for metric in spec.metrics}

    return metrics


def test_rules_are_those_of_the_configuration(evaluation):
    assert [tuple(rule) for rule in evaluation.thresholds(CONFIG)] == [
        ("eval", "binary_accuracy", 0.91, False),
        ("eval", "auc", 0.93, False),
        ("eval", "binary_accuracy", -0.04, True),
        ("train", "binary_accuracy", 0.92, False),
    ]


@pytest.mark.parametrize(
    ("split", "name", "bound"),
    [
        ("eval", "BinaryAccuracy", 0.91),
        ("eval", "AUC", 0.93),
        ("train", "BinaryAccuracy", 0.92),
        ("train", "AUC", None),
    ],
)
def test_lower_bounds_are_as_configured_and_only_for_the_overall_slice(tfma, metrics, split, name, bound):
    metric = metrics(split)[name]
    assert not metric.HasField("threshold")
    assert not metric.cross_slice_thresholds
    if bound is None:
        assert not metric.per_slice_thresholds
        return
    (threshold,) = metric.per_slice_thresholds
    assert list(threshold.slicing_specs) == [tfma.SlicingSpec()]
    assert threshold.threshold.value_threshold.lower_bound.value == bound
    assert not threshold.threshold.value_threshold.HasField("upper_bound")


def test_a_bound_of_zero_is_a_bound_too(metrics):
    (threshold,) = metrics("eval", EvaluationConfig(min_eval_auc=0.0))["AUC"].per_slice_thresholds
    assert threshold.threshold.value_threshold.HasField("lower_bound")


def test_the_baseline_is_compared_on_eval_accuracy_and_on_nothing_else(tfma, metrics):
    with_change = {
        (split, name): threshold.threshold.change_threshold
        for split in ("eval", "train")
        for name, metric in metrics(split).items()
        for threshold in metric.per_slice_thresholds
        if threshold.threshold.HasField("change_threshold")
    }
    assert list(with_change) == [("eval", "BinaryAccuracy")]
    (change,) = with_change.values()
    assert change.absolute.value == -0.04
    assert change.direction == tfma.MetricDirection.HIGHER_IS_BETTER


def test_only_eval_has_a_baseline_model(evaluation):
    specs = {split: evaluation.create_eval_config(CONFIG, split).model_specs for split in ("eval", "train")}
    assert [(spec.name, spec.is_baseline) for spec in specs["eval"]] == [("candidate", False), ("baseline", True)]
    assert [(spec.name, spec.is_baseline) for spec in specs["train"]] == [("", False)]
    for spec in [*specs["eval"], *specs["train"]]:
        assert (spec.label_key, spec.prediction_key, spec.signature_name) == ("label", "probability", "serving_default")


def test_metrics_have_the_names_by_which_the_verdict_reads_them(evaluation, metrics):
    names = {name: metric.config for name, metric in metrics("eval").items()}
    assert names["BinaryAccuracy"] == f'{{"name": "{evaluation.ACCURACY}"}}'
    assert names["AUC"] == f'{{"name": "{evaluation.AUC}"}}'
    assert "ExampleCount" in names


@pytest.mark.parametrize("split", ["eval", "train"])
def test_tfma_accepts_the_configuration(tfma, evaluation, split):
    config = evaluation.create_eval_config(CONFIG, split)
    has_baseline = split == "eval"
    tfma.utils.verify_eval_config(tfma.utils.update_eval_config_with_defaults(config, has_baseline=has_baseline))
