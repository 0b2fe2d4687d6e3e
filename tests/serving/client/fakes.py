"""A model server that says what TF Serving says and fails when told to, over gRPC and REST, without TensorFlow."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import threading
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

import grpc
from google.protobuf import json_format

from serving.protocol import messages
from serving.protocol.methods import GET_MODEL_METADATA, GET_MODEL_STATUS, PREDICT
from serving.protocol.tensors import decode_tensor, float_tensor, string_tensor

METHODS = {method.path: method for method in (PREDICT, GET_MODEL_METADATA, GET_MODEL_STATUS)}
STATES = {"LOADING": 20, "AVAILABLE": 30, "END": 50}
HTTP_STATUS = {"INVALID_ARGUMENT": 400, "FAILED_PRECONDITION": 400, "NOT_FOUND": 404, "RESOURCE_EXHAUSTED": 429}
HTTP_STATUS |= {"UNIMPLEMENTED": 501, "UNAVAILABLE": 503, "INTERNAL": 500, "PERMISSION_DENIED": 403}
PATH = re.compile(r"/v1/models/([^/:]+)(?:/versions/(\d+)|/labels/([^/:]+))?(?:(:predict)|(/metadata))?")


def score(text: str) -> float:
    """What the model says of a text: anything, as long as it is its own, a float32 and of few digits."""
    return zlib.crc32(text.encode()) % 128 / 128


class Fault(Exception):  # noqa: N818
    """The server's refusal."""

    def __init__(self, code: str, details: str):
        super().__init__(details)
        self.code, self.details = code, details


class FakeModel:
    """The model `clickbait`.

    Attributes:
      versions: numbers to states.
      labels: names to versions.
      faults: raised by the next calls of Predict, one each.
      delay_s: of each Predict.
      padding_bytes: in another output of each answer.
      input_name: of the signature `serving_default`.
      calls: the rows of each Predict that was answered, in the order of their coming.
      specs: the model_spec of each.
      most_at_once: how many calls of Predict were there at once, at most.
    """

    def __init__(self):
        self.versions = {1: "END", 3: "AVAILABLE"}
        self.labels = {"stable": 3}
        self.faults: deque[Fault] = deque()
        self.delay_s = 0.0
        self.padding_bytes = 0
        self.input_name = "title"
        self.calls: list[list[str]] = []
        self.specs: list = []
        self.most_at_once = 0
        self._at_once = 0
        self._actions: dict[int, Callable[[], object]] = {}
        self._lock = threading.Lock()

    def after(self, calls: int, action: Callable[[], object]) -> None:
        """Does something once so many more calls of Predict have been answered, before the next."""
        self._actions[len(self.calls) + calls] = action

    def answer(self, method, request):
        """The response to any request.

        Raises:
          Fault: it is refused.
        """
        if method is PREDICT:
            return self._predict(request)
        if method is GET_MODEL_STATUS:
            return self._status(request)
        return self._metadata(request)

    def _predict(self, request):
        with self._lock:
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            time.sleep(self.delay_s)
            with self._lock:
                self._actions.pop(len(self.calls), lambda: None)()
                if self.faults:
                    raise self.faults.popleft()
            version = self._version(request.model_spec)
            signature = request.model_spec.signature_name or "serving_default"
            if signature not in self._inputs():
                raise Fault("FAILED_PRECONDITION", f'Serving signature key "{signature}" not found.')
            wanted = self._inputs()[signature]
            if list(request.inputs) != [wanted]:
                sent = ",".join(request.inputs)
                raise Fault(
                    "INVALID_ARGUMENT",
                    f"input size does not match signature: 1!=1. Sent {{{sent}}}, takes {{{wanted}}}.",
                )
            texts = [_text(value, signature) for value in decode_tensor(request.inputs[wanted]).values]
            with self._lock:
                self.calls.append(texts)
                self.specs.append(request.model_spec)
            response = messages.PredictResponse()
            response.model_spec.name = request.model_spec.name
            response.model_spec.version.value = version
            response.outputs["probability"].CopyFrom(float_tensor(map(score, texts), (len(texts), 1)))
            if self.padding_bytes:
                response.outputs["padding"].tensor_content = bytes(self.padding_bytes)
            return response
        finally:
            with self._lock:
                self._at_once -= 1

    def _status(self, request):
        spec, response = request.model_spec, messages.GetModelStatusResponse()
        if spec.name != "clickbait":
            raise Fault("NOT_FOUND", f"Could not find any versions of model {spec.name}")
        for version, state in self.versions.items():
            if not spec.HasField("version") or spec.version.value == version:
                response.model_version_status.add(version=version, state=STATES[state])
        if not response.model_version_status:
            raise Fault("NOT_FOUND", f"Could not find version {spec.version.value} of model {spec.name}")
        return response

    def _metadata(self, request):
        response = messages.GetModelMetadataResponse()
        response.model_spec.name = request.model_spec.name
        response.model_spec.version.value = self._version(request.model_spec)
        signatures = messages.SignatureDefMap()
        for signature, name in self._inputs().items():
            one = signatures.signature_def[signature]
            one.method_name = "tensorflow/serving/predict"
            one.inputs[name].dtype = 7
            one.inputs[name].tensor_shape.dim.add(size=-1)
            one.outputs["probability"].dtype = 1
            one.outputs["probability"].tensor_shape.dim.add(size=-1)
            one.outputs["probability"].tensor_shape.dim.add(size=1)
        response.metadata["signature_def"].Pack(signatures)
        return response

    def _inputs(self) -> dict[str, str]:
        return {"serving_default": self.input_name, "serving_examples": "examples"}

    def _version(self, spec) -> int:
        available = [version for version, state in self.versions.items() if state == "AVAILABLE"]
        asked = spec.version.value if spec.HasField("version") else None
        if spec.version_label:
            if spec.version_label not in self.labels:
                raise Fault("INVALID_ARGUMENT", f"Unrecognized servable version label: {spec.version_label}")
            asked = self.labels[spec.version_label]
        if spec.name != "clickbait" or not available or asked not in (None, *available):
            which = f"Latest({spec.name})" if asked is None else f"Specific({spec.name}, {asked})"
            raise Fault("NOT_FOUND", f"Servable not found for request: {which}")
        return asked or max(available)


@contextlib.contextmanager
def grpc_server(
    model: FakeModel, *, port: int = 0, credentials: grpc.ServerCredentials | None = None, host: str = "localhost"
) -> Iterator[int]:
    """Serves a model over gRPC on a port of all the host's addresses, which it yields."""
    server = grpc.server(
        futures.ThreadPoolExecutor(16),
        options=[("grpc.max_receive_message_length", -1), ("grpc.so_reuseport", 0)],
    )
    server.add_generic_rpc_handlers((_Handler(model),))
    address = f"{host}:{port}"
    port = server.add_secure_port(address, credentials) if credentials else server.add_insecure_port(address)
    server.start()
    try:
        yield port
    finally:
        server.stop(None)


@contextlib.contextmanager
def rest_server(model: FakeModel, *, context=None) -> Iterator[int]:
    """Serves a model over REST on a port of localhost, which it yields."""
    server = ThreadingHTTPServer(("localhost", 0), _rest_handler(model))
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


class _Handler(grpc.GenericRpcHandler):
    def __init__(self, model: FakeModel):
        self._model = model

    def service(self, call_details):
        method = METHODS.get(call_details.method)
        if method is None:
            return None

        def handle(request, context):
            try:
                return self._model.answer(method, request)
            except Fault as fault:
                context.abort(getattr(grpc.StatusCode, fault.code), fault.details)

        return grpc.unary_unary_rpc_method_handler(handle, method.request.FromString, method.response.SerializeToString)


def _rest_handler(model: FakeModel) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self):
            self._answer(b"")

        def do_POST(self):
            self._answer(self.rfile.read(int(self.headers["Content-Length"])))

        def log_message(self, *args):
            """Nothing: tests read stderr."""

        def _answer(self, body: bytes) -> None:
            try:
                status, content = 200, self._call(body)
            except Fault as fault:
                status, content = HTTP_STATUS[fault.code], {"error": fault.details}
            content = json.dumps(content).encode()
            with contextlib.suppress(ConnectionError):  # the client did not wait
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        def _call(self, body: bytes) -> dict:
            name, version, label, predict, metadata = PATH.fullmatch(self.path).groups()
            method = PREDICT if predict else GET_MODEL_METADATA if metadata else GET_MODEL_STATUS
            request = method.request()
            request.model_spec.name = unquote(name)
            request.model_spec.version_label = unquote(label or "")
            if version:
                request.model_spec.version.value = int(version)
            if method is PREDICT:
                asked = json.loads(body)
                request.model_spec.signature_name = asked["signature_name"]
                for key, values in asked["inputs"].items():
                    request.inputs[key].CopyFrom(string_tensor(map(_bytes, values)))
            response = model.answer(method, request)
            if method is PREDICT:
                return {"outputs": [[value] for value in decode_tensor(response.outputs["probability"]).values]}
            if method is GET_MODEL_STATUS:
                return json_format.MessageToDict(response, preserving_proto_field_name=True)
            signatures = messages.SignatureDefMap.FromString(response.metadata["signature_def"].value)
            version = str(response.model_spec.version.value)
            return {
                "model_spec": {"name": response.model_spec.name, "signature_name": "", "version": version},
                "metadata": {"signature_def": json_format.MessageToDict(signatures, preserving_proto_field_name=True)},
            }

    return Handler


def _bytes(value: str | dict[str, str]) -> bytes:
    return base64.b64decode(value["b64"]) if isinstance(value, dict) else value.encode()


def _text(value: bytes, signature: str) -> str:
    if signature == "serving_default":
        return value.decode()
    example = messages.Example.FromString(value)
    return example.features.feature["title"].bytes_list.value[0].decode()
