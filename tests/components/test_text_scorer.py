"""A SavedModel as a function of texts."""

from __future__ import annotations

import random

import numpy as np
import pytest

from components.text_scorer import SignatureError, TextScorer
from tests.helpers.encoders import write_reusable_encoder
from tests.helpers.serving import write_model
from trainer.export import export_model
from trainer.model import build_model

TEXTS = ["You Won't Believe It", "大雪 2048", "cat", "Storm", " \tStorm\u00a0\n", "Storm hits " * 50]


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    encoder = write_reusable_encoder(folder / "encoder")
    export_model(build_model(encoder, fine_tune=True, seed=1), folder / "model", policy="lower")
    return folder / "model"


def test_each_text_gets_its_own_score_whatever_the_batch(model_dir):
    together, alone = TextScorer(model_dir, 4)(TEXTS), [TextScorer(model_dir, 1)([text])[0] for text in TEXTS]
    assert together.dtype == np.float32
    assert np.allclose(together, alone, rtol=0, atol=1e-6)
    assert len(set(together.tolist())) > 3


def test_each_score_stands_where_its_text_does(model_dir):
    score, texts = TextScorer(model_dir, 3), [f"{text} {number}" for text in TEXTS for number in range(7)]
    first = dict(zip(texts, score(texts), strict=True))
    random.Random(1).shuffle(texts)
    assert np.allclose(score(texts), [first[text] for text in texts], rtol=0, atol=1e-6)


def test_no_texts_have_no_scores(model_dir):
    assert TextScorer(model_dir, 3)([]).shape == (0,)


def test_what_is_no_number_stays_so(tmp_path):
    score = TextScorer(write_model(tmp_path / "model", float("nan")), 3)
    assert np.isnan(score(["a", "b"])).all()


def test_a_stranger_is_told_by_its_signatures(tmp_path):
    import tensorflow as tf

    module = tf.Module()
    module.call = tf.function(lambda x: {"y": x}, input_signature=[tf.TensorSpec([None], tf.string, name="x")])
    tf.saved_model.save(module, str(tmp_path), signatures={"serving_default": module.call})
    with pytest.raises(SignatureError, match="must take title and return probability. Received: .* serving_default"):
        TextScorer(tmp_path, 3)
