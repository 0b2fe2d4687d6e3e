"""What the Trainer is told, as one typed object."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

HISTORY_FILE = "training.json"
"""What the Trainer writes of itself into its `model_run`."""


TUNED = ("learning_rate", "epochs", "casing", "batch_size")
"""The settings that the Tuner tries other values of."""


class SettingsError(ValueError):
    """A model cannot be trained by these settings."""

    exit_code = 2


@dataclasses.dataclass(frozen=True)
class TrainerSettings:
    """The Trainer's `custom_config`. Whatever changes the model must stand here, because TFX's cache keys on it."""

    encoder: str
    """`embedded`, a hub URL, a Kaggle handle, a SavedModel folder or a .tar.gz."""
    encoder_digest: str
    """sha256 of the encoder's content, as `trainer.encoders.resolve` counts it; empty where a run was not told."""
    offline: bool
    """Whether the encoder may not be fetched."""
    fine_tune: bool
    """Whether the encoder's weights are trained with the head."""
    head_scale: float
    """Factor on the head's initial weights; 1 is Keras's default."""
    epochs: int
    batch_size: int
    """Headlines a step."""
    eval_batch_size: int
    """Headlines scored at a time after each epoch."""
    validation_rows: int | None
    """Evaluation rows that are scored after each epoch, the first ones, which a hash has drawn; None: all."""
    learning_rate: float
    learning_rate_decay: Literal["constant", "linear", "cosine"]
    """`linear` and `cosine` go to 0 over all steps."""
    warmup_share: float
    """Of all steps, over which the rate rises at first."""
    encoder_learning_rate_factor: float
    """On the learning rate of the encoder's weights; 1 is that of the head."""
    clip_norm: float | None
    """Longest gradient, all weights together; none is not clipped."""
    frozen_epochs: int
    """Epochs at the beginning that train the head alone."""
    early_stopping_patience: int | None
    """Epochs without a lower validation loss that end the training with the best epoch's weights."""
    precision: Literal["auto", "float32", "bfloat16"]
    """Of matrix products in training; see `trainer.tensorflow_setup.graphs`."""
    optimizer: Literal["lazy_adam", "exact_adam", "adam", "lazy_adamw", "sgd", "lazy_momentum", "adagrad"]
    """See `trainer.optimizer`."""
    casing: Literal["as_is", "lower", "augment"]
    """See `trainer.casing`."""
    length_buckets: int
    """Batches that are cut together from one length-sorted window; 1 is no bucketing."""
    shuffle_buffer_rows: int
    seed: int
    warm_start: bool
    """Whether training begins with the last blessed model's weights; see `trainer.fitting.warm_start`."""
    deterministic: bool
    """Whether equal settings and data give equal bits."""
    checkpoint_seconds: float | None
    """Between two checkpoints; None writes none. See `trainer.fitting.checkpoints`."""

    @property
    def identity(self) -> dict[str, Any]:
        """Those that decide the model, whatever machine trains it."""
        elsewhere = ("encoder", "offline", "checkpoint_seconds")
        return {name: value for name, value in vars(self).items() if name not in elsewhere}

    @classmethod
    def from_custom_config(cls, custom_config: dict[str, Any]) -> TrainerSettings:
        """Reads `fn_args.custom_config`, leaving out the keys that TFX adds to it.

        Raises:
          ValueError: a setting is missing.
          SettingsError: the epochs, which a cluster's page lets anybody say, train nothing.
        """
        names = [field.name for field in dataclasses.fields(cls)]
        missing = [name for name in names if name not in custom_config]
        if missing:
            raise ValueError(f"The Trainer's custom_config lacks {', '.join(missing)}. Received: {custom_config}.")
        if custom_config["epochs"] < 1:  # the model as it was would be evaluated, and pushed
            raise SettingsError(f"Training takes an epoch or more. Received: epochs={custom_config['epochs']}.")
        if custom_config["fine_tune"] and custom_config["frozen_epochs"] >= custom_config["epochs"]:
            raise SettingsError(
                f"Fine-tuning takes an epoch behind the frozen ones. Received: frozen_epochs="
                f"{custom_config['frozen_epochs']} of epochs={custom_config['epochs']}. Give fewer frozen epochs, or "
                "training.fine_tune=false."
            )
        return cls(**{name: custom_config[name] for name in names})

    def with_hyperparameters(self, hyperparameters: dict[str, Any] | None) -> TrainerSettings:
        """With the values of a trial of the Tuner, KerasTuner's configuration of them; none change nothing."""
        values = (hyperparameters or {}).get("values", {})
        return dataclasses.replace(self, **{name: values[name] for name in TUNED if name in values})
