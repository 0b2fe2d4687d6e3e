"""An encoder that passed the check is not looked at again, and any other is."""

from __future__ import annotations

import pytest

from trainer.encoders import checked
from trainer.encoders.check import EncoderFacts
from trainer.encoders.errors import EncoderError
from trainer.encoders.resolve import ResolvedEncoder


@pytest.fixture
def looked(monkeypatch):
    """What `check_encoder` was asked."""
    asked = []

    def check(path, *, source, fine_tune):
        asked.append((path.name, fine_tune))
        if path.name == "bad":
            raise EncoderError("it is none")
        return EncoderFacts(dimension=8, trainable_parameters=3, parameters=4)

    monkeypatch.setattr(checked, "check_encoder", check)
    return asked


@pytest.fixture
def facts_of(tmp_path):
    def ask(name="good", digest="abc", fine_tune=True):
        encoder = ResolvedEncoder("my-encoder", tmp_path / name, digest)
        return checked.facts_of(encoder, fine_tune=fine_tune, cache=tmp_path / "cache")

    return ask


def test_the_same_bytes_are_checked_once(looked, facts_of):
    assert facts_of() == facts_of("moved") == EncoderFacts(dimension=8, trainable_parameters=3, parameters=4)
    assert looked == [("good", True)]


def test_other_bytes_another_use_and_other_libraries_are_checked_anew(looked, facts_of, monkeypatch):
    facts_of()
    facts_of(digest="def")
    facts_of(fine_tune=False)
    monkeypatch.setattr(checked, "versions", lambda: {"tensorflow": "99"})
    facts_of()
    assert looked == [("good", True), ("good", True), ("good", False), ("good", True)]


def test_a_refusal_is_not_remembered(looked, facts_of):
    for _ in range(2):
        with pytest.raises(EncoderError):
            facts_of("bad")
    assert len(looked) == 2


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"dimension": 8}', "\ud83d"])
def test_a_damaged_memory_is_made_anew(looked, facts_of, tmp_path, content):
    facts_of()
    (file,) = (tmp_path / "cache" / "checked").iterdir()
    file.write_bytes(content.encode(errors="surrogatepass"))
    assert facts_of().parameters == 4
    assert facts_of().parameters == 4
    assert len(looked) == 2


def test_a_cache_that_cannot_be_written_to_refuses_no_encoder(looked, facts_of, tmp_path):
    (tmp_path / "cache").write_text("a file")
    assert facts_of().parameters == facts_of().parameters == 4
    assert len(looked) == 2
