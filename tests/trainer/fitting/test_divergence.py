"""A training that is lost is stopped with what happened."""

from __future__ import annotations

import pytest
import tf_keras

from trainer.fitting.divergence import Diverged, StopAtDivergence


@pytest.fixture
def watch():
    """The callback on a model of one weight, in the second epoch of four, after a good first batch."""
    model = tf_keras.Sequential([tf_keras.layers.Dense(1, input_shape=[1])])
    model.compile(tf_keras.optimizers.SGD(0.25), loss="mse")
    callback = StopAtDivergence(epochs=4)
    callback.set_model(model)
    callback.on_epoch_begin(1)
    callback.on_train_batch_end(0, {"loss": 0.5})
    return callback


def test_it_says_step_epoch_rate_and_the_last_finite_loss(watch):
    with pytest.raises(Diverged) as caught:
        watch.on_train_batch_end(1, {"loss": float("nan")})
    assert str(caught.value).startswith(
        "The training loss must stay finite. Received: nan at step 2 of epoch 2 of 4 (learning rate 0.25; "
        "the last finite loss was 0.5000, at step 1 of epoch 2 of 4). Nothing was exported"
    )


@pytest.mark.parametrize(
    ("logs", "said"),
    [
        ({"loss": 0.5, "val_loss": float("inf")}, "validation loss must stay finite. Received: inf"),
        ({"loss": 0.5, "val_loss": 7.5}, "validation loss must stay below 5. Received: 7.5"),
        ({"loss": 5.5, "val_loss": 0.5}, "training loss must stay below 5. Received: 5.5"),
    ],
)
def test_it_looks_at_both_losses_at_an_epochs_end(watch, logs, said):
    with pytest.raises(Diverged, match=said):
        watch.on_epoch_end(1, logs)


def test_it_looks_at_the_weights(watch):
    watch.on_epoch_end(1, {"loss": 0.5})
    watch.model.layers[0].kernel.assign([[float("nan")]])
    with pytest.raises(Diverged, match="weights .*kernel.* must stay finite"):
        watch.on_epoch_end(1, {"loss": 0.5})
