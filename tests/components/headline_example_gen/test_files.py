"""`--data` is a file, a folder or a pattern; each is found as TFX will find it, now and by another process."""

import glob
import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from components.errors import InputError
from components.headline_example_gen.files import (
    FOLDER_PATTERN,
    CsvInput,
    data_digest,
    files_digest,
    find_csv_files,
    resolve_pattern,
)
from components.labelled_csv.digests import file_digest


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
    """Returns TFX's matches, and those of `resolve_pattern` in another process."""
    assert resolve_pattern(found.base, found.pattern) == found
    return sorted(glob.glob(str(Path(glob.escape(found.base)) / found.pattern)))


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "headlines", "a b.txt", "a[1]*.csv", "{SPAN}.csv", "[{x}"])
def test_a_file_of_any_name_is_itself_and_not_its_siblings(folder, name):
    touch(folder, "a1x.csv", "b.csv", "7.csv", "{x")
    (path,) = touch(folder, name)
    found = find_csv_files(path)
    assert found.base == str(folder)
    assert list(found.paths) == matches(found) == [path]


@pytest.mark.parametrize("names", [["a.csv", "b.csv"], ["a.csv.gz", "b.csv.gz"], ["a.csv", "b.csv.gz", "c.csv"]])
def test_a_folder_gives_its_csv_files_sorted(folder, names):
    paths = touch(folder, *names)
    touch(folder, "notes.txt", "a.csv.bak", "acsv", "below/c.csv")
    found = find_csv_files(str(folder))
    assert found == CsvInput(str(folder), FOLDER_PATTERN, tuple(paths))
    assert resolve_pattern(found.base, found.pattern) == found
    assert set(paths) < set(matches(found)), "TFX looks for changes in these and some more"


def test_a_glob_is_not_held_to_the_endings_of_a_folder(folder):
    paths = touch(folder, "a.csv", "a.csv.bak")
    assert list(find_csv_files(str(folder / "*.csv*")).paths) == paths


@pytest.mark.parametrize("name", ["d[1]", "{SPAN}", "{x}", "d{"])
def test_a_folder_whose_name_looks_like_a_pattern_is_itself(tmp_path, name):
    touch(tmp_path, "d1/other.csv", "7/other.csv")
    paths = touch(tmp_path, f"{name}/a.csv")
    found = find_csv_files(str(tmp_path / name))
    assert list(found.paths) == matches(found) == paths


def test_below_a_folder_that_holds_braces_there_may_be_globs_and_specs(tmp_path):
    touch(tmp_path, "7/{x}/1.csv")
    paths = touch(tmp_path, "{SPAN}/{x}/2.csv")
    for pattern in ("*.csv", "{SPAN}.csv"):
        found = find_csv_files(str(tmp_path / "{SPAN}/{x}" / pattern))
        assert (found.base, found.pattern, list(found.paths)) == (str(tmp_path / "{SPAN}/{x}"), pattern, paths)


def test_hidden_files_and_folders_named_like_files_are_not_data(folder):
    paths = touch(folder, "a.csv")
    touch(folder, "._a.csv", "b.csv/c.txt")
    assert list(find_csv_files(str(folder)).paths) == paths


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.csv", ["a.csv", "b.csv"]),
        ("?.csv", ["a.csv", "b.csv"]),
        ("[a]*", ["a.csv"]),
        ("*/c.csv", ["x/c.csv", "y/c.csv"]),
        ("x/*", ["x/c.csv"]),
        ("*.csv*", ["a.csv", "b.csv", "d.csv.gz"]),
    ],
)
def test_a_glob_gives_the_files_that_it_matches(folder, monkeypatch, pattern, expected):
    touch(folder, "a.csv", "b.csv", "d.csv.gz", "x/c.csv", "y/c.csv")
    monkeypatch.chdir(folder)
    for given in (pattern, str(folder / pattern)):
        found = find_csv_files(given)
        assert list(found.paths) == matches(found) == [str(folder / name) for name in expected]
        assert not glob.has_magic(found.base)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("**/*.csv", ["a.csv", "x/b.csv", "x/y/c.csv"]),
        ("x/**/*.csv", ["x/b.csv", "x/y/c.csv"]),
        ("**", ["a.csv", "x/b.csv", "x/y/c.csv", "x/y/notes.txt"]),
        ("**/**/c.csv", ["x/y/c.csv"]),
    ],
)
def test_two_stars_go_down_any_number_of_folders(folder, pattern, expected):
    touch(folder, "a.csv", "x/b.csv", "x/y/c.csv", "x/y/notes.txt", ".hidden/d.csv", "x/.hidden.csv")
    assert list(find_csv_files(str(folder / pattern)).paths) == [str(folder / name) for name in expected]


def test_a_relative_pattern_is_below_a_working_folder_of_any_name(tmp_path, monkeypatch):
    (path,) = touch(tmp_path / "in [1] {SPAN}", "7.csv")
    monkeypatch.chdir(tmp_path / "in [1] {SPAN}")
    for pattern in ("*.csv", "{SPAN}.csv"):
        assert find_csv_files(pattern).paths == (path,)


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
        ("missing/*.csv", "Received: {folder}/missing/*.csv: No such file or directory."),
        ("file/*.csv", "Received: {folder}/file/*.csv: Not a directory."),
        ("x" * 300, "File name too long."),
        ("{{SPAN}}.tsv", "Received: {folder}/{{SPAN}}.tsv, a pattern that matches no file."),
        (
            "{{DATE}}.csv",
            "The file names must have a date where the pattern has {{...}}. Received: {folder}/{{YYYY}}-{{MM}}",
        ),
        ("{{FOO}}.csv", "Received: {{FOO}} in {folder}/{{FOO}}.csv. For a name that holds braces write [{{] for {{."),
    ],
)
def test_nothing_there_is_said_with_what_was_asked_for(folder, path, problem):
    (folder / "empty").mkdir()
    touch(folder, "file", "2024-13-01.csv")
    with pytest.raises(InputError) as caught:
        find_csv_files(str(folder / path.format()))
    assert problem.format(folder=folder) in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read anything")
@pytest.mark.parametrize("path", ["shut", "shut/*.csv", "shut/{SPAN}.csv"])
def test_a_folder_that_may_not_be_listed_is_not_called_empty(folder, path):
    touch(folder, "shut/7.csv")
    (folder / "shut").chmod(0)
    try:
        with pytest.raises(InputError, match="Permission denied"):
            find_csv_files(str(folder / path))
    finally:
        (folder / "shut").chmod(0o700)


# ---- Spans: test_spans has the rest


@pytest.mark.parametrize(
    ("pattern", "base", "rest"),
    [
        ("span-{SPAN}/v{VERSION}/*.csv", "", "span-{SPAN}/v{VERSION}/*.csv"),
        ("x/y/{DATE}.csv.gz", "x/y", "{YYYY}-{MM}-{DD}.csv.gz"),
        ("x/day={YYYY}{MM}{DD}/part-*.csv", "x", "day={YYYY}{MM}{DD}/part-*.csv"),
        ("x/*/z/{SPAN:3}.csv", "x", "*/z/{SPAN:3}.csv"),
    ],
)
def test_the_base_is_the_deepest_folder_that_is_no_pattern(folder, pattern, base, rest):
    touch(folder, "span-7/v1/a.csv", "x/y/2024-01-31.csv.gz", "x/day=20240131/part-1.csv", "x/y/z/007.csv")
    found = find_csv_files(str(folder / pattern))
    assert (found.base, found.pattern) == (str(folder / base), rest)
    assert resolve_pattern(found.base, found.pattern) == found


def test_the_newest_spans_are_taken_and_found_again(folder):
    names = ["span-9/v1/a.csv", "span-10/v2/a.csv", "span-10/v10/b.csv.gz", "span-10/v10/a.csv", "span-11/v1/c.csv"]
    touch(folder, *names, "span-12/readme.txt", "span-x/v1/a.csv")
    pattern = str(folder / "span-{SPAN}/v{VERSION}/*.csv*")

    def found(**options):
        result = find_csv_files(pattern, **options)
        assert resolve_pattern(result.base, result.pattern, **options) == result
        return result.span, result.version, result.spans, [str(Path(path).relative_to(folder)) for path in result.paths]

    assert found() == (11, 1, ((11, 1),), ["span-11/v1/c.csv"])
    assert found(window_spans=2) == (
        11,
        1,
        ((10, 10), (11, 1)),
        ["span-10/v10/a.csv", "span-10/v10/b.csv.gz", "span-11/v1/c.csv"],
    )
    assert found(window_spans=9)[2] == ((9, 1), (10, 10), (11, 1)), "as many as there are"
    assert found(window_spans=9, last_span=10)[:3] == (10, 10, ((9, 1), (10, 10)))


def test_without_specs_there_is_no_span(folder):
    touch(folder, "a.csv")
    found = find_csv_files(str(folder))
    assert (found.span, found.version, found.spans) == (None, None, ())


@pytest.mark.parametrize("path", ["a.csv", "", "*.csv"])
@pytest.mark.parametrize("options", [{"window_spans": 2}, {"last_span": 0}, {"last_span": "2024-01-31"}])
def test_a_choice_among_spans_needs_specs(folder, path, options):
    touch(folder, "a.csv")
    with pytest.raises(
        InputError, match=r"data.window_spans and data.last_span must be used with data in spans. Received: .*none"
    ):
        find_csv_files(str(folder / path), **options)


def test_a_window_has_at_least_one_span(folder):
    touch(folder, "7.csv")
    with pytest.raises(InputError, match="data.window_spans must be at least 1 span. Received: 0."):
        find_csv_files(str(folder / "{SPAN}.csv"), window_spans=0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pattern", "names", "window_spans"),
    [
        ("span-{SPAN}/*.csv", ["span-9/a.csv", "span-10/a.csv", "span-10/b.csv", "span-10/c.txt"], 2),
        ("span-{SPAN:3}/*.csv", ["span-009/a.csv", "span-010/a.csv"], 2),
        ("{SPAN}/v{VERSION}/*", ["1/v9/a.csv", "1/v10/a.csv", "2/v2/a.csv.gz", "2/v1/b.csv"], 2),
        ("v{VERSION:2}/s{SPAN:2}.csv", ["v02/s01.csv", "v01/s02.csv", "v03/s01.csv"], 2),
        ("{YYYY}-{MM}-{DD}.csv.gz", ["2023-12-31.csv.gz", "2024-02-29.csv.gz", "2024-01-31.csv.gz"], 3),
        ("day={YYYY}{MM}{DD}/part-*.csv", ["day=20231231/part-1.csv", "day=20240101/part-1.csv"], 2),
        ("{YYYY}/{MM}/{DD}/v{VERSION}.csv", ["2023/12/31/v11.csv", "2024/01/01/v1.csv", "2024/01/01/v0.csv"], 2),
        ("{DD}.{MM}.{YYYY}.csv", ["31.12.2023.csv", "01.01.2024.csv"], 1),
        ("{YYYY}{MM}{DD}{VERSION}.csv", ["202312311.csv", "2023123112.csv"], 1),
        ("*/{SPAN}-*.csv", ["x/1-a.csv", "y/2-a.csv", "x/2-b.csv"], 2),
        ("a?(1)+{SPAN}.csv", ["ab(1)+3.csv", "ab(1)+4.csv", "a(1)+5.csv"], 2),
    ],
)
def test_tfx_finds_the_same_spans_versions_and_files(folder, pattern, names, window_spans):
    from tfx.components.example_gen.input_processor import FileBasedInputProcessor
    from tfx.dsl.io import fileio
    from tfx.proto import example_gen_pb2, range_config_pb2

    def by_tfx(span: int | None):
        wanted = span and range_config_pb2.RangeConfig(
            static_range=range_config_pb2.StaticRange(start_span_number=span, end_span_number=span)
        )
        split = example_gen_pb2.Input.Split(name="headlines", pattern=pattern)
        processor = FileBasedInputProcessor(str(folder), [split], wanted)
        place = processor.resolve_span_and_version()
        return place, sorted(fileio.glob(str(folder / processor.get_pattern_for_span_version(pattern, *place))))

    touch(folder, *names)
    newest, window = (
        find_csv_files(str(folder / pattern)),
        find_csv_files(str(folder / pattern), window_spans=window_spans),
    )
    assert (newest.spans[0], list(newest.paths)) == by_tfx(None)
    assert len(window.spans) == window_spans
    chosen = [by_tfx(place.span) for place in window.spans]
    assert list(window.spans) == [place for place, _ in chosen]
    assert list(window.paths) == [path for _, paths in chosen for path in paths]
    for place, paths in chosen:
        assert find_csv_files(str(folder / pattern), last_span=place[0]).paths == tuple(paths)


# ---- Digests


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


def test_the_digest_of_two_files_is_not_that_of_one_that_holds_both(folder):
    one, two = touch(folder, "a.csv", "b.csv")
    (folder / "c.csv").write_text("a.csvb.csv", encoding="utf-8")
    assert data_digest((one, two)) not in (data_digest((str(folder / "c.csv"),)), data_digest((two, one)))


def test_the_digest_of_several_files_is_made_of_theirs_and_can_be_had_in_a_shell(folder):
    paths = touch(folder, "a.csv", "b.csv")
    shell = subprocess.run(
        ["/bin/sh", "-c", "sha256sum *.csv | cut -c-64 | sha256sum"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    assert data_digest(paths) == files_digest(map(file_digest, paths)) == f"sha256:{shell.stdout[:64]}"


def test_a_file_that_has_gone_has_no_digest(folder):
    with pytest.raises(InputError, match="Received: .*/a.csv: No such file or directory."):
        file_digest(str(folder / "a.csv"))
