"""The stand-in of USE 4: its signature, its size, and that it can be fine-tuned. A tiny table, but for the count."""

import math

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_hub as hub
from click.testing import CliRunner

from pipeline.cli import main
from trainer.encoders import stand_in
from trainer.encoders.check import check_encoder
from trainer.encoders.errors import EncoderError
from trainer.model import build_model

ROWS = 1000
OUTSIDE_THE_TABLE = 794_624


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return stand_in.save_stand_in(tmp_path_factory.mktemp("encoders"), ROWS)


def test_passes_the_check_with_the_weights_of_use_4(folder):
    facts = check_encoder(folder, source="stand-in", fine_tune=True)
    assert facts.dimension == 512
    assert facts.trainable_parameters == facts.parameters == ROWS * 320 + OUTSIDE_THE_TABLE


def test_the_full_table_makes_the_count_of_use_4():
    layers = sum(math.prod(shape) for shape in stand_in._LAYERS.values())
    assert stand_in.TABLE_ROWS * 320 + layers == 256_797_824
    assert layers == OUTSIDE_THE_TABLE


def test_the_summary_counts_the_head_too(folder):
    lines = []
    build_model(folder, fine_tune=True).summary(print_fn=lines.append)
    count = ROWS * 320 + OUTSIDE_THE_TABLE + 513
    assert any(line.startswith(f"Trainable params: {count} ") for line in lines), lines


def test_vectors_have_length_1_and_tell_words_and_their_order_apart(folder):
    encoder = hub.load(str(folder))
    texts = ["cats eat mice", "mice eat cats", "cats eat rice", "cats", "", "cats eat mice"]
    vectors = encoder(tf.constant(texts)).numpy()
    assert vectors.shape == (6, 512)
    np.testing.assert_allclose(np.linalg.norm(vectors[:4], axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(vectors[4], 0)
    likeness = vectors @ vectors[0]
    assert likeness[5] == pytest.approx(1) and max(likeness[1:4]) < 0.99
    np.testing.assert_allclose(encoder(tf.constant(texts[1:2])).numpy()[0], vectors[1], atol=1e-6)


def test_has_the_signature_of_use_4(folder):
    signature = hub.load(str(folder)).signatures["serving_default"]
    assert list(signature.structured_input_signature[1]) == ["inputs"]
    assert signature(inputs=tf.constant(["a title"]))["outputs"].shape == [1, 512]


def test_its_name_and_its_weights_say_that_they_are_random(folder):
    assert "random-weights" in folder.name
    assert all(weight.name.startswith("random_weights/") for weight in hub.load(str(folder)).variables)


def test_the_command_writes_it_once_and_names_it(tmp_path):
    call = ["encoder", "stand-in", str(tmp_path), "--rows", "20"]
    done = CliRunner().invoke(main, call)
    assert done.exit_code == 0, done.output
    again = CliRunner().invoke(main, call)
    assert again.exit_code == 2
    assert "The stand-in's folder must be new. Received: " in again.output


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(EncoderError, match="must be writable and have room for"):
        stand_in.save_stand_in(tmp_path / "file", 10)
