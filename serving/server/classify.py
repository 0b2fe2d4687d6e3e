"""Classify and Regress: tf.Examples in, labels with scores or one number each out."""

from __future__ import annotations

import numpy as np
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import classification_pb2, input_pb2, regression_pb2

from serving.server.errors import invalid_argument
from serving.server.predict import DEFAULT_SIGNATURE, model_spec
from serving.server.servable import Servable
from serving.server.tensors import to_proto

_INPUTS, _OUTPUTS, _CLASSES, _SCORES = "inputs", "outputs", "classes", "scores"


def classify(
    servable: Servable, request: classification_pb2.ClassificationRequest, timeout_ms: int = 0
) -> classification_pb2.ClassificationResponse:
    """Answers a ClassificationRequest by a signature from `inputs` to `classes`, `scores` or both.

    Raises:
      ServingError: the signature is another, the request is wrong, or the model failed.
    """
    name, signature = _signature(servable, request.model_spec.signature_name)
    if len(signature.outputs) not in (1, 2):
        raise invalid_argument(f"Expected one or two output Tensors, found {len(signature.outputs)}")
    _check_named_input(signature, "classification")
    kinds = [kind for kind in (_CLASSES, _SCORES) if kind in signature.outputs]
    if not kinds:
        raise invalid_argument(
            'Expected classification signature outputs to contain at least one of "classes" or "scores". '
            f"Signature was: {signature}"
        )
    count, arrays = _run(servable, signature, request.input, kinds, timeout_ms)
    outputs = dict(zip(kinds, arrays, strict=True))
    for kind, dtype in ((_CLASSES, types_pb2.DT_STRING), (_SCORES, types_pb2.DT_FLOAT)):
        if kind in outputs:
            _check_matrix(kind, dtype, outputs[kind], count)
    classes, scores = outputs.get(_CLASSES), outputs.get(_SCORES)
    if classes is not None and scores is not None and classes.shape[1] != scores.shape[1]:
        raise invalid_argument(
            f"Tensors class and score should match in dim_size(1). Got {classes.shape[1]} vs. {scores.shape[1]}"
        )
    response = classification_pb2.ClassificationResponse(model_spec=model_spec(servable, request.model_spec.name, name))
    for row in range(count):
        labels = response.result.classifications.add().classes
        for column in range(next(iter(outputs.values())).shape[1]):
            labels.add(
                label=b"" if classes is None else classes[row, column],
                score=0.0 if scores is None else scores[row, column],
            )
    return response


def regress(
    servable: Servable, request: regression_pb2.RegressionRequest, timeout_ms: int = 0
) -> regression_pb2.RegressionResponse:
    """Answers a RegressionRequest by a signature from `inputs` to `outputs`.

    Raises:
      ServingError: the signature is another, the request is wrong, or the model failed.
    """
    name, signature = _signature(servable, request.model_spec.signature_name)
    if len(signature.outputs) != 1:
        raise invalid_argument("Expected one output Tensor.")
    _check_named_input(signature, "regression")
    if _OUTPUTS not in signature.outputs:
        raise invalid_argument(f"No regression outputs found in SignatureDef: {signature}")
    count, (values,) = _run(servable, signature, request.input, [_OUTPUTS], timeout_ms)
    if not (values.ndim == 1 or (values.ndim == 2 and values.shape[1] == 1)):
        raise invalid_argument(
            f"Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got {_shape_text(values)}"
        )
    if values.shape[0] != count:
        raise invalid_argument(f"Input batch size did not match output batch size: {count} vs. {values.shape[0]}")
    if values.dtype != np.float32:
        raise invalid_argument(f"Expected output Tensor of DT_FLOAT.  Got: {_dtype_text(values)}")
    response = regression_pb2.RegressionResponse(model_spec=model_spec(servable, request.model_spec.name, name))
    for value in values.ravel().tolist():
        response.result.regressions.add(value=value)
    return response


def _signature(servable: Servable, wanted: str) -> tuple[str, meta_graph_pb2.SignatureDef]:
    name = wanted or DEFAULT_SIGNATURE
    if name not in servable.signatures:
        raise invalid_argument(f"No signature was found with the name: {name}")
    signature = servable.signatures[name]
    if len(signature.inputs) != 1:
        raise invalid_argument("Expected one input Tensor.")
    return name, signature


def _check_named_input(signature: meta_graph_pb2.SignatureDef, kind: str) -> None:
    if _INPUTS not in signature.inputs:
        raise invalid_argument(f"No {kind} inputs found in SignatureDef: {signature}")


def _run(
    servable: Servable,
    signature: meta_graph_pb2.SignatureDef,
    sent: input_pb2.Input,
    aliases: list[str],
    timeout_ms: int,
) -> tuple[int, list[np.ndarray]]:
    examples = _serialized_examples(sent)
    if not examples:
        raise invalid_argument("Input is empty.")
    array = np.empty(len(examples), dtype=object)
    array[:] = examples
    fetches = [signature.outputs[alias].name for alias in aliases]
    return len(examples), servable.run({_INPUTS: array}, signature.inputs, fetches, timeout_ms)


def _serialized_examples(sent: input_pb2.Input) -> list[bytes]:
    if sent.WhichOneof("kind") == "example_list_with_context":
        # Protobufs merge by concatenation: each example gets the context's features and its own over them.
        context = sent.example_list_with_context.context.SerializeToString()
        return [context + example.SerializeToString() for example in sent.example_list_with_context.examples]
    return [example.SerializeToString() for example in sent.example_list.examples]


def _check_matrix(kind: str, dtype: int, array: np.ndarray, count: int) -> None:
    if array.ndim != 2:
        raise invalid_argument(f"Expected Tensor shape: [batch_size num_classes] but got {_shape_text(array)}")
    if to_proto(array[:0]).dtype != dtype:
        raise invalid_argument(f"Expected {kind} Tensor of {types_pb2.DataType.Name(dtype)}. Got: {_dtype_text(array)}")
    if array.shape[0] != count:
        raise invalid_argument(f"Expected {kind} output batch size of {count}. Got: {array.shape[0]}")


def _shape_text(array: np.ndarray) -> str:
    return f"[{','.join(str(size) for size in array.shape)}]"


def _dtype_text(array: np.ndarray) -> str:
    return str(types_pb2.DataType.Name(to_proto(array.ravel()[:0]).dtype))
