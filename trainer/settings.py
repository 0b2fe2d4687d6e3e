"""The sections of the configuration for training, and the settings of the Trainer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, JsonValue, ValidationError, model_validator

from trainer.section import Section

HISTORY_FILE = "training.json"
"""The Trainer's record of a training, in its `model_run`."""

TUNED = ("learning_rate", "epochs", "casing", "batch_size")
"""The settings that the Tuner tries other values of."""


_LEAST_BATCH = 16  # headlines, for `least_steps`


class SettingsError(ValueError):
    """A model cannot be trained by these settings."""

    exit_code = 2


class EncoderConfig(Section):
    """The text encoder that is fine-tuned."""

    source: str = Field(
        "embedded",
        min_length=1,
        description="`embedded` (USE multilingual 3), a hub URL, a Kaggle handle, a SavedModel folder or a .tar.gz.",
    )
    offline: bool = Field(False, description="Never download: use the encoder cache or fail.")
    digest: str | None = Field(
        None,
        pattern="^sha256:[0-9a-f]{64}$",
        description="The only digest that is accepted, as `clickbait encoder digest` prints it; null: any.",
    )


class TrainingConfig(Section):
    """The recipe. Its defaults pass the article's thresholds in minutes on two cores, and stand changed casing.

    README.md has the measurements by which each value was chosen.
    """

    fine_tune: bool = Field(True, description="Train the encoder's weights too; false: only the dense layer on top.")
    # The dense layer starts with a length of about 6 and can be sure of itself within a few steps.
    head_scale: float = Field(
        4.0,
        gt=0,
        le=100,
        description="Factor on the initial weights of the dense layer (no unit); 1 is Keras's default.",
    )
    epochs: int = Field(4, ge=1, le=1000, description="Epochs: passes over the training rows.")
    batch_size: int = Field(64, ge=1, le=65536, description="Headlines per training step.")
    learning_rate: float = Field(
        4e-4, gt=0, le=1, description="The optimizer's step size at the first step (a factor, no unit)."
    )
    # The last steps settle instead of wandering at full step size.
    learning_rate_decay: Literal["constant", "linear", "cosine"] = Field(
        "linear",
        description="Decay of the learning rate: `constant`, or `linear` or `cosine` down to 0 at the run's end.",
    )
    warmup_share: float = Field(
        0.0, ge=0, le=0.9, description="Share of the steps over which the learning rate rises at first; 0: none."
    )
    encoder_learning_rate_factor: float = Field(
        1.0,
        gt=0,
        le=100,
        description="Factor on the learning rate of the encoder's weights (no unit); 1: as the head's.",
    )
    clip_norm: float | None = Field(
        None, gt=0, description="Longest gradient of all weights together (a norm, no unit); null: not clipped."
    )
    frozen_epochs: int = Field(
        0, ge=0, le=1000, description="Epochs at the beginning that train the dense layer alone; 0: none."
    )
    words: bool = Field(
        False,
        description="Weigh the encoder's logit against that of a linear model of words and character n-grams, in one "
        "SavedModel; the weights, which calibrate too, are fitted to the held-out rows.",
    )
    learning_rates: list[Annotated[float, Field(gt=0, le=1)]] = Field(
        [], description="Learning rates that are tried on the held-out rows beside learning_rate; none: no trial."
    )
    try_frozen: bool = Field(
        False,
        description="Try on the held-out rows, too, the encoder as it is under a dense layer that logistic regression "
        "fits, in seconds.",
    )
    least_steps: int | None = Field(
        None,
        ge=1,
        description="Steps that a training on few rows must have: while it has fewer, the batch is halved, down to 16 "
        "headlines, and the learning rate falls by the square root; null: batches as given.",
    )
    early_stopping_patience: int | None = Field(
        None,
        ge=1,
        description="Epochs without a lower loss on the held-out rows that end a trial; the training has as many "
        "epochs as were best there; null: all epochs.",
    )
    held_out_share: float = Field(
        0.2,
        gt=0,
        lt=1,
        description="Part of the training rows, from 0 to 1, that the trials are judged by where words, "
        "learning_rates, try_frozen or early_stopping_patience ask for one; of fewer than 3,000 rows each is held out "
        "once, a third at a time. The training itself has all rows.",
    )
    # For the curve: 98.9 % of so many are known to half a point.
    validation_rows: int | None = Field(
        2048,
        ge=1,
        description="Evaluation rows, drawn by a hash, whose loss and accuracy are shown after each epoch; null: all. "
        "The thresholds judge all of them, whatever this is.",
    )
    # `auto` saves a fifth where the processor has bfloat16; see docs/performance.md.
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "float32",
        description="Matrix products on a CPU in training: `float32`, `bfloat16` (weights stay float32), or `auto`: "
        "bfloat16 where the processor has instructions for it.",
    )
    # Keras's Adam rewrites the moments of every vocabulary row at every step.
    optimizer: Literal["lazy_adam", "exact_adam", "adam", "lazy_adamw", "sgd", "lazy_momentum", "adagrad"] = Field(
        "lazy_adam",
        description="`lazy_adam`, `lazy_adamw` (decay 0.004) and `lazy_momentum` (SGD, 0.9) update only the embedding "
        "rows of the batch; `exact_adam` equals Keras's `adam` to float tolerance, many times faster; `sgd` and "
        "`adagrad` equal Keras's.",
    )
    # So that Title Case, which most clickbait has, is not what the model learns.
    casing: Literal["as_is", "lower", "augment"] = Field(
        "augment",
        description="Casing of the headlines: untouched, lower-cased (in the served model too), or varied in training.",
    )
    # The embedded encoder packs its tokens; more for one that pads.
    length_buckets: int = Field(
        1,
        ge=1,
        le=32,
        description="Length buckets per shuffle window, so that batches pad less; 1 bucket: no bucketing.",
    )
    # More than the article's 22,400 training rows: a full shuffle.
    shuffle_buffer_rows: int = Field(
        32768, ge=1, le=10_000_000, description="Shuffle window, in rows; 1 row: no shuffling."
    )
    seed: int = Field(1, ge=0, le=2**31 - 1, description="Seed of weights, shuffling and casing (any number, no unit).")
    warm_start: bool = Field(
        False,
        description="Begin with the weights of the last blessed model, where there is one, instead of the encoder's.",
    )
    # It costs time.
    deterministic: bool = Field(
        False, description="Train so that the same run, wherever it was interrupted, gives the same model bit for bit."
    )
    # One takes 800 MB and seconds; together they take 3 % of the time at most.
    checkpoint_seconds: float | None = Field(
        120.0,
        gt=0,
        description="Least seconds between two checkpoints, from which a killed training resumes; null: none.",
    )

    @property
    def has_trials(self) -> bool:
        """Whether something of the recipe is chosen on rows that are held out of the training split."""
        return self.words or self.try_frozen or bool(self.learning_rates) or self.early_stopping_patience is not None

    @model_validator(mode="after")
    def _something_is_fine_tuned(self) -> TrainingConfig:
        if self.fine_tune and self.frozen_epochs >= self.epochs:
            raise ValueError(
                "fine-tuning must have an epoch after the frozen ones. Received: "
                f"frozen_epochs={self.frozen_epochs} of epochs={self.epochs}. Give fewer frozen epochs, or "
                "fine_tune=false."
            )
        return self


class TunerConfig(Section):
    """The search for a better recipe before the training; see `docs/tuning.md`."""

    trials: int = Field(
        0, ge=0, le=1000, description="Recipes that are tried, the configuration's among them; 0: no search."
    )
    validation_share: float = Field(
        0.2,
        gt=0,
        lt=1,
        description="Part of the training rows that the recipes are judged by and not trained on, from 0 to 1.",
    )


class TrainerSettings(TrainingConfig):
    """The Trainer's `custom_config`, with every setting that changes the model, because TFX's cache keys on it."""

    encoder: str = Field(description="`embedded`, a hub URL, a Kaggle handle, a SavedModel folder or a .tar.gz.")
    encoder_digest: str = Field(
        description="sha256 of the encoder's content, see `trainer.encoders.resolve`; empty where it is not known yet."
    )
    offline: bool = Field(description="Whether the encoder may not be fetched.")
    eval_batch_size: int = Field(ge=1, description="Headlines scored at a time after each epoch.")

    @property
    def identity(self) -> dict[str, JsonValue]:
        """The settings that decide the model, whatever machine trains it."""
        return self.model_dump(exclude={"encoder", "offline", "checkpoint_seconds"})

    @classmethod
    def from_custom_config(cls, custom_config: Mapping[str, JsonValue]) -> Self:
        """Reads `fn_args.custom_config`, leaving out the keys that TFX adds to it.

        Raises:
          SettingsError: a setting is missing or out of bounds, which a cluster's page does not prevent.
        """
        try:
            return cls.model_validate({key: custom_config[key] for key in cls.model_fields if key in custom_config})
        except ValidationError as error:
            problems = [
                f"{detail['loc'][0]}={detail['input']!r} ({detail['msg']})"
                if detail["loc"]
                else str(detail["ctx"]["error"])
                for detail in error.errors()
            ]
            raise SettingsError(
                f"The Trainer's settings must keep their bounds, which `clickbait config` shows. Received: "
                f"{'; '.join(problems)}."
            ) from error

    def for_rows(self, rows: int) -> Self:
        """Returns a copy for a training on so many rows: with smaller batches, where `least_steps` asks for them."""
        batch_size = self.batch_size
        while self.least_steps and batch_size >= 2 * _LEAST_BATCH:
            if -(-rows // batch_size) * self.epochs >= self.least_steps:
                break
            batch_size //= 2
        factor = (batch_size / self.batch_size) ** 0.5
        rates = {
            "learning_rate": factor * self.learning_rate,
            "learning_rates": [factor * rate for rate in self.learning_rates],
        }
        return self.model_copy(update={"batch_size": batch_size, **rates})

    def with_hyperparameters(self, hyperparameters: Mapping[str, Mapping[str, JsonValue]] | None) -> Self:
        """Returns a copy with the values of a trial of the Tuner, in KerasTuner's format; None changes nothing."""
        values = (hyperparameters or {}).get("values", {})
        return self.model_copy(update={name: values[name] for name in TUNED if name in values})
