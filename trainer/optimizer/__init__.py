"""Optimizers that touch only the rows of a gathered table that they must, and their names in a configuration."""

from trainer.optimizer.exact import ExactAdam
from trainer.optimizer.lazy import LazyAdam, LazyAdamW, LazySGD
from trainer.optimizer.make import make_optimizer

__all__ = ["ExactAdam", "LazyAdam", "LazyAdamW", "LazySGD", "make_optimizer"]
