"""Specs in a pattern: what they match, which spans are taken, and how a pattern may not be."""

import datetime

import pytest

from components.errors import InputError
from components.headline_example_gen.spans import SpanVersion, parse_specs


def days(text: str) -> int:
    return (datetime.date.fromisoformat(text) - datetime.date(1970, 1, 1)).days


def newest(pattern, *names, window_spans=1, last_span=None):
    return parse_specs(pattern).newest(names, window_spans, last_span)


@pytest.mark.parametrize("pattern", ["a.csv", "*/[ab]?.csv", "**/*.csv", "[{]SPAN}.csv", "a{b.csv", "}{"])
def test_without_specs_there_is_nothing_to_read(pattern):
    assert parse_specs(pattern) is None


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("{SPAN}.csv", "7.csv", (7, None)),
        ("{SPAN}.csv", "0007.csv", (7, None)),
        ("{SPAN}.csv", "20240131235959.csv", (20240131235959, None)),
        ("{SPAN}.csv", "-7.csv", None),
        ("{SPAN}.csv", "x.csv", None),
        ("{SPAN}.csv", "٧.csv", None),
        ("{SPAN}.csv", "7xcsv", None),
        ("{SPAN:3}.csv", "007.csv", (7, None)),
        ("{SPAN:3}.csv", "07.csv", None),
        ("{SPAN:3}.csv", "0007.csv", None),
        ("{SPAN:12}.csv", "202401312359.csv", (202401312359, None)),
        ("s{SPAN}/v{VERSION}/*.csv", "s1/v02/a.csv", (1, 2)),
        ("s{SPAN}/v{VERSION:2}/*.csv", "s1/v2/a.csv", None),
        ("v{VERSION}/{SPAN}.csv", "v3/1.csv", (1, 3)),
        ("{SPAN}{VERSION:2}.csv", "12304.csv", (123, 4)),
        ("{DATE}.csv.gz", "1970-01-01.csv.gz", (0, None)),
        ("{DATE}.csv.gz", "1969-12-31.csv.gz", (-1, None)),
        ("{DATE}.csv", "2024-02-29.csv", (days("2024-02-29"), None)),
        ("{DATE}.csv", "2023-02-29.csv", None),
        ("{DATE}.csv", "0000-01-01.csv", None),
        ("{DATE}.csv", "2024-2-29.csv", None),
        ("day={YYYY}{MM}{DD}/v{VERSION}.csv", "day=20240131/v1.csv", (days("2024-01-31"), 1)),
        ("{DD}/{MM}/{YYYY}/*", "31/01/2024/a", (days("2024-01-31"), None)),
        ("*{SPAN}.csv", "part12.csv", (12, None)),
        ("*{SPAN}*.csv", "part-12-of-40.csv", (12, None)),
        ("*-{SPAN}.csv", "2024-12.csv", (12, None)),
        ("[ab]{SPAN}?.csv", "b12x.csv", (12, None)),
        ("[!a]{SPAN}.csv", "a12.csv", None),
        ("(a+b).{SPAN}.csv", "(a+b).5.csv", (5, None)),
        ("**/{SPAN}.csv", "12.csv", (12, None)),
        ("**/{SPAN}.csv", "x/3/12.csv", (12, None)),
        ("{SPAN}/**", "12/x/3.csv", (12, None)),
        ("*/{SPAN}.csv", "x/y/12.csv", None),
        ("[{]{SPAN}}.csv", "{12}.csv", (12, None)),
    ],
)
def test_a_name_gives_its_span_and_version(pattern, name, expected):
    assert parse_specs(pattern).read(name) == expected


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("s{SPAN}/v{VERSION:2}/*.csv", "s?*/v?*/*.csv"),
        ("{YYYY}/{MM}{DD}/a", "?*/?*?*/a"),
        ("*{SPAN}/**/[ab]", "*?*/**/[ab]"),
    ],
)
def test_the_glob_has_wildcards_for_specs_and_no_two_stars_of_its_own(pattern, expected):
    assert parse_specs(pattern).glob == expected


SPANS = ["s1/v1/a", "s9/v2/a", "s9/v10/b", "s9/v10/a", "s10/v1/a", "s10/v1x/a", "sx/v1/a"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, {(10, 1): ["s10/v1/a"]}),
        ({"window_spans": 2}, {(9, 10): ["s9/v10/a", "s9/v10/b"], (10, 1): ["s10/v1/a"]}),
        ({"last_span": 9}, {(9, 10): ["s9/v10/a", "s9/v10/b"]}),
        ({"last_span": "1", "window_spans": 2}, {(1, 1): ["s1/v1/a"]}),
    ],
)
def test_of_the_newest_spans_the_newest_version_is_taken(options, expected):
    chosen = newest("s{SPAN}/v{VERSION}/*", *reversed(SPANS), **options)
    assert list(chosen.items()) == list(expected.items())
    assert all(isinstance(place, SpanVersion) for place in chosen)


def test_a_window_counts_the_spans_that_are_there_and_not_the_days_between():
    assert list(newest("{DATE}", "2023-01-01", "2023-12-31", "2024-02-01", window_spans=2)) == [
        (days("2023-12-31"), None),
        (days("2024-02-01"), None),
    ]


def test_one_number_spelled_in_two_ways_is_one_span():
    assert newest("{SPAN}.csv", "7.csv", "07.csv", "6.csv") == {(7, None): ["07.csv", "7.csv"]}


@pytest.mark.parametrize("last_span", ["2024-01-01", days("2024-01-01"), str(days("2024-01-01"))])
def test_the_last_span_of_dates_is_a_day_or_its_number(last_span):
    chosen = newest("{DATE}", "2023-12-31", "2024-01-01", "2024-01-02", last_span=last_span)
    assert chosen == {(days("2024-01-01"), None): ["2024-01-01"]}


@pytest.mark.parametrize(
    ("pattern", "last_span", "problem"),
    [
        ("{SPAN}", 5, "data.last_span. Received: 5 for {SPAN}, whose newest spans are 2, 3, 4, 6, 7. Give one"),
        ("{SPAN}", "2024-01-01", "data.last_span must be a number. Received: 2024-01-01 for {SPAN}."),
        ("{DATE}", "2024-01-02", "Received: 2024-01-02 for {DATE}, whose span is 2024-01-01. Give one"),
        (
            "{DATE}",
            "2024-13-01",
            "data.last_span must be a day such as 2024-01-31, or its number since 1970-01-01. Received",
        ),
        ("{DATE}", "today", "Received: today for {DATE}."),
    ],
)
def test_a_last_span_that_is_not_there_is_refused(pattern, last_span, problem):
    with pytest.raises(InputError) as caught:
        newest(pattern, "1", "2", "3", "4", "6", "7", "2024-01-01", last_span=last_span)
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("pattern", "names", "problem"),
    [
        (
            "s{SPAN:3}.csv",
            ["sb.csv", "s12.csv"],
            "must have numbers where the pattern has {...}. Received: s{SPAN:3}.csv, ",
        ),
        ("s{SPAN:3}.csv", ["sb.csv", "s12.csv"], "which matches only names such as s12.csv."),
        ("{DATE}.csv", ["2024-13-01.csv"], "must have a date where the pattern has {...}. Received: {DATE}.csv, which"),
    ],
)
def test_names_without_any_span_are_named(pattern, names, problem):
    with pytest.raises(InputError) as caught:
        newest(pattern, *names)
    assert problem in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    "spec", ["{FOO}", "{span}", "{}", "{SPAN:}", "{SPAN:0}", "{SPAN:x}", "{SPAN:100}", "{YYYY:4}", "{DATE:8}", "{a,b}"]
)
def test_an_unknown_spec_is_refused_with_the_known_ones(spec):
    with pytest.raises(InputError) as caught:
        parse_specs(f"{{SPAN}}/{spec}.csv")
    assert "{SPAN}, {SPAN:3} (3 digits), {DATE}, {YYYY}, {MM}, {DD}, {VERSION} or {VERSION:2}." in str(caught.value)
    assert f"Received: {spec} in {{SPAN}}/{spec}.csv." in str(caught.value)


@pytest.mark.parametrize(
    "pattern",
    [
        "{SPAN}/{SPAN}",
        "{SPAN}/{SPAN:2}",
        "{SPAN}/{DATE}",
        "{SPAN}/{MM}",
        "{DATE}/{DATE}",
        "{DATE}/{DD}",
        "{YYYY}-{MM}",
        "{VERSION}",
        "{SPAN}/{VERSION}/{VERSION:2}",
    ],
)
def test_specs_stand_once_and_a_version_beside_a_span(pattern):
    with pytest.raises(InputError, match=r"--data must have \{SPAN\}, or one date .* Received: ") as caught:
        parse_specs(pattern, f"/in/{pattern}")
    assert str(caught.value).endswith(f"Received: /in/{pattern}.")


@pytest.mark.parametrize("pattern", ["{SPAN}{VERSION}", "v{VERSION}{SPAN}"])
def test_two_numbers_of_any_width_need_something_between_them(pattern):
    with pytest.raises(InputError, match="must have something between them. Received: "):
        parse_specs(pattern)
