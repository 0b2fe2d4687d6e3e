"""The default configuration's policy, and what is measured on slices, with changes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from components.evaluator.measures import measure
from components.evaluator.policy import EvaluationConfig, Slice
from pipeline.config.pipeline_config import load_config


def a_policy(**changes) -> EvaluationConfig:
    """The default configuration's, with `changes`."""
    config = load_config(environ={}).evaluation.model_dump(exclude={"batch_size"})
    return EvaluationConfig(**{**config, **changes})


def a_slice(split: str = "eval", rows: int = 1000, wrong: int = 0, *, against: Mapping[str, int] = {}, **key) -> Slice:
    """A slice of which a model gets the first `wrong` rows wrong, and others as many as `against` says."""
    labels = np.arange(rows) % 2
    contenders = {name: _scores(labels, count) for name, count in against.items()}
    return Slice(split, key, measure(labels, _scores(labels, wrong), contenders))


def good_slices(**changes: Slice) -> list[Slice]:
    """Returns the slices of a model that passes all rules, with the given ones in place of its own."""
    slices = {
        "train": a_slice("train", wrong=1),
        "eval": a_slice(wrong=5, against={"as_is": 5, "tfidf_lower": 25, "last_blessed": 6}),
        "lower": a_slice(wrong=8, against={"as_is": 5}, variant="lower"),
        "says_you": a_slice(rows=300, wrong=1, says_you="yes"),
    }
    return list({**slices, **changes}.values())


def _scores(labels: np.ndarray, wrong: int) -> np.ndarray:
    scores = np.where(labels == 1, 0.99, 0.01)
    scores[:wrong] = 1 - scores[:wrong]
    return scores
