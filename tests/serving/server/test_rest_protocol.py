"""What TF Serving 2.16.1 answers over REST, case by case; see test_grpc_protocol.py for `TF_SERVING_BINARY`."""

from __future__ import annotations

import dataclasses
import json
import re
from typing import Any

import pytest

from tests.serving.server.messages import same_text

pytestmark = pytest.mark.slow


@dataclasses.dataclass(frozen=True)
class Rest:
    """An HTTP request, its status, and its JSON, or the text (or pattern) of its error."""

    id: str
    method: str
    path: str
    body: str | bytes | None
    status: int
    expected: Any


_M, _P = "/v1/models/m", "/v1/models/m:predict"
_ELEMENT = "Failed to process element: {} of 'instances' list. Error: INVALID_ARGUMENT: {}"


def _post(id, body, status, expected, path=_P):
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
    _post(
        "classify",
        {"signature_name": "classify", "examples": [{"title": "ab"}]},
        200,
        {"results": [[["news", 0.5], ["clickbait", 0.5]]]},
        f"{_M}:classify",
    ),
    _post(
        "classify-context",
        {"signature_name": "classify", "context": {"title": "abcd"}, "examples": [{}]},
        200,
        {"results": [[["news", 0.0], ["clickbait", 1.0]]]},
        f"{_M}:classify",
    ),
    _post(
        "regress",
        {"signature_name": "regress", "examples": [{"title": ["ab"]}, {"title": {"b64": "YQ=="}}]},
        200,
        {"results": [0.5, 0.25]},
        f"{_M}:regress",
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
    Rest("status-query", "GET", f"{_M}?x=1", None, 200, ...),
    Rest("status-version", "GET", f"{_M}/versions/7", None, 200, ...),
    Rest("metadata", "GET", f"{_M}/metadata", None, 200, ...),
    Rest("metadata-version", "GET", f"{_M}/versions/7/metadata", None, 200, ...),
    Rest("any-case", "GET", "/V1/Models/m", None, 200, ...),
    _post("empty-body", "", 400, "JSON Parse error: The document is empty at offset: 0"),
    _post("no-json", "hello", 400, "JSON Parse error: Invalid value. at offset: 0"),
    _post(
        "no-colon",
        '{"instances" 1}',
        400,
        "JSON Parse error: Missing a colon after a name of object member. at offset: 13",
    ),
    _post("no-name", "{1}", 400, "JSON Parse error: Missing a name for object member. at offset: 1"),
    _post(
        "open-list",
        '{"instances": ["a"',
        400,
        "JSON Parse error: Missing a comma or ] after an array element. at offset: 18",
    ),
    _post(
        "open-object",
        '{"instances": ["a"]',
        400,
        "JSON Parse error: Missing a comma or } after an object member. at offset: 19",
    ),
    _post("open-text", '{"instances": ["a', 400, re.compile("JSON Parse error: Missing a closing quotation mark in ")),
    _post(
        "half-surrogate",
        '{"instances": ["\\ud800"]}',
        400,
        re.compile("JSON Parse error: The surrogate pair in string is invalid."),
    ),
    _post("no-object", "[1, 2]", 400, "JSON Value: [1, 2] Is not object"),
    _post("no-key", {}, 400, "Missing 'inputs' or 'instances' key"),
    _post(
        "both-keys",
        {"inputs": ["a"], "instances": ["a"]},
        400,
        re.compile(
            r"^JSON Value: \{\n    \"inputs\": \[\"a\"\],\n    \"instances\": \[\"a\"\]\n\} "
            "Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist "
        ),
    ),
    _post(
        "instances-no-list",
        {"instances": "a"},
        400,
        'JSON Value: {\n    "instances": "a"\n} Expecting \'instances\' to be an list/array',
    ),
    _post(
        "instances-empty",
        {"instances": []},
        400,
        "JSON Value: {\n    \"instances\": []\n} No values in 'instances' array",
    ),
    _post(
        "signature-no-text",
        {"signature_name": 1, "instances": ["a"]},
        400,
        re.compile(r"not formatted correctly. 'signature_name' key must be a string value.$"),
    ),
    _post(
        "signature",
        {"signature_name": "z", "instances": ["a"]},
        400,
        'Serving signature name: "z" not found in signature def',
    ),
    _post(
        "row-type",
        {"instances": ["a", 1]},
        400,
        _ELEMENT.format(1, "JSON Value: 1 Type: Number is not of expected type: string"),
    ),
    _post(
        "row-null",
        {"instances": [None]},
        400,
        _ELEMENT.format(0, "JSON Value: null Type: Null is not of expected type: string"),
    ),
    _post(
        "row-true",
        {"instances": [True]},
        400,
        _ELEMENT.format(0, "JSON Value: true Type: True is not of expected type: string"),
    ),
    _post("row-bad-b64", {"instances": [{"b64": "!"}]}, 400, _ELEMENT.format(0, "Unable to base64 decode")),
    _post(
        "row-name",
        {"instances": [{"titel": "a"}]},
        400,
        "Failed to process element: 0 key: titel of 'instances' "
        "list. Error: INVALID_ARGUMENT: JSON object: does not have named input: titel",
    ),
    _post(
        "row-key-missing",
        {"signature_name": "add", "instances": [{"a": 1}]},
        400,
        "Failed to process element: 0 of 'instances' list. JSON object: {\n    \"a\": 1\n} keys must be equal to: a,b",
    ),
    _post(
        "row-plain-for-two",
        {"signature_name": "add", "instances": [1]},
        400,
        "instances is a plain list, but expecting list of objects as multiple input tensors required "
        "as per tensorinfo_map",
    ),
    _post(
        "rows-mixed", {"instances": [{"title": "a"}, "b"]}, 400, "Expecting object but got list at item 1 of input list"
    ),
    _post(
        "rows-mixed-back",
        {"instances": ["b", {"title": "a"}]},
        400,
        "Expecting value/list but got object at item 1 of input list",
    ),
    _post(
        "row-shapes", {"instances": [["a"], ["b", "c"]]}, 400, _ELEMENT.format(1, "Expecting tensor size: 1 but got: 2")
    ),
    _post("row-ranks", {"instances": [["a"], "b"]}, 400, _ELEMENT.format(1, "Expecting shape [1] but got: []")),
    _post(
        "row-ragged",
        {"instances": [[["a"], ["b", "c"]]]},
        400,
        _ELEMENT.format(0, "Encountered list at unexpected size: 2 at level: 1 expected size: 1"),
    ),
    _post(
        "row-deep",
        {"instances": [["a", ["b"]]]},
        400,
        _ELEMENT.format(0, "Encountered list at unexpected level: 1 expected < 1"),
    ),
    _post(
        "column-plain-for-two",
        {"signature_name": "add", "inputs": [1]},
        400,
        "inputs is a plain value/list, but expecting an object as multiple input tensors required "
        "as per tensorinfo_map",
    ),
    _post("column-missing", {"inputs": {"titel": ["a"]}}, 400, "Missing named input: title in 'inputs' object."),
    _post(
        "int-for-int64",
        {"signature_name": "add", "instances": [{"a": 1, "b": 1.5}]},
        400,
        re.compile("JSON Value: 1.5 Type: Number is not of expected type: int64$"),
    ),
    _post(
        "int64-overflow",
        {"signature_name": "add", "instances": [{"a": 1, "b": 2**63}]},
        400,
        re.compile("Type: Number is not of expected type: int64$"),
    ),
    _post(
        "no-example",
        {"signature_name": "serving_examples", "instances": ["x"]},
        400,
        re.compile("^Could not parse example input, value: 'x'"),
    ),
    _post("model", {"instances": ["a"]}, 404, "Servable not found for request: Latest(x)", "/v1/models/x:predict"),
    _post(
        "model-escaped",
        {"instances": ["a"]},
        404,
        "Servable not found for request: Latest(a b)",
        "/v1/models/a%20b:predict",
    ),
    _post(
        "version-missing",
        {"instances": ["a"]},
        404,
        "Servable not found for request: Specific(m, 6)",
        f"{_M}/versions/6:predict",
    ),
    _post("label", {"instances": ["a"]}, 400, "Unrecognized servable version label: x", f"{_M}/labels/x:predict"),
    _post("version-too-big", {"instances": ["a"]}, 400, ..., f"{_M}/versions/99999999999999999999:predict"),
    _post("verb", {"instances": ["a"]}, 400, "Malformed request: POST /v1/models/m:guess", f"{_M}:guess"),
    _post("post-model", {"instances": ["a"]}, 400, "Malformed request: POST /v1/models/m", _M),
    Rest("get-predict", "GET", _P, None, 400, "Malformed request: GET /v1/models/m:predict"),
    Rest("put", "PUT", _P, "{}", 400, "Malformed request: PUT /v1/models/m:predict"),
    Rest("delete", "DELETE", _M, None, 400, "Malformed request: DELETE /v1/models/m"),
    Rest("no-model", "GET", "/v1/models", None, 400, "Missing model name in request."),
    Rest("status-model", "GET", "/v1/models/x", None, 404, "Could not find any versions of model x"),
    Rest("status-missing", "GET", f"{_M}/versions/6", None, 404, "Could not find version 6 of model m"),
    Rest("metadata-model", "GET", "/v1/models/x/metadata", None, 404, "Servable not found for request: Latest(x)"),
    Rest("v1", "GET", "/v1/", None, 400, "Malformed request: GET /v1/"),
    Rest("other-path", "GET", "/", None, 404, ...),
    _post(
        "classify-no-examples",
        {"signature_name": "classify"},
        400,
        re.compile("When method is classify, key 'examples' is expected and was not found$"),
        f"{_M}:classify",
    ),
    _post("classify-empty", {"examples": []}, 400, re.compile("'examples' value is an empty array$"), f"{_M}:classify"),
    _post(
        "classify-no-object",
        {"examples": [1]},
        400,
        "Example must be JSON object but got JSON Number",
        f"{_M}:classify",
    ),
    _post(
        "classify-null",
        {"examples": [{"title": None}]},
        400,
        "Feature: title has element with unexpected JSON type: Null",
        f"{_M}:classify",
    ),
    _post(
        "classify-mixed",
        {"examples": [{"title": ["a", 1]}]},
        400,
        "Unexpected element type in feature: title expecting type: bytes",
        f"{_M}:classify",
    ),
    _post(
        "regress-signature",
        {"signature_name": "z", "examples": [{"title": "a"}]},
        400,
        "No signature was found with the name: z",
        f"{_M}:regress",
    ),
]


@pytest.mark.parametrize("case", REST, ids=lambda case: case.id)
def test_rest(protocol_server, case):
    status, body = protocol_server.rest(case.method, case.path, case.body)
    assert status == case.status, body
    if case.expected is ...:
        return
    answer = json.loads(body)
    if isinstance(case.expected, (str, re.Pattern)):
        assert list(answer) == ["error"]
        same_text(answer["error"], case.expected)
    else:
        assert answer == case.expected
