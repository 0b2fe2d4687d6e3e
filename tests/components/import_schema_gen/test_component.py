"""The schema becomes an artifact byte for byte, and what is no schema is refused."""

import trainer.tensorflow_setup.keras_policy  # noqa: F401  isort: skip

from pathlib import Path

import pytest

from components.errors import InputError

pytestmark = pytest.mark.slow


@pytest.fixture
def import_schema(tmp_path):
    import tfx.v1 as tfx

    from components.import_schema_gen.component import ImportSchemaGen

    def run(text: str) -> str:
        (tmp_path / "mine.pbtxt").write_text(text, encoding="utf-8")
        schema = tfx.types.standard_artifacts.Schema()
        schema.uri = str(tmp_path / "schema")
        component = ImportSchemaGen(schema_file=str(tmp_path / "mine.pbtxt"), content_digest="sha256:1")
        executor = component.EXECUTOR_SPEC.executor_class()
        executor.Do({}, {"schema": [schema]}, dict(component.exec_properties))
        return Path(schema.uri, "schema.pbtxt").read_text(encoding="utf-8")

    return run


def test_comments_and_all(import_schema):
    text = '# Ours “as is”.\nfeature { name: "title" type: BYTES }\n'
    assert import_schema(text) == text


def test_what_is_no_schema_is_refused_by_file_and_place(import_schema):
    with pytest.raises(InputError, match=r"mine\.pbtxt: the schema must be a .*Schema.* Received: 2:1"):
        import_schema("\nfeatures {}\n")
