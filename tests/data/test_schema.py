"""The curated schema parses, says what the trainer relies on, and catches what it is there to catch."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = ROOT / "data" / "schema.pbtxt"
SAMPLE = ROOT / "data" / "sample" / "headlines.csv"


def read_schema():
    from google.protobuf import text_format
    from tensorflow_metadata.proto.v0 import schema_pb2

    return text_format.Parse(SCHEMA.read_text(encoding="utf-8"), schema_pb2.Schema())


def test_features():
    from tensorflow_metadata.proto.v0 import schema_pb2

    features = {feature.name: feature for feature in read_schema().feature}

    assert list(features) == ["title", "label"]
    assert features["title"].type == schema_pb2.BYTES
    assert features["label"].type == schema_pb2.INT
    for feature in features.values():
        assert (feature.presence.min_fraction, feature.presence.min_count) == (1.0, 1)
        assert feature.HasField("shape")
        assert not feature.shape.dim
    domain = features["label"].int_domain
    assert (domain.name, domain.min, domain.max, domain.is_categorical) == ("label", 0, 1, True)


@pytest.mark.slow
def test_the_sample_has_no_anomalies_and_broken_data_has():
    import pandas as pd
    import tensorflow_data_validation as tfdv

    schema = read_schema()
    sample = pd.read_csv(SAMPLE)

    def anomalies(frame, **options):
        stats = tfdv.generate_statistics_from_dataframe(frame, tfdv.StatsOptions(**options), n_jobs=1)
        return set(tfdv.validate_statistics(stats, schema).anomaly_info)

    for options in ({}, {"schema": schema}):
        assert anomalies(sample, **options) == set()
        assert anomalies(sample.assign(label=[2] + [1] * (len(sample) - 1)), **options) == {"label"}
        assert anomalies(sample.drop(columns="title"), **options) == {"title"}
