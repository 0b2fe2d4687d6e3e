"""A training that begins with the weights of the last blessed model instead of the encoder's."""

from __future__ import annotations

import trainer.keras_policy  # noqa: F401  isort: skip

from pathlib import Path

import tensorflow as tf
import tf_keras

from trainer.settings import SettingsError


def weights_of(base_model: str | None) -> Path | None:
    """The data file of a SavedModel's weights; None where there is no model yet.

    Args:
      base_model: TFX's `fn_args.base_model`; before the first push it names a folder that is not there.
    """
    found = sorted(Path(base_model, "variables").glob("variables.data-*")) if base_model else []
    return found[0] if found else None


def take_weights(model: tf_keras.Model, weights: Path) -> None:
    """Gives the model the weights that `trainer.export` wrote.

    Args:
      model: as `trainer.model.build_model` makes it.
      weights: from `weights_of`.

    Raises:
      SettingsError: they are of another architecture.
    """
    # What was exported is the bare layers, without what a compiled model tracks beside them.
    root = tf.train.Checkpoint(root=tf_keras.Sequential(model.layers, name=model.name))
    try:
        root.read(str(weights.parent / "variables")).assert_existing_objects_matched()
    except (AssertionError, ValueError, tf.errors.OpError) as error:
        raise SettingsError(
            "A warm start takes the weights of the last blessed model, which has the same encoder. Received: "
            f"{weights.parent.parent}, whose weights do not fit ({str(error).strip().splitlines()[0]}). "
            "Train from the encoder with --set training.warm_start=false."
        ) from error
