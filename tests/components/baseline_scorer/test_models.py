"""The simple models learn what they can see."""

from __future__ import annotations

import numpy as np
import pytest

from components.baseline_scorer.models import BASELINES, NoBaselineError, score_texts, train_baseline

NEWS = ["storm hits coast", "court rules on budget", "minister visits region", "price of oil falls"]
CLICKBAIT = ["you won't believe this", "things only cats know", "what happened next", "this is why you smile"]
TEXTS, LABELS = [*NEWS, *CLICKBAIT], [0] * 4 + [1] * 4


def test_it_learns_words():
    scores = score_texts(train_baseline(TEXTS, LABELS), ["storm hits region", "you won't know what happened"])
    assert scores[0] < 0.5 < scores[1]


def test_equal_rows_make_an_equal_model():
    one, two = (score_texts(train_baseline(TEXTS, LABELS), TEXTS) for _ in range(2))
    assert np.array_equal(one, two)


def test_one_sees_capitals_and_the_other_does_not():
    titles = [*NEWS, *(text.title() for text in CLICKBAIT)]
    asked = ["rain floods village", "Rain Floods Village"]
    found = {
        name: score_texts(train_baseline([*map(read, titles)], LABELS), [*map(read, asked)])
        for name, read in BASELINES.items()
    }
    assert found["tfidf_cased"][0] < found["tfidf_cased"][1]
    assert found["tfidf_lower"][0] == found["tfidf_lower"][1]


def test_it_reads_signs_emoji_and_every_script():
    texts = ["大雪", "？", "\U0001f389", "É", "\u200b", "_", "1"]
    assert np.isfinite(score_texts(train_baseline(texts, [0, 1, 0, 1, 0, 1, 0]), ["", *texts])).all()


@pytest.mark.parametrize(
    ("labels", "counts"),
    [([], "0 of class 0 and 0"), ([1] * 5, "0 of class 0 and 5"), ([0, 0, 1], "2 of class 0 and 1")],
)
def test_too_little_is_no_baseline(labels, counts):
    with pytest.raises(NoBaselineError, match=counts):
        train_baseline([f"text {number}" for number in range(len(labels))], labels)
