"""The protocol's requests as TF Serving's URLs and JSON, and its JSON as the protocol's responses."""

from __future__ import annotations

import array
import base64
import json
from urllib.parse import quote

from google.protobuf import json_format
from google.protobuf.message import Message

from serving.client.options import ClientOptions
from serving.json_value import JsonValue
from serving.protocol.messages import (
    GetModelMetadataRequest,
    GetModelMetadataResponse,
    GetModelStatusRequest,
    GetModelStatusResponse,
    ModelSpec,
    PredictRequest,
    PredictResponse,
    SignatureDefMap,
)
from serving.protocol.methods import Method, Request, Response
from serving.protocol.tensors import float_tensor
from trainer.features import EXAMPLES_SIGNATURE


def http_request(request: Message) -> tuple[str, str, bytes | None]:
    """Returns the HTTP method, the path below `/v1/models/` and the body of a request.

    Raises:
      TypeError: the client makes no such request.
    """
    if isinstance(request, GetModelStatusRequest):
        return "GET", _model_path(request.model_spec), None
    if isinstance(request, GetModelMetadataRequest):
        return "GET", f"{_model_path(request.model_spec)}/metadata", None
    if not isinstance(request, PredictRequest):
        raise TypeError(f"A request must be one of the client's. Received: {request.DESCRIPTOR.full_name}.")
    binary = request.model_spec.signature_name == EXAMPLES_SIGNATURE
    body = {
        "signature_name": request.model_spec.signature_name,
        "inputs": {
            name: [_json_value(value, binary) for value in tensor.string_val] for name, tensor in request.inputs.items()
        },
    }
    return "POST", f"{_model_path(request.model_spec)}:predict", json.dumps(body, ensure_ascii=False).encode()


def read_response(method: Method[Request, Response], answer: JsonValue, options: ClientOptions) -> Response:
    """Reads a response from JSON.

    Raises:
      ValueError, KeyError, TypeError: the JSON is not TF Serving's.
    """
    response = method.response()
    if isinstance(response, GetModelStatusResponse):
        if not isinstance(answer, dict):
            raise TypeError("a status must be an object")
        json_format.ParseDict(answer, response, ignore_unknown_fields=True)
    elif isinstance(response, GetModelMetadataResponse):
        _fill_metadata(response, answer)
    elif isinstance(response, PredictResponse):
        _fill_outputs(response, _member(answer, "outputs"), options.output_name)
    return response


def _fill_metadata(response: GetModelMetadataResponse, answer: JsonValue) -> None:
    signatures = json_format.ParseDict(
        {"signature_def": _member(answer, "metadata", "signature_def", "signature_def")},
        SignatureDefMap(),
        ignore_unknown_fields=True,
    )
    name, version = (_member(answer, "model_spec", key) for key in ("name", "version"))
    if not isinstance(name, str) or not isinstance(version, str | int | float):
        raise TypeError("a model must have a name and a version")
    response.model_spec.name = name
    response.model_spec.version.value = int(version)
    response.metadata["signature_def"].value = signatures.SerializeToString()


def _fill_outputs(response: PredictResponse, outputs: JsonValue, output_name: str) -> None:
    if not isinstance(outputs, dict):  # the only output stands without its name
        outputs = {output_name: outputs}
    for name, values in outputs.items():
        if name == output_name:
            # JSON has the shortest digits of a float32; the same number as over gRPC comes of it.
            flat = array.array("f", _numbers(values)).tolist()
            response.outputs[name].CopyFrom(float_tensor(flat, (len(flat),)))
        else:
            response.outputs[name].SetInParent()


def _member(value: JsonValue, *path: str) -> JsonValue:
    for name in path:
        if not isinstance(value, dict):
            raise TypeError(f"{name} must be in an object")
        value = value[name]
    return value


def _model_path(spec: ModelSpec) -> str:
    path = quote(spec.name, safe="")
    if spec.HasField("version"):
        return f"{path}/versions/{spec.version.value}"
    if spec.version_label:
        return f"{path}/labels/{quote(spec.version_label, safe='')}"
    return path


def _json_value(value: bytes, binary: bool) -> str | dict[str, str]:
    return {"b64": base64.b64encode(value).decode()} if binary else value.decode()


def _numbers(rows: JsonValue) -> list[float]:
    """Returns the numbers of rows, or of rows of rows, as one list."""
    if not isinstance(rows, list):
        raise TypeError("an output must be a list")
    numbers: list[float] = []
    for row in rows:
        if isinstance(row, list):
            numbers.extend(_numbers(row))
        elif isinstance(row, int | float):
            numbers.append(row)
        else:
            raise TypeError("an output must be of numbers")
    return numbers
