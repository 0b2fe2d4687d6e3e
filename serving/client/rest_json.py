"""The protocol's requests as TF Serving's URLs and JSON, and its JSON as the protocol's responses."""

from __future__ import annotations

import array
import base64
import json
from typing import Any
from urllib.parse import quote

from google.protobuf.message import Message

from serving.client.options import ClientOptions
from serving.protocol.messages import (
    GetModelMetadataResponse,
    GetModelStatusResponse,
    ModelSpec,
    PredictResponse,
    SignatureDefMap,
)
from serving.protocol.methods import GET_MODEL_METADATA, GET_MODEL_STATUS, Method
from serving.protocol.tensors import float_tensor
from trainer.features import EXAMPLES_SIGNATURE


def http_request(method: Method, request) -> tuple[str, str, bytes | None]:
    """The HTTP method, the path below `/v1/models/` and the body of a request."""
    path = _model_path(request.model_spec)
    if method is GET_MODEL_STATUS:
        return "GET", path, None
    if method is GET_MODEL_METADATA:
        return "GET", f"{path}/metadata", None
    binary = request.model_spec.signature_name == EXAMPLES_SIGNATURE
    body = {
        "signature_name": request.model_spec.signature_name,
        "inputs": {
            name: [_json_value(value, binary) for value in tensor.string_val] for name, tensor in request.inputs.items()
        },
    }
    return "POST", f"{path}:predict", json.dumps(body, ensure_ascii=False).encode()


def read_response(method: Method, answer: dict[str, Any], options: ClientOptions) -> Message:
    """The response that a JSON answer tells.

    Raises:
      ValueError, KeyError, TypeError: it is not one of TF Serving.
    """
    from google.protobuf import json_format

    if method is GET_MODEL_STATUS:
        return json_format.ParseDict(answer, GetModelStatusResponse(), ignore_unknown_fields=True)
    if method is GET_MODEL_METADATA:
        signatures = json_format.ParseDict(
            {"signature_def": answer["metadata"]["signature_def"]["signature_def"]},
            SignatureDefMap(),
            ignore_unknown_fields=True,
        )
        metadata = GetModelMetadataResponse()
        metadata.model_spec.name = answer["model_spec"]["name"]
        metadata.model_spec.version.value = int(answer["model_spec"]["version"])
        metadata.metadata["signature_def"].value = signatures.SerializeToString()
        return metadata
    outputs = answer["outputs"]
    if not isinstance(outputs, dict):  # the only output stands without its name
        outputs = {options.output_name: outputs}
    response = PredictResponse()
    for name, values in outputs.items():
        if name == options.output_name:
            # JSON has the shortest digits of a float32; the same number as over gRPC comes of it.
            flat = array.array("f", _flatten(values)).tolist()
            response.outputs[name].CopyFrom(float_tensor(flat, (len(flat),)))
        else:
            response.outputs[name].SetInParent()
    return response


def _model_path(spec: ModelSpec) -> str:
    path = quote(spec.name, safe="")
    if spec.HasField("version"):
        return f"{path}/versions/{spec.version.value}"
    if spec.version_label:
        return f"{path}/labels/{quote(spec.version_label, safe='')}"
    return path


def _json_value(value: bytes, binary: bool) -> str | dict[str, str]:
    return {"b64": base64.b64encode(value).decode()} if binary else value.decode()


def _flatten(values: list[Any]) -> list[float]:
    while values and isinstance(values[0], list):
        values = [one for inner in values for one in inner]
    return values
