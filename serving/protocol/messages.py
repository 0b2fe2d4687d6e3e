"""The protocol's message classes, made from `protocol.pb` in a descriptor pool of their own.

The official stubs import TensorFlow, and two sets of the same names cannot share protobuf's default pool; in a private
one these live beside TensorFlow in one process. Their bytes are the same, but an instance of one set is not an instance
of the other: hand over bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.protobuf import descriptor_pb2
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from serving.protocol import PROTOCOL_FILE

if TYPE_CHECKING:
    from google.protobuf.internal.containers import (
        MessageMap,
        RepeatedCompositeFieldContainer,
        RepeatedScalarFieldContainer,
        ScalarMap,
    )


def _load_pool() -> DescriptorPool:
    pool = DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(PROTOCOL_FILE.read_bytes()).file:
        pool.Add(file)
    return pool


POOL = _load_pool()


def message_class(name: str) -> type[Message]:
    """Returns the class of a message by its full name, e.g. `tensorflow.serving.PredictRequest`."""
    return GetMessageClass(POOL.FindMessageTypeByName(name))


if TYPE_CHECKING:
    # The fields that this project uses of classes that are made at run time; all their fields are in `protocol.pb`.
    class _Made(Message):
        def __init__(self, **fields: object) -> None: ...

    class _Int64Value(_Made):
        value: int

    class _PackedMessage(_Made):
        value: bytes

        def Pack(self, message: Message) -> None: ...  # noqa: N802

    class _Size(_Made):
        size: int

    class _Shape(_Made):
        dim: RepeatedCompositeFieldContainer[_Size]
        unknown_rank: bool

    class TensorProto(_Made):
        dtype: int
        tensor_shape: _Shape
        tensor_content: bytes
        string_val: RepeatedScalarFieldContainer[bytes]
        float_val: RepeatedScalarFieldContainer[float]

    class ModelSpec(_Made):
        name: str
        version: _Int64Value
        version_label: str
        signature_name: str

    class PredictRequest(_Made):
        model_spec: ModelSpec
        inputs: MessageMap[str, TensorProto]
        output_filter: RepeatedScalarFieldContainer[str]

    class PredictResponse(_Made):
        model_spec: ModelSpec
        outputs: MessageMap[str, TensorProto]

    class GetModelMetadataRequest(_Made):
        model_spec: ModelSpec
        metadata_field: RepeatedScalarFieldContainer[str]

    class GetModelMetadataResponse(_Made):
        model_spec: ModelSpec
        metadata: MessageMap[str, _PackedMessage]

    class GetModelStatusRequest(_Made):
        model_spec: ModelSpec

    class _Status(_Made):
        error_code: int
        error_message: str

    class _ModelVersionStatus(_Made):
        version: int
        state: int
        status: _Status

    class GetModelStatusResponse(_Made):
        model_version_status: RepeatedCompositeFieldContainer[_ModelVersionStatus]

    class TensorInfo(_Made):
        name: str
        dtype: int
        tensor_shape: _Shape

    class SignatureDef(_Made):
        inputs: MessageMap[str, TensorInfo]
        outputs: MessageMap[str, TensorInfo]
        defaults: MessageMap[str, TensorProto]
        method_name: str

    class SignatureDefMap(_Made):
        signature_def: MessageMap[str, SignatureDef]

    class MetaGraphDef(_Made):
        signature_def: MessageMap[str, SignatureDef]

    class ConfigProto(_Made):
        pass

    class RunOptions(_Made):
        pass

    class _Latest(_Made):
        num_versions: int

    class _Specific(_Made):
        versions: RepeatedScalarFieldContainer[int]

    class _VersionPolicy(_Made):
        latest: _Latest
        specific: _Specific

    class _LogCollectorConfig(_Made):
        type: str
        filename_prefix: str

    class _LoggingConfig(_Made):
        log_collector_config: _LogCollectorConfig
        sampling_config: _SamplingConfig

    class ModelConfig(_Made):
        name: str
        base_path: str
        model_platform: str
        model_version_policy: _VersionPolicy
        version_labels: ScalarMap[str, int]
        logging_config: _LoggingConfig

    class _ModelConfigList(_Made):
        config: RepeatedCompositeFieldContainer[ModelConfig]

    class ModelServerConfig(_Made):
        model_config_list: _ModelConfigList

    class ReloadConfigRequest(_Made):
        config: ModelServerConfig

    class ReloadConfigResponse(_Made):
        status: _Status

    class _BytesList(_Made):
        value: RepeatedScalarFieldContainer[bytes]

    class _Feature(_Made):
        bytes_list: _BytesList

    class _Features(_Made):
        feature: MessageMap[str, _Feature]

    class Example(_Made):
        features: _Features

    class _PredictLog(_Made):
        request: PredictRequest
        response: PredictResponse

    class _SamplingConfig(_Made):
        sampling_rate: float

    class _LogMetadata(_Made):
        model_spec: ModelSpec
        sampling_config: _SamplingConfig
        timestamp_secs: int

    class PredictionLog(_Made):
        log_metadata: _LogMetadata
        predict_log: _PredictLog

else:
    PredictRequest = message_class("tensorflow.serving.PredictRequest")
    PredictResponse = message_class("tensorflow.serving.PredictResponse")
    GetModelMetadataRequest = message_class("tensorflow.serving.GetModelMetadataRequest")
    GetModelMetadataResponse = message_class("tensorflow.serving.GetModelMetadataResponse")
    GetModelStatusRequest = message_class("tensorflow.serving.GetModelStatusRequest")
    GetModelStatusResponse = message_class("tensorflow.serving.GetModelStatusResponse")
    ModelSpec = message_class("tensorflow.serving.ModelSpec")
    TensorInfo = message_class("tensorflow.TensorInfo")
    SignatureDef = message_class("tensorflow.SignatureDef")
    MetaGraphDef = message_class("tensorflow.MetaGraphDef")
    ConfigProto = message_class("tensorflow.ConfigProto")
    RunOptions = message_class("tensorflow.RunOptions")
    ModelConfig = message_class("tensorflow.serving.ModelConfig")
    ModelServerConfig = message_class("tensorflow.serving.ModelServerConfig")
    ReloadConfigRequest = message_class("tensorflow.serving.ReloadConfigRequest")
    ReloadConfigResponse = message_class("tensorflow.serving.ReloadConfigResponse")
    SignatureDefMap = message_class("tensorflow.serving.SignatureDefMap")
    PredictionLog = message_class("tensorflow.serving.PredictionLog")
    Example = message_class("tensorflow.Example")
    TensorProto = message_class("tensorflow.TensorProto")

DataType = POOL.FindEnumTypeByName("tensorflow.DataType").values_by_name
"""Numbers of the dtypes: `DataType["DT_STRING"].number`."""
