"""The models of `bench.serving_soak`, which needs no TensorFlow but for these."""

from __future__ import annotations

import trainer.tensorflow_setup.keras_policy  # noqa: F401  isort: skip

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import tensorflow as tf
import tensorflow_text  # noqa: F401  registers the encoder's ops

from bench.servers import MODEL, make_headlines
from components.local_infra_validator.expected_scores import write_warmup
from serving.versions import version_folder
from trainer import features


class Texts(NamedTuple):
    """Texts that tell models apart."""

    sent: list[str]
    scores: dict[str, list[float]]
    """By model."""


def write_variant(model: Path, folder: Path, bias: float) -> Path:
    """Copies a SavedModel and moves its head's bias, with the warm-up requests that a run pushes."""
    version_folder.link_tree(model, folder)
    prefix = folder / "variables" / "variables"
    reader = tf.train.load_checkpoint(str(prefix))
    shapes = reader.get_variable_to_shape_map()
    (head,) = [name for name, shape in shapes.items() if shape == [1]]
    tensors = {name: reader.get_tensor(name) for name in shapes}
    tensors[head] = tensors[head] + tensors[head].dtype.type(bias)
    for file in prefix.parent.iterdir():
        file.unlink()
    tf.raw_ops.SaveV2(
        prefix=str(prefix),
        tensor_names=list(tensors),
        shape_and_slices=[""] * len(tensors),
        tensors=list(tensors.values()),
    )
    write_warmup(folder, MODEL)
    return folder


def distinct_texts(models: Mapping[str, Path], count: int, distance: float) -> Texts:
    """Finds so many texts whose scores by any two models differ by more than the distance.

    Raises:
      SystemExit: there are fewer among made-up headlines.
    """
    texts = make_headlines(20 * count)
    scores = {}
    for name, path in models.items():
        signature = tf.saved_model.load(str(path)).signatures[features.RAW_SIGNATURE]
        scores[name] = signature(**{features.TITLE: tf.constant(texts)})[features.PROBABILITY].numpy()[:, 0].tolist()
    pairs = list(itertools.combinations(models, 2))
    apart = [
        place
        for place in range(len(texts))
        if all(abs(scores[left][place] - scores[right][place]) > distance for left, right in pairs)
    ][:count]
    if len(apart) < count:
        raise SystemExit(f"The models must differ. Received: {', '.join(models)}, which agree on nearly all texts.")
    return Texts([texts[place] for place in apart], {name: [scores[name][place] for place in apart] for name in models})
