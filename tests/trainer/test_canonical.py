"""The same model, saved by whatever process, has the same bytes, and still scores."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from trainer.encoders import saved_model
from trainer.export import export_model
from trainer.model import build_model


def test_one_model_saved_twice_has_one_digest_and_scores_as_before(tiny_encoder, tmp_path):
    titles, digests = tf.constant(["You won't believe this cat", "Parliament passes the budget"]), set()
    for name in ("first", "second"):
        model = build_model(tiny_encoder, fine_tune=True, seed=1)
        export_model(model, tmp_path / name, policy="augment")
        tf.function(lambda x: x + 1).get_concrete_function(tf.constant(1.0))  # moves TensorFlow's counters
        digests.add(saved_model.digest(tmp_path / name))
        loaded = tf.saved_model.load(str(tmp_path / name))
        scored = loaded.signatures["serving_default"](title=titles)["probability"]
        np.testing.assert_allclose(scored, model(titles), atol=1e-6)
    assert len(digests) == 1


def test_another_casing_policy_or_other_weights_have_another(tiny_encoder, tmp_path):
    for policy, seed in (("augment", 1), ("lower", 1), ("augment", 2)):
        model = build_model(tiny_encoder, fine_tune=True, seed=seed)
        export_model(model, tmp_path / f"{policy}-{seed}", policy=policy)
    assert len({saved_model.digest(folder) for folder in tmp_path.iterdir()}) == 3
