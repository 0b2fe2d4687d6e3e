"""The schema that is linked from the documentation is that of what runs write."""

from tests.docs.verdict_schema import SCHEMA, UPDATE, make_schema


def test_the_committed_schema_is_that_of_the_types():
    assert SCHEMA.read_text(encoding="utf-8") == make_schema(), f"`{UPDATE}` writes it anew"
