"""BaselineScorer: two linear models that take a second to train, for what the encoder costs must buy something."""

import tfx.v1 as tfx
from tfx.types.standard_artifacts import Examples


@tfx.dsl.components.component
def BaselineScorer(  # noqa: N802  components are named as classes
    examples: tfx.dsl.components.InputArtifact[Examples],
    scored: tfx.dsl.components.OutputArtifact[Examples],
    max_train_rows: tfx.dsl.components.Parameter[int] = 200_000,
):
    """Trains logistic regressions on TF-IDF of words and characters, cased and lower-cased, and scores all rows.

    Args:
      examples: VariantExampleGen's; the rows of the split train are trained on.
      scored: the same rows in the same order and files, with `tfidf_cased` and `tfidf_lower` (floats), the
        probabilities of clickbait. Where the training rows allow no such model both are left out, and the property
        `no_baseline` says why.
      max_train_rows: more are not learnt from; the first ones are, for the rows are in the order of a hash.
    """
