"""BulkExampleGen: the optional root for texts that the run scores."""

import tfx.v1 as tfx
from tfx.types import artifact_utils
from tfx.types.standard_artifacts import Examples

from components.bulk_example_gen import BULK_SPLIT
from components.bulk_example_gen.settings import BulkConfig
from components.bulk_example_gen.write import write_examples


@tfx.dsl.components.component
def BulkExampleGen(  # noqa: N802  components are named as classes
    examples: tfx.dsl.components.OutputArtifact[Examples],
    settings: tfx.dsl.components.Parameter[str],
    content_digest: tfx.dsl.components.Parameter[str],
):
    """Reads what `clickbait predict --input` reads, into tf.Examples with `title` (bytes) and `row` (int64, from 0).

    TFX's CsvExampleGen would turn a column of numeric titles into numbers, and reads no quoted line break.

    Args:
      examples: one split, `bulk`; the property `rows` has their number.
      settings: the section `bulk`, `BulkConfig` as JSON, with a file.
      content_digest: sha256 of the file. The cache goes by it.

    Raises:
      FileError: the file cannot be read, a row has no text, or the file has changed.
    """
    folder = artifact_utils.get_split_uri([_with_split(examples)], BULK_SPLIT)
    bulk = BulkConfig.model_validate_json(settings)
    assert bulk.path is not None  # else it is not in the DAG
    examples.set_int_custom_property("rows", write_examples(bulk.path, bulk.text_column, content_digest, folder))


def _with_split(examples: Examples) -> Examples:
    examples.split_names = artifact_utils.encode_split_names([BULK_SPLIT])
    return examples
