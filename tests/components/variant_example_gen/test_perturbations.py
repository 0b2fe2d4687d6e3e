"""Each variant says the same as the title, written otherwise."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.slices import VARIANTS
from components.variant_example_gen.perturbations import perturb

titles = st.text(st.characters(codec="utf-8"), min_size=1, max_size=60)
headlines = st.lists(
    st.sampled_from(
        ["You", "won't", "BELIEVE", "21", "Cats,", "“Storm”", "hits", "(coast)", "été", "大雪", "🎉", "it’s"]
    ),
    min_size=1,
    max_size=12,
).map(" ".join)
variants = st.sampled_from(VARIANTS)


@pytest.mark.parametrize(
    ("variant", "title", "written"),
    [
        ("as_is", " You Won't ", " You Won't "),
        ("lower", "ÉTÉ: You Won't", "été: you won't"),
        ("upper", "Straße, you won't", "STRASSE, YOU WON'T"),
        ("title", "You're  on É.T.'s LIST", "You're  On É.t.'s List"),
        ("no_punctuation", "“Who’s There?” 5-day trip (really)", "Whos There 5 day trip really"),
        ("no_punctuation", "$5 for C++", "$5 for C++"),
        ("no_punctuation", "?!", "?!"),
        ("no_digits", "21 Pictures, 3.5 Minutes, ٤٢", "## Pictures, #.# Minutes, ##"),
        ("quotes", "You're What You Can't Eat", "You are What You Can not Eat"),
        ("quotes", "WE WON'T SAY IT’S OVER", "WE WILL NOT SAY IT IS OVER"),
        ("quotes", "Let's see who'd ain't", "Let us see who’d ain’t"),
        ("quotes", "Obama: \"A dog's life\" ('n roll)", "Obama: “A dog’s life” (‘n roll)"),
        ("quotes", "“Dogs’ Life”", '"Dogs\' Life"'),
        ("white_space", "Hi", " \tHi\u00a0 \n"),
    ],
)
def test_what_a_variant_writes(variant, title, written):
    assert perturb(title, variant) == written


@settings(max_examples=50)
@given(titles, variants)
def test_a_variant_is_never_empty_and_is_text(title, variant):
    written = perturb(title, variant)
    written.encode()
    assert written.strip() or written == title
    assert written


@given(st.lists(titles, max_size=6), variants, st.randoms())
def test_a_copy_depends_on_its_title_alone(some, variant, random):
    alone = {title: perturb(title, variant) for title in some}
    random.shuffle(some)
    assert [perturb(title, variant) for title in some] == [alone[title] for title in some]


@given(headlines)
def test_casings_change_nothing_but_casing(title):
    for variant in ("lower", "upper", "title"):
        assert perturb(title, variant).casefold() == title.casefold()


@given(titles)
def test_without_punctuation_there_is_none_unless_there_was_nothing_else(title):
    written = perturb(title, "no_punctuation")
    assert written == title or not any(unicodedata.category(sign).startswith("P") for sign in written)


@given(titles)
def test_digits_are_masked_in_place(title):
    written = perturb(title, "no_digits")
    assert len(written) == len(title)
    assert not any(sign.isdecimal() for sign in written)


@given(headlines)
def test_a_typo_is_one_slip_inside_one_long_word(title):
    written = perturb(title, "typo")
    assert abs(len(written) - len(title)) <= 1
    changed = [(old, new) for old, new in zip(title.split(), written.split(), strict=True) if old != new]
    assert len(changed) == any(
        sum(letter.isalpha() for letter in word) >= 4 for word in title.replace("'", " ").split()
    )
    for old, new in changed:
        letters = [sign for sign in old if sign.isalpha()]
        assert (new.strip("“”(),")[0], new.strip("“”(),")[-1]) == (letters[0], letters[-1])


@given(titles)
def test_white_space_and_emoji_only_surround_the_title(title):
    assert perturb(title, "white_space").strip() == title.strip()
    assert perturb(title, "emoji").startswith(f"{title} ")
