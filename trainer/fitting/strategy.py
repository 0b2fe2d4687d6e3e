"""Chooses the devices of a training: the GPUs of this machine, or the workers that TF_CONFIG names."""

from __future__ import annotations

import dataclasses
import json
import logging
import os

import tensorflow as tf

from trainer.settings import SettingsError
from trainer.tensorflow_setup import cuda

logger = logging.getLogger("trainer")


@dataclasses.dataclass(frozen=True)
class Spread:
    """A distribution strategy and this process's role in it."""

    strategy: tf.distribute.Strategy
    writes: bool = True
    """Whether this process exports, logs and keeps checkpoints; of several workers the chief does."""
    workers: int = 1


def choose_spread() -> Spread:
    """Chooses several workers by TF_CONFIG, as Kubeflow's training operator sets it; else all GPUs; else neither.

    Call it before TensorFlow has run anything: workers find each other only then. The batch size stays that of all
    devices together, so the model is the same up to the order of sums. A GPU that TensorFlow does not see is warned of.

    Raises:
      SettingsError: TF_CONFIG cannot be read, or gives this process another role than training.
    """
    workers = _workers(os.environ.get("TF_CONFIG", ""))
    if workers > 1:
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
        return Spread(strategy, writes=strategy.extended.should_checkpoint, workers=workers)
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus and cuda.has_nvidia_gpu():
        logger.warning(cuda.explain_unseen_gpu(), extra={"notice": True})
    if len(gpus) > 1:
        return Spread(tf.distribute.MirroredStrategy())
    return Spread(tf.distribute.get_strategy())


def shard(dataset: tf.data.Dataset, spread: Spread) -> tf.data.Dataset:
    """Shards a dataset by rows of each batch, instead of by files, of which there may be only one."""
    if spread.workers == 1:
        return dataset
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    return dataset.with_options(options)


def _workers(tf_config: str) -> int:
    """Returns the number of processes that train together."""
    try:
        parsed = json.loads(tf_config or "{}")
        cluster = parsed.get("cluster", {})
        task = parsed.get("task", {}).get("type", "worker")
        workers = sum(len(cluster.get(kind, [])) for kind in ("chief", "worker"))
    except (ValueError, AttributeError, TypeError) as error:
        raise SettingsError(
            f"TF_CONFIG must be JSON with `cluster` and `task`. Received: {tf_config!r} ({error}). See "
            "https://www.tensorflow.org/guide/distributed_training."
        ) from error
    if task not in ("chief", "worker") or cluster.get("ps"):
        raise SettingsError(
            "TF_CONFIG must name chief and workers only, no parameter servers or evaluators. "
            f"Received: TF_CONFIG={tf_config}. Leave the others out."
        )
    return workers
