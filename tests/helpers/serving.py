"""A tiny model to serve and a server process to serve it. TensorFlow is imported by `write_model`."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path

import grpc
from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

from tests.helpers.certificates import Certificate

#: A real tensorflow_model_server, which takes the local server's place in tests; docs/serving.md says how to have one.
REAL_SERVER = os.environ.get("TF_SERVING_BINARY")

#: Inputs and outputs of the signature `echo`.
DTYPES = ("bool", "float16", "bfloat16", "float64", "int8", "uint8", "int16", "int32", "uint32", "uint64")

_START_SECONDS = 120


def write_model(path: Path, weight: float = 0.25) -> Path:
    """Writes a SavedModel whose probability is the title's length times `weight`, and signatures of other kinds."""
    import tensorflow as tf

    module = tf.Module()
    module.weight = tf.Variable(weight)

    def signature(**inputs):
        specs = [tf.TensorSpec(shape, dtype, name=name) for name, (dtype, shape) in inputs.items()]
        return tf.function(input_signature=specs, autograph=False)

    texts = (tf.string, [None])

    @signature(title=texts)
    def score(title):
        return {"probability": tf.cast(tf.strings.length(title), tf.float32)[:, tf.newaxis] * module.weight}

    def titles_of(examples):
        return tf.io.parse_example(examples, {"title": tf.io.FixedLenFeature([], tf.string)})["title"]

    @signature(examples=texts)
    def score_examples(examples):
        return score(titles_of(examples))

    @signature(inputs=texts)
    def classify(inputs):
        scores = score(titles_of(inputs))["probability"]
        labels = tf.tile([["news", "clickbait"]], [tf.shape(scores)[0], 1])
        return {"classes": labels, "scores": tf.concat([1 - scores, scores], axis=1)}

    @signature(inputs=texts)
    def regress(inputs):
        return {"outputs": score(titles_of(inputs))["probability"]}

    @signature(a=(tf.float32, [None]), b=(tf.int64, [None]))
    def add(a, b):
        return {"sum": a + tf.cast(b, tf.float32), "text": tf.strings.as_string(b)}

    @signature(**{kind: (tf.as_dtype(kind), [None]) for kind in DTYPES})
    def echo(*tensors):
        return {kind: tf.identity(tensor) for kind, tensor in zip(DTYPES, tensors, strict=True)}

    @signature(text=texts)
    def echo_bytes(text):
        return {"raw_bytes": tf.identity(text)}

    @signature(rounds=(tf.int32, []))
    def spin(rounds):
        return {"rounds": tf.while_loop(lambda i: i < rounds, lambda i: i + 1, [0])[0]}

    signatures = {
        "serving_default": score,
        "serving_examples": score_examples,
        "classify": classify,
        "regress": regress,
        "add": add,
        "echo": echo,
        "echo_bytes": echo_bytes,
        "spin": spin,
    }
    module.functions = list(signatures.values())
    tf.saved_model.save(module, str(path), signatures=signatures)
    return path


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


class ServerProcess:
    """A running server, `python -m serving.server` or what `TF_SERVING_BINARY` names.

    Args:
      base_path: of the model.
      log: the file for what it says.
      name: of the model.
      *flags: more of the command line.
      program: another program that starts a server.

    Attributes:
      predictions: stub of the PredictionService.
      models: stub of the ModelService.
      process: the process.
    """

    def __init__(self, base_path: Path, log: Path, name: str = "m", *flags: str, program: Sequence[str] = ()):
        self.name, self._log = name, log
        self.port, self.rest_port = free_ports(2)
        command = [*program] or ([REAL_SERVER] if REAL_SERVER else [sys.executable, "-m", "serving.server"])
        command += [f"--port={self.port}", f"--rest_api_port={self.rest_port}"]
        command += [f"--model_name={name}", f"--model_base_path={base_path}", *flags]
        with log.open("wb") as output:
            self.process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        unlimited = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
        self.channel = grpc.insecure_channel(f"127.0.0.1:{self.port}", unlimited)
        self.predictions = prediction_service_pb2_grpc.PredictionServiceStub(self.channel)
        self.models = model_service_pb2_grpc.ModelServiceStub(self.channel)

    def __enter__(self) -> ServerProcess:
        return self

    def __exit__(self, *error) -> None:
        self.channel.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    @property
    def log(self) -> str:
        """Returns the server's log so far."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def wait_until_ready(self) -> ServerProcess:
        """Waits for the ports."""
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                if self.rest("GET", f"/v1/models/{self.name}/metadata")[0] == 200:
                    grpc.channel_ready_future(self.channel).result(timeout=10)
                    return self
            except OSError:
                pass
            time.sleep(0.1)
        raise AssertionError(f"the server did not start:\n{self.log}")

    def rest(self, method: str, path: str, body: bytes | str | None = None, timeout: float = 30) -> tuple[int, bytes]:
        """The status and the body of an HTTP answer."""
        data = body.encode() if isinstance(body, str) else body
        request = urllib.request.Request(f"http://127.0.0.1:{self.rest_port}{path}", data=data, method=method)
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def score(self, title: str) -> tuple[int, float]:
        """The version that answers over gRPC, and the probability that it gives to the title."""
        from tensorflow_serving.apis import predict_pb2

        request = predict_pb2.PredictRequest()
        request.model_spec.name = self.name
        request.inputs["title"].dtype = 7
        request.inputs["title"].tensor_shape.dim.add(size=1)
        request.inputs["title"].string_val.append(title.encode())
        response = self.predictions.Predict(request, timeout=30)
        return response.model_spec.version.value, response.outputs["probability"].float_val[0]

    def states(self) -> dict[int, str]:
        """The state by version, as REST names it."""
        status, body = self.rest("GET", f"/v1/models/{self.name}")
        assert status == 200, body
        return {int(found["version"]): found["state"] for found in json.loads(body)["model_version_status"]}

    def terminate(self, number: int = signal.SIGTERM, timeout: float = 30) -> int:
        """Sends a signal and returns the exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout)


def wait_for(condition, seconds: float = 20.0, message: str = "it did not happen") -> None:
    """Waits until a condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, message
        time.sleep(0.05)


def write_ssl_config(path: Path, server: Certificate, authority: Certificate, *, client_verify: bool) -> Path:
    """Writes the text proto for --ssl_config_file."""
    fields = {"server_key": server.key, "server_cert": server.cert, "custom_ca": authority.cert}
    lines = [f"{field}: {json.dumps(file.read_text())}" for field, file in fields.items()]
    path.write_text("\n".join([*lines, f"client_verify: {str(client_verify).lower()}"]) + "\n")
    return path
