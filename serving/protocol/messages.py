"""The protocol's message classes, made from `protocol.pb` in a descriptor pool of their own.

The official stubs import TensorFlow, and two sets of the same names cannot share protobuf's default pool; in a private
one these live beside TensorFlow in one process. Their bytes are the same, but an instance of one set is not an instance
of the other: hand over bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from google.protobuf import descriptor_pb2
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from serving.protocol.generate import PROTOCOL_FILE


def _load_pool() -> DescriptorPool:
    pool = DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(PROTOCOL_FILE.read_bytes()).file:
        pool.Add(file)
    return pool


POOL = _load_pool()


def message_class(name: str) -> type[Message]:
    """The class of a message by its full name, e.g. `tensorflow.serving.PredictRequest`."""
    return GetMessageClass(POOL.FindMessageTypeByName(name))


if TYPE_CHECKING:
    # Classes that are made at run time are no types; their fields are in `protocol.pb` alone.
    class _Made(Message):
        def __init__(self, **fields: object) -> None: ...
        def __getattr__(self, name: str) -> Any: ...
        def __setattr__(self, name: str, value: object) -> None: ...

    class PredictRequest(_Made): ...

    class PredictResponse(_Made): ...

    class GetModelMetadataRequest(_Made): ...

    class GetModelMetadataResponse(_Made): ...

    class GetModelStatusRequest(_Made): ...

    class GetModelStatusResponse(_Made): ...

    class ModelSpec(_Made): ...

    class SignatureDefMap(_Made): ...

    class PredictionLog(_Made): ...

    class Example(_Made): ...

    class TensorProto(_Made): ...

else:
    PredictRequest = message_class("tensorflow.serving.PredictRequest")
    PredictResponse = message_class("tensorflow.serving.PredictResponse")
    GetModelMetadataRequest = message_class("tensorflow.serving.GetModelMetadataRequest")
    GetModelMetadataResponse = message_class("tensorflow.serving.GetModelMetadataResponse")
    GetModelStatusRequest = message_class("tensorflow.serving.GetModelStatusRequest")
    GetModelStatusResponse = message_class("tensorflow.serving.GetModelStatusResponse")
    ModelSpec = message_class("tensorflow.serving.ModelSpec")
    SignatureDefMap = message_class("tensorflow.serving.SignatureDefMap")
    PredictionLog = message_class("tensorflow.serving.PredictionLog")
    Example = message_class("tensorflow.Example")
    TensorProto = message_class("tensorflow.TensorProto")

DataType = POOL.FindEnumTypeByName("tensorflow.DataType").values_by_name
"""Numbers of the dtypes: `DataType["DT_STRING"].number`."""
