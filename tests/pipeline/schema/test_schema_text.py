"""Editing a schema leaves what has not changed, and loses no comment."""

from __future__ import annotations

import pytest
from google.protobuf import text_format

from pipeline.config.paths import SCHEMA_FILE
from pipeline.schema.schema_text import edit_schema, parse_schema

TEXT = """\
# Of the file. It has a brace { and a "quote.

# Of a.
feature {
  type: BYTES  # Beside the type.
  name: "a"
  # Of the domain,
  # in two lines.
  string_domain {
    name: "a }"
    # Of a value.
    value: "one # not a comment"
    # At the end of the domain.
  }
}

# Of b.
feature { name: "b" type: INT int_domain { min: 1 } }
# Of nothing.
"""


def comments(text: str) -> list[str]:
    return sorted(line.partition("# ")[2] for line in text.splitlines() if "# " in line and '"one' not in line)


@pytest.fixture
def schema():
    return parse_schema(TEXT)


def test_without_a_change_the_text_is_the_same(schema):
    assert edit_schema(TEXT, schema) == TEXT
    committed = SCHEMA_FILE.read_text(encoding="utf-8")
    assert edit_schema(committed, parse_schema(committed)) == committed


def test_a_change_of_the_committed_schema_changes_one_line():
    committed = SCHEMA_FILE.read_text(encoding="utf-8")
    schema = parse_schema(committed)
    schema.feature[2].int_domain.max = 300
    before, after = committed.splitlines(), edit_schema(committed, schema).splitlines()
    assert [pair for pair in zip(before, after, strict=True) if pair[0] != pair[1]] == [
        ("    max: 10000", "    max: 300")
    ]


def test_comments_stay_with_their_fields(schema):
    schema.feature[0].string_domain.value.append("two")
    edited = edit_schema(TEXT, schema)
    assert edited == TEXT.replace(
        """\
  type: BYTES  # Beside the type.
  name: "a"
  # Of the domain,
  # in two lines.
  string_domain {
    name: "a }"
    # Of a value.
    value: "one # not a comment"
    # At the end of the domain.
  }
""",
        """\
  # Beside the type.
  type: BYTES
  name: "a"
  # Of the domain,
  # in two lines.
  # At the end of the domain.
  string_domain {
    name: "a }"
    # Of a value.
    value: "one # not a comment"
    value: "two"
  }
""",
    )


def test_a_comment_outlives_its_field(schema):
    schema.feature[0].ClearField("string_domain")
    edited = edit_schema(TEXT, schema)
    assert parse_schema(edited) == schema
    assert comments(edited) == comments(TEXT)


def test_a_line_that_holds_a_whole_feature_is_written_anew(schema):
    schema.feature[1].int_domain.max = 5
    edited = edit_schema(TEXT, schema)
    assert parse_schema(edited) == schema
    assert edited.startswith(TEXT[: TEXT.index("feature { name")])
    assert edited.endswith("\n# Of nothing.\n")


def test_features_come_and_go(schema):
    del schema.feature[0]
    schema.feature.add(name="c").int_domain.SetInParent()
    schema.string_domain.add(name="d", value=['"quoted"', "ümlaut\n"])
    edited = edit_schema(TEXT, schema)
    assert parse_schema(edited) == schema
    assert "# Of a." in edited
    assert '  value: "ümlaut\\n"' in edited


def test_what_cannot_be_edited_is_written_anew_below_all_comments(schema):
    schema.default_environment.append("SERVING")
    edited = edit_schema(TEXT, schema)
    assert parse_schema(edited) == schema
    assert comments(edited) == comments(TEXT)


def test_text_that_is_no_schema_is_refused():
    with pytest.raises(text_format.ParseError):
        parse_schema("feature {")
