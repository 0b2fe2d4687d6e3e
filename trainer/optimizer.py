"""Adam that touches only the embedding rows of the batch."""

from __future__ import annotations

import tensorflow as tf
import tf_keras


class LazyAdam(tf_keras.optimizers.Adam):
    """Adam whose update of a gathered table reads and writes only the rows that the batch gathered.

    The gradient of a gathered table is a `tf.IndexedSlices`. Keras's Adam still decays both moments of every row at
    every step, which on a table of 800,010 rows is nearly all of the step. Here the rows of the batch are updated by
    the very formula of Adam (Kingma & Ba, 2015, https://arxiv.org/abs/1412.6980, in Keras's form with the bias
    correction folded into the learning rate), and absent rows keep their moments and their values.

    Equal to `tf_keras.optimizers.Adam` for dense gradients, and for a table whose rows all occur in each batch; for
    other tables it is a different optimizer: the moments of absent rows do not decay, and their values do not move.

    Args: those of `tf_keras.optimizers.Adam`. `amsgrad` is refused with `ValueError`.
    """

    def __init__(self, learning_rate=0.001, name="LazyAdam", **kwargs):
        if kwargs.get("amsgrad"):
            raise ValueError("LazyAdam has no amsgrad form. Received: amsgrad=True. Use tf_keras.optimizers.Adam.")
        # XLA cannot compile the scatter into a resource variable of the string models trained here.
        kwargs["jit_compile"] = False
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)

    def update_step(self, gradient, variable):
        """Applies one step to one variable; `gradient` is a dense tensor or an `IndexedSlices` with unique indices."""
        index = self._index_dict[self._var_key(variable)]
        first, second = self._momentums[index], self._velocities[index]
        dtype = variable.dtype
        step = tf.cast(self.iterations + 1, dtype)
        beta_1, beta_2 = tf.cast(self.beta_1, dtype), tf.cast(self.beta_2, dtype)
        powers = tf.pow(beta_1, step), tf.pow(beta_2, step)
        rate = tf.cast(self.learning_rate, dtype)
        if not isinstance(gradient, tf.IndexedSlices):
            # One pass over the weights; Keras's own makes a dozen.
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle,
                m=first.handle,
                v=second.handle,
                beta1_power=powers[0],
                beta2_power=powers[1],
                lr=rate,
                beta1=beta_1,
                beta2=beta_2,
                epsilon=self.epsilon,
                grad=gradient,
            )
            return
        rows, values = gradient.indices, gradient.values
        rate = rate * tf.sqrt(1 - powers[1]) / (1 - powers[0])

        m, v = tf.gather(first, rows), tf.gather(second, rows)
        # 1 - beta in double precision, as Keras: in float32, 1 - 0.999 is off by a twenty-thousandth.
        m += (values - m) * (1 - self.beta_1)
        v += (tf.square(values) - v) * (1 - self.beta_2)
        first.scatter_update(tf.IndexedSlices(m, rows))
        second.scatter_update(tf.IndexedSlices(v, rows))
        variable.scatter_sub(tf.IndexedSlices(rate * m / (tf.sqrt(v) + self.epsilon), rows))
