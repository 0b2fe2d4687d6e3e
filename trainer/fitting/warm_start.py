"""Warm starts: trainings that begin with the weights of the last blessed model instead of the encoder's."""

from __future__ import annotations

import trainer.tensorflow_setup.keras_policy  # noqa: F401  isort: skip

import logging
from pathlib import Path

import tensorflow as tf
import tf_keras

from trainer.encoders.embedded import DIGESTS
from trainer.settings import SettingsError

logger = logging.getLogger("trainer")

#: TF Serving ignores the files in a SavedModel's assets.extra.
_ENCODER_FILE = Path("assets.extra") / "encoder_digest"


def note_encoder(model_dir: str | Path, encoder_digest: str) -> None:
    """Writes the digest of the encoder that a model was trained from into the exported model."""
    file = Path(model_dir) / _ENCODER_FILE
    file.parent.mkdir(exist_ok=True)
    file.write_text(encoder_digest, encoding="utf-8")


def weights_of(base_model: str | None) -> Path | None:
    """Returns the data file of a SavedModel's weights; None where there is no model yet.

    Args:
      base_model: TFX's `fn_args.base_model`; before the first push it names a folder that does not exist.
    """
    files = sorted(Path(base_model, "variables").glob("variables.data-*")) if base_model else []
    return files[0] if files else None


def take_weights(model: tf_keras.Model, weights: Path, encoder_digest: str) -> None:
    """Loads the weights that `trainer.export` wrote into a model.

    Args:
      model: as `trainer.model.build_model` makes it.
      weights: from `weights_of`.
      encoder_digest: of the model's encoder.

    Raises:
      SettingsError: they were trained from another encoder, or are of another architecture.
    """
    noted = weights.parent.parent / _ENCODER_FILE
    if not noted.is_file():
        logger.warning("%s is missing, so the encoder of the weights is not known: only shapes are compared.", noted)
    elif (before := noted.read_text(encoding="utf-8")) != encoder_digest and not {before, encoder_digest} <= DIGESTS:
        # Equal shapes do not make equal vocabularies.
        raise _misfit(weights, f"were trained from the encoder {before}, not from {encoder_digest}")
    # The export has the bare layers, without the objects that a compiled model tracks beside them.
    bare = tf_keras.Sequential(model.layers, name=model.name)
    names = {name for name, _ in tf.train.list_variables(str(weights.parent / "variables"))}
    blended = any(name.startswith("model/") for name in names)  # with the words, see `trainer.export`
    root = tf.train.Checkpoint(model=bare) if blended else tf.train.Checkpoint(root=bare)
    try:
        root.read(str(weights.parent / "variables")).assert_existing_objects_matched()
    except (AssertionError, ValueError, tf.errors.OpError) as error:
        raise _misfit(weights, f"do not fit ({str(error).strip().splitlines()[0]})") from error


def _misfit(weights: Path, reason: str) -> SettingsError:
    return SettingsError(
        "The last blessed model must have the same encoder for a warm start. Received: "
        f"{weights.parent.parent}, whose weights {reason}. Train from the encoder with --set training.warm_start=false."
    )
