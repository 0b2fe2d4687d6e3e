"""Each optimizer is Keras's wherever the two should agree; the lazy ones leave absent rows alone."""

from typing import get_args, get_type_hints

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from trainer.optimizer import ExactAdam, LazyAdam, LazyAdamW, LazySGD, make_optimizer
from trainer.optimizer.exact import steps_until_rest
from trainer.settings import TrainerSettings, TrainingConfig

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


def test_what_depends_on_the_step_alone_is_computed_once_for_all_variables():
    """A module may have many: Universal Sentence Encoder 4 has its weights in 180 pieces."""
    variables, optimizer = [tf.Variable(tf.zeros([2])) for _ in range(5)], LazyAdam()
    optimizer.build(variables)
    step = tf.function(lambda: optimizer.apply_gradients([(tf.ones([2]), variable) for variable in variables]))
    operations = step.get_concrete_function().graph.get_operations()
    assert [one.type for one in operations].count("Pow") == 2


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


def sgd(rate=0.1, **settings):
    return tf_keras.optimizers.SGD(rate, jit_compile=False, **settings)


def adamw(rate=0.1, **settings):
    return tf_keras.optimizers.AdamW(rate, jit_compile=False, **settings)


PAIRS = {
    "adam": (LazyAdam, adam),
    "adamw": (LazyAdamW, adamw),
    "sgd": (LazySGD, sgd),
    "momentum": (
        lambda rate, **kw: LazySGD(rate, momentum=0.9, **kw),
        lambda rate, **kw: sgd(rate, momentum=0.9, **kw),
    ),
    "nesterov": (
        lambda rate, **kw: LazySGD(rate, momentum=0.9, nesterov=True, **kw),
        lambda rate, **kw: sgd(rate, momentum=0.9, nesterov=True, **kw),
    ),
    "exact": (ExactAdam, adam),
}


def train_mixed(optimizer, batches):
    """Two tables of other lengths and a dense layer, on a loss in which each has a part."""
    random = np.random.default_rng(5)
    tables = [tf.Variable(random.normal(size=[rows, WIDTH]).astype("float32")) for rows in (ROWS, 2 * ROWS)]
    kernel = tf.Variable(random.normal(size=[WIDTH, 2]).astype("float32"))
    variables = [tables[0], kernel, tables[1]]
    optimizer.build(variables)

    @tf.function(reduce_retracing=True, autograph=False)
    def step(ids, target):
        with tf.GradientTape() as tape:
            vectors = tf.gather(tables[0], ids % ROWS) + tf.gather(tables[1], ids)
            loss = tf.reduce_mean((tf.tanh(vectors) @ kernel - target) ** 2)
        gradients = tape.gradient(loss, variables)
        assert [isinstance(one, tf.IndexedSlices) for one in gradients] == [True, False, True]
        optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return loss

    losses = [
        float(step(tf.constant(ids, tf.int64), tf.sin(tf.reshape(tf.cast(ids, tf.float32), [-1, 1]) + [0.0, 1.0])))
        for ids in batches
    ]
    return [variable.numpy() for variable in variables], losses


def whole_batches(count):
    """Each has all rows, some twice."""
    random = np.random.default_rng(6)
    return [[*random.permutation(2 * ROWS), *random.integers(2 * ROWS, size=4)] for _ in range(count)]


@pytest.mark.parametrize(
    "settings", [{}, {"clipnorm": 0.05}, {"global_clipnorm": 0.05}, {"clipvalue": 0.01}], ids=lambda one: str(*one)
)
@pytest.mark.parametrize("name", PAIRS)
def test_equals_keras_over_60_steps_of_tables_and_layers_where_every_row_occurs(name, settings):
    ours, theirs = (
        train_mixed(make(tf_keras.optimizers.schedules.PolynomialDecay(0.02, 60), **settings), whole_batches(60))[0]
        for make in PAIRS[name]
    )
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-4, atol=2e-5)


def sparse_batches(count):
    """Rows that come often, rarely, once, and never; the batches' sizes differ."""
    random = np.random.default_rng(7)
    often = [random.integers(4, size=random.integers(1, 6)).tolist() for _ in range(count)]
    rare = {3: [8, 8], 40: [9], 45: [8], 90: [9, 10, 9]}
    return [ids + rare.get(step, []) for step, ids in enumerate(often)]


@pytest.mark.parametrize("settings", [{}, {"beta_1": 0.5, "beta_2": 0.9}, {"beta_1": 0.0}], ids=str)
def test_exact_adam_equals_keras_for_rows_that_come_rest_and_come_again(settings):
    ours, theirs = (train_mixed(make(0.02, **settings), sparse_batches(100))[0] for make in (ExactAdam, adam))
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-5, atol=2e-6)


def test_a_lazy_adam_does_not_equal_keras_there():
    ours, theirs = (train_mixed(make(0.02), sparse_batches(100))[0] for make in (LazyAdam, adam))
    assert np.max(np.abs(ours[2] - theirs[2])) > 1e-3


def test_exact_adam_lets_rows_rest_and_decays_their_moments_when_they_come_again():
    optimizer = ExactAdam(0.02, beta_1=0.5, beta_2=0.9)
    dense = adam(0.02, beta_1=0.5, beta_2=0.9)
    rest = steps_until_rest(0.5, 0.9)
    batches = [[0, 1], *[[1]] * (rest + 5)]
    after = train_table(optimizer, batches)
    before = optimizer._last_touched[0].numpy()
    assert before[0] == 1 and before[1] == len(batches) and before[2] < 0
    np.testing.assert_array_equal(after, train_table(ExactAdam(0.02, beta_1=0.5, beta_2=0.9), [*batches]))
    again = [*batches, [0], [0, 1], [2]]
    np.testing.assert_allclose(
        train_table(ExactAdam(0.02, beta_1=0.5, beta_2=0.9), again), train_table(dense, again), rtol=1e-5, atol=1e-6
    )


def test_exact_adam_needs_no_rest_where_moments_never_fade():
    assert steps_until_rest(0.9, 0.999) == 181
    assert steps_until_rest(0.0, 0.999) == 0
    assert steps_until_rest(0.99, 0.9) > 2**60
    ours, theirs = (
        train_mixed(make(0.02, beta_1=0.99, beta_2=0.9), sparse_batches(60))[0] for make in (ExactAdam, adam)
    )
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-4, atol=2e-5)


def test_300_lazy_steps_lie_on_the_loss_curve_of_dense_adam_where_every_row_occurs():
    ours, theirs = (np.array(train_mixed(make(0.005), whole_batches(300))[1]) for make in (LazyAdam, adam))
    assert theirs[-1] < 0.5 * theirs[0]
    np.testing.assert_allclose(ours, theirs, rtol=0.02)


def test_sgd_without_momentum_equals_keras_for_any_table_and_allocates_nothing():
    optimizer = LazySGD(0.1)
    ours, theirs = (train_mixed(one, sparse_batches(50))[0] for one in (optimizer, sgd()))
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    assert [variable.shape.rank for variable in optimizer.variables] == [0]  # the step


@pytest.mark.parametrize("make", [LazyAdamW, lambda rate: LazySGD(rate, momentum=0.9, weight_decay=0.1)])
def test_absent_rows_stay_under_weight_decay_and_momentum(make):
    table, optimizer = new_table(), make(0.1)
    optimizer.apply_gradients([(table_gradient(table, range(ROWS)), table)])
    before = table.numpy().copy()
    optimizer.apply_gradients([(table_gradient(table, [0, 2, 2], 1), table)])
    moved = np.any(table.numpy() != before, axis=1)
    assert moved.tolist() == [True, False, True, False, False, False]


NAMES = ["lazy_adam", "exact_adam", "adam", "lazy_adamw", "sgd", "lazy_momentum", "adagrad"]


@pytest.mark.parametrize("name", NAMES)
def test_a_checkpoint_goes_on_to_the_last_bit(name, tmp_path):
    batches = sparse_batches(50)

    def train(table, optimizer, part):
        for step, ids in part:
            optimizer.apply_gradients([(table_gradient(table, [one % ROWS for one in ids], step), table)])

    table, optimizer = new_table(), make_optimizer(name, decaying())
    train(table, optimizer, list(enumerate(batches))[:25])
    path = tf.train.Checkpoint(table=table, optimizer=optimizer).write(str(tmp_path / "checkpoint"))
    train(table, optimizer, list(enumerate(batches))[25:])

    again, other = new_table(), make_optimizer(name, decaying())
    other.build([again])
    tf.train.Checkpoint(table=again, optimizer=other).read(path).assert_consumed()
    train(again, other, list(enumerate(batches))[25:])
    np.testing.assert_array_equal(again.numpy(), table.numpy())


def test_the_names_are_those_of_the_configuration():
    for settings in (TrainingConfig, TrainerSettings):
        assert list(get_args(get_type_hints(settings)["optimizer"])) == NAMES
    with pytest.raises(ValueError, match="The optimizer must be one of lazy_adam, .* Received: adamax"):
        make_optimizer("adamax", 0.1)


def test_exact_adam_refuses_weight_decay():
    with pytest.raises(ValueError, match="Received: weight_decay=0.01"):
        ExactAdam(weight_decay=0.01)
