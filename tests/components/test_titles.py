"""Two titles that a reader takes for one have one key; keys are spread evenly and never change."""

import unicodedata
from collections import Counter

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from components.titles import TitleKey, normalize, title_key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Caf\u00e9", "Cafe\u0301"),
        ("\u1e69", "s\u0323\u0307"),
        ("s\u0307\u0323", "s\u0323\u0307"),
        ("\ud55c\uad6d", "\u1112\u1161\u11ab\u1100\u116e\u11a8"),
        ("You Won't", "YOU WON'T"),
        ("ÉLYSÉE", "élysée"),
        ("Straße", "STRASSE"),
        ("STRAẞE", "strasse"),
        ("ΟΔΟΣ", "οδος"),
        ("οδος", "οδοσ"),
        ("ᾳ", "ΑΙ"),
        ("\u1fb4", "\u03b1\u0345\u0301"),
        ("ŉ", "ʼN"),
        ("Ꭰ", "ꭰ"),
        ("Ａｂｃ １２３！", "abc 123!"),
        ("ｶﾞ", "ガ"),
        ("ﬁve", "FIVE"),
        ("10²", "102"),
        ("№ 5", "no 5"),
        ("wait…", "wait..."),
        ("㍿", "株式会社"),
        ("a\u00a0b", "a b"),
        ("a\u3000b", "a b"),
        ("  a \t\r\n b  ", "a b"),
        ("zero\u200bwidth", "zerowidth"),
        ("soft\u00adhyphen", "softhyphen"),
        ("\ufeffa\u2060b", "ab"),
        ("\u202eabc\u202c", "abc"),
        ("❤\ufe0f", "❤"),
        ("👩\u200d🚀", "👩🚀"),
        ("a\u0301\u034f\u0323", "a\u0301\u0323"),
        ("ㅤa", "a"),
        ("a \u200b b", "a b"),
    ],
    ids=ascii,
)
def test_what_looks_the_same_is_one_title(one, other):
    assert normalize(one) == normalize(other)
    assert title_key(one) == title_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("resume", "résumé"),
        ("a b", "ab"),
        ("It's", "It’s"),
        ("What?", "What"),
        ("10 Things", "11 Things"),
        ("ısı", "isi"),
        ("а", "a"),
        ("в", "б"),
        ("…", "· · ·"),
        ("नि", "न"),
    ],
    ids=ascii,
)
def test_what_is_written_otherwise_is_another_title(one, other):
    assert title_key(one) != title_key(other)


@pytest.mark.parametrize(
    "title", ["", "  ", "\u200b", "\u00a0\u3000", "\ufeff", "\u00ad \u2060", "\u3164", "\U000e0001"]
)
def test_what_shows_nothing_is_nothing(title):
    assert normalize(title) == ""


titles = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
FORMS = ["NFC", "NFD", "NFKC", "NFKD"]


@given(titles, st.sampled_from(FORMS))
def test_no_unicode_form_changes_a_title(title, form):
    assert normalize(unicodedata.normalize(form, title)) == normalize(title)


@given(titles, st.sampled_from([str.upper, str.lower, str.swapcase, str.title]))
def test_no_casing_that_can_be_undone_changes_a_title(title, recase):
    recased = recase(title)
    assume(recased.lower() == title.lower())
    assert normalize(recased) == normalize(title)


white = st.text(" \t\n\r\v\f\x1c\x85\u00a0\u2003\u2028\u202f\u3000", max_size=4)


@given(titles, white, white)
def test_no_white_space_around_or_inside_changes_a_title(title, before, after):
    spaced = before + (" " + before).join(title.split(" ")) + after
    assert normalize(spaced) == normalize(title)


@given(titles, st.integers(0, 30), st.sampled_from("\u00ad\u034f\u200b\u200d\u2060\ufe0f\ufeff\U000e0100"))
def test_no_invisible_character_changes_a_title(title, at, invisible):
    assert normalize(title[:at] + invisible + title[at:]) == normalize(title)


@given(titles)
def test_a_normalized_title_stays_as_it_is(title):
    assert normalize(normalize(title)) == normalize(title)


@given(st.text(st.characters(max_codepoint=127)))
def test_ascii_takes_no_other_way_than_the_rest(title):
    assert normalize(title) == normalize(f"{title} é").removesuffix(normalize("é")).strip()


def test_keys_are_spread_evenly_and_the_order_says_nothing_of_the_split():
    keys = [title_key(f"Headline {number}") for number in range(10_000)]
    assert len(set(keys)) == 10_000
    buckets = Counter(key.split % 10 for key in keys)
    assert set(buckets) == set(range(10))
    assert all(900 < count < 1100 for count in buckets.values()), buckets
    first = Counter(key.split % 10 for key in sorted(keys, key=lambda key: key.order)[:5_000])
    assert all(420 < count < 580 for count in first.values()), first


@pytest.mark.parametrize(
    ("title", "key"),
    [
        ("This Is “It”", TitleKey(split=11601305627243071606, order=13310394126780562299)),
        ("", TitleKey(split=14620488971855052096, order=5642315946650924656)),
    ],
)
def test_a_key_never_changes_for_splits_must_not(title, key):
    assert title_key(title) == key
    assert all(0 <= number < 2**64 for number in key)
