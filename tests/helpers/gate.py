"""The gate's policy and findings, with changes."""

from __future__ import annotations

from components.data_gate.policy import GatePolicy
from pipeline.config import load_config


def a_policy(**changes) -> GatePolicy:
    """The default configuration's policy for a 70/30 split, with `changes`."""
    config = load_config(environ={})
    return GatePolicy(**{**config.gate.model_dump(), "train_share": config.data.train_share, **changes})
