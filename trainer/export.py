"""Exports the SavedModel that is evaluated, validated, pushed and served."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import tensorflow as tf
import tf_keras

from trainer import canonical_saved_model, casing, features
from trainer.choosing import Blend
from trainer.model import encoder_logits
from trainer.wide import WideLogit, WideWeights


@dataclasses.dataclass(frozen=True)
class Words:
    """What is weighed against the encoder's logit."""

    weights: WideWeights
    blend: Blend


def export_model(model: tf_keras.Model, directory: str | Path, *, policy: str, words: Words | None = None) -> None:
    """Writes `model` with its casing policy and without its optimizer.

    Signatures: `serving_default(title: string [n]) -> probability: float32 [n, 1]` and
    `serving_examples(examples: string [n])`, which parses serialized tf.Examples first. Two, because TFX's BulkInferrer
    and InfraValidator send tf.Examples to any lone string input, and a text model would score their bytes as text.
    Titles of a batch that the policy makes equal are scored once.

    Args:
      model: string [n], already normalised, to float32 [n, 1].
      directory: the SavedModel's folder.
      policy: one of `trainer.casing.POLICIES`, applied to the titles inside the SavedModel.
      words: none for a model of the encoder alone.
    """
    # A compiled model carries its optimizer's two slots a weight: three times the size. The same layers, uncompiled.
    bare = tf_keras.models.Sequential(model.layers, name=model.name)
    score = bare if words is None else _Blended(bare, words)

    # autograph=False: nothing in here needs AutoGraph's translation, which takes time.
    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name=features.TITLE)], autograph=False)
    def score_titles(title):
        distinct, places = tf.unique(casing.normalise(title, policy))  # SHOUTED is read as shouted
        return {features.PROBABILITY: tf.gather(score(distinct), places)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")], autograph=False)
    def score_examples(examples):
        parsed = tf.io.parse_example(examples, {features.TITLE: tf.io.FixedLenFeature([], tf.string)})
        return score_titles(parsed[features.TITLE])

    signatures = {features.RAW_SIGNATURE: score_titles, features.EXAMPLES_SIGNATURE: score_examples}
    canonical_saved_model.save(score, directory, signatures)


class _Blended(tf.Module):
    """Maps titles, string [n] and normalised, to the probability of both logits together, float32 [n, 1]."""

    def __init__(self, model: tf_keras.Model, words: Words):
        super().__init__()
        self.model = model
        self.words = WideLogit(words.weights)
        blend = words.blend
        self.blend = tf.Variable([blend.encoder, blend.words, blend.bias], trainable=False, dtype=tf.float32)

    def __call__(self, title: tf.Tensor) -> tf.Tensor:
        encoder, words, bias = tf.unstack(self.blend)
        return tf.sigmoid(encoder * encoder_logits(self.model, title) + words * self.words(title) + bias)
