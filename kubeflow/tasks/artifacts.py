"""The artifacts that the UI of Kubeflow Pipelines draws."""

from tfx.types.artifact import Artifact


class Metrics(Artifact):
    """Numbers, by their names, in a table that compares runs."""

    TYPE_NAME = "system.Metrics"


class ClassificationMetrics(Artifact):
    """A confusion matrix."""

    TYPE_NAME = "system.ClassificationMetrics"


class HTML(Artifact):
    """A page; the artifact is the file itself."""

    TYPE_NAME = "system.HTML"
