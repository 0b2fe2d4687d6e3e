"""Optimizers that update only the necessary rows of an embedding table, and their names in a configuration."""

from trainer.optimizer.exact import ExactAdam
from trainer.optimizer.lazy import LazyAdam, LazyAdamW, LazySGD
from trainer.optimizer.make import make_optimizer

__all__ = ["ExactAdam", "LazyAdam", "LazyAdamW", "LazySGD", "make_optimizer"]
