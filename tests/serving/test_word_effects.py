"""What leaving a word out says of it."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import pytest

from serving.word_effects import MAX_WORDS, explain_texts

WEIGHTS = {"You": 0.25, "Won't": 0.5, "Believe": -0.125}


def score(texts):
    return [sum(WEIGHTS.get(word, 0.0) for word in text.split()) for text in texts]


def effects(text):
    (explanation,) = explain_texts([text], score)
    return {word.text: word.effect for word in explanation.words}


def test_the_effect_of_a_word_is_what_the_score_loses_without_it():
    (explanation,) = explain_texts(["You Won't Believe It"], score)
    assert (explanation.text, explanation.score) == ("You Won't Believe It", 0.625)
    assert [(word.text, word.effect) for word in explanation.words] == [*WEIGHTS.items(), ("It", 0.0)]
    assert explanation.words_left == 0


def test_a_word_is_left_out_where_it_stands_and_not_wherever_it_is_part_of_another():
    seen = []
    explain_texts(["  to a tomato,\tto\u00a0a "], lambda texts: seen.extend(texts) or [0.0] * len(texts))
    assert sorted(seen) == sorted(
        {
            "  to a tomato,\tto\u00a0a ",
            "a tomato,\tto\u00a0a ",
            "  to tomato,\tto\u00a0a ",
            "  to a to\u00a0a ",
            "  to a tomato, a ",
            "  to a tomato,\tto",
        }
    )


def test_all_is_asked_at_once_and_each_text_once():
    calls = []
    found = explain_texts(["a b", "b", "a b", ""], lambda texts: calls.append(list(texts)) or [0.5] * len(texts))
    assert calls == [["", "a", "a b", "b"]]
    assert [len(one.words) for one in found] == [2, 1, 2, 0]
    assert explain_texts([], None) == []


def test_a_word_that_stands_alone_is_held_against_nothing():
    assert effects("You") == {"You": 0.25}


def test_words_beyond_the_first_are_counted_and_not_left_out():
    asked = []
    (explanation,) = explain_texts(["w " * 100], lambda texts: asked.extend(texts) or [0.0] * len(texts))
    assert (len(explanation.words), explanation.words_left) == (MAX_WORDS, 100 - MAX_WORDS)
    assert len(asked) <= MAX_WORDS + 1


@pytest.mark.parametrize(
    "text", ["<script>alert(1)</script> [b]", "大雪 2048", "e\u0301te\u0301 \U0001f469\u200d\U0001f680"]
)
def test_the_words_are_those_of_the_text_as_they_stand(text):
    assert list(effects(text)) == text.split()


def test_scores_that_are_no_numbers_make_effects_that_are_none():
    (explanation,) = explain_texts(["a b"], lambda texts: [math.nan if text == "b" else 0.5 for text in texts])
    assert [math.isnan(word.effect) for word in explanation.words] == [True, False]


def test_it_needs_no_library():
    probe = (
        "import sys, serving.word_effects; print(sorted({'tensorflow', 'numpy', 'grpc', 'rich'} & set(sys.modules)))"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", probe], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
