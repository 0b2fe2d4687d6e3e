"""All that data can have wrong, as one table, for `test_bad_inputs`."""

from __future__ import annotations

import gzip
import random
import zipfile
from io import BytesIO
from typing import NamedTuple

from serving.untrusted import MAX_FIELD_CHARACTERS, MAX_LINE_CHARACTERS

HEADER = b"title,label,source\n"
GOOD = [b"Headline %d,%d,web\n" % (number, number % 2) for number in range(100)]
FILE = HEADER + b"".join(GOOD)
_LONG = MAX_FIELD_CHARACTERS + 1
_AFTER = "text after a closing quote"


class BadRow(NamedTuple):
    """A row between good ones."""

    id: str
    row: bytes
    """Title, label and a third column."""
    rule: str
    reason: str
    """A part of what is said."""


class BadFile(NamedTuple):
    """A file that is refused whole."""

    id: str
    content: bytes
    line: int | None
    """That the message names; None where there are no lines to speak of."""
    message: str
    """A part of what is said."""
    name: str = "a.csv"


BAD_ROWS = [
    BadRow("one field of three", b"One", "field_count", "expected 3 fields, found 1"),
    BadRow("two fields of three", b"One,1", "field_count", "expected 3 fields, found 2"),
    BadRow("comma in a title that is not quoted", b"One, two,1,web", "field_count", "expected 3 fields, found 4"),
    BadRow("comma at the end", b"One,1,web,", "field_count", "expected 3 fields, found 4"),
    BadRow("decimal comma", b"One,0,5,web", "field_count", "expected 3 fields, found 4"),
    BadRow("single quotes", b"'One, two',1,web", "field_count", "expected 3 fields, found 4"),
    BadRow("semicolons", b"One;1;web", "field_count", "expected 3 fields, found 1"),
    BadRow("tabs", b"One\t1\tweb", "field_count", "expected 3 fields, found 1"),
    BadRow("comment", b"# made by hand", "field_count", "expected 3 fields, found 1"),
    BadRow("whole row quoted", b'"One,1,web"', "field_count", "expected 3 fields, found 1"),
    BadRow("empty quotes", b'""', "field_count", "expected 3 fields, found 1"),
    BadRow("JSON", b'{"title": "One"}', "field_count", "expected 3 fields, found 1"),
    BadRow("spaces", b"   ", "field_count", "expected 3 fields, found 1"),
    BadRow("no-break space", "\u00a0".encode(), "field_count", "expected 3 fields, found 1"),
    BadRow("Ctrl-Z, as DOS ends files", b"\x1a", "field_count", "expected 3 fields, found 1"),
    BadRow("commas alone, too few", b",", "field_count", "expected 3 fields, found 2"),
    BadRow("commas alone", b",,", "blank_title", "the title is blank"),
    BadRow("no title", b",1,web", "blank_title", "the title is blank"),
    BadRow("title of empty quotes", b'"",1,web', "blank_title", "the title is blank"),
    BadRow("title of spaces", b"   ,1,web", "blank_title", "the title is blank"),
    BadRow("title of a tab", b"\t,1,web", "blank_title", "the title is blank"),
    BadRow("title of a line break", b'"\n",1,web', "blank_title", "the title is blank"),
    BadRow("title of no-break spaces", "\u00a0\u202f,1,web".encode(), "blank_title", "the title is blank"),
    BadRow("title of wide spaces", "\u3000,1,web".encode(), "blank_title", "the title is blank"),
    BadRow("title of zero-width spaces", "\u200b\u200b,1,web".encode(), "blank_title", "the title is blank"),
    BadRow("title of a byte order mark", "\ufeff,1,web".encode(), "blank_title", "the title is blank"),
    BadRow("title of a soft hyphen", " \u00ad ,1,web".encode(), "blank_title", "the title is blank"),
    BadRow("title of a Hangul filler", "\u3164,1,web".encode(), "blank_title", "the title is blank"),
    BadRow("title one character too long", b"a" * 10_001 + b",1,web", "long_title", "the title has 10,001 characters"),
    BadRow("title of many emoji", "😀".encode() * 20_000 + b",1,web", "long_title", "the title has 20,000 characters"),
    BadRow("title of many lines", b'"' + b"a\n" * 6000 + b'",1,web', "long_title", "expected at most 10,000"),
    BadRow("1 MiB of title", b"a" * _LONG + b",1,web", "long_field", "a field has more than"),
    BadRow("1 MiB of label", b"One," + b"1" * _LONG + b",web", "long_field", "a field has more than"),
    BadRow("1 MiB elsewhere", b"One,1," + b"a" * _LONG, "long_field", "a field has more than"),
    BadRow("2 MiB of fields", b",".join([b"a" * 999_999] * 4), "field_count", "expected 3 fields, found 4"),
    BadRow("1 MiB in quotes", b'"' + b"a" * _LONG + b'",1,web', "long_field", "a field has more than"),
    BadRow("NUL in the title", b"O\0ne,1,web", "nul", "the title has a NUL byte at character 2"),
    BadRow("NUL in the label", b"One,1\0,web", "nul", "the label has a NUL byte at character 2"),
    BadRow("NUL elsewhere", b"One,1,\0", "nul", "the source has a NUL byte at character 1"),
    BadRow("NUL in a quoted title", b'"O\0,ne",1,web', "nul", "the title has a NUL byte at character 2"),
    BadRow("NUL in a row too short", b"One\0", "nul", "the title has a NUL byte at character 4"),
    BadRow("title of NUL", b"\0,1,web", "nul", "the title has a NUL byte at character 1"),
    BadRow("Latin-1 title", "Zürich,1,web".encode("latin-1"), "not_utf8", "the title is not UTF-8: byte 0xfc"),
    BadRow("quotes of Windows", "“One”,1,web".encode("cp1252"), "not_utf8", "the title is not UTF-8: byte 0x93"),
    BadRow("label that is no text", b"One,\xff,web", "not_utf8", "the label is not UTF-8: byte 0xff at character 1"),
    BadRow("Latin-1 elsewhere", b"One,1,caf\xe9", "not_utf8", "the source is not UTF-8: byte 0xe9 at character 4"),
    BadRow("half a character", "Café".encode()[:-1] + b",1,web", "not_utf8", "the title is not UTF-8: byte 0xc3"),
    BadRow("half an emoji", "😀".encode()[:3] + b",1,web", "not_utf8", "the title is not UTF-8: byte 0xf0"),
    BadRow("lone continuation byte", b"One\x80,1,web", "not_utf8", "byte 0x80 at character 4"),
    BadRow("encoded surrogate", b"One \xed\xa0\x80,1,web", "not_utf8", "byte 0xed at character 5"),
    BadRow("overlong slash", b"One \xc0\xaf,1,web", "not_utf8", "byte 0xc0 at character 5"),
    BadRow("beyond Unicode", b"One \xf4\x90\x80\x80,1,web", "not_utf8", "byte 0xf4 at character 5"),
    BadRow("not UTF-8 in a row too long", b"One,1,web,\xff", "field_count", "expected 3 fields, found 4"),
    BadRow("not UTF-8 in a row too short", b"\xff", "not_utf8", "the title is not UTF-8: byte 0xff at character 1"),
    BadRow("character lost before", "O\ufffde,1,web".encode(), "not_utf8", "lost a character: U+FFFD at character 2"),
    BadRow("label in words", b"One,yes,web", "unknown_label", "the label is 'yes', expected 0 or 1"),
    BadRow("label True", b"One,True,web", "unknown_label", "the label is 'True'"),
    BadRow("label 2", b"One,2,web", "unknown_label", "the label is '2'"),
    BadRow("label -1", b"One,-1,web", "unknown_label", "the label is '-1'"),
    BadRow("label +1", b"One,+1,web", "unknown_label", "the label is '+1'"),
    BadRow("label 0.5", b"One,0.5,web", "unknown_label", "the label is '0.5'"),
    BadRow("label 1.0", b"One,1.0,web", "unknown_label", "the label is '1.0'"),
    BadRow("label 1e0", b"One,1e0,web", "unknown_label", "the label is '1e0'"),
    BadRow("label 0x1", b"One,0x1,web", "unknown_label", "the label is '0x1'"),
    BadRow("label 01", b"One,01,web", "unknown_label", "the label is '01'"),
    BadRow("label nan", b"One,nan,web", "unknown_label", "the label is 'nan'"),
    BadRow("label null", b"One,null,web", "unknown_label", "the label is 'null'"),
    BadRow("two labels", b"One,1 1,web", "unknown_label", "the label is '1 1'"),
    BadRow("label in quotes of its own", b"One,'1',web", "unknown_label", "the label is \"'1'\""),
    BadRow("full-width label", "One,１,web".encode(), "unknown_label", "the label is '１'"),
    BadRow("label in superscript", "One,¹,web".encode(), "unknown_label", "the label is '¹'"),
    BadRow("Arabic label", "One,١,web".encode(), "unknown_label", "the label is '١'"),
    BadRow("zero-width space in the label", "One,1\u200b,web".encode(), "unknown_label", "the label is '1\\u200b'"),
    BadRow("columns swapped", b"1,One,web", "unknown_label", "the label is 'One'"),
    BadRow("header again", HEADER.strip(), "unknown_label", "the label is 'label'"),
    BadRow("label of many lines", b'One,"' + b"1\n" * 99 + b'",web', "unknown_label", "the label is '1\\"),
    BadRow("no label", b"One,,web", "blank_label", "the label is blank, expected 0 or 1"),
    BadRow("label of spaces", b"One,  ,web", "blank_label", "the label is blank"),
    BadRow("label of empty quotes", b'One,"",web', "blank_label", "the label is blank"),
    BadRow("label of a no-break space", "One,\u00a0,web".encode(), "blank_label", "the label is blank"),
    BadRow("text after a quoted word", b'"One" two,1,web', "quoting", _AFTER),
    BadRow("space after a quoted title", b'"One" ,1,web', "quoting", _AFTER),
    BadRow("quotes doubled twice over", b'""One"",1,web', "quoting", _AFTER),
    BadRow("quotes not doubled", b'"One "two" three",1,web', "quoting", _AFTER),
    BadRow("quotes escaped as in C", b'"One \\"two\\"",1,web', "quoting", _AFTER),
    BadRow("text after a quoted label", b'One,"1"st,web', "quoting", _AFTER),
    BadRow("quote that the next row closes", b'"One,1,web\n"Two",1,web', "quoting", _AFTER + ", line {end}"),
    BadRow("NUL after a closing quote", b'"One"\0,1,web', "quoting", _AFTER),
]  # fmt: skip

BAD_TITLES_TWICE = [
    ("two labels in one file", [(0, b"Twice A,0,web"), (0, b"Twice A,1,web")]),
    ("two labels in two files", [(0, b"Twice B,1,web"), (1, b"Twice B,0,web")]),
    ("two labels, one of them twice", [(0, b"Twice C,1,web"), (1, b"Twice C,1,web"), (1, b"Twice C,0,web")]),
    ("two labels, quoted otherwise", [(0, b'"Twice D",1,web'), (1, b"Twice D, 0 ,else")]),
]
"""Rows that are bad because they meet, with the number of their file."""


def _zip() -> bytes:
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
        archive.writestr("a.csv", FILE)
    return stream.getvalue()


_TEXT = "title,label\n" + "".join(f"Новости номер {number},{number % 2}\n" for number in range(100))
_JAPANESE = _TEXT.replace("Новости номер", "見出しの番号")
_GZIP = gzip.compress(
    HEADER + b"".join(random.Random(1).sample([b"%d,1,web\n" % number for number in range(200_000)], 100_000))
)
_NO_HEADER = "the first line must have the columns 'title' and 'label'. Received: {}"
_ENCODED = "the file must be a CSV in UTF-8, plain or gzip. Received: {}. Save it as CSV (UTF-8)."
_BINARY = _ENCODED.format("UTF-16 or binary")
_ELSE = _ENCODED.format("binary, or text in another encoding")
_OPEN = "a quoted field must be closed. Received: a row whose quote is still open {}"

BAD_FILES = [
    BadFile("empty", b"", None, _NO_HEADER.format("an empty file")),
    BadFile("byte order mark alone", b"\xef\xbb\xbf", None, _NO_HEADER.format("an empty file")),
    BadFile("blank lines alone", b"\n\r\n\n", None, _NO_HEADER.format("an empty file")),
    BadFile("empty, named .gz", b"", None, _NO_HEADER.format("an empty file"), "a.csv.gz"),
    BadFile("gzip of nothing", gzip.compress(b""), None, _NO_HEADER.format("an empty file"), "a.csv.gz"),
    BadFile("no header", b"".join(GOOD), 1, _NO_HEADER.format("Headline 0, 0, web")),
    BadFile("no header below blank lines", b"\n\n" + b"".join(GOOD), 3, _NO_HEADER.format("Headline 0, 0, web")),
    BadFile("no column title", FILE.replace(b"title", b"headline"), 1, _NO_HEADER.format("headline, label, source")),
    BadFile("no column label", FILE.replace(b"label", b"clickbait"), 1, _NO_HEADER.format("title, clickbait, source")),
    BadFile("one column", b"title\n" + b"One\n" * 9, 1, _NO_HEADER.format("title. Name the right column with --label")),
    BadFile("columns in capitals", FILE.replace(b"title,label", b"Title,Label"), 1, _NO_HEADER.format("Title, Label")),
    BadFile("columns with spaces", b"title , label\n", 1, _NO_HEADER.format("title ,  label")),
    BadFile("comment first", b"# made by hand\n" + FILE, 1, _NO_HEADER.format("# made by hand")),
    BadFile("separator of Excel first", b"sep=,\n" + FILE, 1, _NO_HEADER.format("sep=")),
    BadFile("title twice", FILE.replace(b"source", b"title"), 1, "'title' more than once in title, label, title"),
    BadFile("label twice", FILE.replace(b"source", b"label"), 1, "'label' more than once in title, label, label"),
    BadFile("another column twice", b"x,title,label,x\n", 1, "'x' more than once in x, title, label, x"),
    BadFile("semicolons", FILE.replace(b",", b";"), 1, _NO_HEADER.format("title;label;source")),
    BadFile("tabs", FILE.replace(b",", b"\t"), 1, _NO_HEADER.format("title\tlabel\tsource")),
    BadFile("bars", FILE.replace(b",", b"|"), 1, _NO_HEADER.format("title|label|source")),
    BadFile("HTML", b"<!DOCTYPE html>\n<title>Not found</title>\n", 1, _NO_HEADER.format("<!DOCTYPE html>")),
    BadFile("JSON", b'[{"title": "One", "label": 1}]\n', 1, _NO_HEADER.format('[{"title": "One"')),
    BadFile("header not UTF-8", b"title,label,stra\xdfe\n", 1, "in UTF-8. Received: title, label, stra\ufffde."),
    BadFile("header with NUL", b"title,la\0bel,source\n", 1, "in UTF-8. Received: title, la\ufffdbel, source."),
    BadFile("header with text after a quote", b'"title"s,label\n', 1, "Received: a line that is no CSV ("),
    BadFile("header with an open quote", b'"title,label\n' + b"".join(GOOD), 1, "Received: a line that is no CSV ("),
    BadFile("header of 1 MiB", b"title,label," + b"x" * 1_048_577 + b"\n", 1, "Received: a line that is no CSV ("),
    BadFile("UTF-16 little-endian, marked", b"\xff\xfe" + _TEXT.encode("utf-16-le"), None, _ENCODED.format("UTF-16")),
    BadFile("UTF-16 big-endian, marked", b"\xfe\xff" + _TEXT.encode("utf-16-be"), None, _ENCODED.format("UTF-16")),
    BadFile("UTF-16 little-endian", FILE.decode().encode("utf-16-le"), None, _BINARY),
    BadFile("UTF-16 big-endian", FILE.decode().encode("utf-16-be"), None, _BINARY),
    BadFile("UTF-16 Cyrillic", _TEXT.encode("utf-16-le"), None, _BINARY),
    BadFile("UTF-16 Japanese", _JAPANESE.encode("utf-16-le"), None, _BINARY),
    BadFile("UTF-16 in gzip", gzip.compress(FILE.decode().encode("utf-16")), None, _ENCODED.format("UTF-16")),
    BadFile("UTF-32 little-endian, marked", FILE.decode().encode("utf-32"), None, _ENCODED.format("UTF-16")),
    BadFile("UTF-32 big-endian", FILE.decode().encode("utf-32-be"), None, _BINARY),
    BadFile("Cyrillic of Windows", _TEXT.encode("cp1251"), None, _ELSE),
    BadFile("Cyrillic KOI8-R", _TEXT.encode("koi8-r"), None, _ELSE),
    BadFile("Cyrillic ISO 8859-5", _TEXT.encode("iso8859-5"), None, _ELSE),
    BadFile("Shift JIS", _JAPANESE.encode("shift-jis"), None, _ELSE),
    BadFile("GB 18030", _JAPANESE.encode("gb18030"), None, _ELSE),
    BadFile("random bytes", random.Random(1).randbytes(9999), None, _BINARY),
    BadFile("PNG", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + random.Random(2).randbytes(999), None, _BINARY),
    BadFile("ZIP, or a spreadsheet", _zip(), None, _ENCODED.format("a ZIP archive or a spreadsheet")),
    BadFile("ZIP in gzip", gzip.compress(_zip()), None, _ENCODED.format("a ZIP archive or a spreadsheet")),
    BadFile("Parquet", b"PAR1\x15\x04\x15" + random.Random(3).randbytes(99), None, _ENCODED.format("Parquet")),
    BadFile("PDF", b"%PDF-1.7\n%abc\n1 0 obj\n", None, _ENCODED.format("PDF")),
    BadFile("bzip2", b"BZh91AY&SY" + random.Random(4).randbytes(99), None, _ENCODED.format("bzip2")),
    BadFile("xz", b"\xfd7zXZ\0\0" + random.Random(5).randbytes(99), None, _ENCODED.format("xz")),
    BadFile("Zstandard", b"\x28\xb5\x2f\xfd" + random.Random(6).randbytes(99), None, _ENCODED.format("Zstandard")),
    BadFile("SQLite", b"SQLite format 3\0" + bytes(99), None, _BINARY),
    BadFile("gzip without its end", _GZIP[:-99], None, "Compressed file ended before"),
    BadFile("gzip of a few bytes", gzip.compress(FILE)[:15], None, "Compressed file ended before"),
    BadFile("gzip with a wrong checksum", _GZIP[:-8] + b"\0\0\0\0" + _GZIP[-4:], None, "CRC check failed"),
    BadFile("gzip with damage", _GZIP[:99_999] + bytes(999) + _GZIP[100_998:], None, "must be a readable CSV in UTF-8"),
    BadFile("gzip with something after it", gzip.compress(FILE) + b"One,1,web\n", None, "Not a gzipped file"),
    BadFile("not gzip, named .gz", FILE, None, "compressed with gzip. Received: something else. Rename", "a.csv.gz"),
    BadFile("open quote in the first row", HEADER + b'"' + b"".join(GOOD), 2, _OPEN.format("at the end of the file")),
    BadFile("open quote in the last row", FILE + b'"One,1,web\n', 102, _OPEN.format("at the end of the file")),
    BadFile("open quote and no newline", FILE + b'One,1,"web', 102, _OPEN.format("at the end of the file")),
    BadFile("quote open for more than 1 MiB", FILE + b'"One,1,web\n' + b"".join(GOOD) * 999, 102, _OPEN.format("58,")),
    BadFile("one line of 16 MiB", b"x" * MAX_LINE_CHARACTERS, 1, "a line must have at most 16,777,216 characters"),
    BadFile("16 MiB without a newline", FILE + b"x" * MAX_LINE_CHARACTERS, 102, "a line must have at most 16,777,216"),
]  # fmt: skip
