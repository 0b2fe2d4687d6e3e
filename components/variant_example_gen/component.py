"""VariantExampleGen: the rows that are evaluated, and their variants."""

import apache_beam as beam
import tfx.v1 as tfx
from tfx.dsl.component.experimental.annotations import BeamComponentParameter
from tfx.types import artifact_utils
from tfx.types.standard_artifacts import Examples

from components.beam_jobs import runs_in_memory, watch_jobs
from components.challenges import CHALLENGES_PROPERTY, rows_from_json
from components.data_gate.verdict import DataVerdict, require_accepted
from components.slices import CHALLENGE, LOWER_ROWS, SPLIT_VARIANTS
from components.variant_example_gen.write import SplitToWrite, write_variants
from trainer import features


@tfx.dsl.components.component(use_beam=True)
def VariantExampleGen(  # noqa: N802  components are named as classes
    examples: tfx.dsl.components.InputArtifact[Examples],
    data_verdict: tfx.dsl.components.InputArtifact[DataVerdict],
    variants: tfx.dsl.components.OutputArtifact[Examples],
    challenges: tfx.dsl.components.InputArtifact[Examples] = None,
    beam_pipeline: BeamComponentParameter[beam.Pipeline] = None,
):
    """Writes each row of both splits as it is, and each row of eval once more for each other variant.

    A model that is right for the wrong reason, e.g. the casing, is right on the rows as they are only.

    Args:
      examples: with `title` and `label`, in the splits train and eval.
      data_verdict: DataGate's; nothing else is evaluated.
      variants: in the same splits, with `title` and `label`; `split`; `variant`, one of `slices.VARIANTS`;
        `row`, the number of the original in its split; and the natural slices that the original is in, see `slices`.
        Where there are challenges, their rows are in the split `challenge`, as they are and, of each challenge at most
        some `slices.LOWER_ROWS`, lower-cased.
      challenges: ChallengeExampleGen's.
      beam_pipeline: TFX gives it; None writes in this process.

    Raises:
      DataRefused: the verdict does not accept the data.
    """
    require_accepted(data_verdict.uri)
    sources = {features.TRAIN_SPLIT: examples, features.EVAL_SPLIT: examples}
    shares: dict[str, float] = {}
    if challenges:
        sources[CHALLENGE] = challenges
        counts = challenges.get_string_custom_property(CHALLENGES_PROPERTY)
        variants.set_string_custom_property(CHALLENGES_PROPERTY, counts)
        shares = {part.name: min(1.0, LOWER_ROWS / max(part.rows, 1)) for part in rows_from_json(counts)}
    variants.split_names = artifact_utils.encode_split_names([*sources])
    splits = []
    for split, artifact in sources.items():
        folder, target = (artifact_utils.get_split_uri([made], split) for made in (artifact, variants))
        splits.append(SplitToWrite(split, folder, target, SPLIT_VARIANTS[split], shares if split == CHALLENGE else {}))
    if runs_in_memory(beam_pipeline):
        rows = {split.name: write_variants(split) for split in splits}
    else:
        from components.variant_example_gen.on_beam import write_on_beam

        rows = write_on_beam(beam_pipeline, splits, f"{variants.uri}.rows.json")
    for split, count in rows.items():
        variants.set_int_custom_property(f"{split}_rows", count)


watch_jobs(VariantExampleGen.EXECUTOR_SPEC.executor_class)
