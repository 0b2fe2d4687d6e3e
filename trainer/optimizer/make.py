"""The optimizers by their names in a configuration."""

from __future__ import annotations

from collections.abc import Iterable

import tensorflow as tf
import tf_keras

from trainer.fitting.schedule import with_rate_factor
from trainer.optimizer.exact import ExactAdam
from trainer.optimizer.lazy import LazyAdam, LazyAdamW, LazySGD

_KINDS = {
    "lazy_adam": (LazyAdam, {}),
    "exact_adam": (ExactAdam, {}),
    "adam": (tf_keras.optimizers.Adam, {}),
    "lazy_adamw": (LazyAdamW, {}),
    "sgd": (LazySGD, {}),
    "lazy_momentum": (LazySGD, {"momentum": 0.9}),
    "adagrad": (tf_keras.optimizers.Adagrad, {}),  # row-sparse as it is
}


def make_optimizer(
    name: str,
    learning_rate: float | tf_keras.optimizers.schedules.LearningRateSchedule,
    *,
    clip_norm: float | None = None,
    rate_factor: float = 1.0,
    factored: Iterable[tf.Variable] = (),
) -> tf_keras.optimizers.Optimizer:
    """Returns the optimizer that `training.optimizer` names.

    Args:
      name: of the optimizer.
      learning_rate: of all steps.
      clip_norm: the longest gradient of all weights together; longer ones are shortened to it.
      rate_factor: on the learning rate of the weights `factored`.
      factored: some of the weights.

    Raises:
      ValueError: there is no optimizer of that name.
    """
    if name not in _KINDS:
        raise ValueError(f"The optimizer must be one of {', '.join(_KINDS)}. Received: {name}. Give another.")
    kind, options = _KINDS[name]
    if rate_factor != 1:
        kind = with_rate_factor(kind, rate_factor, factored)
    # XLA compiles no string operation, so Keras's own may not try.
    return kind(learning_rate, global_clipnorm=clip_norm, jit_compile=False, **options)
