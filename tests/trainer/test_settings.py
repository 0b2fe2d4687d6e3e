"""The settings that the Trainer is given hold their bounds, and train something."""

from __future__ import annotations

import pytest

from trainer.settings import SettingsError, TrainerSettings, TrainingConfig

CUSTOM_CONFIG = {"encoder": "embedded", "encoder_digest": "", "offline": False, "eval_batch_size": 256}


def test_the_recipe_has_the_section_s_defaults():
    settings = TrainerSettings.from_custom_config(CUSTOM_CONFIG)
    assert {key: value for key, value in settings if key not in CUSTOM_CONFIG} == TrainingConfig().model_dump()


def test_keys_that_tfx_adds_are_left_out():
    assert TrainerSettings.from_custom_config({**CUSTOM_CONFIG, "epochs": 1, "tfx's own": 1}).epochs == 1


def test_a_missing_setting_is_named():
    with pytest.raises(SettingsError, match="offline"):
        TrainerSettings.from_custom_config({key: value for key, value in CUSTOM_CONFIG.items() if key != "offline"})


@pytest.mark.parametrize("epochs", [0, -3])
def test_no_epochs_are_refused_with_the_exit_code_of_a_wrong_call(epochs):
    with pytest.raises(SettingsError, match=f"Received: epochs={epochs} ") as refused:
        TrainerSettings.from_custom_config({**CUSTOM_CONFIG, "epochs": epochs})
    assert refused.value.exit_code == 2


def test_an_encoder_that_would_stay_frozen_is_refused():
    frozen = {**CUSTOM_CONFIG, "epochs": 2, "frozen_epochs": 2}
    with pytest.raises(SettingsError, match="Received: frozen_epochs=2 of epochs=2"):
        TrainerSettings.from_custom_config({**frozen, "fine_tune": True})
    assert TrainerSettings.from_custom_config({**frozen, "fine_tune": False}).frozen_epochs == 2


@pytest.mark.parametrize(
    ("rows", "batch_size", "factor"), [(2000, 64, 1), (1600, 64, 1), (1500, 32, 0.5**0.5), (500, 16, 0.5), (9, 16, 0.5)]
)
def test_few_rows_have_small_batches_and_smaller_steps(rows, batch_size, factor):
    asked = {"least_steps": 100, "learning_rate": 4e-4, "learning_rates": [1e-4]}
    settings = TrainerSettings.from_custom_config({**CUSTOM_CONFIG, **asked}).for_rows(rows)
    assert settings.batch_size == batch_size
    assert [settings.learning_rate, *settings.learning_rates] == pytest.approx([4e-4 * factor, 1e-4 * factor])


def test_batches_are_as_given_unless_steps_are_asked_for():
    settings = TrainerSettings.from_custom_config(CUSTOM_CONFIG)
    assert settings.for_rows(9) == settings


def test_only_what_decides_the_model_is_its_identity():
    settings = TrainerSettings.from_custom_config(CUSTOM_CONFIG)
    elsewhere = settings.model_copy(update={"encoder": "/a/copy", "offline": True, "checkpoint_seconds": None})
    assert elsewhere.identity == settings.identity
    assert settings.model_copy(update={"seed": 2}).identity != settings.identity
