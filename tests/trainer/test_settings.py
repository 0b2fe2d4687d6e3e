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


def test_only_what_decides_the_model_is_its_identity():
    settings = TrainerSettings.from_custom_config(CUSTOM_CONFIG)
    elsewhere = settings.model_copy(update={"encoder": "/a/copy", "offline": True, "checkpoint_seconds": None})
    assert elsewhere.identity == settings.identity
    assert settings.model_copy(update={"seed": 2}).identity != settings.identity
