"""`LazyAdam` is Keras's Adam wherever the two should agree, and leaves absent rows alone."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from trainer.optimizer import LazyAdam

ROWS, WIDTH = 6, 3


def adam(rate=0.1, **settings):
    return tf_keras.optimizers.Adam(rate, jit_compile=False, **settings)


def decaying():
    return tf_keras.optimizers.schedules.PolynomialDecay(0.1, 8, end_learning_rate=0.0)


def new_table():
    return tf.Variable(np.random.default_rng(0).normal(size=(ROWS, WIDTH)).astype("float32"), name="table")


def table_gradient(table, ids, step=0):
    """The gradient of a loss on gathered rows, through `tf.gather`: an IndexedSlices that repeats repeated rows."""
    target = np.random.default_rng(100 + step).normal(size=(len(ids), WIDTH)).astype("float32")
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum((tf.gather(table, tf.constant(ids)) - target) ** 2)
    gradient = tape.gradient(loss, table)
    assert isinstance(gradient, tf.IndexedSlices)
    return gradient


def train_table(optimizer, batches):
    table = new_table()
    for step, ids in enumerate(batches):
        optimizer.apply_gradients([(table_gradient(table, ids, step), table)])
    return table.numpy()


def moments(optimizer):
    first, second = (variable.numpy().copy() for variable in optimizer.variables if variable.shape == [ROWS, WIDTH])
    return first, second


@pytest.mark.parametrize(
    ("rate", "settings"),
    [
        (lambda: 0.1, {}),
        (decaying, {}),
        (lambda: 0.1, {"beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-3}),
        (lambda: 0.1, {"global_clipnorm": 0.5, "weight_decay": 0.01}),
    ],
    ids=["constant", "schedule", "betas", "clipping and decay"],
)
def test_equals_adam_for_dense_weights(rate, settings):
    results = []
    for optimizer in (LazyAdam(rate(), **settings), adam(rate(), **settings)):
        random = np.random.default_rng(1)
        weights = [tf.Variable(random.normal(size=shape).astype("float32")) for shape in ([4, 3], [3])]
        for _ in range(8):
            gradients = [tf.constant(random.normal(size=weight.shape).astype("float32")) for weight in weights]
            optimizer.apply_gradients(zip(gradients, weights, strict=True))
        results.append([weight.numpy() for weight in weights])
    for lazy, dense in zip(*results, strict=True):
        # TensorFlow's kernel takes 1 - beta in float32 and Keras in double precision: a share of 1e-5 of a step of 0.1.
        np.testing.assert_allclose(lazy, dense, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("rate", [lambda: 0.1, decaying], ids=["constant", "schedule"])
def test_equals_adam_for_a_table_whose_rows_all_occur_in_each_batch(rate):
    random = np.random.default_rng(2)
    batches = [[*random.permutation(ROWS), *random.integers(ROWS, size=4)] for _ in range(8)]
    assert all(len(ids) > len(set(ids)) == ROWS for ids in batches)
    np.testing.assert_allclose(
        train_table(LazyAdam(rate()), batches), train_table(adam(rate()), batches), rtol=1e-5, atol=1e-6
    )


def test_equals_adam_in_the_first_step_whichever_rows_occur():
    batches = [[4, 1, 1, 4, 1]]
    np.testing.assert_allclose(train_table(LazyAdam(0.1), batches), train_table(adam(), batches), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(("optimizer", "stays"), [(LazyAdam(0.1), True), (adam(), False)], ids=["lazy", "adam"])
def test_only_the_lazy_one_leaves_absent_rows_and_their_moments(optimizer, stays):
    table = new_table()
    optimizer.apply_gradients([(table_gradient(table, range(ROWS)), table)])
    before = [table.numpy().copy(), *moments(optimizer)]
    optimizer.apply_gradients([(table_gradient(table, [0, 2, 2], 1), table)])
    after = [table.numpy().copy(), *moments(optimizer)]

    absent, present = [1, 3, 4, 5], [0, 2]
    for old, new in zip(before, after, strict=True):
        assert np.array_equal(old[absent], new[absent]) == stays
        assert not np.any(old[present] == new[present])


def test_a_step_compiled_into_a_graph_equals_an_eager_one():
    tables = []
    for wrap in (tf.function, lambda function: function):
        table, optimizer = new_table(), LazyAdam(0.1)
        optimizer.build([table])
        step = wrap(
            lambda table=table, optimizer=optimizer: optimizer.apply_gradients(
                [(table_gradient(table, [0, 5, 5]), table)]
            )
        )
        for _ in range(3):
            step()
        tables.append(table.numpy())
    np.testing.assert_allclose(*tables, rtol=1e-5, atol=1e-6)


def test_amsgrad_is_refused():
    with pytest.raises(ValueError, match="Received: amsgrad=True"):
        LazyAdam(amsgrad=True)


@pytest.mark.parametrize("rate", [lambda: 0.25, decaying], ids=["constant", "schedule"])
def test_config_makes_an_equal_optimizer(rate):
    optimizer = LazyAdam(rate(), beta_1=0.8, beta_2=0.99, epsilon=1e-4)
    again = LazyAdam.from_config(optimizer.get_config())
    assert again.get_config() == optimizer.get_config()
    batches = [[0, 1, 1], [2, 0, 5]]
    np.testing.assert_array_equal(train_table(again, batches), train_table(optimizer, batches))


def test_xla_is_off_even_if_asked_for():
    assert LazyAdam(jit_compile=True).get_config()["jit_compile"] is False
