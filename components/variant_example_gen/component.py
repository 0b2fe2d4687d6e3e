"""VariantExampleGen: the rows that are evaluated, and their variants."""

import tfx.v1 as tfx
from tfx.types import artifact_utils
from tfx.types.standard_artifacts import Examples

from components.challenges import CHALLENGES_PROPERTY, rows_from_json
from components.data_gate.verdict import DataVerdict, require_accepted
from components.slices import CHALLENGE, CHALLENGE_VARIANTS, LOWER_ROWS, VARIANTS
from components.variant_example_gen.write import write_variants
from trainer import features


@tfx.dsl.components.component
def VariantExampleGen(  # noqa: N802  components are named as classes
    examples: tfx.dsl.components.InputArtifact[Examples],
    data_verdict: tfx.dsl.components.InputArtifact[DataVerdict],
    variants: tfx.dsl.components.OutputArtifact[Examples],
    challenges: tfx.dsl.components.InputArtifact[Examples] = None,
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

    Raises:
      DataRefused: the verdict does not accept the data.
    """
    require_accepted(data_verdict.uri)
    wanted = {
        features.TRAIN_SPLIT: (examples, VARIANTS[:1]),
        features.EVAL_SPLIT: (examples, VARIANTS),
    }
    shares: dict[str, float] = {}
    if challenges:
        wanted[CHALLENGE] = (challenges, CHALLENGE_VARIANTS)
        counts = challenges.get_string_custom_property(CHALLENGES_PROPERTY)
        variants.set_string_custom_property(CHALLENGES_PROPERTY, counts)
        shares = {part.name: min(1.0, LOWER_ROWS / max(part.rows, 1)) for part in rows_from_json(counts)}
    variants.split_names = artifact_utils.encode_split_names([*wanted])
    for split, (source, names) in wanted.items():
        folder, target = (artifact_utils.get_split_uri([artifact], split) for artifact in (source, variants))
        rows = write_variants(folder, target, split, names, shares if split == CHALLENGE else {})
        variants.set_int_custom_property(f"{split}_rows", rows)
