"""The paths in the repository, and in a run's output."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING

import data

if TYPE_CHECKING:
    from pipeline.config.pipeline_config import PipelineConfig

DATA_DIR = Path(data.__file__).parent
SCHEMA_FILE = DATA_DIR / "schema.pbtxt"
BEHAVIOURS_FILE = DATA_DIR / "behaviours.yaml"
SAMPLE_FILE = DATA_DIR / "sample" / "headlines.csv"

KEPT_RUNS = 5
"""Newest runs that `clickbait clean` keeps by default."""


@dataclasses.dataclass(frozen=True)
class OutputPaths:
    """The paths that a run writes, all below `--output`; absolute, because TFX records them."""

    runs: Path
    """One folder a run: verdict, configuration, log."""
    pipeline_root: Path
    """TFX's artifacts."""
    checkpoints: Path
    """The checkpoints of interrupted trainings; see `trainer.fitting.checkpoints`."""
    metadata: Path
    """ML Metadata, SQLite."""
    inputs: Path
    """Copies of the data that runs read from object stores."""
    accepted_data: Path
    """Statistics of the data that the gate accepted."""
    serving_model: Path
    """The folder of versions that TF Serving watches."""
    tuner: Path
    """Searches for a recipe that are not finished."""
    monitor: Path
    """One folder for each run of `clickbait monitor`."""

    @classmethod
    def of(cls, config: PipelineConfig) -> OutputPaths:
        output = Path(os.path.expanduser(config.output)).absolute()  # noqa: PTH111  leaves an unknown ~user as it is
        return cls(
            runs=output / "runs",
            pipeline_root=output / "tfx",
            checkpoints=output / "tfx" / "Trainer" / "checkpoints",
            metadata=output / "metadata.db",
            inputs=output / "inputs",
            accepted_data=output / "accepted_data",
            serving_model=output / "serving" / config.model_name,
            tuner=output / "tuner",
            monitor=output / "monitor",
        )
