"""Keras's Adam to float tolerance, for the rows that still move."""

from __future__ import annotations

import math

import tensorflow as tf
import tf_keras

from trainer.optimizer.lazy import _AdamRows

_FLOAT_TOLERANCE = 2.0**-24
"""Half of the last bit of a float32."""

_NEVER = -(2**62)


class ExactAdam(_AdamRows, tf_keras.optimizers.Adam):
    """An optimizer that equals Keras's Adam for any table, and updates few of its rows.

    A row that no batch has touched has zero gradient and zero moments, and dense Adam leaves it where it is. A row that
    was touched goes on moving by its decaying moments, by each step beta_1 / sqrt(beta_2) times as far: it is updated
    until all that is still to come is less than `2 ** -24` of one step, 181 steps with Keras's betas. From then on it
    rests, and its moments are decayed by the missed steps at once when it is touched again.

    So it works for any encoder and data. A step costs as much as the rows of the last
    181 batches, whatever the table. Each variable has one int64 a row for the step that touched it last.

    Args: those of `tf_keras.optimizers.Adam`. `amsgrad` and `weight_decay`, which moves every row at every step, are
      refused with `ValueError`.
    """

    def __init__(self, learning_rate=0.001, name="ExactAdam", **kwargs):
        if kwargs.get("weight_decay"):
            raise ValueError(
                "weight_decay must be unset for ExactAdam, which moves touched rows only. Received: "
                f"weight_decay={kwargs['weight_decay']}. Use tf_keras.optimizers.AdamW, or LazyAdamW."
            )
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)
        self._window = steps_until_rest(self.beta_1, self.beta_2)

    def build(self, var_list):
        """Makes the moments and the steps of the last touch."""
        is_built = getattr(self, "_built", False)
        super().build(var_list)
        if is_built:
            return
        self._last_touched = []
        for variable in var_list:
            with tf.distribute.get_strategy().extended.colocate_vars_with(variable):
                last = tf.Variable(
                    tf.fill(variable.shape[:1], tf.constant(_NEVER, tf.int64)),
                    name=f"last_touched/{variable._shared_name}",
                    trainable=False,
                )
            self._last_touched.append(last)
            self._variables.append(last)

    def update_rows(self, gradient, variable):
        step = self.iterations + 1
        rows = tf.cast(gradient.indices, tf.int64)
        last = self._last_touched[self._index_dict[self._var_key(variable)]]
        missed = tf.maximum(step - 1 - self._window - tf.gather(last, rows), 0)
        for moments, beta in zip(self.moments(variable), (self.beta_1, self.beta_2), strict=True):
            decay = tf.pow(tf.cast(beta, moments.dtype), tf.cast(missed, moments.dtype))
            decayed = tf.gather(moments, rows) * tf.reshape(decay, [-1] + [1] * (moments.shape.rank - 1))
            moments.scatter_update(tf.IndexedSlices(decayed, rows))
        last.scatter_update(tf.IndexedSlices(tf.fill(tf.shape(rows), step), rows))

        moving = tf.where(tf.convert_to_tensor(last) >= step - self._window)[:, 0]
        places = tf.searchsorted(moving, rows, out_type=tf.int64)
        shape = tf.concat([tf.shape(moving, tf.int64), tf.shape(gradient.values, tf.int64)[1:]], axis=0)
        self.move_rows(tf.scatter_nd(places[:, tf.newaxis], gradient.values, shape), moving, variable)


def steps_until_rest(beta_1: float, beta_2: float) -> int:
    """Returns the steps without a gradient after which the remaining moves of a row are below float tolerance.

    Such a row moves by at most `ratio ** n` of a step n steps later, and by that over `1 - ratio` in all.
    """
    ratio = beta_1 / math.sqrt(beta_2)
    if ratio == 0:
        return 0
    if ratio >= 1:
        return 2**61  # it never comes to rest
    return math.ceil(math.log(_FLOAT_TOLERANCE * (1 - ratio)) / math.log(ratio))
