"""`--data` is a file, a folder or a glob; each is found as TFX will find it."""

import glob
import hashlib
from pathlib import Path

import pytest

from components.errors import InputError
from components.headline_example_gen.files import CsvInput, data_digest, find_csv_files


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "in"
    place.mkdir()
    return place


def touch(folder: Path, *names: str) -> list[str]:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name, encoding="utf-8")
    return [str(folder / name) for name in names]


def matches(found: CsvInput) -> list[str]:
    """What HeadlineExampleGen's executor reads."""
    return sorted(glob.glob(str(Path(glob.escape(found.base)) / found.pattern)))


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "headlines", "a b.txt", "a[1]*.csv"])
def test_a_file_of_any_name_is_itself_and_not_its_siblings(folder, name):
    touch(folder, "a1x.csv", "b.csv")
    (path,) = touch(folder, name)
    found = find_csv_files(path)
    assert found.base == str(folder)
    assert list(found.paths) == matches(found) == [path]


@pytest.mark.parametrize("ending", [".csv", ".csv.gz"])
def test_a_folder_gives_its_csv_files_sorted(folder, ending):
    paths = touch(folder, f"a{ending}", f"b{ending}")
    touch(folder, "notes.txt", f"below/c{ending}")
    found = find_csv_files(str(folder))
    assert found == CsvInput(str(folder), f"*{ending}", tuple(paths))
    assert matches(found) == paths


def test_a_folder_whose_name_looks_like_a_glob_is_itself(tmp_path):
    touch(tmp_path, "d1/other.csv")
    paths = touch(tmp_path, "d[1]/a.csv")
    found = find_csv_files(str(tmp_path / "d[1]"))
    assert list(found.paths) == matches(found) == paths


def test_hidden_files_and_folders_named_like_files_are_not_data(folder):
    paths = touch(folder, "a.csv")
    touch(folder, "._a.csv", "b.csv/c.txt")
    assert list(find_csv_files(str(folder)).paths) == paths


def test_a_mixture_of_plain_and_compressed_files_is_refused(folder):
    touch(folder, "a.csv", "b.csv.gz")
    with pytest.raises(
        InputError, match="holds either .csv or .csv.gz files. Received: .*, which holds files of both kinds"
    ):
        find_csv_files(str(folder))


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.csv", ["a.csv", "b.csv"]),
        ("?.csv", ["a.csv", "b.csv"]),
        ("[a]*", ["a.csv"]),
        ("*/c.csv", ["x/c.csv", "y/c.csv"]),
        ("x/*", ["x/c.csv"]),
    ],
)
def test_a_glob_gives_the_files_that_it_matches(folder, monkeypatch, pattern, expected):
    touch(folder, "a.csv", "b.csv", "x/c.csv", "y/c.csv")
    monkeypatch.chdir(folder)
    for given in (pattern, str(folder / pattern)):
        found = find_csv_files(given)
        assert list(found.paths) == matches(found) == [str(folder / name) for name in expected]
        assert not glob.has_magic(found.base)


def test_a_relative_path_becomes_absolute(folder, monkeypatch):
    (path,) = touch(folder, "a.csv")
    monkeypatch.chdir(folder.parent)
    assert find_csv_files("in/a.csv").paths == find_csv_files("in").paths == (path,)


def test_the_home_folder_is_expanded(folder, monkeypatch):
    (path,) = touch(folder, "a.csv")
    monkeypatch.setenv("HOME", str(folder))
    assert find_csv_files("~/a.csv").paths == (path,)


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("missing.csv", "Received: {folder}/missing.csv, where there is nothing. Give --data FILE-or-folder."),
        ("*.tsv", "Received: {folder}/*.tsv, a pattern that matches no file."),
        ("empty", "Received: {folder}/empty, which holds neither."),
    ],
)
def test_nothing_there_is_said_with_what_was_asked_for(folder, path, problem):
    (folder / "empty").mkdir()
    with pytest.raises(InputError) as caught:
        find_csv_files(str(folder / path))
    assert problem.format(folder=folder) in str(caught.value)
    assert caught.value.exit_code == 2


def test_the_digest_of_one_file_is_its_sha256(folder):
    paths = touch(folder, "a.csv")
    assert data_digest(tuple(paths)) == f"sha256:{hashlib.sha256(b'a.csv').hexdigest()}"


def test_the_digest_changes_with_content_and_number_of_files_but_not_with_names(folder):
    one, two, three = touch(folder, "a.csv", "b.csv", "c.csv")
    before = data_digest((one, two))
    assert data_digest((one,)) != before != data_digest((one, two, three))
    assert data_digest((str(Path(one).rename(folder / "d.csv")), two)) == before
    Path(two).write_text("changed", encoding="utf-8")
    assert data_digest((str(folder / "d.csv"), two)) != before
