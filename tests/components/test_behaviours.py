"""The file of cases: what it may hold, and what a mistake in it is told."""

from __future__ import annotations

import pytest

from components.behaviours import Behaviours, read_behaviours
from components.errors import InputError
from pipeline.config.paths import BEHAVIOURS_FILE

NEWS = "groups:\n  - group: news\n    expected: news\n    titles: [Storm hits coast, Budget passed]\n"
PAIRS = "  - group: bait\n    must_not: fall\n    pairs: [[Storm, You won't believe this storm]]\n"


def test_the_projects_own_cases_are_40_and_no_title_comes_twice():
    own = read_behaviours(BEHAVIOURS_FILE)
    assert {group.group: len(group.cases) for group in own.groups} == {
        "plain news": 10,
        "plain clickbait": 10,
        "bait added": 10,
        "fact for bait": 10,
    }
    assert len(own.texts) == 60


def test_cases_are_titles_or_pairs_and_come_back_from_json(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(NEWS + PAIRS, encoding="utf-8")
    found = read_behaviours(path)
    news, bait = found.groups
    assert news.cases == [["Storm hits coast"], ["Budget passed"]]
    assert (bait.cases, bait.tolerance) == ([["Storm", "You won't believe this storm"]], 0.05)
    assert found.texts == ["Storm hits coast", "Budget passed", "Storm", "You won't believe this storm"]
    assert Behaviours.model_validate_json(found.model_dump_json(exclude_defaults=True)) == found


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file: "),
        ("groups: []\n", "groups: List should have at least 1 item"),
        ("groups: [", "must be YAML in UTF-8"),
        (NEWS + NEWS.removeprefix("groups:\n"), "a name of its own, and 'news' is that of several"),
        (NEWS + "    must_not: fall\n", "groups.0: must have expected and titles, or must_not and pairs"),
        (NEWS.replace("expected: news", "expected: maybe"), "groups.0.expected: Input should be 'clickbait' or 'news'"),
        (NEWS.replace("Budget passed", "2026"), "groups.0.titles.1: Input should be a valid string"),
        (NEWS.replace("Budget passed", "' '"), "groups.0.titles.1: String should match pattern"),
        (NEWS + PAIRS.replace("[Storm, ", "["), "groups.1.pairs.0: List should have at least 2 items"),
        (NEWS + PAIRS + "    tolerance: 2\n", "groups.1.tolerance: Input should be less than or equal to 1"),
        (NEWS + "#" * 100_000, "at most 100,000 bytes"),
        (b"groups: \xff", "must be YAML in UTF-8"),
        ("groups: " + "[" * 1_500, "must be YAML in UTF-8"),
    ],
)
def test_a_mistake_is_said_with_its_place(tmp_path, text, message):
    path = tmp_path / "mine.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError) as error:
        read_behaviours(path)
    assert message in str(error.value)
    assert f"evaluation.behaviours={path}" in str(error.value)


def test_a_file_that_is_not_there():
    with pytest.raises(InputError, match="must be there. Received: evaluation.behaviours=gone.yaml: No such file"):
        read_behaviours("gone.yaml")
