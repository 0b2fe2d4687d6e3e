"""Servers of object stores on this machine: moto's of S3, and a small one of Google Cloud Storage's JSON API."""

from __future__ import annotations

import contextlib
import email.parser
import email.policy
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

import fsspec
import pytest

#: Buckets of `gcs_server` that answer as Google's do to whom they do not know, and to whom they do not allow it.
UNKNOWN_CALLER, NOT_ALLOWED = "unknown-caller", "not-allowed"

_OBJECT = re.compile(r"/(?:download/)?storage/v1/b/([^/]+)/o/([^/]+)(?:/rewriteTo/b/([^/]+)/o/([^/]+))?")
_OBJECTS = re.compile(r"/(?:upload/)?storage/v1/b/([^/]+)/o")


@contextlib.contextmanager
def s3_server() -> Iterator[str]:
    """Runs a server of S3 with the empty bucket `bucket`, to which the environment leads; yields its address."""
    import requests
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    keys = {"AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any", "AWS_DEFAULT_REGION": "us-east-1"}
    try:
        requests.post(f"{address}/moto-api/reset", timeout=60).raise_for_status()  # servers of a process share it
        with _environment({**keys, "AWS_ENDPOINT_URL": address}, "s3"):
            fsspec.filesystem("s3").mkdir("bucket")
            yield address
    finally:
        server.stop()


@contextlib.contextmanager
def gcs_server() -> Iterator[dict[str, dict[str, bytes]]]:
    """Runs a server of Google Cloud Storage that the environment leads to; yields its buckets, by names and contents.

    It speaks what gcsfs calls: listings by prefix and delimiter, uploads in one or several parts, copies that take two
    calls, and removals. Other objects than these buckets' are not there.
    """
    buckets: dict[str, dict[str, bytes]] = {"bucket": {}}
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.buckets, server.uploads = buckets, {}
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    # gcsfs asks Google by gRPC of what kind a bucket is, and the metadata server of a machine for credentials.
    offline = {"GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false", "NO_GCE_CHECK": "true"}
    try:
        with _environment({**offline, "STORAGE_EMULATOR_HOST": f"http://127.0.0.1:{server.server_port}"}, "gcs"):
            yield buckets
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextlib.contextmanager
def _environment(variables: dict[str, str], protocol: str) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        store = fsspec.get_filesystem_class(protocol)
        store.clear_instance_cache()  # fsspec keeps them, with the address that they were made for
        try:
            yield
        finally:
            store.clear_instance_cache()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        query, path = self._query()
        if match := _OBJECT.fullmatch(path):
            bucket, name = map(unquote, match.groups()[:2])
            if name not in self._objects(bucket):
                self._answer(404, {"error": {"code": 404, "message": f"No such object: {bucket}/{name}"}})
            elif query.get("alt") == "media":
                self._answer(200, self._objects(bucket)[name])
            else:
                self._answer(200, self._facts(bucket, name))
        elif match := _OBJECTS.fullmatch(path):
            self._list(unquote(match[1]), query)
        else:
            self._answer(404, {})

    def do_POST(self):
        query, path = self._query()
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if match := _OBJECT.fullmatch(path):
            bucket, name, to_bucket, to_name = map(unquote, match.groups())
            if "rewriteToken" in query:
                self._objects(to_bucket)[to_name] = self._objects(bucket)[name]
                self._answer(200, {"done": True, "resource": self._facts(to_bucket, to_name)})
            else:
                self._answer(200, {"done": False, "rewriteToken": "half"})
            return
        match = _OBJECTS.fullmatch(path)
        bucket = unquote(match[1])
        if self._refuse(bucket):
            return
        if query["uploadType"] == "multipart":
            head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
            message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + body)
            facts, _ = message.get_payload()
            name = json.loads(facts.get_content())["name"]
            # Not the parser's, which changes the ends of lines.
            self._objects(bucket)[name] = body.split(b"\n\n", 2)[2].removesuffix(b"\n--==0==--")
            self._answer(200, self._facts(bucket, name))
        elif "upload_id" not in query:
            self._answer(200, {}, {"Location": f"http://{self.headers['Host']}{self.path}&upload_id=1"})
        else:
            held = self.server.uploads.setdefault((bucket, query["name"]), bytearray())
            held += body
            total = int(self.headers["Content-Range"].rpartition("/")[2])
            if len(held) < total:
                self._answer(308, {}, {"Range": f"bytes=0-{len(held) - 1}"})
            else:
                self._objects(bucket)[query["name"]] = bytes(held)
                self._answer(200, self._facts(bucket, query["name"]))

    def do_DELETE(self):
        _, path = self._query()
        bucket, name = map(unquote, _OBJECT.fullmatch(path).groups()[:2])
        known = self._objects(bucket).pop(name, None) is not None
        self._answer(204 if known else 404, b"" if known else {"error": {"code": 404, "message": "No such object"}})

    def log_message(self, *_):
        pass

    def _list(self, bucket: str, query: dict[str, str]) -> None:
        if self._refuse(bucket):
            return
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        items, prefixes = [], set()
        for name in sorted(name for name in self._objects(bucket) if name.startswith(prefix)):
            folder, cut, _ = name[len(prefix) :].partition(delimiter) if delimiter else ("", "", "")
            if cut:
                prefixes.add(f"{prefix}{folder}{cut}")
            else:
                items.append(self._facts(bucket, name))
        self._answer(200, {"items": items, "prefixes": sorted(prefixes)})

    def _refuse(self, bucket: str) -> bool:
        if bucket in self.server.buckets:
            return False
        code, message = 404, "The specified bucket does not exist."
        if bucket == UNKNOWN_CALLER:
            code, message = 401, "Anonymous caller does not have storage.objects.list access to the bucket."
        elif bucket == NOT_ALLOWED:
            code, message = 403, "me@example.com does not have storage.objects.list access to the bucket."
        self._answer(code, {"error": {"code": code, "message": message}})
        return True

    def _objects(self, bucket: str) -> dict[str, bytes]:
        return self.server.buckets.get(bucket, {})

    def _facts(self, bucket: str, name: str) -> dict[str, str]:
        size = str(len(self._objects(bucket)[name]))
        link = f"http://{self.headers['Host']}/download/storage/v1/b/{bucket}/o/{name.replace('/', '%2F')}?alt=media"
        return {"kind": "storage#object", "bucket": bucket, "name": name, "size": size, "mediaLink": link}

    def _query(self) -> tuple[dict[str, str], str]:
        parts = urlsplit(self.path)
        return {name: values[0] for name, values in parse_qs(parts.query).items()}, parts.path

    def _answer(self, code: int, content: bytes | dict[str, object], headers: dict[str, str] | None = None) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(code)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        if code != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
