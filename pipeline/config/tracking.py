"""The section `tracking` of the configuration."""

from __future__ import annotations

from pydantic import Field

from trainer.section import Section


class TrackingConfig(Section):
    """The tracker that runs are logged to. A tracker that fails never fails a run."""

    mlflow_uri: str = Field(
        "",
        pattern=r"^$|^(file:|sqlite:///|https?://)\S+$",
        description="MLflow's store or server, such as `sqlite:///mlflow.db` or `http://localhost:5000`; needs the "
        "extra `mlflow`. Empty: none.",
    )
    max_seconds: float = Field(
        30.0,
        gt=0,
        le=600,
        description="Most seconds that a run waits for the tracker, at its start and again at its end.",
    )
