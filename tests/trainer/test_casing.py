"""Casing policies on ASCII and beyond: exact results, shares, determinism."""

import collections

import pytest
import tensorflow as tf

from trainer import casing

# (text, lower, title case, sentence case, what `augment` normalises it to if not to itself)
CASES = [
    ("21 Pictures You'll LOVE", "21 pictures you'll love", "21 Pictures You'll Love", "21 pictures you'll love", None),
    ("BREAKING NEWS", "breaking news", "Breaking News", "Breaking news", "breaking news"),
    ("U.S. wins", "u.s. wins", "U.s. Wins", "U.s. wins", None),
    ("", "", "", "", None),
    ("   ", "   ", "   ", "   ", None),
    ("  two   Spaces ", "  two   spaces ", "  Two   Spaces ", "  two   spaces ", None),
    ("tab\tand\nline", "tab\tand\nline", "Tab\tAnd\nLine", "Tab\tand\nline", None),
    ("2024 !?", "2024 !?", "2024 !?", "2024 !?", None),
    ("éCOLE à Paris", "école à paris", "École À Paris", "École à paris", None),
    ("ÉCOLE À PARIS", "école à paris", "École À Paris", "École à paris", "école à paris"),
    ("Große STRAẞE", "große straße", "Große Straße", "Große straße", None),
    ("ΟΔΟΣ ΣΑΣ", "οδος σας", "Οδος Σας", "Οδος σας", "οδος σας"),
    # The dot of the capital becomes a character of its own.
    ("İstanbul", "i\u0307stanbul", "I\u0307stanbul", "I\u0307stanbul", None),
    ("🎉 PARTY 🎉 time", "🎉 party 🎉 time", "🎉 Party 🎉 Time", "🎉 party 🎉 time", None),
    ("🎉", "🎉", "🎉", "🎉", None),
    ("Привет МИР", "привет мир", "Привет Мир", "Привет мир", None),
]


def apply(function, texts, *args):
    return [text.decode() for text in function(tf.constant([text.encode() for text in texts]), *args).numpy()]


@pytest.mark.parametrize(
    ("function", "column"),
    [(casing.lower, 1), (casing.title_case, 2), (casing.sentence_case, 3)],
    ids=["lower", "title_case", "sentence_case"],
)
def test_casing_of_each_text(function, column):
    texts = [case[0] for case in CASES]
    assert dict(zip(texts, apply(function, texts), strict=True)) == {case[0]: case[column] for case in CASES}


def test_title_letters_is_pythons_title():
    texts = [case[0] for case in CASES] + ["you're THE 1st o'Neil", "semi-final (a)b"]
    assert apply(casing.title_letters, texts) == [text.lower().title() for text in texts]


def test_the_german_sharp_s_becomes_two_capitals():
    assert apply(casing.upper, ["straße"]) == ["STRASSE"]


def test_as_is_normalises_nothing():
    texts = [case[0] for case in CASES]
    assert apply(casing.normalise, texts, "as_is") == texts


def test_lower_normalises_to_lower_case():
    assert apply(casing.normalise, [case[0] for case in CASES], "lower") == [case[1] for case in CASES]


def test_augment_normalises_only_text_in_all_capitals():
    expected = {text: text if lowered is None else lowered for text, *_, lowered in CASES}
    assert dict(zip(expected, apply(casing.normalise, list(expected), "augment"), strict=True)) == expected


@pytest.mark.parametrize("policy", casing.POLICIES)
def test_normalising_twice_is_normalising_once(policy):
    once = apply(casing.normalise, [case[0] for case in CASES], policy)
    assert apply(casing.normalise, once, policy) == once


@pytest.mark.parametrize("policy", casing.POLICIES)
def test_an_empty_batch_stays_an_empty_batch(policy):
    assert casing.normalise(tf.constant([], tf.string), policy).shape == [0]
    assert casing.augment(tf.constant([], tf.string), tf.constant([1, 2], tf.int64)).shape == [0]


def test_a_batch_of_empty_texts_can_be_cased():
    assert apply(casing.title_case, ["", ""]) == apply(casing.sentence_case, ["", ""]) == ["", ""]


def test_bytes_that_are_no_utf8_do_not_stop_a_casing():
    broken = tf.constant([b"\xff BROKEN bytes"])
    assert casing.title_case(broken).numpy()[0].decode() == "\N{REPLACEMENT CHARACTER} Broken Bytes"
    assert casing.sentence_case(broken).numpy()[0].decode() == "\N{REPLACEMENT CHARACTER} broken bytes"


def test_shares_of_augment_sum_to_one():
    assert sum(casing.AUGMENT_SHARES.values()) == pytest.approx(1.0)
    assert all(share > 0 for share in casing.AUGMENT_SHARES.values())


def test_augment_draws_each_casing_in_its_share():
    rows = 20_000
    drawn = collections.Counter(apply(casing.augment, ["oNE tWO'x"] * rows, tf.constant([3, 4], tf.int64)))
    texts = {
        "as_is": "oNE tWO'x",
        "lower": "one two'x",
        "title": "One Two'x",
        "title_letters": "One Two'X",
        "sentence": "One two'x",
    }
    assert set(drawn) == {texts[name] for name in casing.AUGMENT_SHARES}
    # 20,000 draws: the standard deviation of a share is at most 0.0036.
    shares = {name: drawn[texts[name]] / rows for name in casing.AUGMENT_SHARES}
    assert shares == pytest.approx(casing.AUGMENT_SHARES, abs=0.015)


def test_augment_draws_the_same_for_equal_seeds_and_otherwise_for_others():
    texts = ["One TWO three"] * 100
    first, again, other = (
        apply(casing.augment, texts, tf.constant(seeds, tf.int64)) for seeds in ([1, 2], [1, 2], [1, 3])
    )
    assert first == again
    assert first != other


def test_augment_changes_nothing_but_casing():
    texts = [case[0] for case in CASES] * 30
    augmented = apply(casing.augment, texts, tf.constant([5, 6], tf.int64))
    assert augmented != texts
    assert [text.casefold() for text in augmented] == [text.casefold() for text in texts]
