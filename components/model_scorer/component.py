"""ModelScorer: what the candidate and the last blessed model make of every row."""

import tfx.v1 as tfx
from tfx.types.standard_artifacts import Examples, Model

from components.model_scorer.explanations import Explanations


@tfx.dsl.components.component
def ModelScorer(  # noqa: N802  components are named as classes
    examples: tfx.dsl.components.InputArtifact[Examples],
    model: tfx.dsl.components.InputArtifact[Model],
    baseline_model: tfx.dsl.components.InputArtifact[Model],
    predictions: tfx.dsl.components.OutputArtifact[Examples],
    explanations: tfx.dsl.components.OutputArtifact[Explanations],
    batch_rows: tfx.dsl.components.Parameter[int] = 256,
    explained_errors: tfx.dsl.components.Parameter[int] = 50,
):
    """Scores each distinct text once, by the signature that takes texts, and explains the most confident errors.

    Args:
      examples: BaselineScorer's.
      model: the candidate.
      baseline_model: the last blessed one; may be an artifact without a model.
      predictions: the same rows in the same order and files, with `probability` (float), the candidate's;
        `as_is_probability`, the candidate's for the same row as it is; and `last_blessed`, that model's, which is left
        out where there is none. A score that is no number stays one.
      explanations: of errors on the evaluation rows as they are, see `Explanations`.
      batch_rows: texts scored at a time.
      explained_errors: how many, at most.
    """
