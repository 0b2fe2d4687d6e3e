"""Steps in one call of the graph: as many as take half a second, and never other steps."""

import time

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from trainer.fitting.schedule import Unfreeze
from trainer.fitting.steps_per_call import MOST_STEPS, Pace

STEPS = 150


class Calls(tf_keras.callbacks.Callback):
    """How many steps each call ran; a step may be made to take as long as a large encoder's."""

    def __init__(self, seconds_a_step=0.0):
        super().__init__()
        self.steps, self._seconds, self._before = [], seconds_a_step, 0

    def on_epoch_begin(self, epoch, logs=None):
        self._before = 0

    def on_train_batch_end(self, batch, logs=None):
        self.steps.append(batch + 1 - self._before)
        self._before = batch + 1
        time.sleep(self._seconds * self.steps[-1])


def trained(rows, epochs=1, steps_per_execution=MOST_STEPS, callbacks=()):
    encoder = tf_keras.layers.Dense(2, input_shape=[3], kernel_initializer="ones", name="encoder")
    model = tf_keras.Sequential([encoder, tf_keras.layers.Dense(1, kernel_initializer="ones")])
    model.compile("sgd", "mse", steps_per_execution=steps_per_execution)
    x = tf.random.stateless_normal([rows, 3], [1, 2])
    data = tf.data.Dataset.from_tensor_slices((x, x[:, :1])).batch(1)
    history = model.fit(data, epochs=epochs, validation_data=data.take(7), verbose=0, callbacks=[*callbacks])
    return model, history.history


def test_quick_steps_run_many_in_a_call_and_the_first_few_soon():
    calls = Calls()
    trained(STEPS, callbacks=[calls, Pace()])
    assert calls.steps[0] == 2
    assert max(calls.steps) == MOST_STEPS
    assert sum(calls.steps) == STEPS


def test_slow_steps_run_few_in_a_call():
    calls = Calls(seconds_a_step=0.02)
    trained(40, callbacks=[calls, Pace(0.1)])  # callbacks before it count in its time
    assert max(calls.steps) <= 5
    assert sum(calls.steps) == 40


def test_a_call_takes_half_a_second_where_nothing_asks_for_less():
    assert Pace()._seconds == Pace(60)._seconds == 0.5


@pytest.mark.parametrize(("steps_per_execution", "seconds", "most"), [(1, None, 1), (MOST_STEPS, 1e-6, 2)])
def test_it_keeps_to_single_steps_and_to_less_time(steps_per_execution, seconds, most):
    calls = Calls()
    trained(STEPS, steps_per_execution=steps_per_execution, callbacks=[calls, Pace(seconds)])
    assert calls.steps == [most] * (STEPS // most)


@pytest.mark.parametrize("rows", [1, 2, 3, STEPS])
def test_the_steps_are_those_of_single_calls(rows):
    """Also of an epoch that is shorter than a call, and where the graph is made anew in the middle."""
    one_by_one, expected = trained(rows, epochs=3, steps_per_execution=1, callbacks=[Unfreeze("encoder", 1)])
    model, history = trained(rows, epochs=3, callbacks=[Pace(), Unfreeze("encoder", 1)])
    assert model.optimizer.iterations.numpy() == 3 * rows
    for got, wanted in zip(model.get_weights(), one_by_one.get_weights(), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-6)
    assert history == {name: pytest.approx(values, rel=1e-6) for name, values in expected.items()}
