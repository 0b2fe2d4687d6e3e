"""Rows and settings of a training of less than a second."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

TRAINING = {
    "encoder": "",
    "encoder_digest": "",
    "offline": True,
    "head_scale": 1.0,
    "epochs": 3,
    "batch_size": 16,
    "eval_batch_size": 32,
    "validation_rows": None,
    "learning_rate": 0.05,
    "length_buckets": 2,
    "shuffle_buffer_rows": 100,
    "seed": 7,
    "checkpoint_seconds": None,
}
"""What `custom_config` holds; the encoder is the test's."""

NO_INPUTS = {"hyperparameters": None, "base_model": None}
"""Of `fn_args`, where neither a Tuner nor a last blessed model is."""


def generated(rows: int, seed: int) -> Iterator[tuple[str, int]]:
    """Headlines of words that belong to one class and words that belong to both."""
    random = np.random.default_rng(seed)
    words = (["budget", "election", "parliament", "minister"], ["cat", "you", "won't", "believe"])
    both = ["the", "one", "what", "day", "year", "early"]
    for _ in range(rows):
        label = int(random.integers(2))
        yield " ".join([*random.choice(words[label], 3), *random.choice(both, 2)]), label
