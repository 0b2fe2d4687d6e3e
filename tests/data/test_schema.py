"""The curated schema parses, says what the trainer relies on, and catches what it is there to catch."""

import csv
import random
from pathlib import Path

import pytest

from components.statistics_gen.derived import CASINGS, DERIVED

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = ROOT / "data" / "schema.pbtxt"
SAMPLE = ROOT / "data" / "sample" / "headlines.csv"


def read_schema():
    from google.protobuf import text_format
    from tensorflow_metadata.proto.v0 import schema_pb2

    return text_format.Parse(SCHEMA.read_text(encoding="utf-8"), schema_pb2.Schema())


def read_sample() -> list[tuple[str, int]]:
    with SAMPLE.open(encoding="utf-8", newline="") as stream:
        return [(row["title"], int(row["label"])) for row in csv.DictReader(stream)]


def halves(rows: int, seed: int) -> tuple[list, list]:
    drawn = random.Random(seed).sample(read_sample(), 2 * rows)
    return drawn[:rows], drawn[rows:]


def statistics(rows):
    from tests.helpers.statistics import compute_statistics

    return compute_statistics(rows, read_schema())


def anomalies(rows, **baseline) -> set[str]:
    """Names of the features in which TFDV finds an anomaly; a baseline is rows, too."""
    import tensorflow_data_validation as tfdv

    compared = {name: statistics(others) for name, others in baseline.items()}
    return set(tfdv.validate_statistics(statistics(rows), read_schema(), **compared).anomaly_info)


def drift(rows, others) -> set[str]:
    return anomalies(rows, previous_statistics=others)


def test_features():
    from tensorflow_metadata.proto.v0 import schema_pb2

    features = {feature.name: feature for feature in read_schema().feature}

    assert list(features) == ["title", "label", *DERIVED]
    assert [feature.type for feature in features.values()] == [
        *(schema_pb2.BYTES, schema_pb2.INT),
        *(schema_pb2.INT, schema_pb2.BYTES, schema_pb2.BYTES),
    ]
    for feature in features.values():
        assert (feature.presence.min_fraction, feature.presence.min_count) == (1.0, 1)
        assert feature.HasField("shape") == (feature.name != "title_words")
        assert not feature.shape.dim
    domain = features["label"].int_domain
    assert (domain.name, domain.min, domain.max, domain.is_categorical) == ("label", 0, 1, True)


def test_what_is_derived_is_marked_and_all_of_it_is_compared():
    from tensorflow_metadata.proto.v0 import schema_pb2

    features = {feature.name: feature for feature in read_schema().feature}
    derived = [name for name, one in features.items() if one.lifecycle_stage == schema_pb2.VALIDATION_DERIVED]
    assert derived == list(DERIVED)
    assert tuple(features["title_casing"].string_domain.value) == (
        "lower",
        "UPPER",
        "Title",
        "Sentence",
        "mixed",
        "none",
    )
    assert set(features["title_casing"].string_domain.value) == set(CASINGS)
    for name in ("label", *DERIVED):
        (drift,) = features[name].drift_comparator.ListFields()
        (skew,) = features[name].skew_comparator.ListFields()
        assert drift[0].name == skew[0].name
        assert 0 < drift[1].threshold <= skew[1].threshold < 1  # eval is the smaller split


@pytest.mark.slow
def test_the_sample_has_no_anomalies_and_broken_data_has():
    sample = read_sample()

    assert anomalies(sample) == set()
    assert anomalies([(sample[0][0], 2), *sample[1:]]) == {"label"}
    assert anomalies([row for row in sample if row[1]]) == {"label"}
    assert anomalies([("", 0), *sample]) == {"title_length"}
    assert anomalies([("x" * 10_001, 0), *sample]) == {"title_length"}
    assert anomalies([("?!", 0), *sample]) == set()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_a_random_part_has_neither_drifted_nor_skewed(seed):
    shuffled = random.Random(seed).sample(read_sample(), 2000)
    assert anomalies(
        shuffled[:1400], previous_statistics=shuffled[1400:], serving_statistics=shuffled[1400:]
    ) == set()  # fmt: skip
    rows, others = halves(500, seed)
    assert drift(rows, others) == set()
    assert anomalies(rows[:210], serving_statistics=rows[210:300]) == set()


@pytest.mark.slow
@pytest.mark.parametrize("rows", [210, 1000])
def test_drift_is_found(rows):
    ours, others = halves(rows, seed=1)

    assert "title_casing" in drift([(title.lower(), label) for title, label in ours], others)
    assert "title_casing" in drift([(title.upper(), label) for title, label in ours], others)
    assert "title_length" in drift([(" ".join(title.split()[:4]), label) for title, label in ours], others)
    share = sum(label for _, label in others) / rows
    for moved in (share + 0.2, share - 0.2):
        by_label = {label: [row for row in read_sample() if row[1] == label] for label in (0, 1)}
        clickbait = round(rows * moved)
        drawn = by_label[1][:clickbait] + by_label[0][: rows - clickbait]
        assert "label" in drift((drawn * 2)[:rows], others)


@pytest.mark.slow
def test_other_readers_look_for_title_and_label_alone(examples):
    """The Evaluator reads Examples with this schema."""
    from tfx_bsl.public import tfxio
    from tfx_bsl.tfxio import dataset_options

    path = examples([("Storm hits coast", 0), ("You Won’t Believe It", 1)])
    source = tfxio.TFExampleRecord(path, schema=read_schema())

    assert set(source.TensorRepresentations()) == {"title", "label"}
    options = dataset_options.TensorFlowDatasetOptions(batch_size=2, num_epochs=1, shuffle=False)
    (batch,) = source.TensorFlowDataset(options)
    assert set(batch) == {"title", "label"}
    assert batch["label"].numpy().tolist() == [0, 1]
