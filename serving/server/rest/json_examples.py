"""Converts JSON to tf.Examples, and the results of Classify and Regress to JSON."""

from __future__ import annotations

from typing import TypeAlias

from tensorflow.core.example import example_pb2, feature_pb2
from tensorflow_serving.apis import classification_pb2, input_pb2, regression_pb2

from serving.json_value import JsonObject, JsonValue
from serving.server.errors import ServingError, invalid_argument
from serving.server.rest.json_tensors import shortest
from serving.server.rest.json_text import debug_text, decode_base64, is_base64, text_bytes, type_name

_List: TypeAlias = feature_pb2.BytesList | feature_pb2.FloatList | feature_pb2.Int64List

_INT64 = range(-(2**63), 2**63)


def read_input(document: JsonObject) -> input_pb2.Input:
    """Returns the tf.Examples of `examples`, with the `context` that they may share.

    Raises:
      ServingError: INVALID_ARGUMENT.
    """
    sent = input_pb2.Input()
    target = sent.example_list
    if "context" in document:
        target = sent.example_list_with_context
        _fill_example(document["context"], target.context)
    if "examples" not in document:
        raise _format_error(document, "When method is classify, key 'examples' is expected and was not found")
    examples = document["examples"]
    if not isinstance(examples, list):
        raise _format_error(document, "Expecting 'examples' value to be an list/array")
    if not examples:
        raise _format_error(document, "'examples' value is an empty array")
    for value in examples:
        _fill_example(value, target.examples.add())
    return sent


def classification_to_json(result: classification_pb2.ClassificationResult) -> JsonObject:
    """Returns `results`: pairs of label and score, a list a row."""
    return {
        "results": [[[found.label, shortest(found.score)] for found in row.classes] for row in result.classifications]
    }


def regression_to_json(result: regression_pb2.RegressionResult) -> JsonObject:
    """Returns `results`: one number a row."""
    return {"results": [shortest(regression.value) for regression in result.regressions]}


def _fill_example(value: JsonValue, example: example_pb2.Example) -> None:
    if not isinstance(value, dict):
        raise invalid_argument(f"Example must be JSON object but got JSON {type_name(value)}")
    for name, content in value.items():
        feature = feature_pb2.Feature()
        for element in content if isinstance(content, list) else [content]:
            _add_value(name, element, feature)
        # The name is written as text; half a surrogate pair is no text.
        text_bytes(name).decode("utf-8", "replace")
        try:
            example.features.feature[name].CopyFrom(feature)
        except (UnicodeEncodeError, ValueError) as error:
            raise invalid_argument(f"A feature's name must be UTF-8. Received: {debug_text(name)}") from error


def _add_value(name: str, value: JsonValue, feature: feature_pb2.Feature) -> None:
    if isinstance(value, bool):
        _list_of(name, feature, "int64_list").value.append(int(value))
    elif isinstance(value, str):
        _list_of(name, feature, "bytes_list").value.append(text_bytes(value))
    elif is_base64(value):
        _list_of(name, feature, "bytes_list").value.append(decode_base64(value))
    elif isinstance(value, float) or (isinstance(value, int) and not -(2**63) <= value < 2**64):
        _list_of(name, feature, "float_list").value.append(value)
    elif isinstance(value, int):
        target = _list_of(name, feature, "int64_list")
        if value not in _INT64:
            raise invalid_argument(f"Feature: {name} has uint64_t element. Only int64_t is supported.")
        target.value.append(value)
    else:
        raise invalid_argument(f"Feature: {name} has element with unexpected JSON type: {type_name(value)}")


def _list_of(name: str, feature: feature_pb2.Feature, kind: str) -> _List:
    chosen = feature.WhichOneof("kind")
    if chosen not in (None, kind):
        raise invalid_argument(
            f"Unexpected element type in feature: {name} expecting type: {chosen.removesuffix('_list')}"
        )
    return getattr(feature, kind)


def _format_error(document: JsonObject, problem: str) -> ServingError:
    return invalid_argument(f"JSON Value: {debug_text(document)} {problem}")
