"""Requests as clients send them, right and wrong."""

from __future__ import annotations

import re

import tensorflow as tf
from tensorflow.core.framework import tensor_pb2
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_management_pb2,
    predict_pb2,
)


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


def reload(*models):
    """A ReloadConfigRequest of models by name, base path and platform."""
    request = model_management_pb2.ReloadConfigRequest()
    request.config.model_config_list.SetInParent()
    for name, path, platform in models:
        request.config.model_config_list.config.add(name=name, base_path=path, model_platform=platform)
    return request


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
