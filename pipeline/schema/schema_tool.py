"""`clickbait schema`: a change of the data becomes a change of the schema, for review."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from google.protobuf import text_format

from components.errors import DataRefused
from pipeline.config.paths import SCHEMA_FILE
from pipeline.config.pipeline_config import PipelineConfig
from pipeline.inputs import choose_data, choose_schema
from pipeline.schema.schema_text import edit_schema, parse_schema
from pipeline.terminal import quiet
from serving.whole_file import write_whole

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

    from pipeline.schema.statistics import Finding


class SchemaError(Exception):
    """The schema cannot be read or written."""

    exit_code = 2


@dataclasses.dataclass(frozen=True)
class Comparison:
    """A schema against data."""

    data: str
    """The data and its number of rows, for people."""
    findings: Sequence[Finding]
    """What does not fit the schema."""
    remaining: Sequence[Finding]
    """What would not fit the updated schema either."""
    schema_file: Path
    text: str
    updated: str
    """The schema's text, changed to allow the data."""

    @property
    def diff(self) -> str:
        """The diff from the schema to the updated one; empty when they are equal."""
        name = str(self.schema_file)
        lines = difflib.unified_diff(
            self.text.splitlines(), self.updated.splitlines(), name, f"{name} (updated)", lineterm=""
        )
        return "\n".join(lines)

    def write(self) -> None:
        """Replaces the schema's file by the updated schema, see `write_schema`."""
        write_schema(self.schema_file, self.updated)


def infer_schema(config: PipelineConfig) -> str:
    """Returns the text of the schema with the presences and domains of the data.

    What cannot be inferred is kept from the schema: the shapes, the derived features, the comparators.

    Args:
      config: chooses the data, and the schema to start from; the committed one if there is no such file.

    Raises:
      SchemaError: the file holds no schema.
      InputError: the data cannot be read.
      DataRefused: the data has no row.
    """
    given = Path(config.data.schema_file or SCHEMA_FILE).expanduser()
    with quiet():
        text, schema = _read(given if given.exists() else SCHEMA_FILE)
        data, statistics = _statistics(config, schema)
        from pipeline.schema.statistics import inferred

        return f"# Inferred from {data}.\n{edit_schema(text, inferred(schema, statistics))}"


def compare_schema(config: PipelineConfig) -> Comparison:
    """Compares data with a schema.

    Args:
      config: chooses the data and the schema.

    Raises:
      SchemaError: the file holds no schema.
      InputError: the data or the schema cannot be read.
      DataRefused: the data has no row.
    """
    schema_file = choose_schema(config).path
    with quiet():
        text, schema = _read(schema_file)
        data, statistics = _statistics(config, schema)
        from pipeline.schema.statistics import find, updated

        after = updated(schema, statistics)
        return Comparison(
            data=data,
            findings=find(statistics, schema),
            remaining=find(statistics, after),
            schema_file=schema_file,
            text=text,
            updated=edit_schema(text, after),
        )


def write_schema(schema_file: Path, text: str) -> None:
    """Replaces the file, whole or not at all.

    Raises:
      SchemaError: the file cannot be written.
    """
    try:
        write_whole(schema_file.resolve(), text)  # a link stays one
    except OSError as error:
        raise SchemaError(f"The schema must be writable. Received: {schema_file}: {error.strerror}.") from error


def _statistics(
    config: PipelineConfig, schema: schema_pb2.Schema
) -> tuple[str, statistics_pb2.DatasetFeatureStatisticsList]:
    """Returns the data's description, and the statistics of all its accepted rows."""
    from pipeline.schema.statistics import compute_statistics

    data = choose_data(config)
    statistics, rejected = compute_statistics(data.paths, config.data, schema)
    rows = statistics.datasets[0].num_examples
    if not rows:
        raise DataRefused(
            f"The data must have accepted rows to compare with a schema. Received: {data.description}, which has none."
        )
    without = f", without {rejected:,} that are rejected" if rejected else ""
    return f"{data.description}: {rows:,} rows{without}", statistics


def _read(schema_file: Path) -> tuple[str, schema_pb2.Schema]:
    try:
        text = schema_file.read_text(encoding="utf-8")
        return text, parse_schema(text)
    except OSError as error:
        raise SchemaError(f"The schema must be readable. Received: {schema_file}: {error.strerror}.") from error
    except (UnicodeDecodeError, text_format.ParseError) as error:
        raise SchemaError(
            f"The schema must be a tensorflow_metadata.proto.v0.Schema as text. Received: {schema_file}: {error}."
        ) from error
