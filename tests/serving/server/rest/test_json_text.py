"""JSON as TF Serving reads it."""

from __future__ import annotations

import pytest

from serving.server.errors import ServingError
from serving.server.rest.json_text import debug_text, decode_base64, parse_object, text_bytes, to_body


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"a": [1, 2.5, "x"]}', {"a": [1, 2.5, "x"]}),
        (b'\r\n\t {"a": 1} trailing', {"a": 1}),
        (b'{"a": 1, "a": 2}', {"a": 1}),
        (b'{"a": NaN}', ...),
        (b'{"a": Infinity}', {"a": float("inf")}),
        (b'{"a": "\\u00fc"}', {"a": "\u00fc"}),
    ],
)
def test_what_is_taken(body, expected):
    assert expected is ... and parse_object(body) or parse_object(body) == expected


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "The document is empty at offset: 0"),
        (b"  ", "The document is empty. at offset: 2"),
        (b"nope", "Invalid value. at offset: 0"),
        (b'{"a" 1}', "Missing a colon after a name of object member. at offset: 5"),
        (b'{"a": 1 "b": 2}', "Missing a comma or } after an object member. at offset: 8"),
        (b'{"a": [1 2]}', "Missing a comma or ] after an array element. at offset: 9"),
        (b'{"a]": ["]" 2]}', "Missing a comma or ] after an array element. at offset: 12"),
        ('{"\u00fc" 1}'.encode(), "Missing a colon after a name of object member. at offset: 6"),
        (b'{"a": "\\x"}', "Invalid escape character in string. at offset: 7"),
        (b'{"a": 1e999}', "Number too big to be stored in double. at offset: 0"),
        (b'{"a": ' + b"9" * 400 + b"}", "Number too big to be stored in double. at offset: 0"),
        (b'{"a": ' + b"[" * 100_000, "Terminate parsing due to Handler error. at offset: 0"),
    ],
)
def test_what_is_refused(body, message):
    with pytest.raises(ServingError) as caught:
        parse_object(body)
    assert caught.value.message == f"JSON Parse error: {message}" and caught.value.http_status == 400


def test_bytes_that_are_no_text_go_through():
    text = parse_object(b'{"a": "\xff\xfe"}')["a"]
    assert text_bytes(text) == b"\xff\xfe" and to_body([text]) == b'["\xff\xfe"]'


def test_values_as_messages_quote_them():
    assert debug_text({"a": [1, "x", None], "b": {}}) == '{\n    "a": [1, "x", null],\n    "b": {}\n}'
    assert debug_text([{"a": 1}]) == '[{\n        "a": 1\n    }]'


@pytest.mark.parametrize("text", ["YQ==", "YQ", "YQ=", "Y Q\n=="])
def test_base64_is_read_leniently(text):
    assert decode_base64({"b64": text}) == b"a"
