"""What the Trainer is told is whole, and trains something."""

from __future__ import annotations

import dataclasses

import pytest

from trainer.settings import SettingsError, TrainerSettings

TOLD = {field.name: 1 for field in dataclasses.fields(TrainerSettings)} | {"frozen_epochs": 0}


def test_keys_that_tfx_adds_are_left_out():
    assert TrainerSettings.from_custom_config({**TOLD, "tfx's own": 1}).epochs == 1


def test_a_missing_setting_is_named():
    with pytest.raises(ValueError, match="lacks seed"):
        TrainerSettings.from_custom_config({name: one for name, one in TOLD.items() if name != "seed"})


@pytest.mark.parametrize("epochs", [0, -3])
def test_no_epochs_are_refused_with_the_exit_code_of_a_wrong_call(epochs):
    with pytest.raises(SettingsError, match=f"Received: epochs={epochs}") as refused:
        TrainerSettings.from_custom_config({**TOLD, "epochs": epochs})
    assert refused.value.exit_code == 2


def test_an_encoder_that_would_stay_frozen_is_refused():
    frozen = {**TOLD, "epochs": 2, "frozen_epochs": 2}
    with pytest.raises(SettingsError, match="Received: frozen_epochs=2 of epochs=2"):
        TrainerSettings.from_custom_config({**frozen, "fine_tune": True})
    assert TrainerSettings.from_custom_config({**frozen, "fine_tune": False}).frozen_epochs == 2
