"""The REST API: maps a method, a path and a body to a response. Knows no sockets."""

from __future__ import annotations

import dataclasses
import json
import logging
import re
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import unquote

from google.protobuf import json_format
from google.protobuf.message import Message

from serving.json_value import JsonObject, JsonValue
from serving.request_log import writer
from serving.request_log.writer import RequestLog
from serving.server.errors import ServingError, invalid_argument, unsupported_method
from serving.server.manager import VersionManager
from serving.server.metadata import model_status, signature_def_map
from serving.server.predict import DEFAULT_SIGNATURE, predict_messages, run_signature
from serving.server.rest.json_tensors import (
    columns_to_json,
    parse_object,
    read_columns,
    read_rows,
    rows_to_json,
    to_body,
)
from serving.server.servable import Servable
from serving.server.tensors import to_proto

log = logging.getLogger("clickbait.server")

_API = re.compile(r"/v1/.*", re.IGNORECASE)
_CHOICE = r"(?:/versions/(?P<version>[0-9]+)|/labels/(?P<label>[^/:]+))?"
_INFERENCE = re.compile(rf"/v1/models/(?P<name>[^/:]+){_CHOICE}:(?P<verb>classify|regress|predict)", re.IGNORECASE)
_MODEL = re.compile(rf"/v1/models(?:/(?P<name>[^/:]+))?{_CHOICE}(?:/(?P<part>metadata))?", re.IGNORECASE)


_Answer = TypeVar("_Answer")


@dataclasses.dataclass(frozen=True)
class Answer:
    """An HTTP answer."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: tuple[str, ...] = ()
    """Further ones, as they are sent."""


def error_answer(status: int, message: str) -> Answer:
    """Returns the answer of a request that fails."""
    return Answer(status, json.dumps({"error": message}).encode())


def answered(work: Callable[[], JsonObject]) -> Answer:
    """Returns what a function returns as an answer, or its error as one."""
    try:
        return Answer(200, to_body(work()))
    except ServingError as error:
        return error_answer(error.http_status, error.message)
    except Exception as error:
        log.exception("a request failed with an unexpected error")
        return error_answer(500, f"{type(error).__name__}: {error}")


@dataclasses.dataclass(frozen=True)
class _Target:
    name: str
    version: int | None
    label: str | None


class RestApi:
    """The REST API of a manager's model."""

    def __init__(self, manager: VersionManager[Servable], timeout_ms: int = 0, request_log: RequestLog | None = None):
        self._manager = manager
        self._request_log = request_log
        self._timeout_ms = max(timeout_ms, 0)

    def answer(self, method: str, path: str, body: bytes, *, origin: bool = False) -> Answer:
        """Answers one request.

        Args:
          method: GET, POST, OPTIONS or another, which is refused.
          path: with the query, which no path of this API has; so it counts as part of the name or as malformed.
          body: whole, and not compressed.
          origin: whether the request names its origin, as a browser's preflight does.
        """
        if not _API.fullmatch(path):
            return Answer(404, b"<HTML><HEAD><TITLE>404 Not Found</TITLE></HEAD></HTML>\n", "text/html")
        if method == "OPTIONS":
            return Answer(200 if origin else 400, b"")
        return answered(lambda: self._dispatch(method, path, body))

    def _dispatch(self, method: str, path: str, body: bytes) -> JsonObject:
        pattern = {"POST": _INFERENCE, "GET": _MODEL}.get(method)
        match = pattern.fullmatch(path) if pattern else None
        # The path matches in any case; only the lower-case verbs are served.
        if match is None or (method == "POST" and not match["verb"].islower()):
            raise invalid_argument(f"Malformed request: {method} {path}")
        target = _target(match)
        if method == "POST":
            if match["verb"] != "predict":
                raise unsupported_method(match["verb"].capitalize())
            return self._predict(target, body)
        if not target.name:
            raise invalid_argument("Missing model name in request.")
        if match["part"] == "metadata":
            return self._with_model(target, _metadata)
        return _as_json(model_status(self._manager.statuses(target.name), target.name, target.version))

    def _predict(self, target: _Target, body: bytes) -> JsonObject:
        document = parse_object(body)
        name = _signature_name(document) or DEFAULT_SIGNATURE

        def work(servable: Servable) -> JsonObject:
            if name not in servable.signatures:
                raise invalid_argument(f'Serving signature name: "{name}" not found in signature def')
            signature = servable.signatures[name]
            if not signature.inputs:
                raise invalid_argument(f"Failed to get input map for signature: {name}")
            rows = _rows(document)
            if rows is None:
                arrays = read_columns(document["inputs"], signature.inputs)
            else:
                arrays = read_rows(rows, signature.inputs)
            inputs = {alias: to_proto(array) for alias, array in arrays.items()}
            outputs = run_signature(servable, signature, inputs, timeout_ms=self._timeout_ms)
            answer = columns_to_json(outputs) if rows is None else rows_to_json(outputs)
            if self._request_log:
                messages = (servable, target.name, name, inputs, outputs)
                self._request_log.offer(writer.PREDICT, lambda: predict_messages(*messages))
            return answer

        return self._with_model(target, work)

    def _with_model(self, target: _Target, work: Callable[[Servable], _Answer]) -> _Answer:
        with self._manager.acquire(target.name, target.version, target.label) as servable:
            return work(servable)


def _target(match: re.Match[str]) -> _Target:
    version = None
    if match["version"]:
        version = int(match["version"])
        if version >= 2**63:
            raise invalid_argument(f"Failed to convert version: {match['version']} to numeric.")
    label = unquote(match["label"], errors="replace") if match["label"] else None
    return _Target(unquote(match["name"] or "", errors="replace"), version, label)


def _signature_name(document: JsonObject) -> str:
    name = document.get("signature_name", "")
    if not isinstance(name, str):
        raise invalid_argument("'signature_name' key must be a string value.")
    return name


def _rows(document: JsonObject) -> list[JsonValue] | None:
    """Returns the rows of a document; None where it has columns."""
    if ("instances" in document) == ("inputs" in document):
        raise invalid_argument("Missing 'inputs' or 'instances' key, of which there must be exactly one")
    if "inputs" in document:
        return None
    rows = document["instances"]
    if not isinstance(rows, list) or not rows:
        raise invalid_argument("Expecting 'instances' to be an list/array with values")
    return rows


def _metadata(servable: Servable) -> JsonObject:
    spec: JsonObject = {"name": servable.name, "signature_name": "", "version": str(servable.version)}
    return {"model_spec": spec, "metadata": {"signature_def": _as_json(signature_def_map(servable))}}


def _as_json(message: Message) -> JsonObject:
    return json_format.MessageToDict(
        message, always_print_fields_with_no_presence=True, preserving_proto_field_name=True
    )
