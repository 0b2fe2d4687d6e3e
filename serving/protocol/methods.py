"""The remote methods: their gRPC paths and their messages."""

from __future__ import annotations

from typing import Any, Generic, NamedTuple, TypeVar

from google.protobuf.message import Message

from serving.protocol import messages

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)
RequestOf = TypeVar("RequestOf", bound=Message, covariant=True)
ResponseOf = TypeVar("ResponseOf", bound=Message, covariant=True)


class Method(NamedTuple, Generic[RequestOf, ResponseOf]):
    """A unary call."""

    path: str
    """As gRPC writes it: `/package.Service/Method`."""
    request: type[RequestOf]
    response: type[ResponseOf]

    @property
    def name(self) -> str:
        """E.g. `Predict`."""
        return self.path.rpartition("/")[2]


def _methods(service: str) -> dict[str, Method[Any, Any]]:
    return {
        method.name: Method(
            f"/{service}/{method.name}",
            messages.message_class(method.input_type.full_name),
            messages.message_class(method.output_type.full_name),
        )
        for method in messages.POOL.FindServiceByName(service).methods
    }


PREDICTION_SERVICE = _methods("tensorflow.serving.PredictionService")
MODEL_SERVICE = _methods("tensorflow.serving.ModelService")

PREDICT: Method[messages.PredictRequest, messages.PredictResponse] = PREDICTION_SERVICE["Predict"]
GET_MODEL_METADATA: Method[messages.GetModelMetadataRequest, messages.GetModelMetadataResponse]
GET_MODEL_METADATA = PREDICTION_SERVICE["GetModelMetadata"]
GET_MODEL_STATUS: Method[messages.GetModelStatusRequest, messages.GetModelStatusResponse]
GET_MODEL_STATUS = MODEL_SERVICE["GetModelStatus"]
HEALTH_CHECK = _methods("grpc.health.v1.Health")["Check"]
