"""The classifier is the article's: one `hub.KerasLayer`, one dense unit, binary cross-entropy."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_hub as hub
import tf_keras

from trainer.model import build_functional_model, build_model, compile_model
from trainer.optimizer import LazyAdam
from trainer.settings import TrainingConfig

TEXTS = tf.constant(["You Won't Believe This", "parliament passes budget", "cat"])
ENCODER_WEIGHTS, HEAD_WEIGHTS = 64 * 16, 16 + 1


def count(weights):
    return sum(int(np.prod(weight.shape)) for weight in weights)


def compiled(model, steps=10, **changes):
    compile_model(model, TrainingConfig(**{"learning_rate": 0.5} | changes), steps=steps)
    return model


@pytest.fixture
def model(tiny_encoder):
    return build_model(tiny_encoder, fine_tune=True, seed=1)


def test_is_a_sequential_of_the_encoder_and_one_sigmoid_unit(model):
    assert type(model) is tf_keras.Sequential
    encoder, head = model.layers
    assert type(encoder) is hub.KerasLayer
    assert type(head) is tf_keras.layers.Dense
    assert (head.units, head.activation, head.use_bias) == (1, tf_keras.activations.sigmoid, True)


def test_maps_a_batch_of_strings_to_a_column_of_probabilities(model):
    (taken,) = model.inputs
    assert (taken.dtype, taken.shape.as_list()) == (tf.string, [None])
    assert model.output_shape == (None, 1)
    scores = model(TEXTS).numpy()
    assert scores.shape == (3, 1)
    assert np.all((scores > 0) & (scores < 1))


def test_the_functional_form_is_the_same_model(model, tiny_encoder):
    functional = build_functional_model(tiny_encoder, fine_tune=True, seed=2)
    assert not np.allclose(functional(TEXTS), model(TEXTS), atol=1e-4)
    functional.set_weights(model.get_weights())
    np.testing.assert_allclose(functional(TEXTS), model(TEXTS), rtol=1e-6)
    assert [type(layer) for layer in functional.layers[1:]] == [type(layer) for layer in model.layers]
    assert count(functional.trainable_weights) == count(model.trainable_weights)


@pytest.mark.parametrize("build", [build_model, build_functional_model])
@pytest.mark.parametrize(("fine_tune", "trainable"), [(True, ENCODER_WEIGHTS + HEAD_WEIGHTS), (False, HEAD_WEIGHTS)])
def test_the_encoder_is_trained_only_if_asked(tiny_encoder, build, fine_tune, trainable):
    model = build(tiny_encoder, fine_tune=fine_tune)
    assert count(model.trainable_weights) == trainable
    assert count(model.weights) == ENCODER_WEIGHTS + HEAD_WEIGHTS


def test_equal_seeds_give_equal_heads(tiny_encoder, model):
    again, other, unseeded = (build_model(tiny_encoder, fine_tune=True, seed=seed) for seed in (1, 2, None))
    kernel = model.layers[1].kernel.numpy()
    assert np.array_equal(again.layers[1].kernel.numpy(), kernel)
    assert not np.array_equal(other.layers[1].kernel.numpy(), kernel)
    assert not np.array_equal(unseeded.layers[1].kernel.numpy(), kernel)


def test_the_head_starts_as_keras_would_and_head_scale_is_a_factor_on_that(tiny_encoder, model):
    kernel = model.layers[1].kernel.numpy()
    glorot = tf_keras.initializers.GlorotUniform(seed=1)(kernel.shape).numpy()
    np.testing.assert_allclose(kernel, glorot, rtol=1e-6)
    scaled = build_model(tiny_encoder, fine_tune=True, head_scale=4.0, seed=1)
    np.testing.assert_allclose(scaled.layers[1].kernel.numpy(), 4 * kernel, rtol=1e-6)


@pytest.mark.parametrize(("optimizer", "made"), [("lazy_adam", LazyAdam), ("adam", tf_keras.optimizers.Adam)])
def test_is_compiled_with_the_named_optimizer_cross_entropy_and_accuracy(model, optimizer, made):
    compiled(model, optimizer=optimizer)
    assert type(model.optimizer) is made
    assert type(model.loss) is tf_keras.losses.BinaryCrossentropy
    labels = tf.constant([1.0, 0.0, 1.0])
    loss, accuracy = model.evaluate(TEXTS, labels, verbose=0)
    scores = model(TEXTS).numpy()[:, 0]
    right = np.where(labels.numpy() == 1, scores, 1 - scores)
    assert loss == pytest.approx(-np.log(right).mean(), rel=1e-4)
    assert accuracy == pytest.approx((right > 0.5).mean())


def test_string_models_train_with_either_optimizer_without_xla(model):
    for optimizer in ("lazy_adam", "adam"):
        compiled(model, optimizer=optimizer)
        assert model.jit_compile is False
        assert model.optimizer.jit_compile is False
        model.train_on_batch(TEXTS, tf.constant([1.0, 0.0, 1.0]))


@pytest.mark.parametrize("optimizer", ["lazy_adam", "adam"])
def test_linear_decay_reaches_zero_after_the_last_step(model, optimizer):
    compiled(model, optimizer=optimizer)
    rates, kernels = [], []
    for _ in range(12):
        model.train_on_batch(TEXTS, tf.constant([1.0, 0.0, 1.0]))
        rates.append(float(model.optimizer.learning_rate))
        kernels.append(model.layers[1].kernel.numpy().copy())
    assert rates == pytest.approx([0.5 * (1 - step / 10) for step in range(10)] + [0.0, 0.0])
    moved = [not np.array_equal(before, after) for before, after in zip(kernels[:-1], kernels[1:], strict=True)]
    assert moved == [True] * 9 + [False] * 2


def test_a_constant_rate_stays(model):
    compiled(model, learning_rate_decay="constant")
    for _ in range(11):
        model.train_on_batch(TEXTS, tf.constant([1.0, 0.0, 1.0]))
    assert float(model.optimizer.learning_rate) == 0.5
