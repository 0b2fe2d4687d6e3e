"""The bundled sample is what its generator makes, and nothing but the wording tells its classes apart."""

import csv
import io
import re
from collections import Counter
from pathlib import Path

import pytest

from data import generate_sample

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "data" / "sample" / "headlines.csv"


@pytest.fixture(scope="module")
def rows():
    reader = csv.DictReader(io.StringIO(SAMPLE.read_text(encoding="utf-8"), newline=""))
    assert reader.fieldnames == ["title", "label"]
    return [(row["title"], int(row["label"])) for row in reader]


def casing(title):
    if title == title.lower():
        return "lower"
    if title == title.upper():
        return "upper"
    words = [word for word in re.findall(r"[^\W\d_]{3,}", title) if word not in generate_sample.SMALL_WORDS]
    return "title" if sum(word[0].isupper() for word in words) > 0.8 * len(words) else "sentence"


def test_the_generator_reproduces_the_committed_file(tmp_path):
    generate_sample.main(["--output", str(tmp_path / "new" / "sample.csv")])

    assert (tmp_path / "new" / "sample.csv").read_bytes() == SAMPLE.read_bytes()


def test_rows_are_balanced_distinct_and_shuffled(rows):
    assert Counter(label for _, label in rows) == {0: 1000, 1: 1000}
    assert len({" ".join(title.casefold().split()) for title, _ in rows}) == 2000
    assert all(title == " ".join(title.split()) and "{" not in title for title, _ in rows)
    for start in range(0, 2000, 200):
        assert 60 < sum(label for _, label in rows[start : start + 200]) < 140


def test_casing_is_spread_alike(rows):
    shares = {label: Counter(casing(title) for title, at in rows if at == label) for label in (0, 1)}

    assert shares[0]["upper"] == shares[1]["upper"] == generate_sample.CASINGS["upper"]
    assert shares[0]["lower"] == shares[1]["lower"] == generate_sample.CASINGS["lower"]
    assert abs(shares[0]["title"] - shares[1]["title"]) < 100


@pytest.mark.parametrize(
    "pattern",
    [r"\d", ",", ":", r"\?", '"', "“", "'", "’", "€", "[éüñãö]", "[α-ω]", "[а-я]", "[\u4e00-\u9fff]"],
)
def test_both_classes_hold(rows, pattern):
    found = Counter(label for title, label in rows if re.search(pattern, title))

    assert min(found[0], found[1]) >= 3, found


def test_templates_are_many_and_combine_far_beyond_the_sample():
    for templates in (generate_sample.CLICKBAIT, generate_sample.NEWS):
        lines = templates.strip().split("\n")
        assert len(lines) == len(set(lines)) >= 40
        assert all(len(re.findall(r"\{\w+\}", line)) >= 2 for line in lines)


def test_a_plain_linear_model_separates_held_out_rows(rows):
    sklearn_text = pytest.importorskip("sklearn.feature_extraction.text")
    from sklearn.linear_model import LogisticRegression

    features = sklearn_text.TfidfVectorizer(ngram_range=(1, 2)).fit_transform(title for title, _ in rows)
    labels = [label for _, label in rows]
    model = LogisticRegression(C=10).fit(features[:1400], labels[:1400])

    assert model.score(features[1400:], labels[1400:]) > 0.99
