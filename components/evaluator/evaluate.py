"""One pass of TFMA over the predictions, and the verdict on its metrics."""

from __future__ import annotations

from collections.abc import Sequence

import apache_beam as beam
import pyarrow as pa
import pyarrow.compute as pc
import tensorflow_model_analysis as tfma
from tfx_bsl.tfxio import tf_example_record

import components.evaluator.metrics  # noqa: F401  registers what the EvalConfig names
from components.evaluator.columns import measure_columns
from components.evaluator.compose import compose_verdict
from components.evaluator.eval_config import CONTENDERS, SLICING_FEATURES, create_eval_config, numbers_read
from components.evaluator.policy import EvaluationConfig, Slice
from components.evaluator.results import BehaviourResult, Challenge, EvaluationVerdict, write_verdict
from components.record_batches import feature_names, list_files, singles
from components.slices import AS_IS, NATURAL_SLICES, SPLIT, VARIANT, VARIANTS

#: All slices of a split, in the order in which they are shown.
_KEYS = [
    (),
    *(((VARIANT, name),) for name in VARIANTS[1:]),
    *(((name, value),) for name, values in NATURAL_SLICES.items() for value in values),
]
_BATCH = 8192  # rows; TFMA's default tries its way up from 1


def evaluate_predictions(
    pipeline: beam.Pipeline,
    folders: Sequence[str],
    output: str,
    policy: EvaluationConfig,
    behaviours: Sequence[BehaviourResult] = (),
    challenges: Sequence[Challenge] = (),
) -> EvaluationVerdict:
    """Measures and judges a model, and writes TFMA's files and `verdict.json` into a folder.

    Args:
      pipeline: is run.
      folders: of splits, with the examples of ModelScorer.
      output: the folder.
      policy: the thresholds.
      behaviours: the cases that passed and failed, by group.
      challenges: the metrics on texts from elsewhere.

    Returns:
      The verdict.
    """
    present = feature_names(file for folder in sorted(folders) for file in list_files(folder))
    contenders = {name: feature for name, feature in CONTENDERS.items() if feature in present}
    source = tf_example_record.TFExampleRecord(
        [f"{folder}/*" for folder in folders], telemetry_descriptors=["Evaluator"]
    )
    with pipeline:
        _ = (
            pipeline
            | source.BeamSource(_BATCH)
            | beam.Map(gather_slices, SLICING_FEATURES, numbers_read(contenders))
            | tfma.ExtractEvaluateAndWriteResults(
                eval_config=create_eval_config(policy, contenders), output_path=output, eval_shared_model=None
            )
        )
    by_column = measure_columns(folders, present, contenders, policy)
    slices = [*read_slices(output), *by_column.slices]
    compared = [name for name in contenders if name != AS_IS]
    verdict = compose_verdict(slices, compared, policy, behaviours, challenges, slice_columns=by_column.columns)
    write_verdict(output, verdict)
    return verdict


def read_slices(output: str) -> list[Slice]:
    """Reads TFMA's files: the rows as they are of both splits, the variants, the natural slices."""
    slices = []
    for key, by_output in tfma.load_eval_result(output).slicing_metrics:
        where = dict(key)
        split, variant = where.pop(SPLIT), where.pop(VARIANT)
        found = by_output[""][""]
        metrics = {name: float(value["doubleValue"]) for name, value in found.items() if "doubleValue" in value}
        slices.append(Slice(split, where if variant == AS_IS else {VARIANT: variant}, metrics))
    positions = {key: position for position, key in enumerate(_KEYS)}
    return sorted(slices, key=lambda part: (part.split, positions[(*part.key.items(),)]))


def gather_slices(batch: pa.RecordBatch, slicing: Sequence[str], numbers: Sequence[str]) -> pa.RecordBatch:
    """Puts all rows that lie in the same slices into one, since what TFMA does, it does in Python for each row.

    Args:
      batch: each column a list of one value a row.
      slicing: the columns that slices are made by.
      numbers: the columns that are measured; others are left out.

    Returns:
      A row for each combination of slices, with one value of each in `slicing` and all the rows' of each in `numbers`,
      in their order.

    Raises:
      ValueError: a row has no value of such a column, or several.
    """
    for name in (*slicing, *numbers):
        values = pc.fill_null(pc.list_value_length(batch.column(name)), 0)
        if not pc.all(pc.equal(values, 1), min_count=0).as_py():
            raise ValueError(f"Each scored row must have one value of {name}. Received: a row with none or several.")
    rows = pa.table({name: pc.list_element(batch.column(name), 0) for name in (*slicing, *numbers)})
    (gathered,) = rows.group_by([*slicing]).aggregate([(name, "list") for name in numbers]).to_batches()
    columns = {name: singles(gathered.column(name)) for name in slicing}
    for name in numbers:
        lists = gathered.column(f"{name}_list")
        columns[name] = pa.LargeListArray.from_arrays(lists.offsets.cast(pa.int64()), lists.values)
    return pa.RecordBatch.from_arrays([*columns.values()], [*columns])
