"""ChallengeExampleGen: the optional rows from elsewhere that a model is measured on."""

import tfx.v1 as tfx
from tfx.types import artifact_utils
from tfx.types.standard_artifacts import Examples

from components.challenges import CHALLENGES_PROPERTY, rows_to_json, settings_from_json, sources_from_json
from components.slices import CHALLENGE
from trainer import features


@tfx.dsl.components.component
def ChallengeExampleGen(  # noqa: N802  components are named as classes
    examples: tfx.dsl.components.InputArtifact[Examples],
    challenges: tfx.dsl.components.OutputArtifact[Examples],
    settings: tfx.dsl.components.Parameter[str],
    sources: tfx.dsl.components.Parameter[str],
):
    """Reads labelled texts as HeadlineExampleGen does, and leaves out what the model is trained on, and repeats.

    Args:
      examples: HeadlineExampleGen's; the titles of its split train are left out, in whatever casing.
      challenges: one split, `challenge`, with `title`, `label`, `challenge`, the name of the row's challenge, and the
        features of all challenges' columns of slices, see `components.slices.column_features`. The property
        `challenges` counts what was read and left out, see `components.challenges.rows_to_json`.
      settings: see `components.challenges.settings_to_json`; `sources` stand for their `path`.
      sources: see `components.challenges.sources_to_json`. The cache goes by the digests, and other content fails.

    Raises:
      InputError: a file cannot be read as such a CSV, or has changed.
      StoreError: an object store cannot be read.
    """
    from components.challenge_example_gen.write import write_challenges

    challenges.split_names = artifact_utils.encode_split_names([CHALLENGE])
    target = artifact_utils.get_split_uri([challenges], CHALLENGE)
    train = artifact_utils.get_split_uri([examples], features.TRAIN_SPLIT)
    rows = write_challenges(settings_from_json(settings), sources_from_json(sources), train, target)
    challenges.set_string_custom_property(CHALLENGES_PROPERTY, rows_to_json(rows))
