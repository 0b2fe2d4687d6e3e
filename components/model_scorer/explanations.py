"""The artifact of the errors that are explained."""

from tfx.types.artifact import Artifact

EXPLANATIONS_FILE = "explanations.json"


class Explanations(Artifact):
    """`explanations.json`: the most confident errors on the evaluation rows as they are, the surest first.

    `threshold` separates the classes. Each of `errors` has `row`, `title`, `label`, `probability` (the candidate's),
    `others` (the scores of the baselines and the last blessed model, by their names), `words`, each with `word` and
    `effect` (the probability of the title less that of the title without the word), and `words_left`, how many more
    words there are. What is no number is null.
    """

    TYPE_NAME = "clickbait.Explanations"  # Kubeflow Pipelines wants a dot
