"""Exports the SavedModel that is evaluated, validated, pushed and served."""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf
import tf_keras

from trainer import canonical_saved_model, casing, features


def export_model(model: tf_keras.Model, directory: str | Path, *, policy: str) -> None:
    """Writes `model` with its casing policy and without its optimizer.

    Signatures: `serving_default(title: string [n]) -> probability: float32 [n, 1]` and
    `serving_examples(examples: string [n])`, which parses serialized tf.Examples first. Two, because TFX's BulkInferrer
    and InfraValidator send tf.Examples to any lone string input, and a text model would score their bytes as text.
    Titles of a batch that the policy makes equal are scored once.

    Args:
      model: string [n], already normalised, to float32 [n, 1].
      directory: the SavedModel's folder.
      policy: one of `trainer.casing.POLICIES`, applied to the titles inside the SavedModel.
    """
    # A compiled model carries its optimizer's two slots a weight: three times the size. The same layers, uncompiled.
    bare = tf_keras.models.Sequential(model.layers, name=model.name)

    # autograph=False: nothing in here needs AutoGraph's translation, which takes time.
    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name=features.TITLE)], autograph=False)
    def score_titles(title):
        distinct, places = tf.unique(casing.normalise(title, policy))  # SHOUTED is read as shouted
        return {features.PROBABILITY: tf.gather(bare(distinct), places)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")], autograph=False)
    def score_examples(examples):
        parsed = tf.io.parse_example(examples, {features.TITLE: tf.io.FixedLenFeature([], tf.string)})
        return score_titles(parsed[features.TITLE])

    signatures = {features.RAW_SIGNATURE: score_titles, features.EXAMPLES_SIGNATURE: score_examples}
    tf.saved_model.save(bare, str(directory), signatures=signatures)
    canonical_saved_model.make_canonical(directory)
