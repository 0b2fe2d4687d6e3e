"""The artifact in which an ingest accounts for its rows."""

from tfx.types.artifact import Artifact


class Ingest(Artifact):
    """`report.json` (see `report.make_report`) and `rejects.csv` (see `rejects`)."""

    TYPE_NAME = "clickbait.Ingest"  # Kubeflow Pipelines wants a dot
