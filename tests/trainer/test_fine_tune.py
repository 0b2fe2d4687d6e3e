"""`trainer.run_fn`, called as TFX calls it, on 200 generated rows and a tiny encoder."""

import json
import logging
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

import trainer
from tests.helpers.encoders import write_nnlm_encoder
from tests.helpers.trainings import TRAINING, generated
from trainer.encoders.errors import EncoderError
from trainer.encoders.resolve import resolve_encoder
from trainer.fitting import warm_start
from trainer.fitting.warm_start import note_encoder
from trainer.settings import SettingsError, TrainerSettings

TRAIN_ROWS, EVAL_ROWS, EPOCHS = 203, 37, 3
STEPS = 13 * EPOCHS
TITLES = ["You won't believe this cat", "Parliament passes the budget", "What one cat did", "Election called early"]


class Records(logging.Handler):
    def __init__(self):
        super().__init__(logging.INFO)
        self.records = []

    def emit(self, record):
        self.records.append(record)


@pytest.fixture(scope="module")
def run(tmp_path_factory, examples, tiny_encoder):
    """Returns a function that runs `run_fn` with changed settings and returns its folders and log records."""
    train, evaluation = examples(generated(TRAIN_ROWS, 0)), examples(generated(EVAL_ROWS, 1))
    settings = {
        **TRAINING,
        "encoder": str(tiny_encoder),
        "encoder_digest": resolve_encoder(str(tiny_encoder)).digest,
        "key_that_tfx_adds": None,
    }

    def start(base_model=None, **changes):
        folder = tmp_path_factory.mktemp("run")
        fn_args = SimpleNamespace(
            train_files=[str(Path(train).with_name("*"))],
            eval_files=[str(Path(evaluation).with_name("*"))],
            custom_config=settings | changes,
            hyperparameters=None,
            base_model=base_model and str(base_model),
            serving_model_dir=str(folder / "Format-Serving"),
            model_run_dir=str(folder / "model_run"),
        )
        handler, logger = Records(), logging.getLogger("trainer")
        level = logger.level
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        try:
            trainer.run_fn(fn_args)
        finally:
            logger.removeHandler(handler)
            logger.setLevel(level)
        return SimpleNamespace(
            model=folder / "Format-Serving", logs=folder / "model_run", records=handler.records, settings=settings
        )

    return start


@pytest.fixture(scope="module")
def trained(run):
    return run()


def test_logs_the_models_summary(trained):
    said = "\n".join(one.getMessage() for one in trained.records)
    assert 'Model: "clickbait"' in said
    assert f"Trainable params: {64 * 16 + 16 + 1} " in said


#: What a training has that is over soon, where it does not matter what it learns.
QUICK = {"epochs": 1, "casing": "lower", "length_buckets": 1}


@pytest.fixture(scope="module")
def frozen(run):
    return run(**QUICK, fine_tune=False, optimizer="adam")


@pytest.fixture(scope="module")
def again(run, tmp_path_factory):
    """As `trained`; that it was to begin with a model that there is not yet changes nothing."""
    return run(warm_start=True, base_model=tmp_path_factory.mktemp("empty") / "Format-Serving")


def test_epochs_are_validated_on_as_many_rows_as_asked(run, frozen):
    some = facts(run(**QUICK, fine_tune=False, optimizer="adam", validation_rows=4))["epochs"]
    all_rows = facts(frozen)["epochs"]
    assert (some["val_accuracy"][0] * 4).is_integer()
    assert some["val_loss"] != all_rows["val_loss"]
    assert all_rows["val_accuracy"][0] * EVAL_ROWS == pytest.approx(round(all_rows["val_accuracy"][0] * EVAL_ROWS))


def scores(done):
    signature = tf.saved_model.load(str(done.model)).signatures["serving_default"]
    return signature(title=tf.constant(TITLES))["probability"].numpy()


def facts(done):
    return json.loads((done.logs / "training.json").read_text(encoding="utf-8"))


def encoder_table(folder):
    reader = tf.train.load_checkpoint(str(Path(folder) / "variables" / "variables"))
    (name,) = [name for name, shape in reader.get_variable_to_shape_map().items() if shape == [64, 16]]
    return reader.get_tensor(name)


def test_exports_a_model_that_has_learned(trained):
    scored = scores(trained)[:, 0]
    assert min(scored[0], scored[2]) > 0.7
    assert max(scored[1], scored[3]) < 0.3


def test_writes_down_what_was_trained(trained):
    written = facts(trained)
    expected = TrainerSettings.from_custom_config(trained.settings).model_dump()
    assert written["settings"] == expected
    assert (written["train_rows"], written["steps"]) == (TRAIN_ROWS, STEPS)
    assert written["trainable_parameters"] == 64 * 16 + 16 + 1
    assert written["fit_seconds"] > 0
    assert set(written["epochs"]) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert {len(values) for values in written["epochs"].values()} == {EPOCHS}
    assert written["epochs"]["loss"][-1] < written["epochs"]["loss"][0]
    assert written["epochs"]["val_accuracy"][-1] > 0.9


def test_writes_tensorboard_logs(trained):
    for split in ("train", "validation"):
        (events,) = (trained.logs / split).glob("events.out.tfevents.*")
        tags = {
            value.tag for event in tf.compat.v1.train.summary_iterator(str(events)) for value in event.summary.value
        }
        assert {"epoch_loss", "epoch_accuracy"} <= tags


def test_logs_progress_that_a_console_can_draw(trained):
    progress = [record.progress for record in trained.records if hasattr(record, "progress")]
    first, ends = progress[0], [one for one in progress if one["done"]]
    assert (first["epoch"], first["step"], first["done"]) == (1, 2, False)
    assert [one["epoch"] for one in ends] == [1, 2, 3]
    assert [one["step"] for one in ends] == [13, 26, 39]
    assert {(one["epochs"], one["steps"]) for one in progress} == {(EPOCHS, STEPS)}
    assert {"loss", "accuracy"} <= set(first)
    assert {"loss", "accuracy", "val_loss", "val_accuracy"} <= set(ends[-1])
    assert ends[-1]["val_accuracy"] == pytest.approx(facts(trained)["epochs"]["val_accuracy"][-1])


def test_logs_progress_that_a_person_can_read(trained):
    last = trained.records[-1].getMessage()
    assert last.startswith("epoch 3/3  step 13/13  loss 0.")
    assert "val_accuracy " in last


def test_fine_tuning_changes_the_encoder(trained, tiny_encoder):
    assert not np.array_equal(encoder_table(trained.model), encoder_table(tiny_encoder))


def test_a_frozen_encoder_stays_as_it_was(frozen, tiny_encoder):
    np.testing.assert_array_equal(encoder_table(frozen.model), encoder_table(tiny_encoder))
    assert facts(frozen)["trainable_parameters"] == 16 + 1


def test_training_has_as_many_epochs_as_were_best_on_held_out_rows(run):
    done = run(
        casing="lower", early_stopping_patience=1, learning_rate=1e-12, warmup_share=0.5, frozen_epochs=2, clip_norm=1.0
    )
    written = facts(done)
    assert written["choice"]["trials"][0]["epochs"] == 1  # the loss moves in no epoch
    assert (len(written["epochs"]["val_loss"]), written["steps"]) == (1, STEPS // 3)
    assert written["trainable_parameters"] == 16 + 1  # the encoder was to follow in the third epoch


def test_an_encoder_that_is_best_as_it_is_stays_so(run):
    # The rate moves nothing, so that the dense layer alone learns.
    done = run(casing="lower", learning_rate=1e-12, try_frozen=True, words=True)
    written = facts(done)
    assert [trial["learning_rate"] for trial in written["choice"]["trials"]] == [1e-12, None]
    assert (written["steps"], written["trainable_parameters"]) == (0, 16 + 1)
    assert {name: len(values) for name, values in written["epochs"].items()} == dict.fromkeys(
        ["loss", "accuracy", "val_loss", "val_accuracy"], 1
    )
    assert written["epochs"]["accuracy"][0] > 0.9
    served = tf.saved_model.load(str(done.model)).signatures["serving_default"]
    assert served(title=tf.constant(["You won't believe this"]))["probability"].shape == (1, 1)


def test_equal_seeds_give_equal_models(again, trained):
    np.testing.assert_allclose(scores(again), scores(trained), atol=1e-5)
    np.testing.assert_allclose(facts(again)["epochs"]["loss"], facts(trained)["epochs"]["loss"], atol=1e-5)


def test_an_encoder_that_changed_since_the_run_began_is_refused(run, tiny_encoder):
    with pytest.raises(EncoderError) as caught:
        run(encoder_digest="sha256:0")
    assert "must not change during a run. Expected: sha256:0. Received: sha256:" in str(caught.value)
    assert str(tiny_encoder) in str(caught.value)


def test_a_loss_that_is_not_finite_stops_the_training(run, monkeypatch):
    # No rate within the bounds overflows a float at once.
    monkeypatch.setattr(TrainerSettings, "from_custom_config", lambda config: TrainerSettings.model_construct(**config))
    with pytest.raises(FloatingPointError, match=r"must stay finite\. Received: (nan|inf) at step \d+ of epoch 1"):
        run(**QUICK, learning_rate=1e38, learning_rate_decay="constant")


def test_importing_the_trainer_or_its_settings_imports_no_tensorflow():
    import subprocess
    import sys

    code = "import sys, trainer, trainer.settings, trainer.features; print('tensorflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "False", done.stderr


def test_a_warm_start_begins_where_the_last_blessed_model_ended(run, trained):
    told = facts(trained)
    warm = run(warm_start=True, base_model=trained.model, epochs=1)
    for name in ("val_loss", "val_accuracy"):
        assert facts(warm)["warm_start"][name] == pytest.approx(told["epochs"][name][-1], abs=1e-6)
    assert facts(warm)["epochs"]["loss"][0] < told["epochs"]["loss"][0] / 2
    (notice,) = [one.getMessage() for one in warm.records if getattr(one, "notice", False)]
    assert f"val_loss {told['epochs']['val_loss'][-1]:.4f}" in notice
    assert told["warm_start"] is None


def test_a_warm_start_before_the_first_push_begins_with_the_encoder(again, trained):
    assert facts(again)["warm_start"] is None
    assert facts(again)["epochs"]["loss"] == pytest.approx(facts(trained)["epochs"]["loss"], rel=1e-4)
    assert any("there is no blessed model" in one.getMessage() for one in again.records)


def test_a_warm_start_from_another_encoder_is_refused(run, trained, tmp_path):
    other = write_nnlm_encoder(tmp_path / "other")
    match = rf"were trained from the encoder {trained.settings['encoder_digest']}, not from sha256:.*warm_start=false"
    with pytest.raises(SettingsError, match=match):
        run(warm_start=True, base_model=trained.model, encoder=str(other), encoder_digest="")


def test_a_warm_start_from_the_embedded_encoder_of_an_earlier_tensorflow_goes_on(run, trained, tmp_path, monkeypatch):
    shutil.copytree(trained.model, tmp_path / "model")
    note_encoder(tmp_path / "model", "sha256:earlier")
    with pytest.raises(SettingsError, match="were trained from the encoder sha256:earlier"):
        run(warm_start=True, base_model=tmp_path / "model", **QUICK)
    monkeypatch.setattr(warm_start, "DIGESTS", {"sha256:earlier", trained.settings["encoder_digest"]})
    run(warm_start=True, base_model=tmp_path / "model", **QUICK)


def test_a_warm_start_from_other_shapes_of_an_unknown_encoder_is_refused(run, trained, tmp_path):
    shutil.copytree(trained.model, tmp_path / "model", ignore=shutil.ignore_patterns("encoder_digest"))
    other = write_nnlm_encoder(tmp_path / "other")
    with pytest.raises(SettingsError, match=r"whose weights do not fit.*--set training\.warm_start=false"):
        run(warm_start=True, base_model=tmp_path / "model", encoder=str(other), encoder_digest="")
