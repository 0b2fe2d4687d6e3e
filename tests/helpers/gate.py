"""The gate's policy and findings, with changes."""

from __future__ import annotations

from components.data_gate.policy import GateConfig
from pipeline.config.pipeline_config import load_config


def a_policy(**changes) -> GateConfig:
    """The default configuration's policy, with `changes`."""
    return GateConfig(**{**load_config(environ={}).gate.model_dump(), **changes})
