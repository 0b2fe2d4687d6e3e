"""A model that an earlier TensorFlow exported scores as it did there, and a training may begin with it."""

from pathlib import Path

import pytest
import tensorflow as tf
import tensorflow_text  # noqa: F401  registers the ops of the model's casing

from tests.helpers.encoders import write_reusable_encoder
from trainer import casing, features
from trainer.encoders import archives
from trainer.fitting.warm_start import take_weights, weights_of
from trainer.model import build_model

#: Exported with policy `augment` from `write_reusable_encoder(..., dimension=4)`, head_scale 4 and seed 1.
ARCHIVE = Path(__file__).with_name("model_of_tensorflow_2_16.tar.gz")

#: Computed by the TensorFlow that exported it.
SCORES = {
    "You won't believe this cat": 0.6607490181922913,
    "Parliament passes the budget": 0.7476746439933777,
    "ÉLECTION À PARIS": 0.8829755783081055,
}


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported") / "model"
    archives.unpack(ARCHIVE, folder)
    return folder


def test_it_scores_as_it_did(exported):
    score = tf.saved_model.load(str(exported)).signatures[features.RAW_SIGNATURE]
    scores = score(title=tf.constant(list(SCORES)))[features.PROBABILITY].numpy()[:, 0]
    assert scores.tolist() == pytest.approx(list(SCORES.values()), abs=1e-6)


def test_a_training_may_begin_with_its_weights(exported, tmp_path):
    model = build_model(write_reusable_encoder(tmp_path / "encoder", dimension=4), fine_tune=True, seed=2)
    titles = casing.normalise(tf.constant(list(SCORES)), "augment")
    assert model(titles).numpy()[:, 0].tolist() != pytest.approx(list(SCORES.values()), abs=0.01)
    take_weights(model, weights_of(str(exported)), "sha256:any")
    assert model(titles).numpy()[:, 0].tolist() == pytest.approx(list(SCORES.values()), abs=1e-6)
