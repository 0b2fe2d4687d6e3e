"""Every format in and out: rows, columns, order and types stay; what cannot be read is refused by file and line."""

from __future__ import annotations

import array
import csv
import gzip
import io
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serving.classes import Unsure
from serving.client.bulk.files import check_output, file_digest, open_sink, open_source
from serving.client.bulk.text_sinks import format_score
from serving.client.errors import FileError
from serving.untrusted import inert_cell

TEXTS = ["plain", 'quotes " and, commas', "line\nbreak\r\nand\rmore", "ü 中 \U0001f600", "  spaces  ", "", "=1+1"]


def convert(source_path, output_path, text_column="title", size=3):
    """Writes all rows with the scores 0, 1/8, 2/8 and so on, and returns the source's contents."""
    source = open_source(source_path, text_column)
    contents = source.scan()
    sink, done = open_sink(output_path, output_path, contents), 0
    for chunk in source.chunks(size):
        sink.write(chunk, [(done + place) / 8 for place in range(len(chunk.texts))])
        done += len(chunk.texts)
    sink.close()
    assert done == contents.rows
    return contents


def write_csv(path, rows, header=("id", "title")):
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(header)
        writer.writerows(rows)
    return path


def read_csv(path):
    data = path.read_bytes()
    text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
    return list(csv.DictReader(io.StringIO(text, newline="")))


def read_jsonl(path):
    data = path.read_bytes()
    return [json.loads(line) for line in (gzip.decompress(data) if path.suffix == ".gz" else data).splitlines()]


def read_parquet(path):
    import pyarrow.parquet as pq

    return pq.read_table(path).to_pylist()


READERS = {
    ".csv": read_csv,
    ".csv.gz": read_csv,
    ".jsonl": read_jsonl,
    ".jsonl.gz": read_jsonl,
    ".parquet": read_parquet,
}


@pytest.mark.parametrize("suffix", READERS)
@pytest.mark.parametrize("bom", ["", "\ufeff"])
def test_csv_to_any(tmp_path, suffix, bom):
    path = write_csv(tmp_path / "in.csv", [[str(number), text] for number, text in enumerate(TEXTS)])
    path.write_bytes(bom.encode() + path.read_bytes())
    convert(path, tmp_path / f"out{suffix}")
    rows = READERS[suffix](tmp_path / f"out{suffix}")
    texts = [text.replace("=1+1", "'=1+1") for text in TEXTS] if "csv" in suffix else TEXTS  # for a spreadsheet
    assert [(row["id"], row["title"], float(row["probability"])) for row in rows] == [
        (str(number), text, number / 8) for number, text in enumerate(texts)
    ]


@pytest.mark.parametrize("suffix", READERS)
def test_jsonl_to_any(tmp_path, suffix):
    objects = [
        {"title": "a", "n": 1, "x": 1, "yes": True, "more": {"k": [1]}, "mixed": 1},
        {"title": "ü", "n": None, "x": 0.5, "yes": False, "more": None, "mixed": "one"},
        {"title": "c"},
    ]
    (tmp_path / "in.jsonl").write_text("\n".join(map(json.dumps, objects)) + "\n\n")
    convert(tmp_path / "in.jsonl", tmp_path / f"out{suffix}")
    rows = READERS[suffix](tmp_path / f"out{suffix}")
    assert [row["title"] for row in rows] == ["a", "ü", "c"]
    if "csv" in suffix:
        assert list(rows[0].values()) == ["a", "1", "1", "true", '{"k": [1]}', "1", "0"]
        assert list(rows[2].values()) == ["c", "", "", "", "", "", "0.25"]
    elif "jsonl" in suffix:
        assert rows == [{**one, "probability": number / 8} for number, one in enumerate(objects)]
    else:
        assert rows[0] == {
            "title": "a", "n": 1, "x": 1.0, "yes": True, "more": '{"k": [1]}', "mixed": "1", "probability": 0.0,
        }  # fmt: skip
        assert rows[2]["n"] is None


@pytest.mark.parametrize("suffix", READERS)
def test_parquet_to_any(tmp_path, suffix):
    import datetime

    import pyarrow as pa
    import pyarrow.parquet as pq

    day = datetime.date(2024, 2, 29)
    table = pa.table(
        {
            "title": pa.array(["a", "ü", "c"]).dictionary_encode(),
            "day": [day, None, day],
            "n": pa.array([1, 2, None], pa.int32()),
        }
    )
    pq.write_table(table, tmp_path / "in.parquet")
    convert(tmp_path / "in.parquet", tmp_path / f"out{suffix}", size=2)
    rows = READERS[suffix](tmp_path / f"out{suffix}")
    assert [row["title"] for row in rows] == ["a", "ü", "c"]
    if suffix == ".parquet":
        out = pq.read_table(tmp_path / "out.parquet")
        assert out.schema.field("n").type == pa.int32()
        assert out.schema.field("probability").type == pa.float32()
        assert [row["day"] for row in rows] == [day, None, day]
    else:
        assert [str(row["day"] or "") for row in rows] == ["2024-02-29", "", "2024-02-29"]
        assert [str(row["n"] or "") for row in rows] == ["1", "2", ""]


def test_lines_keep_empty_lines(tmp_path):
    (tmp_path / "in.txt").write_bytes(b"one\r\n\nthree, 3\nlast without an end")
    convert(tmp_path / "in.txt", tmp_path / "out.csv", "headline")
    assert [row["headline"] for row in read_csv(tmp_path / "out.csv")] == ["one", "", "three, 3", "last without an end"]


@pytest.mark.parametrize("name", ["in.csv", "in.csv.gz"])
def test_gzip_goes_by_the_content(tmp_path, name):
    (tmp_path / name).write_bytes(gzip.compress(b"title\na\n"))
    assert [chunk.texts for chunk in open_source(tmp_path / name, "title").chunks(5)] == [["a"]]


@pytest.mark.parametrize("name", ["o parquet.parquet", "a:c.parquet", "50%.parquet"])
def test_a_parquet_files_relative_name_is_no_uri(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    write_csv(tmp_path / "in.csv", [["1", "a"]])
    convert("in.csv", name)
    assert read_parquet(tmp_path / name) == [{"id": "1", "title": "a", "probability": 0.0}]
    assert [chunk.texts for chunk in open_source(name, "title").chunks(5)] == [["a"]]


@pytest.mark.parametrize("suffix", READERS)
@pytest.mark.parametrize("score", [float("nan"), float("inf")])
def test_a_score_that_is_no_number_is_none(tmp_path, suffix, score):
    (tmp_path / "in.csv").write_text("title\na\nb\n")
    source, out = open_source(tmp_path / "in.csv", "title"), tmp_path / f"out{suffix}"
    sink = open_sink(out, out, source.scan())
    for chunk in source.chunks(5):
        sink.write(chunk, [score, 0.5])
    sink.close()
    assert [row["probability"] for row in READERS[suffix](out)] in ([None, 0.5], ["", "0.5"])


@pytest.mark.parametrize("suffix", READERS)
def test_with_a_band_a_file_has_classes(tmp_path, suffix):
    (tmp_path / "in.csv").write_text("title\na\nb\nc\nd\n")
    source, out = open_source(tmp_path / "in.csv", "title"), tmp_path / f"out{suffix}"
    sink = open_sink(out, out, source.scan(), Unsure(0.25, 0.75))
    for chunk in source.chunks(5):
        sink.write(chunk, [0.125, 0.25, 0.75, float("nan")])
    sink.close()
    rows = READERS[suffix](out)
    assert [row["prediction"] or None for row in rows] == ["news", "unsure", "clickbait", None]
    assert list(rows[0]) == ["title", "probability", "prediction"]


def test_a_column_of_the_classes_name_is_refused_where_there_are_classes(tmp_path):
    (tmp_path / "in.csv").write_text("title,prediction\na,b\n")
    contents = open_source(tmp_path / "in.csv", "title").scan()
    open_sink(tmp_path / "out.csv", "out.csv", contents).close()
    with pytest.raises(FileError, match="no column 'prediction'"):
        open_sink(tmp_path / "out.csv", "out.csv", contents, Unsure(0.25, 0.75))


def test_json_lines_are_json_whatever_the_input_holds(tmp_path):
    (tmp_path / "in.jsonl").write_text('{"title": "a", "x": NaN, "more": {"k": [Infinity, 1]}}\n')
    convert(tmp_path / "in.jsonl", tmp_path / "out.jsonl")
    line = (tmp_path / "out.jsonl").read_text()
    assert json.loads(line, parse_constant=pytest.fail) == {
        "title": "a", "x": None, "more": {"k": [None, 1]}, "probability": 0,
    }  # fmt: skip


def test_an_empty_table_has_a_header(tmp_path):
    (tmp_path / "in.csv").write_text("id,title\n")
    for suffix in (".csv", ".jsonl", ".parquet"):
        assert convert(tmp_path / "in.csv", tmp_path / f"out{suffix}").rows == 0
    assert (tmp_path / "out.csv").read_text() == "id,title,probability\n"
    assert read_parquet(tmp_path / "out.parquet") == []


@settings(deadline=None)
@given(st.floats(0, 1, width=32))
def test_scores_in_text_tell_every_float32(score):
    assert array.array("f", [float(format_score(score))])[0] == score


FIELDS = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0"), max_size=12)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(FIELDS, FIELDS.map(lambda text: text + ".")), max_size=12), size=st.integers(1, 5))
def test_any_csv_comes_out_as_it_went_in_but_for_formulas(tmp_path, rows, size):
    path = write_csv(tmp_path / "in.csv", rows)
    convert(path, tmp_path / "out.csv", size=size)
    assert [(row["id"], row["title"]) for row in read_csv(tmp_path / "out.csv")] == [
        (inert_cell(one), inert_cell(title)) for one, title in rows
    ]


@pytest.mark.parametrize(
    ("name", "content", "part"),
    [
        ("a.csv", b"", "must have a column 'title'. Received: none"),
        ("a.csv", b"id,text\n1,a\n", "Received: id, text. Name the column of texts with --text-column"),
        ("a.csv", b"title,title\n1,a\n", "'title' more than once"),
        ("a.csv", b"id,title\n1,a\n\n2\n", "a.csv:4: a row must have the header's 2 fields. Received: 1"),
        ("a.csv", b"id,title\n1,a,b\n", "Received: 3"),
        ("a.csv", b'id,title\n1,"a\nb\n', "a.csv:2: a row must be RFC 4180"),
        ("a.csv", b'id,title\n1,"a" b\n', "a.csv:2"),
        ("a.csv", b"id,title\n1,\xff\n", "UTF-8. Received: byte 0xff"),
        ("a.csv", b"id,title\n1,a\0\n", "a.csv:2: a CSV must hold text. Received: a NUL byte at character 4"),
        ("a.csv", gzip.compress(b"title\n" + b"a\n" * 9999, mtime=0)[:-12], "must be readable. Received"),
        ("a.jsonl", b'{"title": "a"}\n{"title": \n', "a.jsonl:2: a line must be a JSON object"),
        ("a.jsonl", b'"a"\n', "a.jsonl:1: a line must be a JSON object"),
        ("a.jsonl", b'{"title": ' + b"[" * 100_000, "a.jsonl:1: a line must be a JSON object"),
        ("a.jsonl", b'{"title": null}\n', "null at line 1"),
        ("a.jsonl", b'{"title": 7}\n', "7 at line 1"),
        ("a.jsonl", b'{"text": "a"}\n', "Received: text. Name the column"),
        ("a.jsonl", b'{"title": "\\ud800"}\n', "surrogate"),
        ("a.jsonl", b"x" * (1 << 24), "fewer than 16,777,216 characters"),
        ("a.parquet", b"no parquet", "must be a readable Parquet file"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_named(tmp_path, name, content, part):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(FileError) as raised:
        open_source(tmp_path / name, "title").scan()
    assert part in str(raised.value)
    assert name in str(raised.value)
    assert "\n" not in str(raised.value)
    assert raised.value.exit_code == 2


@pytest.mark.parametrize(
    ("column", "values", "part"),
    [
        ("title", ["a", None], "null at row 2"),
        ("title", [b"a", b"\xff"], "not UTF-8"),
        ("title", [1, 2], "must hold strings. Received: 'title' of int64"),
        ("text", ["a"], "Received: text. Name the column"),
    ],
)
def test_what_parquet_has_instead_of_texts_is_named(tmp_path, column, values, part):
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({column: values}), tmp_path / "a.parquet")
    with pytest.raises(FileError) as raised:
        open_source(tmp_path / "a.parquet", "title").scan()
    assert part in str(raised.value)


@pytest.mark.parametrize("kind", ["text", "large", "other", "list", "struct"])
def test_a_parquet_file_whose_rows_are_one_huge_text_fills_no_memory(tmp_path, kind):
    import pyarrow as pa
    import pyarrow.parquet as pq

    text = pa.array(["a" * 4_000_000], pa.large_string() if kind == "large" else pa.string())
    huge = pa.DictionaryArray.from_arrays(pa.array([0] * 10_000, pa.int32()), text)
    if kind == "list":
        huge = pa.ListArray.from_arrays(list(range(10_001)), huge)
    elif kind == "struct":
        huge = pa.StructArray.from_arrays([huge], ["part"])
    columns = {"title": huge} if kind in ("text", "large") else {"title": ["b"] * 10_000, "other": huge}
    table = pa.table(columns)
    pq.write_table(table, tmp_path / "a.parquet", store_schema=False)
    del huge, columns, table
    before = pa.total_allocated_bytes()
    with pytest.raises(FileError, match="more than"):
        for _ in open_source(tmp_path / "a.parquet", "title").chunks(4096):
            pass
    assert pa.default_memory_pool().max_memory() - before < 200_000_000


@pytest.mark.parametrize("name", ["a.xlsx", "a", "a.parquet.gz", "gone.csv", "folder.csv"])
def test_inputs_that_are_no_files_of_texts(tmp_path, name):
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(FileError, match="Received"):
        open_source(tmp_path / name, "title")


@pytest.mark.parametrize("name", ["a.txt", "a.xlsx", "none/a.csv", "folder.csv"])
def test_outputs_that_cannot_be(tmp_path, name):
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(FileError, match="Received"):
        check_output(tmp_path / name)


def test_a_column_of_the_scores_name_is_not_overwritten(tmp_path):
    (tmp_path / "in.csv").write_text("title,probability\na,b\n")
    with pytest.raises(FileError, match="Rename that column"):
        convert(tmp_path / "in.csv", tmp_path / "out.csv")


def test_the_digest_is_sha256(tmp_path):
    (tmp_path / "a").write_bytes(b"")
    assert file_digest(tmp_path / "a").startswith("e3b0c44298fc1c14")
