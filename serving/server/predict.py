"""Predict: named tensors in, named tensors out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from serving.protocol.messages import ModelSpec, PredictRequest, PredictResponse, SignatureDef, TensorProto
from serving.server.errors import failed_precondition, invalid_argument
from serving.server.servable import Servable
from serving.server.tensors import to_proto

DEFAULT_SIGNATURE = "serving_default"


def predict(servable: Servable, request: PredictRequest, timeout_ms: int = 0) -> PredictResponse:
    """Answers a PredictRequest; one that takes longer than the timeout is stopped, unless that is 0.

    Raises:
      ServingError: the request does not fit the signature, or the model failed.
    """
    name = request.model_spec.signature_name or DEFAULT_SIGNATURE
    signature = servable.signatures.get(name)
    if signature is None:
        raise failed_precondition(f'Serving signature key "{name}" not found.')
    _check_input_count(signature, request.inputs)
    inputs = _read_inputs(signature, request.inputs)
    outputs = run_signature(servable, signature, inputs, request.output_filter, timeout_ms)
    response = PredictResponse(model_spec=model_spec(servable, request.model_spec.name, name))
    for alias, array in outputs.items():
        response.outputs[alias].CopyFrom(to_proto(array))
    return response


def run_signature(
    servable: Servable,
    signature: SignatureDef,
    inputs: Mapping[str, TensorProto],
    output_filter: Sequence[str] = (),
    timeout_ms: int = 0,
) -> dict[str, np.ndarray]:
    """Runs a signature on tensors by its inputs.

    Raises:
      ServingError: the filter names no output, a tensor is malformed or has the wrong type, or the model failed.
    """
    aliases: list[str] = []
    for alias in output_filter:
        if alias not in signature.outputs:
            raise invalid_argument(
                f"output tensor alias not found in signature: {alias} "
                f"Outputs expected to be in the set {{{_join(signature.outputs)}}}."
            )
        if alias in aliases:
            raise invalid_argument(f"duplicate output tensor alias: {alias}")
        aliases.append(alias)
    # TensorFlow keeps an executor for each list of outputs that it was ever asked for: one output, or all in one order.
    computed = aliases if len(aliases) == 1 else sorted(signature.outputs)
    fetches = [signature.outputs[alias].name for alias in computed]
    arrays = dict(zip(computed, servable.run(inputs, signature.inputs, fetches, timeout_ms), strict=True))
    return {alias: arrays[alias] for alias in aliases or computed}


def predict_messages(
    servable: Servable,
    name: str,
    signature_name: str,
    inputs: Mapping[str, TensorProto],
    outputs: Mapping[str, np.ndarray],
) -> tuple[PredictRequest, PredictResponse]:
    """Makes the request and the response of a REST call, as gRPC would have carried them."""
    request = PredictRequest(model_spec=ModelSpec(name=name, signature_name=signature_name))
    response = PredictResponse(model_spec=model_spec(servable, name, signature_name))
    for alias, tensor in inputs.items():
        request.inputs[alias].CopyFrom(tensor)
    for alias, array in outputs.items():
        response.outputs[alias].CopyFrom(to_proto(array))
    return request, response


def model_spec(servable: Servable, name: str, signature_name: str) -> ModelSpec:
    """Returns the ModelSpec of a response: the version and the signature that computed it."""
    spec = ModelSpec(name=name, signature_name=signature_name)
    spec.version.value = servable.version
    return spec


def _check_input_count(signature: SignatureDef, sent: Mapping[str, object]) -> None:
    expected = signature.inputs
    if len(sent) == len(expected) or (len(sent) < len(expected) and signature.defaults):
        return
    raise invalid_argument(
        f"input size does not match signature: {len(sent)}!={len(expected)} "
        f"len({{{_join(sent)}}}) != len({{{_join(expected)}}}). "
        f"Sent extra: {{{_join(set(sent) - set(expected))}}}. "
        f"Missing but required: {{{_join(set(expected) - set(sent))}}}."
    )


def _read_inputs(signature: SignatureDef, sent: Mapping[str, TensorProto]) -> dict[str, TensorProto]:
    inputs = {}
    for alias in sorted(signature.inputs):
        if alias in sent:
            tensor = sent[alias]
        elif alias in signature.defaults:
            tensor = signature.defaults[alias]
        else:
            raise invalid_argument(
                f"Signature input alias: {alias}(feed name: {signature.inputs[alias].name}) not found in request "
                f"and no default value provided. Inputs expected to be in the request {{{_join(sent)}}}, "
                f"or default input alias set: {_join(signature.defaults)}"
            )
        inputs[alias] = tensor
    used = set(sent) & set(inputs)
    if len(used) != len(sent):
        raise invalid_argument(
            f"Inputs contains invalid name. Used request inputs: {_join(used)}, request input: {_join(sent)}"
        )
    return inputs


def _join(names: Iterable[str]) -> str:
    return ",".join(sorted(names))
