"""Requests as clients and servers log them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from serving.protocol.messages import Example, PredictionLog, PredictRequest, PredictResponse
from serving.protocol.records import frame
from serving.protocol.tensors import float_tensor, string_tensor


def a_request(texts: Sequence[str], *, examples: bool = False, model: str = "clickbait"):
    """A PredictRequest by either signature."""
    request = PredictRequest()
    request.model_spec.name = model
    encoded = [text.encode() for text in texts]
    if examples:
        request.model_spec.signature_name = "serving_examples"
        encoded = [_example(text) for text in encoded]
    request.inputs["examples" if examples else "title"].CopyFrom(string_tensor(encoded))
    return request


def a_response(scores: Sequence[float], *, version: int | None = 7, model: str = "clickbait"):
    """A PredictResponse; without a version as the client's REST makes it."""
    response = PredictResponse()
    if version is not None:
        response.model_spec.name = model
        response.model_spec.version.value = version
    response.outputs["probability"].CopyFrom(float_tensor(scores, (len(scores), 1)))
    return response


def an_entry(
    texts: Sequence[str],
    scores: Sequence[float],
    *,
    time: int = 0,
    examples: bool = False,
    model: str = "clickbait",
    version: int | None = 7,
):
    """A PredictionLog."""
    entry = PredictionLog()
    entry.predict_log.request.CopyFrom(a_request(texts, examples=examples, model=model))
    entry.predict_log.response.CopyFrom(a_response(scores, version=version, model=model))
    spec = entry.predict_log.response.model_spec if version is not None else entry.predict_log.request.model_spec
    entry.log_metadata.model_spec.CopyFrom(spec)
    entry.log_metadata.timestamp_secs = time
    return entry


def write_log(path: Path, entries) -> Path:
    """Writes a file of them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(frame(entry.SerializeToString()) for entry in entries))
    return path


def _example(text: bytes) -> bytes:
    example = Example()
    example.features.feature["title"].bytes_list.value.append(text)
    return example.SerializeToString()
