"""What TF Serving 2.16.1 answers over REST, case by case; see test_grpc_protocol.py for `TF_SERVING_BINARY`.

Of an error the status counts, and that it has a text.
"""

from __future__ import annotations

import dataclasses
import gzip
import http.client
import json
from typing import Any

import pytest

from tests.helpers.serving import REAL_SERVER

pytestmark = pytest.mark.slow


@dataclasses.dataclass(frozen=True)
class Rest:
    """An HTTP request, its status, and its JSON; `...` where the status says all."""

    id: str
    method: str
    path: str
    body: str | bytes | None
    status: int
    expected: Any = ...


_M, _P = "/v1/models/m", "/v1/models/m:predict"


def _post(id, body, status, expected=..., path=_P):
    return Rest(id, "POST", path, body if isinstance(body, (str, bytes)) else json.dumps(body), status, expected)


REST = [
    _post("row", {"instances": ["abc", "de"]}, 200, {"predictions": [[0.75], [0.5]]}),
    _post("row-named", {"instances": [{"title": "abc"}, {"title": "de"}]}, 200, {"predictions": [[0.75], [0.5]]}),
    _post("row-b64", {"instances": [{"b64": "YWJj"}]}, 200, {"predictions": [[0.75]]}),
    _post("row-named-b64", {"instances": [{"title": {"b64": "YWJj"}}]}, 200, {"predictions": [[0.75]]}),
    _post("column", {"inputs": ["abc", "de"]}, 200, {"outputs": [[0.75], [0.5]]}),
    _post("column-named", {"inputs": {"title": ["abc"]}}, 200, {"outputs": [[0.75]]}),
    _post("column-empty", {"inputs": []}, 200, {"outputs": []}),
    _post("unicode", {"instances": ["\u00fc\U0001f600"]}, 200, {"predictions": [[1.5]]}),
    _post("escapes", '{"instances": ["\\u00fc\\ud83d\\ude00"]}', 200, {"predictions": [[1.5]]}),
    _post("not-utf8", b'{"instances": ["\xff\xfe"]}', 200, {"predictions": [[0.5]]}),
    _post("white-space", ' \n{"instances": ["a"]}\n', 200, {"predictions": [[0.25]]}),
    _post("version", {"instances": ["a"]}, 200, {"predictions": [[0.25]]}, f"{_M}/versions/7:predict"),
    _post(
        "two-inputs",
        {"signature_name": "add", "instances": [{"a": 0.2, "b": 1}, {"a": 1, "b": -2}]},
        200,
        {"predictions": [{"sum": 1.2, "text": "1"}, {"sum": -1.0, "text": "-2"}]},
    ),
    _post(
        "two-inputs-column",
        {"signature_name": "add", "inputs": {"a": [1], "b": [2]}},
        200,
        {"outputs": {"sum": [3.0], "text": ["2"]}},
    ),
    _post(
        "bytes-output",
        {"signature_name": "echo_bytes", "instances": [{"b64": "//4="}]},
        200,
        {"predictions": [{"b64": "//4="}]},
    ),
    Rest(
        "status",
        "GET",
        _M,
        None,
        200,
        {
            "model_version_status": [
                {"version": "7", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
            ]
        },
    ),
    _post("byte-order-mark", b'\xef\xbb\xbf{"instances": ["a"]}', 200, {"predictions": [[0.25]]}),
    _post("second-half-surrogate", '{"instances": ["\\udc00"]}', 200, {"predictions": [[0.75]]}),
    _post("first-of-two-names", '{"inputs": ["a"], "inputs": ["abc"]}', 200, {"outputs": [[0.25]]}),
    Rest("status-version", "GET", f"{_M}/versions/7", None, 200, ...),
    Rest("metadata", "GET", f"{_M}/metadata", None, 200, ...),
    Rest("metadata-version", "GET", f"{_M}/versions/7/metadata", None, 200, ...),
    Rest("any-case", "GET", "/V1/Models/m", None, 200, ...),
    _post("empty-body", "", 400),
    _post("white-space-alone", "  ", 400),
    _post("no-json", "hello", 400),
    _post("no-colon", '{"instances" 1}', 400),
    _post("no-name", "{1}", 400),
    _post("open-list", '{"instances": ["a"', 400),
    _post("open-object", '{"instances": ["a"]', 400),
    _post("open-text", '{"instances": ["a', 400),
    _post("garbage-behind", '{"instances": ["a"]} x', 400),
    _post("second-document", '{"instances": ["a"]}{}', 400),
    _post("wrong-escape", '{"instances": ["\\x"]}', 400),
    _post("first-half-surrogate", '{"instances": ["\\ud800"]}', 400),
    _post("first-half-surrogate-as-signature", '{"signature_name": "\\ud800", "instances": ["a"]}', 400),
    _post("no-object", "[1, 2]", 400),
    _post("no-key", {}, 400),
    _post("both-keys", {"inputs": ["a"], "instances": ["a"]}, 400),
    _post("instances-no-list", {"instances": "a"}, 400),
    _post("instances-empty", {"instances": []}, 400),
    _post("signature-no-text", {"signature_name": 1, "instances": ["a"]}, 400),
    _post("signature", {"signature_name": "z", "instances": ["a"]}, 400),
    _post("row-type", {"instances": ["a", 1]}, 400),
    _post("row-null", {"instances": [None]}, 400),
    _post("row-true", {"instances": [True]}, 400),
    _post("row-bad-b64", {"instances": [{"b64": "!"}]}, 400),
    _post("row-name", {"instances": [{"titel": "a"}]}, 400),
    _post("row-key-missing", {"signature_name": "add", "instances": [{"a": 1}]}, 400),
    _post("row-plain-for-two", {"signature_name": "add", "instances": [1]}, 400),
    _post("rows-mixed", {"instances": [{"title": "a"}, "b"]}, 400),
    _post("rows-mixed-back", {"instances": ["b", {"title": "a"}]}, 400),
    _post("row-shapes", {"instances": [["a"], ["b", "c"]]}, 400),
    _post("row-ranks", {"instances": [["a"], "b"]}, 400),
    _post("row-ragged", {"instances": [[["a"], ["b", "c"]]]}, 400),
    _post("row-deep", {"instances": [["a", ["b"]]]}, 400),
    _post("column-plain-for-two", {"signature_name": "add", "inputs": [1]}, 400),
    _post("column-missing", {"inputs": {"titel": ["a"]}}, 400),
    _post("int-for-int64", {"signature_name": "add", "instances": [{"a": 1, "b": 1.5}]}, 400),
    _post("int64-overflow", {"signature_name": "add", "instances": [{"a": 1, "b": 2**63}]}, 400),
    _post("double-overflow", '{"signature_name": "add", "instances": [{"a": 1e999, "b": 1}]}', 400),
    _post("integer-of-400-digits", f'{{"signature_name": "add", "inputs": {{"a": [{"9" * 400}], "b": [1]}}}}', 400),
    _post("integer-of-5000-digits", f'{{"instances": [{"9" * 5000}]}}', 400),
    _post("bool-for-float", {"signature_name": "add", "instances": [{"a": True, "b": 1}]}, 400),
    _post("no-example", {"signature_name": "serving_examples", "instances": ["x"]}, 400),
    _post("model", {"instances": ["a"]}, 404, path="/v1/models/x:predict"),
    _post("model-escaped", {"instances": ["a"]}, 404, path="/v1/models/a%20b:predict"),
    _post("document-before-model", "hello", 400, path="/v1/models/x:predict"),
    _post("model-before-signature", {"signature_name": "z", "instances": ["a"]}, 404, path="/v1/models/x:predict"),
    _post("model-before-values", {}, 404, path="/v1/models/x:predict"),
    _post("version-missing", {"instances": ["a"]}, 404, path=f"{_M}/versions/6:predict"),
    _post("label", {"instances": ["a"]}, 400, path=f"{_M}/labels/x:predict"),
    _post("version-too-big", {"instances": ["a"]}, 400, path=f"{_M}/versions/99999999999999999999:predict"),
    _post("verb", {"instances": ["a"]}, 400, path=f"{_M}:guess"),
    _post("verb-case", {"instances": ["a"]}, 400, path=f"{_M}:PREDICT"),
    _post("post-model", {"instances": ["a"]}, 400, path=_M),
    _post("predict-query", {"instances": ["a"]}, 400, path=f"{_P}?x=1"),
    Rest("status-query", "GET", f"{_M}?x=1", None, 404),
    Rest("status-version-query", "GET", f"{_M}/versions/7?x=1", None, 400),
    Rest("metadata-query", "GET", f"{_M}/metadata?x=1", None, 400),
    Rest("two-slashes", "GET", "//v1/models/m", None, 404),
    Rest("get-predict", "GET", _P, None, 400),
    Rest("put", "PUT", _P, "{}", 400),
    Rest("delete", "DELETE", _M, None, 400),
    Rest("options-without-origin", "OPTIONS", _P, None, 400),
    Rest("no-model", "GET", "/v1/models", None, 400),
    Rest("status-model", "GET", "/v1/models/x", None, 404),
    Rest("status-missing", "GET", f"{_M}/versions/6", None, 404),
    Rest("metadata-model", "GET", "/v1/models/x/metadata", None, 404),
    Rest("metadata-missing", "GET", f"{_M}/versions/6/metadata", None, 404),
    Rest("v1", "GET", "/v1/", None, 400),
    Rest("other-path", "GET", "/", None, 404),
]


@pytest.mark.parametrize("case", REST, ids=lambda case: case.id)
def test_rest(protocol_server, case):
    status, body = protocol_server.rest(case.method, case.path, case.body)
    assert status == case.status, body
    if body.startswith(b"{") and status != 200:
        assert list(json.loads(body)) == ["error"] and json.loads(body)["error"]
    elif case.expected is not ...:
        assert json.loads(body) == case.expected


def _ask(server, method, path, body=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", server.rest_port, timeout=30)
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    response = connection.getresponse()
    return response.status, response.read()


def test_a_compressed_body(protocol_server):
    body = gzip.compress(b'{"instances": ["abc"]}')
    assert _ask(protocol_server, "POST", _P, body, Content_Encoding="gzip")[0] == 200
    assert _ask(protocol_server, "POST", _P, body[:-3], Content_Encoding="gzip")[0] == 400


def test_options_with_an_origin(protocol_server):
    assert _ask(protocol_server, "OPTIONS", _P, Origin="http://localhost") == (200, b"")


def test_a_header_of_100_kilobytes(protocol_server):
    assert _ask(protocol_server, "GET", _M, X_Long="x" * 100_000)[0] == 200


@pytest.mark.skipif(bool(REAL_SERVER), reason="what only the local server does")
@pytest.mark.parametrize("verb", ["classify", "regress"])
def test_what_is_left_out(protocol_server, verb):
    status, body = protocol_server.rest("POST", f"{_M}:{verb}", '{"examples": [{"title": "a"}]}')
    assert status == 501 and "must be called by Predict" in json.loads(body)["error"]
