"""LatestBlessedModel: a component and no TFX Resolver, because open-source Kubeflow Pipelines runs no resolvers."""

from pathlib import Path

import tfx.v1 as tfx
from tfx.types.standard_artifacts import Model
from tfx.utils import path_utils

from serving.versions import version_folder
from serving.versions.object_store import fetch_blessed

LATEST = "latest"
NONE = "none"


@tfx.dsl.components.component
def LatestBlessedModel(  # noqa: N802  components are named as classes
    model: tfx.dsl.components.OutputArtifact[Model],
    serving_model_dir: tfx.dsl.components.Parameter[str],
    version: tfx.dsl.components.Parameter[str] = LATEST,
):
    """Emits the last model that was blessed: what is not blessed is not pushed, so it is the newest version.

    Args:
      model: the baseline, hard-linked; an empty folder when there is none.
      serving_model_dir: the folder of versions that TF Serving watches, or its URL in an object store.
      version: `latest`, `none`, or a number. A runner that knows the version passes it, for the cache to see a change.
    """
    if "://" in serving_model_dir:
        fetched = fetch_blessed(serving_model_dir, version, Path(path_utils.serving_model_dir(model.uri)))
        model.set_string_custom_property("version", fetched)
        return
    known = version_folder.list_blessed(serving_model_dir)
    if version == LATEST:
        version = str(known[-1]) if known else NONE
    Path(model.uri).mkdir(parents=True, exist_ok=True)
    if version != NONE:
        version_folder.link_tree(Path(serving_model_dir) / version, path_utils.serving_model_dir(model.uri))
    model.set_string_custom_property("version", version)
