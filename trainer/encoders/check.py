"""Checks before training whether a SavedModel is a text encoder, and whether it can be fine-tuned."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import trainer.tensorflow_setup.keras_policy  # noqa: F401

# isort: split
import tensorflow as tf
import tensorflow_hub as hub
import tensorflow_text  # registers the ops that many text modules use

from trainer.encoders.errors import EncoderError

REQUIRED = (
    "An encoder must be a TF2 reusable SavedModel (https://www.tensorflow.org/hub/reusable_saved_models) that turns a "
    "batch of strings, shape [None], into floats, shape [batch, dimension]"
)
FREEZE = "To use it as it is, without fine-tuning: --set training.fine_tune=false."

_HEADLINES = ("You Won't Believe What This Cat Did", "Parliament passes budget after long debate")
_UNKNOWN_OP = re.compile(r"Op type not registered '(\w+)'")


@dataclass(frozen=True)
class EncoderFacts:
    """The facts of an encoder that passed the check: the width of its vectors and the numbers of its parameters."""

    dimension: int
    trainable_parameters: int
    parameters: int


def check_encoder(path: Path, *, source: str, fine_tune: bool) -> EncoderFacts:
    """Loads the module as `hub.KerasLayer` does, encodes two headlines, and takes one gradient if it will be tuned.

    Args:
        path: the SavedModel folder.
        source: the user's name of the encoder, for errors.
        fine_tune: whether its variables will be trained.

    Raises:
        EncoderError: the module does not pass; the message has the rule, the finding and the way out.
    """

    def refuse(found: str, advice: str = "Choose another encoder, or export this one anew.") -> EncoderError:
        return EncoderError(f"{REQUIRED}. Received: {source} ({path}); {found}. {advice}")

    module = _load(path, refuse)
    _refuse_uncallable(module, refuse)
    try:
        layer = hub.KerasLayer(module, trainable=fine_tune)
    except Exception as error:
        raise refuse(f"hub.KerasLayer cannot wrap it: {_one_line(error)}") from error

    vectors = _encode(module, layer, fine_tune, refuse)
    if fine_tune:
        # After the outputs: a module that is no encoder at all must not be offered for use without fine-tuning.
        _refuse_frozen(module, layer, refuse)
    return EncoderFacts(
        dimension=int(vectors.shape[1]),
        trainable_parameters=_count(layer.trainable_weights),
        parameters=_count(layer.weights) or _stored_parameters(path),
    )


def versions() -> dict[str, str]:
    """Returns the versions of the libraries that the result of the check depends on."""
    return {library.__name__: library.__version__ for library in (tf, hub, tensorflow_text)}


def _load(path: Path, refuse: Callable[..., EncoderError]) -> tf.Module:
    try:
        return hub.load(str(path))
    except Exception as error:
        if unknown := _UNKNOWN_OP.search(str(error)):
            raise refuse(
                f"its graph uses the op {unknown.group(1)}, which neither TensorFlow {tf.__version__} nor "
                "tensorflow_text registers",
                "Install the package that brings the op where this project imports it, or choose another encoder.",
            ) from error
        raise refuse(f"it cannot be loaded: {_one_line(error)}") from error


def _refuse_uncallable(module: tf.Module, refuse: Callable[..., EncoderError]) -> None:
    if callable(module):
        return
    signatures = {
        name: list(function.structured_input_signature[1].values())
        for name, function in getattr(module, "signatures", {}).items()
    }
    if not signatures:
        raise refuse("it has neither __call__ nor a signature")
    listed = ", ".join(f"{name}({', '.join(map(_spec, specs))})" for name, specs in signatures.items())
    raise refuse(
        f"it has no __call__, only signatures: {listed}",
        "Export it as an object with __call__, variables, trainable_variables and regularization_losses.",
    )


def _encode(
    module: tf.Module, layer: hub.KerasLayer, fine_tune: bool, refuse: Callable[..., EncoderError]
) -> tf.Tensor:
    """Calls the module as it will be called, on batches of unknown size, and returns the vectors of two headlines."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)
    def encode(texts):
        return layer(texts, training=fine_tune)

    try:
        outputs = encode(tf.constant(_HEADLINES))
        single = encode(tf.constant(_HEADLINES[:1]))
    except Exception as error:
        raise refuse(f"it cannot be called with a batch of strings: {_accepts(module) or _one_line(error)}") from error

    if isinstance(outputs, dict):
        raise refuse(f"it returns a dict ({', '.join(sorted(map(str, outputs)))}), not one tensor")
    if not isinstance(outputs, tf.Tensor):
        raise refuse(f"it returns a {type(outputs).__name__}, not one tensor")
    if not outputs.dtype.is_floating:
        raise refuse(f"it returns {outputs.dtype.name}, not floats")
    shapes = f"shape {outputs.shape.as_list()} for two headlines and {single.shape.as_list()} for one"
    if outputs.shape.rank != 2 or not outputs.shape[1]:
        raise refuse(f"it returns {shapes}")
    if outputs.shape[0] != 2 or single.shape[0] != 1:
        raise refuse(f"it does not return one row a headline: {shapes}")
    static = encode.get_concrete_function().structured_outputs.shape
    if static.rank == 2 and static[0] is not None:
        raise refuse(f"it was exported for batches of exactly {static[0]} headlines: {_accepts(module)}")
    if not bool(tf.reduce_all(tf.math.is_finite(outputs))):
        raise refuse("it returns numbers that are not finite (NaN or infinity) for plain English headlines")
    return outputs


def _refuse_frozen(module: tf.Module, layer: hub.KerasLayer, refuse: Callable[..., EncoderError]) -> None:
    if not layer.trainable_weights:
        has = "an empty" if hasattr(module, "trainable_variables") else "no"
        raise refuse(f"it has {has} trainable_variables list, so fine-tuning would silently leave it frozen", FREEZE)
    try:
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(layer(tf.constant(_HEADLINES), training=True))
        gradients = tape.gradient(total, layer.trainable_weights)
    except Exception as error:
        raise refuse(f"no gradient can be taken through it: {_one_line(error)}", FREEZE) from error
    if all(gradient is None for gradient in gradients):
        raise refuse(
            f"it names {len(gradients)} trainable variables, but none of them gets a gradient from its output", FREEZE
        )


def _count(variables: list[tf.Variable]) -> int:
    return sum(math.prod(variable.shape) for variable in variables)


def _stored_parameters(path: Path) -> int:
    """Counts the parameters in the checkpoint of a module that lists no variables."""
    return sum(
        math.prod(shape)
        for name, shape in tf.train.list_variables(str(path / "variables" / "variables"))
        if name.endswith("/.ATTRIBUTES/VARIABLE_VALUE") and ".OPTIMIZER_SLOT" not in name and "save_counter" not in name
    )


def _accepts(module: tf.Module) -> str:
    """Returns the inputs of a loaded `__call__`, if not batches of strings, in one line."""
    calls = [function.structured_input_signature[0] for function in getattr(module.__call__, "concrete_functions", [])]
    first = [spec for call in calls for spec in tf.nest.flatten(call)[:1] if isinstance(spec, tf.TensorSpec)]
    if not calls or any(spec.dtype == tf.string and _any_batch(spec.shape) for spec in first):
        return ""
    return "it takes " + " or ".join(sorted({", ".join(map(_spec, tf.nest.flatten(call))) for call in calls}))


def _any_batch(shape: tf.TensorShape) -> bool:
    return shape.rank is None or shape.as_list() == [None]


def _spec(spec: tf.TypeSpec) -> str:
    if isinstance(spec, tf.TensorSpec):
        return f"{spec.dtype.name} {spec.shape.as_list() if spec.shape.rank is not None else 'of any shape'}"
    return repr(spec)


def _one_line(error: Exception) -> str:
    """Returns the first sentence of TensorFlow's message, without the traceback of the graph that it may carry."""
    text = getattr(error, "message", None) or str(error) or type(error).__name__
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("Traceback")]
    return f"{type(error).__name__}: {lines[0][:300].rstrip('.:')}" if lines else type(error).__name__
