"""BaselineScorer: two linear models that take a second to train, as a measure of what the encoder adds."""

import logging

import apache_beam as beam
import tfx.v1 as tfx
from tfx.dsl.component.experimental.annotations import BeamComponentParameter
from tfx.types import artifact_utils
from tfx.types.standard_artifacts import Examples

from components.beam_jobs import runs_in_memory, watch_jobs
from components.challenges import CHALLENGES_PROPERTY

logger = logging.getLogger("components")


@tfx.dsl.components.component(use_beam=True)
def BaselineScorer(  # noqa: N802  components are named as classes
    examples: tfx.dsl.components.InputArtifact[Examples],
    scored: tfx.dsl.components.OutputArtifact[Examples],
    max_train_rows: tfx.dsl.components.Parameter[int] = 200_000,
    beam_pipeline: BeamComponentParameter[beam.Pipeline] = None,
):
    """Trains logistic regressions on TF-IDF of words and characters, cased and lower-cased, and scores all rows.

    Args:
      examples: VariantExampleGen's; the rows of the split train are trained on.
      scored: the same rows in the same order and files, with `tfidf_cased` and `tfidf_lower` (floats), the
        probabilities of clickbait; the rows of challenges with the latter alone. Where the training rows allow no such
        model both are left out, and the property `no_baseline` has the reason; else it is empty.
      max_train_rows: more are not learnt from; the first ones are, for the rows are in the order of a hash.
      beam_pipeline: TFX gives it; None trains and scores in this process.
    """
    from components.baseline_scorer.score import score_splits

    splits = artifact_utils.decode_split_names(examples.split_names)
    scored.split_names = examples.split_names
    sources, targets = (
        {split: artifact_utils.get_split_uri([artifact], split) for split in splits} for artifact in (examples, scored)
    )
    if runs_in_memory(beam_pipeline):
        no_baseline = score_splits(sources, targets, max_train_rows)
    else:
        from components.baseline_scorer.on_beam import score_on_beam

        no_baseline = score_on_beam(beam_pipeline, sources, targets, max_train_rows, f"{scored.uri}.result.json")
    if no_baseline:
        logger.warning("%s", no_baseline)
    scored.set_string_custom_property("no_baseline", no_baseline)
    if counts := examples.get_string_custom_property(CHALLENGES_PROPERTY):
        scored.set_string_custom_property(CHALLENGES_PROPERTY, counts)


watch_jobs(BaselineScorer.EXECUTOR_SPEC.executor_class)
