"""The classifier: a TensorFlow Hub text encoder and one dense unit."""

from __future__ import annotations

import trainer.tensorflow_setup.keras_policy  # noqa: F401  isort: skip
from trainer.settings import TrainingConfig

from trainer.tensorflow_setup import threads  # noqa: F401  isort: skip

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
import tensorflow_hub as hub
import tensorflow_text  # noqa: F401  registers the ops that text encoders are made of
import tf_keras

from trainer import casing, features
from trainer.fitting import schedule
from trainer.optimizer import make_optimizer


def build_model(
    encoder: str | Path, *, fine_tune: bool, head_scale: float = 1.0, seed: int | None = None
) -> tf_keras.Model:
    """Builds the article's model: title string [n] to probability float32 [n, 1].

    Args:
      encoder: folder of a TF2 reusable SavedModel that maps string [n] to float32 [n, dim].
      fine_tune: whether the encoder's weights are trained too.
      head_scale: factor on Glorot's initial kernel of the head; 1 is Keras's default. An encoder's vectors have length
        1, so no logit is larger than the length of the kernel: one that starts small (1.4 at 512 inputs) holds all
        probabilities near 0.5 for hundreds of steps.
      seed: of the head's initial weights; none draws them at random.
    """
    return tf_keras.Sequential(
        [
            hub.KerasLayer(str(encoder), input_shape=[], dtype=tf.string, trainable=fine_tune, name="encoder"),
            _head(head_scale, seed),
        ],
        name="clickbait",
    )


def build_functional_model(
    encoder: str | Path, *, fine_tune: bool, head_scale: float = 1.0, seed: int | None = None
) -> tf_keras.Model:
    """Builds the model of `build_model` in Keras's functional form, with the same layers, weights and scores."""
    title = tf_keras.Input(shape=[], dtype=tf.string, name=features.TITLE)
    embedding = hub.KerasLayer(str(encoder), dtype=tf.string, trainable=fine_tune, name="encoder")(title)
    return tf_keras.Model(title, _head(head_scale, seed)(embedding), name="clickbait")


def _head(scale: float, seed: int | None) -> tf_keras.layers.Dense:
    # The seed goes to the initializer, never to tf.random.set_seed: that clears TensorFlow's kernel cache, and with it
    # the SentencePiece resource of every model already loaded in the process ("Resource ... does not exist").
    # Glorot's uniform distribution is this one at scale 1; VarianceScaling's scale is one of variance.
    kernel = tf_keras.initializers.VarianceScaling(scale**2, "fan_avg", "uniform", seed=seed)
    return tf_keras.layers.Dense(1, activation="sigmoid", kernel_initializer=kernel, name=features.PROBABILITY)


def compile_model(model: tf_keras.Model, training: TrainingConfig, *, steps: int, steps_per_execution: int = 1) -> None:
    """Compiles with binary cross-entropy and accuracy.

    Args:
      model: from `build_model`.
      training: the section, for the optimizer, the learning rate, its decay and warm-up, the encoder's factor on it,
        and the longest gradient.
      steps: of the whole training.
      steps_per_execution: Keras's; above 1, a dataset must know how many batches it has, and `train_on_batch` and its
        like, which have one, fail.
    """
    made = make_optimizer(
        training.optimizer,
        schedule.learning_rate(training.learning_rate, training.learning_rate_decay, steps, training.warmup_share),
        clip_norm=training.clip_norm,
        rate_factor=training.encoder_learning_rate_factor,
        factored=model.get_layer("encoder").trainable_weights,
    )
    # XLA compiles no string operation, so Keras may not try.
    model.compile(
        made,
        loss=tf_keras.losses.BinaryCrossentropy(),
        metrics=["accuracy"],
        jit_compile=False,
        steps_per_execution=steps_per_execution,
    )
    # Keras would trace its first step twice if that made variables.
    made.build(model.trainable_variables)
    _make_metrics(model)


def _make_metrics(model: tf_keras.Model) -> None:
    score = tf.zeros([1, 1])
    model.compiled_loss.build(score)
    model.compiled_metrics.build(score, score)


def encoder_logits(model: tf_keras.Model, title: tf.Tensor) -> tf.Tensor:
    """Returns the logits, float32 [n, 1], of titles, string [n] and normalised, by a model of `build_model`."""
    head = model.get_layer(features.PROBABILITY)
    return tf.matmul(model.get_layer("encoder")(title), head.kernel) + head.bias


def logits_of(model: tf_keras.Model, titles: Sequence[bytes], *, batch_size: int, policy: str) -> np.ndarray:
    """Returns the logits, float32 [n], of titles by a model of `build_model`.

    Args:
      model: the model.
      titles: as they are.
      batch_size: how many are scored at a time.
      policy: their casing's, one of `trainer.casing.POLICIES`.
    """
    return _by_batches(lambda title: encoder_logits(model, title)[:, 0], titles, batch_size, policy)


def vectors_of(model: tf_keras.Model, titles: Sequence[bytes], *, batch_size: int, policy: str) -> np.ndarray:
    """Returns the encoder's vectors, float32 [n, dim], of titles; arguments as of `logits_of`."""
    return _by_batches(model.get_layer("encoder"), titles, batch_size, policy)


def _by_batches(
    compute: Callable[[tf.Tensor], tf.Tensor], titles: Sequence[bytes], batch_size: int, policy: str
) -> np.ndarray:
    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)
    def of_batch(batch: tf.Tensor) -> tf.Tensor:
        return compute(casing.normalise(batch, policy))

    batches = (titles[begin : begin + batch_size] for begin in range(0, len(titles), batch_size))
    return np.concatenate([of_batch(tf.constant(batch)).numpy() for batch in batches])
