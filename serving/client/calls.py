"""The requests that a client makes, for both kinds of client."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Generic, NamedTuple, TypeAlias

from google.protobuf.message import Message

from serving.client.answers import Metadata, VersionStatus, read_metadata, read_status
from serving.client.failures import Lookup
from serving.client.options import ClientOptions
from serving.protocol import messages
from serving.protocol.methods import GET_MODEL_METADATA, GET_MODEL_STATUS, Method, RequestOf, ResponseOf
from serving.protocol.tensors import string_tensor
from trainer.features import TITLE

LOOKUP_TIMEOUT_S = 5.0
READY_POLL_S = 0.25


class Query(NamedTuple, Generic[RequestOf, ResponseOf]):
    """A request and its method."""

    method: Method[RequestOf, ResponseOf]
    request: RequestOf


_StatusCall: TypeAlias = Query[messages.GetModelStatusRequest, messages.GetModelStatusResponse]
_MetadataCall: TypeAlias = Query[messages.GetModelMetadataRequest, messages.GetModelMetadataResponse]


def predict_request(texts: Iterable[bytes], options: ClientOptions) -> messages.PredictRequest:
    """Returns the request for the scores of texts in UTF-8."""
    request = messages.PredictRequest()
    set_model(request.model_spec, options)
    request.model_spec.signature_name = options.signature
    rows = map(_example, texts) if options.sends_examples else texts
    request.inputs[options.input].CopyFrom(string_tensor(rows))
    return request


def set_model(spec: messages.ModelSpec, options: ClientOptions) -> None:
    """Sets the model and the version that the options name."""
    spec.name = options.model
    if options.version is not None:
        spec.version.value = options.version
    elif options.label:
        spec.version_label = options.label


def status_call(options: ClientOptions, *, all_versions: bool = False) -> _StatusCall:
    """Returns the call for the state of the version that the options name, or of all."""
    request = messages.GetModelStatusRequest()
    request.model_spec.name = options.model
    if not all_versions:
        set_model(request.model_spec, options)
    return Query(GET_MODEL_STATUS, request)


def metadata_call(options: ClientOptions) -> _MetadataCall:
    """Returns the call for the signatures of the version that the options name."""
    request = messages.GetModelMetadataRequest(metadata_field=["signature_def"])
    set_model(request.model_spec, options)
    return Query(GET_MODEL_METADATA, request)


def lookup_call(lookup: Lookup, options: ClientOptions) -> Query[Message, Message]:
    """Returns the call for the facts that `error_for` needs."""
    return status_call(options, all_versions=True) if lookup is Lookup.STATUS else metadata_call(options)


def read_lookup(response: Message) -> Sequence[VersionStatus] | Metadata | None:
    """Reads the response to a lookup; None where it is another response."""
    if isinstance(response, messages.GetModelStatusResponse):
        return read_status(response)
    return read_metadata(response) if isinstance(response, messages.GetModelMetadataResponse) else None


def poll_timeout_s(deadline: float) -> float:
    """Returns the timeout of one readiness call in seconds, up to `deadline` by `time.monotonic`."""
    return max(READY_POLL_S, min(LOOKUP_TIMEOUT_S, deadline - time.monotonic()))


def _example(text: bytes) -> bytes:
    example = messages.Example()
    example.features.feature[TITLE].bytes_list.value.append(text)
    return example.SerializeToString()
