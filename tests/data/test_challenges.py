"""Sets from elsewhere: titles come out of pickles that are never unpickled, and what is written is what was pinned."""

import csv
import gzip
import hashlib
import io
import pickle
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from data import challenges
from data.fetch import DataError
from pipeline.cli import main

CLICKBAIT = ["You Won't Believe It", "YOU WON'T  BELIEVE IT", "10 Cats", "Zażółć 😱"]
NEWS = ["Budget Passed", "Hello-World", "10 cats"]
SPANISH = {
    "train": [('Una, "dos"', "No")],
    "validation": [("Lo que nadie vio\n", "Clickbait")],
    "test": [("Tres", "No")],
}


class Explodes:
    """Raises when it is unpickled."""

    def __reduce__(self):
        return (eval, ("1/0",))


def pickled(titles, protocol=3):
    """A table of videos as pandas pickles it: one list with the columns of texts, one after the other."""
    ids = [f"id_{number:05d}-_x" for number in range(len(titles))]
    names = ["video_id", "video_title", "channel_ids"]  # the last has the length of an id
    table = {"axes": names, "bomb": Explodes(), "values": [*["a channel"] * 3, *ids, *titles], "_typ": "dataframe"}
    return pickle.dumps(table, protocol)


def packed_tables(tables):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tarball:
        for split, rows in tables.items():
            text = io.StringIO(newline="")
            csv.writer(text).writerows(
                [("Tweet ID", "Preprocessed Teaser Text", "Tag Value"), *((1, *row) for row in rows)]
            )
            content = text.getvalue().encode()
            member = tarfile.TarInfo(f"TA1C_dataset_{split}_minimal.csv")
            member.size = len(content)
            tarball.addfile(member, io.BytesIO(content))
    return stream.getvalue()


@pytest.fixture
def source(tmp_path, monkeypatch):
    """A folder with small files whose sums are the pinned ones."""
    folder = tmp_path / "source"
    folder.mkdir()
    files = {
        "clickbait-df": pickled(CLICKBAIT),
        "non-clickbait-df": pickled(NEWS, protocol=4),
        "TA1C_dataset_minimal.tar.gz": packed_tables(SPANISH),
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    pinned = [
        replace(item, sha256={name: hashlib.sha256(files[name]).hexdigest() for name in item.sha256})
        for item in challenges.SETS
    ]
    monkeypatch.setattr(challenges, "SETS", pinned)
    return folder


def read_set(path: Path):
    with gzip.open(path, "rt", encoding="utf-8", newline="") as stream:
        return list(csv.reader(stream))


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_titles_follow_the_ids_and_nothing_is_run(protocol):
    assert challenges.video_titles(pickled(CLICKBAIT, protocol)) == CLICKBAIT


def test_a_pickle_without_texts_has_no_titles():
    assert challenges.video_titles(pickle.dumps([1, 2])) == []


def test_titles_are_found_whatever_the_batches_of_a_list():
    for count in (999, 1000, 1001, 2501):
        titles = [f"Title {number}" for number in range(count)]
        assert challenges.video_titles(pickled(titles)) == titles


def test_both_sets_are_written_with_their_licenses(source, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["fetch", "--challenges", "--source", str(source)])
    assert result.exit_code == 0, result.output
    folder = Path("data/challenge")
    assert sorted(path.name for path in folder.iterdir()) == [
        *("LICENSE.ta1c", "LICENSE.youtube", "ta1c-spanish.csv.gz", "youtube.csv.gz")
    ]
    assert read_set(folder / "youtube.csv.gz") == [
        ["title", "label"],
        *(["You Won't Believe It", "1"], ["10 Cats", "1"], ["Zażółć 😱", "1"]),
        *(["Budget Passed", "0"], ["Hello-World", "0"]),
    ]
    spanish = read_set(folder / "ta1c-spanish.csv.gz")[1:]
    assert spanish == [
        ['Una, "dos"', "0"],
        ["Lo que nadie vio\n", "1"],
        ["Tres", "0"],
    ]
    assert "MIT License" in (folder / "LICENSE.ta1c").read_text()
    assert "youtube.csv.gz: 5 rows, 3 clickbait, sha256 " in result.output
    assert [name for name, _ in challenges.find_fetched()] == ["ta1c-spanish", "youtube"]


def test_the_same_files_make_the_same_bytes(source, tmp_path):
    first, second = (challenges.fetch_challenges(source, tmp_path / name) for name in ("a", "b"))
    assert [result.sha256 for result in first] == [result.sha256 for result in second]


def test_what_was_made_of_the_files_is_taken_as_it_is(source, tmp_path, monkeypatch):
    made = challenges.fetch_challenges(source, tmp_path / "ready")
    pinned = [replace(item, ready_sha256=result.sha256) for item, result in zip(challenges.SETS, made, strict=True)]
    monkeypatch.setattr(challenges, "SETS", pinned)
    again = challenges.fetch_challenges(tmp_path / "ready", tmp_path / "out")
    assert [(result.rows, result.sha256) for result in again] == [(result.rows, result.sha256) for result in made]
    (tmp_path / "ready" / "youtube.csv.gz").write_bytes(b"another")
    with pytest.raises(DataError, match="youtube.csv.gz must be the pinned file"):
        challenges.fetch_challenges(tmp_path / "ready", tmp_path / "out")


@pytest.mark.parametrize("place", ["/nowhere/at/all", "ftp://127.0.0.1/x", ""])
def test_a_source_that_is_none(place, tmp_path):
    with pytest.raises(DataError, match="clickbait fetch --challenges --source FOLDER_OR_URL"):
        challenges.fetch_challenges(place, tmp_path)


def test_a_file_that_is_missing_or_another_leaves_nothing(source, tmp_path):
    (source / "clickbait-df").write_bytes(b"a log-in page")
    with pytest.raises(DataError, match="clickbait-df must be the pinned file"):
        challenges.fetch_challenges(source, tmp_path / "out")
    (source / "clickbait-df").unlink()
    with pytest.raises(DataError, match=r"must hold clickbait-df.*--challenges --source"):
        challenges.fetch_challenges(source, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_over_http_from_the_addresses_of_each_set(source, tmp_path, monkeypatch):
    asked = []

    def read(location, pinned, downloads):
        asked.append((location, sorted(pinned.sha256), downloads))
        return {name: (source / name).read_bytes() for name in pinned.sha256}, location

    monkeypatch.setattr(challenges, "read_pinned", read)
    youtube, spanish = challenges.fetch_challenges(None, tmp_path / "data" / "challenge")
    assert (youtube.rows, spanish.rows) == (5, 3)
    assert [names for _, names, _ in asked] == [["clickbait-df", "non-clickbait-df"], ["TA1C_dataset_minimal.tar.gz"]]
    assert all(location.startswith("https://raw.githubusercontent.com/") for location, _, _ in asked)
    assert {downloads for *_, downloads in asked} == {tmp_path / "data" / "downloads"}
