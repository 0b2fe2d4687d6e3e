"""NewestVersion: looks at what is served, so that LatestBlessedModel need not be run and copied for each run."""

import tfx.v1 as tfx
from tfx.types.standard_artifacts import String

from components.latest_blessed_model.component import NONE
from serving.versions import version_folder
from serving.versions.object_store import newest_blessed


@tfx.dsl.components.component
def NewestVersion(  # noqa: N802  components are named as classes
    version: tfx.dsl.components.OutputArtifact[String],
    serving_model_dir: tfx.dsl.components.Parameter[str],
) -> None:
    """Emits the newest version that was blessed: a parameter of the next task, so that the cache goes by it.

    `clickbait run` knows the version before the run starts.

    Args:
      version: its number; `none` where there is none.
      serving_model_dir: the folder of versions that TF Serving watches, or its URL in an object store.
    """
    if "://" in serving_model_dir:
        newest = newest_blessed(serving_model_dir)
    else:
        newest = max(version_folder.list_blessed(serving_model_dir), default=None)
    version.value = NONE if newest is None else str(newest)
