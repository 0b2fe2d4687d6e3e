"""TFDV's statistics of batches in this process, the same as its Beam transform computes, without a pipeline.

TFDV has a function of its own for that (`generate_statistics_in_memory`), whose frequent values and counts of distinct
ones come from sketches: too rough for a comparison with what Beam counted.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import tensorflow_data_validation as tfdv
from tensorflow_data_validation import types
from tensorflow_data_validation.statistics import stats_impl
from tensorflow_data_validation.statistics.generators import top_k_uniques_stats_generator as top_k
from tensorflow_data_validation.statistics.generators.stats_generator import CombinerStatsGenerator
from tensorflow_data_validation.utils import top_k_uniques_stats_util
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2
from tfx_bsl.statistics import merge_util


def compute_statistics(
    batches: Iterable[pa.RecordBatch], schema: schema_pb2.Schema
) -> statistics_pb2.DatasetFeatureStatisticsList:
    """Computes what `tfdv.GenerateStatistics` does, in memory that grows with the distinct texts alone.

    Args:
      batches: each column a list of values a row.
      schema: names the numbers that are classes.
    """
    options = tfdv.StatsOptions(schema=schema)
    generators = stats_impl.get_generators(options)
    combiners = [one for one in generators if isinstance(one, CombinerStatsGenerator)]
    (counter,) = (one for one in generators if isinstance(one, top_k.TopKUniquesStatsGenerator))
    counts = _Counts(options, counter)
    for combiner in combiners:
        combiner.setup()
    accumulators = [combiner.create_accumulator() for combiner in combiners]
    for batch in batches:
        accumulators = [one.add_input(so_far, batch) for one, so_far in zip(combiners, accumulators, strict=True)]
        counts.add(batch)
    parts = [one.extract_output(so_far) for one, so_far in zip(combiners, accumulators, strict=True)]
    return merge_util.merge_dataset_feature_statistics([*parts, counts.statistics()])


class _Counts:
    """How often each feature has each value: what a generator of TFDV counts by Beam."""

    def __init__(self, options: tfdv.StatsOptions, generator: top_k.TopKUniquesStatsGenerator):
        self._options, self._transform = options, generator.ptransform
        self._counts: dict[tuple[str, ...], Counter[Any]] = defaultdict(Counter)

    def add(self, batch: pa.RecordBatch) -> None:
        counted = top_k._to_topk_tuples(
            (None, batch),
            self._transform._bytes_features,
            self._transform._categorical_numeric_types,
            self._options.example_weight_map,
        )
        for (_, path, value), (count, _) in counted:
            self._counts[path][value] += count

    def statistics(self) -> statistics_pb2.DatasetFeatureStatistics:
        options, result = self._options, statistics_pb2.DatasetFeatureStatistics()
        most = max(options.num_top_values, options.num_rank_histogram_buckets)
        for path, counts in self._counts.items():
            first = heapq.nlargest(most, ((count, value) for value, count in counts.items()))
            made = top_k_uniques_stats_util.make_feature_stats_proto_topk_uniques(
                types.FeaturePath(path),
                options.num_top_values,
                options.num_rank_histogram_buckets,
                len(counts),
                [top_k_uniques_stats_util.FeatureValueCount(value, count) for count, value in first],
                frequency_threshold=options.frequency_threshold,
            )
            result.features.add().CopyFrom(made)
        return result
