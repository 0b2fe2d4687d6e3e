"""The artifact of the errors that are explained."""

from tfx.types.artifact import Artifact


class Explanations(Artifact):
    """`explanations.json`: the most confident errors on the evaluation rows as they are, the surest first.

    `{"threshold": 0.5, "errors": [{"row", "title", "label", "probability", "words": [{"word", "effect"}]}]}`, where the
    effect of a word is the probability of the title less that of the title without the word.
    """

    TYPE_NAME = "clickbait.Explanations"  # Kubeflow Pipelines wants a dot
