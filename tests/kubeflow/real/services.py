"""What KFP's driver and launcher speak to: ML Metadata, the cache, some objects of Kubernetes' API, an object store.

`unshare -n python -m tests.kubeflow.real.services FOLDER` serves them in a network of its own, at the ports of a
standard installation, until its input ends; a line `BUCKET/PREFIX` of its input is answered by the keys there. The
folder has:

    tls.pem, tls.key     certificate of Kubernetes' API, for 127.0.0.1
    objects.json         by path of Kubernetes' API, what is there
    store/BUCKET/KEY     what the store has at first
"""

from __future__ import annotations

import fcntl
import http.server
import json
import logging
import re
import socket
import ssl
import struct
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import Message
from ml_metadata.metadata_store.pywrap.metadata_store_extension import metadata_store
from ml_metadata.proto import metadata_store_pb2, metadata_store_service_pb2
from moto.server import create_backend_app
from werkzeug.serving import make_server

from tests.kubeflow.real.cluster import (
    ACCESS_KEY,
    CACHE_PORT,
    KUBERNETES_PORT,
    METADATA_PORT,
    SECRET_KEY,
    STORE_PORT,
)

_SIOCSIFFLAGS, _IFF_UP = 0x8914, 0x1
_PARENT = re.compile(r"custom_properties\.parent_dag_id\.int_value = (\d+)")
_CREDENTIAL = re.compile(r"Credential=([^/]+)/")
_REFUSED = b"<Error><Code>InvalidAccessKeyId</Code><Message>The key must be known. Received: another</Message></Error>"


def loopback_up() -> None:
    """Brings `lo` up, which a new network has, but down."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", _IFF_UP))


def serve_metadata() -> grpc.Server:
    """Serves the C++ store of ML Metadata, in memory."""
    config = metadata_store_pb2.ConnectionConfig()
    config.fake_database.SetInParent()
    options = metadata_store_pb2.MigrationOptions()
    store = metadata_store.CreateMetadataStore(config.SerializeToString(), options.SerializeToString())
    codes, lock = {code.value[0]: code for code in grpc.StatusCode}, threading.Lock()

    def method(name: str, answer: type[Message]) -> Callable:
        function = getattr(metadata_store, name, None)

        def call(request: Message, context: grpc.ServicerContext) -> Message:
            if function is None:
                context.abort(grpc.StatusCode.UNIMPLEMENTED, name)
            parent = _take_parent(request) if name == "GetExecutionsByContext" else None
            with lock:
                body, message, code = function(store, request.SerializeToString())
            if code:
                context.abort(codes[code], message.decode())
            response = answer.FromString(body)
            if parent is not None:
                children = [
                    item for item in response.executions if item.custom_properties["parent_dag_id"].int_value == parent
                ]
                del response.executions[:]
                response.executions.extend(children)
            return response

        return call

    service = metadata_store_service_pb2.DESCRIPTOR.services_by_name["MetadataStoreService"]
    handlers = {}
    for item in service.methods:
        request, answer = map(message_factory.GetMessageClass, (item.input_type, item.output_type))
        handlers[item.name] = _handler(method(item.name, answer), request, answer)
    return _serve(service.full_name, handlers, METADATA_PORT)


def _take_parent(request: Message) -> int | None:
    """Takes the only filter of KFP's out of a request: this store has been built without any."""
    match = _PARENT.fullmatch(request.options.filter_query)
    request.options.ClearField("filter_query")
    if not request.options.next_page_token:
        request.options.ClearField("next_page_token")
    return int(match[1]) if match else None


def serve_cache() -> grpc.Server:
    """Serves what driver and launcher call of the API server: a task's fingerprint is kept and looked up."""
    task, create, find, answer = _task_classes()
    tasks: list[Message] = []

    def create_task(request: Message, _: grpc.ServicerContext) -> Message:
        tasks.append(request.task)
        request.task.id = f"task-{len(tasks)}"
        return request.task

    def list_tasks(request: Message, _: grpc.ServicerContext) -> Message:
        wanted = {item["key"]: item.get("stringValue", "") for item in json.loads(request.filter)["predicates"]}
        hits = [item for item in tasks if all(getattr(item, key) == value for key, value in wanted.items())]
        return answer(tasks=hits[-1:], total_size=len(hits))

    handlers = {"CreateTaskV1": _handler(create_task, create, task), "ListTasksV1": _handler(list_tasks, find, answer)}
    return _serve("api.TaskService", handlers, CACHE_PORT)


def _task_classes() -> list[type[Message]]:
    """Returns Task, CreateTaskRequest, ListTasksRequest and ListTasksResponse with the fields that matter here."""
    text, number, message = (getattr(descriptor_pb2.FieldDescriptorProto, f"TYPE_{kind}") for kind in _KINDS)
    strings = {"id": 1, "namespace": 2, "pipelineName": 3, "runId": 4, "mlmdExecutionID": 5, "fingerprint": 8}
    file = descriptor_pb2.FileDescriptorProto(name="clickbait/tasks.proto", package="api", syntax="proto3")
    fields = {
        "Task": [{"name": name, "number": index, "type": text} for name, index in strings.items()],
        "CreateTaskRequest": [{"name": "task", "number": 1, "type": message, "type_name": ".api.Task"}],
        "ListTasksRequest": [{"name": "filter", "number": 5, "type": text}],
        "ListTasksResponse": [
            {"name": "tasks", "number": 1, "type": message, "type_name": ".api.Task", "label": 3},
            {"name": "total_size", "number": 3, "type": number},
        ],
    }
    for name, items in fields.items():
        file.message_type.add(name=name, field=[{"label": 1, **item} for item in items])
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return [message_factory.GetMessageClass(pool.FindMessageTypeByName(f"api.{name}")) for name in fields]


_KINDS = ("STRING", "INT32", "MESSAGE")


def _handler(call: Callable, request: type[Message], answer: type[Message]) -> grpc.RpcMethodHandler:
    return grpc.unary_unary_rpc_method_handler(call, request.FromString, answer.SerializeToString)


def _serve(service: str, handlers: dict[str, grpc.RpcMethodHandler], port: int) -> grpc.Server:
    server = grpc.server(ThreadPoolExecutor(8))
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(service, handlers)])
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    return server


class _Kubernetes(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        path = self.path.partition("?")[0]
        item = self.server.objects.get(path)
        if item is None and "/pods/" in path:  # of which the launcher reads the task's name
            item = {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": path.rpartition("/")[2]}}
        status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}
        body = json.dumps(item or {**status, "message": f"{path} not found"}).encode()
        self.send_response(200 if item else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def serve_kubernetes(folder: Path) -> None:
    """Serves `objects.json` over TLS, to whom whatever token."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", KUBERNETES_PORT), _Kubernetes)
    server.objects = json.loads((folder / "objects.json").read_text(encoding="utf-8"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "tls.pem", folder / "tls.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def serve_store() -> None:
    """Serves S3 by moto, which knows no keys: another one than KFP's is refused before it."""
    moto = create_backend_app("s3")

    def application(environ, start_response):
        match = _CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
        if match and match[1] == ACCESS_KEY:
            return moto(environ, start_response)
        length = int(environ.get("CONTENT_LENGTH") or 0)
        environ["wsgi.input"].read(length)
        start_response("403 Forbidden", [("Content-Type", "text/xml"), ("Content-Length", str(len(_REFUSED)))])
        return [_REFUSED]

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server("127.0.0.1", STORE_PORT, application, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def main(folder: Path) -> None:
    loopback_up()
    servers = [serve_metadata(), serve_cache()]
    serve_kubernetes(folder)
    serve_store()
    address = f"http://127.0.0.1:{STORE_PORT}"
    keys = {"aws_access_key_id": ACCESS_KEY, "aws_secret_access_key": SECRET_KEY, "region_name": "us-east-1"}
    s3 = boto3.client("s3", endpoint_url=address, **keys)
    for bucket in (folder / "store").iterdir():
        s3.create_bucket(Bucket=bucket.name)
        for path in bucket.rglob("*"):
            if path.is_file():
                s3.upload_file(str(path), bucket.name, str(path.relative_to(bucket)))
    print("ready", flush=True)
    for line in sys.stdin:
        bucket, _, prefix = line.rstrip("\n").partition("/")
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        print(json.dumps([item["Key"] for page in pages for item in page.get("Contents", [])]), flush=True)
    for server in servers:
        server.stop(None)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
