"""Bombs end early, controls and formulas do nothing, and what is ordinary comes through as it is."""

from __future__ import annotations

import gzip
import io
import random

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from serving import untrusted
from serving.untrusted import Gunzip, compose_yaml, inert_cell, plain_cell, visible

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@given(st.binary(max_size=1000))
def test_what_was_compressed_comes_back(content):
    packed = Gunzip(io.BytesIO(gzip.compress(content)))
    assert io.BufferedReader(packed).read() == content


def test_a_bomb_ends_where_text_would_have_ended(monkeypatch):
    monkeypatch.setattr(untrusted, "_FREE_BYTES", 1 << 16)
    unpacked = 0
    with pytest.raises(OSError, match="unpacks to more than 50 times its size"):
        for line in io.TextIOWrapper(Gunzip(io.BytesIO(gzip.compress(b"title\n" * 2_000_000)))):
            unpacked += len(line)
    assert unpacked < 8_000_000


def test_text_of_any_size_is_no_bomb(monkeypatch):
    monkeypatch.setattr(untrusted, "_FREE_BYTES", 0)
    words = random.Random(1).choices(["cats", "you", "21", "budget", "parliament"], k=300_000)
    content = " ".join(words).encode()
    assert Gunzip(io.BytesIO(gzip.compress(content))).read() == content


@pytest.mark.parametrize("text", [BOMB, "&a [*a]", "[" * 500, "a: {" * 500])
def test_yaml_that_grows_without_end_is_refused(text):
    with pytest.raises(yaml.YAMLError):
        compose_yaml(text, yaml.SafeLoader)


def test_yaml_with_a_few_aliases_is_ordinary():
    (root,) = compose_yaml("a: &x [1, 2]\nb: *x", yaml.SafeLoader)
    assert yaml.SafeLoader("").construct_document(root) == {"a": [1, 2], "b": [1, 2]}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]0;owned\x07Cats", "\\u001b]0;owned\\u0007Cats"),
        ("\x9b2J", "\\u009b2J"),
        ("a\rb\x7f", "a\\u000db\\u007f"),
        ("\u202ename", "\\u202ename"),
        ("two\nlines\tand ü 中 \U0001f600", "two\nlines\tand ü 中 \U0001f600"),
    ],
)
def test_controls_are_shown_and_not_obeyed(text, shown):
    assert visible(text) == shown


@given(st.text())
def test_no_cell_is_a_formula_and_each_can_be_told(text):
    cell = inert_cell(text)
    assert plain_cell(cell) == text
    assert not cell.startswith(("=", "@", "\t", "\r"))
    if cell.startswith(("+", "-")):
        float(cell)


@pytest.mark.parametrize("text", ["21 Cats", "'tis", "-0.5", "+1e-3", "", "a=b"])
def test_an_ordinary_cell_stays(text):
    assert inert_cell(text) == text
