"""StatisticsGen: TFX's own, over Examples with the derived features added."""

from __future__ import annotations

from pathlib import Path

import apache_beam as beam
import tensorflow_data_validation as tfdv
from tfx import types
from tfx.components.statistics_gen import component, executor
from tfx.components.util import tfxio_utils
from tfx.dsl.components.base import executor_spec
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import io_utils

from components import Properties
from components.beam_jobs import runs_in_memory, watch_jobs
from components.record_batches import read_split
from components.statistics_gen.derived import derive
from components.statistics_gen.in_memory import compute_statistics


@watch_jobs
class Executor(executor.Executor):
    """Computes the statistics of each split, and writes them where TFX's own executor does.

    TFX's `Do` has no place between reading and counting, so this is what remains of it without the options that
    `StatisticsGen` below does not take.
    """

    def Do(  # noqa: N802  TFX's name
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: Properties,
    ) -> None:
        self._log_startup(input_dict, output_dict, exec_properties)
        examples = artifact_utils.get_single_instance(input_dict[standard_component_specs.EXAMPLES_KEY])
        schema = artifact_utils.get_single_uri(input_dict[standard_component_specs.SCHEMA_KEY])
        statistics = artifact_utils.get_single_instance(output_dict[standard_component_specs.STATISTICS_KEY])
        statistics.split_names = examples.split_names
        statistics.span = examples.span

        known = io_utils.SchemaReader().read(io_utils.get_only_uri_in_dir(schema))
        splits = artifact_utils.decode_split_names(examples.split_names)
        files = {
            split: Path(artifact_utils.get_split_uri([statistics], split), executor.DEFAULT_FILE_NAME)
            for split in splits
        }
        pipeline = self._make_beam_pipeline()
        if runs_in_memory(pipeline):
            for split, file in files.items():
                batches = map(derive, read_split(artifact_utils.get_split_uri([examples], split)))
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(compute_statistics(batches, known).SerializeToString(deterministic=True))
            return
        with pipeline:
            for split, file in files.items():
                # Read without the schema, which knows the derived features and would have them in the Examples.
                source = tfxio_utils.get_split_tfxio([examples], split, telemetry_descriptors=["StatisticsGen"])
                _ = (
                    pipeline
                    | f"Read[{split}]" >> source.BeamSource()
                    | f"Derive[{split}]" >> beam.Map(derive)
                    | f"Statistics[{split}]" >> tfdv.GenerateStatistics(tfdv.StatsOptions(schema=known))
                    | f"Write[{split}]" >> tfdv.WriteStatisticsToBinaryFile(str(file))
                )


class StatisticsGen(component.StatisticsGen):
    """Statistics for TFDV's comparators: also of each title's length, words and casing.

    Args:
      examples: with the feature `title`.
      schema: names the numbers that are classes, whose values TFDV then counts instead of averaging.
    """

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)

    def __init__(self, examples: types.BaseChannel, schema: types.BaseChannel):
        super().__init__(examples=examples, schema=schema)
