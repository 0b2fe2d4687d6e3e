"""ImportSchemaGen: TFX's caches by the file's path alone, so an updated schema would not be seen."""

from pathlib import Path

import tfx.v1 as tfx
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx.types.standard_artifacts import Schema

from components.errors import InputError

_SCHEMA_FILE = "schema.pbtxt"  # as TFX's components look for it


@tfx.dsl.components.component
def ImportSchemaGen(  # noqa: N802  components are named as classes
    schema: tfx.dsl.components.OutputArtifact[Schema],
    schema_file: tfx.dsl.components.Parameter[str],
    content_digest: tfx.dsl.components.Parameter[str],
    text: tfx.dsl.components.Parameter[str] = "",
):
    """Emits a schema file.

    Args:
      schema: as SchemaGen's.
      schema_file: a `tensorflow_metadata.proto.v0.Schema` as text.
      content_digest: of the file. The cache goes by it.
      text: the schema itself, for a machine that has not the file.

    Raises:
      InputError: the file holds no schema.
    """
    try:
        text = text or Path(schema_file).read_text(encoding="utf-8")
        text_format.Parse(text, schema_pb2.Schema())
    except (UnicodeDecodeError, RecursionError, text_format.ParseError) as error:
        raise InputError(
            f"{schema_file}: the schema must be a tensorflow_metadata.proto.v0.Schema as text. Received: {error}. "
            "See data/schema.pbtxt."
        ) from error
    Path(schema.uri).mkdir(parents=True, exist_ok=True)
    Path(schema.uri, _SCHEMA_FILE).write_text(text, encoding="utf-8")
