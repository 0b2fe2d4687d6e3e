"""Requests as clients send them, right and wrong."""

from __future__ import annotations

import re

import tensorflow as tf
from tensorflow.core.framework import tensor_pb2
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    predict_pb2,
    regression_pb2,
)

from tests.helpers.examples import serialized_example


def texts(*values: bytes | str, shape=None):
    """A tensor of strings, by default as long as it has values."""
    return tf.make_tensor_proto([*values], tf.string, shape=[len(values)] if shape is None else shape)


def tensor(dtype: int, dims, **values):
    """A TensorProto as it may come from anybody: nothing of it needs to fit."""
    proto = tensor_pb2.TensorProto(dtype=dtype)
    for size in dims:
        proto.tensor_shape.dim.add(size=size)
    for field, content in values.items():
        if isinstance(content, bytes):
            setattr(proto, field, content)
        else:
            getattr(proto, field).extend(content)
    return proto


def predict(inputs=None, *, name="m", signature="", version=None, label=None, outputs=(), spec=True):
    """A PredictRequest, by default a sound one."""
    request = predict_pb2.PredictRequest(output_filter=outputs)
    if spec:
        _fill_spec(request, name, signature, version, label)
    for alias, proto in ({"title": texts("abc", "de")} if inputs is None else inputs).items():
        request.inputs[alias].CopyFrom(proto)
    return request


def classify(titles=("abc",), *, signature="classify", context=None, kind=classification_pb2.ClassificationRequest):
    """A request by tf.Examples; None is one without a title."""
    request = kind()
    _fill_spec(request, "m", signature, None, None)
    if context is not None:
        request.input.example_list_with_context.context.ParseFromString(context)
    lists = request.input.example_list if context is None else request.input.example_list_with_context
    for title in titles:
        added = lists.examples.add()
        if title is not None:
            added.ParseFromString(serialized_example(title, 0))
    return request


def regress(titles=("abc",), *, signature="regress", **more):
    """The same for Regress."""
    return classify(titles, signature=signature, kind=regression_pb2.RegressionRequest, **more)


def metadata(*fields, name="m", version=None, spec=True):
    """A GetModelMetadataRequest."""
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=fields)
    if spec:
        _fill_spec(request, name, "", version, None)
    return request


def status(name="m", *, version=None, spec=True, label=None):
    """A GetModelStatusRequest."""
    request = get_model_status_pb2.GetModelStatusRequest()
    if spec:
        _fill_spec(request, name, "", version, label)
    return request


def _fill_spec(request, name, signature, version, label):
    request.model_spec.SetInParent()
    request.model_spec.name, request.model_spec.signature_name = name, signature
    if version is not None:
        request.model_spec.version.value = version
    if label is not None:
        request.model_spec.version_label = label


def same_text(text: str, expected: str | re.Pattern) -> None:
    """Compares a message with what is known of it."""
    if isinstance(expected, str):
        assert text == expected
    else:
        assert expected.search(text), text
