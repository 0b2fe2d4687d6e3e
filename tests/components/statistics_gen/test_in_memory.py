"""Statistics without a pipeline are those of TFDV's Beam transform."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from tests.helpers.statistics_by_feature import by_feature

pytestmark = pytest.mark.slow

SCHEMA = Path(__file__).parents[3] / "data" / "schema.pbtxt"
TITLES = [
    *(f"Headline “{number % 7}” About {'a Storm' if number % 3 else 'Nothing at all'}" for number in range(400)),
    "ALL CAPITALS",
    "no capitals",
    "Größe zählt",
    "狂犬病",
    "",
]


def batch(titles: list[str | None], start: int) -> pa.RecordBatch:
    columns = [
        pa.array([None if title is None else [title.encode()] for title in titles], pa.large_list(pa.large_binary())),
        pa.array([[(start + number) % 2] for number in range(len(titles))], pa.large_list(pa.int64())),
    ]
    return pa.RecordBatch.from_arrays(columns, ["title", "label"])


@pytest.mark.parametrize(
    "batches",
    [
        [batch(TITLES[:150], 0), batch(TITLES[150:], 150), batch([None, "One more", None], 1)],
        [batch([None, None], 0)],
        [],
    ],
    ids=["three batches", "no titles", "nothing"],
)
def test_each_feature_is_as_beam_computes_it(batches, tmp_path):
    import apache_beam as beam
    import tensorflow_data_validation as tfdv

    from components.statistics_gen.derived import derive
    from components.statistics_gen.in_memory import compute_statistics
    from pipeline.schema.schema_text import parse_schema

    schema = parse_schema(SCHEMA.read_text(encoding="utf-8"))
    ours, beams = tmp_path / "ours.pb", tmp_path / "beams.pb"
    with beam.Pipeline() as pipeline:
        _ = (
            pipeline
            | beam.Create(batches)
            | beam.Map(derive)
            | tfdv.GenerateStatistics(tfdv.StatsOptions(schema=schema))
            | tfdv.WriteStatisticsToBinaryFile(str(beams))
        )
    ours.write_bytes(compute_statistics(map(derive, batches), schema).SerializeToString())
    assert by_feature(ours) == by_feature(beams)
