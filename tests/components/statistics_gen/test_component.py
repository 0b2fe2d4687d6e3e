"""StatisticsGen in TFX: stock artifacts, with the derived features in them."""

from __future__ import annotations

import trainer.tensorflow_setup.keras_policy  # noqa: F401  isort: skip

import json
import shutil
from pathlib import Path

import pytest

from components.statistics_gen.derived import DERIVED

pytestmark = pytest.mark.slow

SCHEMA = Path(__file__).parents[3] / "data" / "schema.pbtxt"
ROWS = [(f"Headline “{number}” About {'a Storm' if number % 2 else 'Nothing'}", number % 2) for number in range(50)]


@pytest.fixture(scope="module")
def generate(examples, tmp_path_factory):
    """Runs the executor over splits of rows and returns the artifact that it wrote."""
    import tfx.v1 as tfx

    from components.statistics_gen.component import Executor

    def generate(**splits):
        place = tmp_path_factory.mktemp("generated")
        source = tfx.types.standard_artifacts.Examples()
        source.uri, source.split_names, source.span = str(place / "examples"), json.dumps(list(splits)), 7
        for split, rows in splits.items():
            shutil.copytree(Path(examples(rows)).parent, place / "examples" / f"Split-{split}")
        schema = tfx.types.standard_artifacts.Schema()
        schema.uri = str(place / "schema")
        Path(schema.uri).mkdir()
        shutil.copy(SCHEMA, schema.uri)
        statistics = tfx.types.standard_artifacts.ExampleStatistics()
        statistics.uri = str(place / "statistics")
        context = Executor.Context(beam_pipeline_args=[], tmp_dir=str(place / "tmp"), unique_id="1")
        Executor(context).Do({"examples": [source], "schema": [schema]}, {"statistics": [statistics]}, {})
        return statistics

    return generate


@pytest.fixture(scope="module")
def statistics(generate):
    """Of two splits."""
    return generate(train=ROWS, eval=ROWS[:10])


def read(statistics, split: str):
    import tensorflow_data_validation as tfdv

    (dataset,) = tfdv.load_stats_binary(str(Path(statistics.uri, f"Split-{split}", "FeatureStats.pb"))).datasets
    return dataset


def test_each_split_has_the_derived_features(statistics):
    assert json.loads(statistics.split_names) == ["train", "eval"]
    assert statistics.span == 7
    for split, count in (("train", 50), ("eval", 10)):
        dataset = read(statistics, split)
        assert dataset.num_examples == count
        found = {feature.path.step[0]: feature for feature in dataset.features}
        assert set(found) == {"title", "label", *DERIVED}
        label = {bucket.label: bucket.sample_count for bucket in found["label"].string_stats.rank_histogram.buckets}
        assert label == {"0": count / 2, "1": count / 2}
        (casing,) = found["title_casing"].string_stats.rank_histogram.buckets
        assert (casing.label, casing.sample_count) == ("Title", count)
        assert found["title_length"].num_stats.min == len(ROWS[1][0])
        words = {bucket.label for bucket in found["title_words"].string_stats.rank_histogram.buckets}
        assert {"headline", "about", "storm", "7"} <= words


def test_they_are_the_statistics_that_are_computed_in_memory(statistics):
    import tensorflow_data_validation as tfdv

    from pipeline.schema.schema_text import parse_schema
    from tests.helpers.statistics import compute_statistics

    schema = parse_schema(SCHEMA.read_text(encoding="utf-8"))
    stored = tfdv.load_stats_binary(str(Path(statistics.uri, "Split-train", "FeatureStats.pb")))
    compared = tfdv.validate_statistics(compute_statistics(ROWS, schema), schema, previous_statistics=stored)

    measured = {info.path.step[0]: info.drift_measurements[0].value for info in compared.drift_skew_info}
    assert measured == pytest.approx({"label": 0, "title_length": 0, "title_words": 0, "title_casing": 0}, abs=1e-9)


def test_a_split_may_be_empty(generate):
    statistics = generate(train=ROWS, eval=[])

    assert read(statistics, "train").num_examples == 50
    assert read(statistics, "eval").num_examples == 0


def test_it_takes_the_place_of_the_stock_component():
    import tfx.v1 as tfx
    from tfx.components.statistics_gen import component as stock

    from components.statistics_gen.component import StatisticsGen

    standard = tfx.types.standard_artifacts
    component = StatisticsGen(
        examples=tfx.dsl.Channel(type=standard.Examples), schema=tfx.dsl.Channel(type=standard.Schema)
    )
    assert isinstance(component, stock.StatisticsGen)
    assert component.id == "StatisticsGen"
    assert component.outputs["statistics"].type is standard.ExampleStatistics
