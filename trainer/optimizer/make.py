"""The optimizers by their names in a configuration."""

from __future__ import annotations

import tf_keras

from trainer.optimizer.exact import ExactAdam
from trainer.optimizer.lazy import LazyAdam, LazyAdamW, LazySGD

_MOMENTUM = 0.9

# XLA compiles no string operation, so Keras's own may not try.
_MAKERS = {
    "lazy_adam": LazyAdam,
    "exact_adam": ExactAdam,
    "adam": lambda rate: tf_keras.optimizers.Adam(rate, jit_compile=False),
    "lazy_adamw": LazyAdamW,
    "sgd": LazySGD,
    "lazy_momentum": lambda rate: LazySGD(rate, momentum=_MOMENTUM),
    "adagrad": lambda rate: tf_keras.optimizers.Adagrad(rate, jit_compile=False),  # row-sparse as it is
}


def make_optimizer(
    name: str, learning_rate: float | tf_keras.optimizers.schedules.LearningRateSchedule
) -> tf_keras.optimizers.Optimizer:
    """Returns the optimizer that `training.optimizer` names.

    Raises:
      ValueError: there is none of that name.
    """
    if name not in _MAKERS:
        raise ValueError(f"An optimizer is one of {', '.join(_MAKERS)}. Received: {name}.")
    return _MAKERS[name](learning_rate)
