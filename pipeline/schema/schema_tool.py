"""`clickbait schema`: a change of the data becomes a change of the schema that a person reviews."""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from components.errors import DataRefused
from pipeline.config.paths import SCHEMA_FILE
from pipeline.config.pipeline_config import PipelineConfig
from pipeline.inputs import choose_data, choose_schema
from pipeline.terminal import captured_output
from trainer import features

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

EXIT_DOES_NOT_FIT = 3

KEPT = (features.TITLE, features.LABEL)
"""What the model reads: exactly one text, and 0 or 1. No data changes that; an update leaves them as they are."""


class SchemaError(Exception):
    """The schema cannot be read or written."""

    exit_code = 2


class Finding(NamedTuple):
    """One rule of the schema that the data breaks."""

    feature: str
    rule: str
    """In TFDV's words."""
    found: str

    def __str__(self) -> str:
        return f"{self.feature}: {self.rule}. {self.found}"


@dataclasses.dataclass(frozen=True)
class Comparison:
    """A schema against data."""

    data: str
    """For a person: which data, and how many rows."""
    findings: Sequence[Finding]
    """What does not fit the schema."""
    remaining: Sequence[Finding]
    """What would not fit the updated schema either."""
    schema_file: Path
    text: str
    updated: str
    """The schema's text, changed to take the data."""

    @property
    def diff(self) -> str:
        """From the schema to the updated one; empty when they are equal."""
        name = str(self.schema_file)
        lines = difflib.unified_diff(
            self.text.splitlines(), self.updated.splitlines(), name, f"{name} (updated)", lineterm=""
        )
        return "\n".join(lines)


def infer_schema(config: PipelineConfig) -> str:
    """The text of the schema with the presences and domains that the data has.

    What no data can say is kept from the schema: the shapes, what is derived, the comparators.

    Args:
      config: says which data, and the schema to start from; the committed one if that is yet to be made.

    Raises:
      SchemaError: the file holds no schema.
      InputError: the data cannot be read.
      DataRefused: the data has no row.
    """
    given = Path(config.data.schema_file or SCHEMA_FILE).expanduser()
    with _quiet():
        text, schema = _read(given if given.exists() else SCHEMA_FILE)
        data, statistics = _statistics(config, schema)
        from pipeline.schema.schema_text import edit_schema

        return f"# Inferred from {data}.\n{edit_schema(text, inferred(schema, statistics))}"


def compare_schema(config: PipelineConfig) -> Comparison:
    """Holds data against a schema.

    Args:
      config: says which data, and which schema.

    Raises:
      SchemaError: the file holds no schema.
      InputError: the data or the schema cannot be read.
      DataRefused: the data has no row.
    """
    schema_file = choose_schema(config).path
    with _quiet():
        text, schema = _read(schema_file)
        data, statistics = _statistics(config, schema)
        from pipeline.schema.schema_text import edit_schema

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
    target = schema_file.resolve()  # a link stays one
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        draft.write_text(text, encoding="utf-8")
        if target.exists():
            draft.chmod(target.stat().st_mode)
        draft.replace(target)
    except OSError as error:
        raise SchemaError(f"The schema must be writable. Received: {schema_file}: {error.strerror}.") from error
    finally:
        with contextlib.suppress(OSError):
            draft.unlink()


def find(statistics: statistics_pb2.DatasetFeatureStatisticsList, schema: schema_pb2.Schema) -> list[Finding]:
    """What TFDV finds in the statistics that the schema does not allow, in the schema's order of features."""
    import tensorflow_data_validation as tfdv

    order = [feature.name for feature in schema.feature]
    found = [
        Finding(name, reason.short_description, reason.description.strip())
        for name, anomaly in tfdv.validate_statistics(statistics, schema).anomaly_info.items()
        for reason in anomaly.reason
    ]
    return sorted(found, key=lambda one: order.index(one.feature) if one.feature in order else len(order))


def updated(schema: schema_pb2.Schema, statistics: statistics_pb2.DatasetFeatureStatisticsList) -> schema_pb2.Schema:
    """TFDV's update of the schema to take the data, but for the features that are `KEPT`."""
    import tensorflow_data_validation as tfdv

    result = tfdv.update_schema(schema, statistics)
    committed = {feature.name: feature for feature in schema.feature}
    for feature in result.feature:
        if feature.name in KEPT and feature.name in committed:
            feature.CopyFrom(committed[feature.name])
    return result


def inferred(schema: schema_pb2.Schema, statistics: statistics_pb2.DatasetFeatureStatisticsList) -> schema_pb2.Schema:
    """The schema with the presences and domains of the data; a feature that it has not is added as TFDV infers it."""
    import tensorflow_data_validation as tfdv

    result = type(schema)()
    result.CopyFrom(schema)
    known = {feature.name: feature for feature in result.feature}
    for found in tfdv.infer_schema(statistics).feature:
        feature = known.get(found.name)
        if feature is None:
            result.feature.add().CopyFrom(found)
            continue
        feature.type = found.type
        if feature.HasField("presence"):
            feature.presence.CopyFrom(found.presence)
        values = _values(statistics, found.name)
        if feature.HasField("int_domain") and values:
            feature.int_domain.min, feature.int_domain.max = min(map(int, values)), max(map(int, values))
        if feature.HasField("string_domain"):
            seen = set(values)
            in_order = [value for value in feature.string_domain.value if value in seen]
            in_order += sorted(seen.difference(in_order))
            feature.string_domain.value[:] = in_order
    return result


def _values(statistics: statistics_pb2.DatasetFeatureStatisticsList, name: str) -> list[str | float]:
    """A feature's values, as far as statistics know them: those of a class, or the least and the greatest number."""
    for feature in statistics.datasets[0].features:
        if name in feature.path.step:
            if feature.HasField("num_stats"):
                return [feature.num_stats.min, feature.num_stats.max]
            return [bucket.label for bucket in feature.string_stats.rank_histogram.buckets]
    return []


def _statistics(
    config: PipelineConfig, schema: schema_pb2.Schema
) -> tuple[str, statistics_pb2.DatasetFeatureStatisticsList]:
    """Which data it is, in words, and the statistics of all its accepted rows."""
    from pipeline.schema.statistics import compute_statistics

    data = choose_data(config)
    statistics, rejected = compute_statistics(data.csv.paths, config.data, schema)
    rows = statistics.datasets[0].num_examples
    if not rows:
        raise DataRefused(
            f"A schema is held against rows that are accepted. Received: {data.description}, which has none."
        )
    without = f", without {rejected:,} that are rejected" if rejected else ""
    return f"{data.description}: {rows:,} rows{without}", statistics


def _read(schema_file: Path) -> tuple[str, schema_pb2.Schema]:
    from google.protobuf import text_format

    from pipeline.schema.schema_text import parse_schema

    try:
        text = schema_file.read_text(encoding="utf-8")
        return text, parse_schema(text)
    except OSError as error:
        raise SchemaError(f"The schema must be readable. Received: {schema_file}: {error.strerror}.") from error
    except (UnicodeDecodeError, text_format.ParseError) as error:
        raise SchemaError(
            f"The schema must be a tensorflow_metadata.proto.v0.Schema as text. Received: {schema_file}: {error}."
        ) from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """What the libraries print goes nowhere."""
    with tempfile.TemporaryDirectory() as folder, captured_output(Path(folder, "log.txt"), verbose=False):
        yield
