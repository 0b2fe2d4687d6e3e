"""Adam, AdamW and SGD that update only the embedding rows of the batch.

The gradient of a gathered table is a `tf.IndexedSlices`. Keras's optimizers still decay the moments, and with weight
decay the weights, of every row at every step, which on a table of 800,010 rows is nearly all of the step. Here the rows
of the batch are updated by Keras's own formulas, and absent rows keep their moments and their values.

Equal to Keras's own for dense gradients, and for a table whose rows all occur in each batch; for other tables they are
different optimizers, but for SGD without momentum. Keras's Adagrad is row-sparse as it is.
"""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf
import tf_keras


class RowDecay(tf_keras.optimizers.Optimizer):
    """A mixin for Keras's optimizers: weight decay of the rows of the batch, instead of the whole table."""

    def __init__(self, *args, **kwargs):
        # XLA cannot compile the scatter into a resource variable of the string models trained here.
        kwargs["jit_compile"] = False
        super().__init__(*args, **kwargs)

    def _apply_weight_decay(self, variables):
        """Does nothing, since it gets no rows; `update_step`, which comes next, decays them."""

    def update_step(self, gradient, variable):
        """Applies one step to one variable; `gradient` is a dense tensor or an `IndexedSlices` with unique indices."""
        is_table = isinstance(gradient, tf.IndexedSlices)
        if self.weight_decay and self._use_weight_decay(variable):
            factor = tf.cast(self.weight_decay, variable.dtype) * tf.cast(self.learning_rate, variable.dtype)
            if is_table:
                decay = tf.gather(variable, gradient.indices) * factor
                variable.scatter_sub(tf.IndexedSlices(decay, gradient.indices))
            else:
                variable.assign_sub(variable * factor)
        if is_table:
            self.update_rows(gradient, variable)
        else:
            self.update_dense(gradient, variable)

    def update_rows(self, gradient: tf.IndexedSlices, variable: tf.Variable) -> None:
        """Applies one step to a table."""
        raise NotImplementedError

    def update_dense(self, gradient: tf.Tensor, variable: tf.Variable) -> None:
        """Applies one step of Keras's to any other variable."""
        super().update_step(gradient, variable)


class _Once:
    """A cache of tensors that is emptied when it is left, because a tensor belongs to one graph."""

    def __init__(self) -> None:
        self._kept: dict[tf.DType, tf.Tensor] | None = None

    def __enter__(self) -> None:
        self._kept = {}

    def __exit__(self, *failure) -> None:
        self._kept = None

    def get(self, key: tf.DType, compute: Callable[[], tf.Tensor]) -> tf.Tensor:
        """Returns the tensor of `key`, computed once while the cache is entered."""
        if self._kept is None:
            return compute()
        if key not in self._kept:
            self._kept[key] = compute()
        return self._kept[key]


class _AdamRows(RowDecay):
    """Adam's formula (Kingma & Ba, 2015, https://arxiv.org/abs/1412.6980) on rows, in Keras's form."""

    def __init__(self, *args, **kwargs):
        if kwargs.get("amsgrad"):
            raise ValueError(
                f"amsgrad must be unset for {type(self).__name__}. Received: amsgrad=True. Use "
                "tf_keras.optimizers.Adam."
            )
        super().__init__(*args, **kwargs)
        self._powers = _Once()

    def apply_gradients(self, grads_and_vars, *args, **kwargs):
        """Applies one step to all variables; see Keras's."""
        with self._powers:
            return super().apply_gradients(grads_and_vars, *args, **kwargs)

    def update_rows(self, gradient, variable):
        self.move_rows(gradient.values, gradient.indices, variable)

    def move_rows(self, values: tf.Tensor, rows: tf.Tensor, variable: tf.Variable) -> None:
        """Applies Adam's step to the rows by the gradient `values`."""
        first, second = self.moments(variable)
        m, v = tf.gather(first, rows), tf.gather(second, rows)
        # 1 - beta in double precision, as Keras: in float32, 1 - 0.999 is off by a twenty-thousandth.
        m += (values - m) * (1 - self.beta_1)
        v += (tf.square(values) - v) * (1 - self.beta_2)
        first.scatter_update(tf.IndexedSlices(m, rows))
        second.scatter_update(tf.IndexedSlices(v, rows))
        change = self._corrected_rate(variable.dtype) * m / (tf.sqrt(v) + self.epsilon)
        variable.scatter_sub(tf.IndexedSlices(change, rows))

    def moments(self, variable: tf.Variable) -> tuple[tf.Variable, tf.Variable]:
        """Returns the first and the second moments of a variable."""
        index = self._index_dict[self._var_key(variable)]
        return self._momentums[index], self._velocities[index]

    def beta_powers(self, dtype: tf.DType) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns both betas to the power of the step's number, computed once for all variables of a step."""

        def compute() -> tuple[tf.Tensor, tf.Tensor]:
            step = tf.cast(self.iterations + 1, dtype)
            return tf.pow(tf.cast(self.beta_1, dtype), step), tf.pow(tf.cast(self.beta_2, dtype), step)

        return self._powers.get(dtype, compute)

    def _corrected_rate(self, dtype: tf.DType) -> tf.Tensor:
        """Returns the learning rate with the correction of both moments' bias."""
        beta_1_power, beta_2_power = self.beta_powers(dtype)
        return tf.cast(self.learning_rate, dtype) * tf.sqrt(1 - beta_2_power) / (1 - beta_1_power)


class _OnePass(_AdamRows):
    """Adam that updates dense weights by TensorFlow's kernel, in one pass where Keras's formula makes a dozen.

    It takes 1 - beta in float32: a share of 1e-5 of a step.
    """

    def update_dense(self, gradient, variable):
        first, second = self.moments(variable)
        beta_1_power, beta_2_power = self.beta_powers(variable.dtype)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=first.handle,
            v=second.handle,
            beta1_power=beta_1_power,
            beta2_power=beta_2_power,
            lr=tf.cast(self.learning_rate, variable.dtype),
            beta1=tf.cast(self.beta_1, variable.dtype),
            beta2=tf.cast(self.beta_2, variable.dtype),
            epsilon=self.epsilon,
            grad=gradient,
        )


class LazyAdam(_OnePass, tf_keras.optimizers.Adam):
    """Adam of the rows of the batch.

    Args: those of `tf_keras.optimizers.Adam`. `amsgrad` is refused with `ValueError`.
    """

    def __init__(self, learning_rate=0.001, name="LazyAdam", **kwargs):
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)


class LazyAdamW(_OnePass, tf_keras.optimizers.AdamW):
    """AdamW of the rows of the batch: absent rows do not decay either.

    Args: those of `tf_keras.optimizers.AdamW`. `amsgrad` is refused with `ValueError`.
    """

    def __init__(self, learning_rate=0.001, name="LazyAdamW", **kwargs):
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)


class LazySGD(RowDecay, tf_keras.optimizers.SGD):
    """SGD of the rows of the batch. Without momentum it equals Keras's for any table, and allocates no moments.

    Args: those of `tf_keras.optimizers.SGD`.
    """

    def __init__(self, learning_rate=0.01, name="LazySGD", **kwargs):
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)

    def build(self, var_list):
        """Makes the moments, where there is momentum."""
        if self.momentum:
            super().build(var_list)
            return
        tf_keras.optimizers.Optimizer.build(self, var_list)
        self.momentums = []
        self._built = True

    def update_rows(self, gradient, variable):
        step = gradient.values * tf.cast(self.learning_rate, variable.dtype)
        if self.momentum:
            moments = self.momentums[self._index_dict[self._var_key(variable)]]
            m = tf.gather(moments, gradient.indices) * self.momentum - step
            moments.scatter_update(tf.IndexedSlices(m, gradient.indices))
            step = step - m * self.momentum if self.nesterov else -m
        variable.scatter_sub(tf.IndexedSlices(step, gradient.indices))

    def update_dense(self, gradient, variable):
        if self.momentum:
            super().update_dense(gradient, variable)
        else:
            variable.assign_sub(gradient * tf.cast(self.learning_rate, variable.dtype))
