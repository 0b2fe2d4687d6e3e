"""A title that is in both splits is found, however it is written."""

import trainer.tensorflow_setup.keras_policy  # noqa: F401  isort: skip

from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture
def leaks(examples, tmp_path):
    import apache_beam as beam

    from components.data_gate.leakage import find_leaks

    def find(train, held_out):
        splits = {
            name: str(Path(examples([(title, 0) for title in titles])).parent)
            for name, titles in (("train", train), ("eval", held_out))
        }
        return find_leaks(beam.Pipeline(), splits, str(tmp_path / "leaks.json"))

    return find


def test_splits_without_a_common_title_are_clean(leaks, tmp_path):
    assert leaks([f"Train {number}" for number in range(300)], [f"Eval {number}" for number in range(100)]) == (0, [])
    assert not (tmp_path / "leaks.json").exists()


def test_common_titles_are_counted_and_some_are_shown(leaks):
    common = [f"Common {number}" for number in range(20)]
    number, shown = leaks(["One", *common], [*common, "Two"])
    assert number == 20
    assert len(shown) == 5
    assert set(shown) <= set(common)


@pytest.mark.parametrize("other", ["storm  HITS coast ", "Ｓtorm hits coast", "Storm\u200b hits coast"])
def test_casing_white_space_and_unicode_form_hide_no_leak(leaks, other):
    assert leaks(["Storm hits coast", "Two"], [other, "Three"]) == (1, [other])


def test_an_empty_split_leaks_nothing(leaks):
    assert leaks(["One"], []) == (0, [])
