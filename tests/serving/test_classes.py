"""The class of a score, and where the band of unsure scores is read from."""

from __future__ import annotations

import math

import pytest

from serving.classes import Unsure, UnsureError, class_of
from serving.versions.version_folder import CARD, ChosenThreshold, VersionCard

CHOSEN = ChosenThreshold(0.8, (0.3, 0.8), {"precision": 0.95}, {"coverage": (0.9, 0.88, 0.92)}, 500, "rows.csv", "now")


def test_a_band_leaves_the_scores_between_its_ends_without_a_class():
    scores = [0.0, 0.2999, 0.3, 0.7999, 0.8, 1.0, math.nan, math.inf]
    names = ["news", "news", "unsure", "unsure", "clickbait", "clickbait", "?", "?"]
    assert [class_of(score, Unsure(0.3, 0.8)) for score in scores] == names
    assert [class_of(score) for score in (0.5, 0.50001, math.nan)] == ["news", "clickbait", "?"]
    assert class_of(0.4, Unsure(0.4, 0.4)) == "clickbait"


@pytest.mark.parametrize("text", ["0.3,0.8", " 3e-1 , .8 "])
def test_a_band_is_two_scores(text):
    assert Unsure.parse(text) == (0.3, 0.8)


def test_a_band_is_that_of_a_card_or_of_its_version(tmp_path):
    (tmp_path / CARD).parent.mkdir()
    (tmp_path / CARD).write_text(VersionCard("sha256:1", "r", "f", "now", threshold=CHOSEN).as_json())
    assert Unsure.parse(str(tmp_path)) == Unsure.parse(str(tmp_path / CARD)) == (0.3, 0.8)


@pytest.mark.parametrize("text", ["0.8,0.3", "-0.1,0.5", "30,80", "nan,1", "0.3,0.8,0.9", "0.3", "", "1e,2", "gone"])
def test_what_is_no_band(tmp_path, monkeypatch, text):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnsureError, match="must be FROM,TO with 0 <= FROM <= TO <= 1"):
        Unsure.parse(text)


def test_a_card_without_a_threshold_has_no_band(tmp_path):
    card = tmp_path / "card.json"
    card.write_text(VersionCard("sha256:1", "r", "f", "now").as_json())
    with pytest.raises(UnsureError, match="a card without a threshold"):
        Unsure.parse(str(card))
    card.write_text("{}")
    with pytest.raises(UnsureError, match=r"card\.json, no card"):
        Unsure.parse(str(card))
