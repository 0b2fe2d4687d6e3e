"""LatestBlessedModel: a component and no TFX Resolver, because open-source Kubeflow Pipelines runs no resolvers."""

from pathlib import Path

import tfx.v1 as tfx
from tfx.types.standard_artifacts import Model
from tfx.utils import path_utils

from serving.versions import version_folder
from serving.versions.object_store import fetch_version

NONE = "none"


@tfx.dsl.components.component
def LatestBlessedModel(  # noqa: N802  components are named as classes
    model: tfx.dsl.components.OutputArtifact[Model],
    serving_model_dir: tfx.dsl.components.Parameter[str],
    version: tfx.dsl.components.Parameter[str],
):
    """Emits the last model that was blessed: what is not blessed is not pushed, so it is the newest version.

    Args:
      model: the baseline, hard-linked; an empty folder when there is none.
      serving_model_dir: the folder of versions that TF Serving watches, or its URL in an object store.
      version: its number, or `none`: whoever runs it knows the newest, so that the cache sees a change.
    """
    Path(model.uri).mkdir(parents=True, exist_ok=True)
    target = Path(path_utils.serving_model_dir(model.uri))
    if version != NONE and "://" in serving_model_dir:
        fetch_version(serving_model_dir, version, target)
    elif version != NONE:
        version_folder.link_tree(Path(serving_model_dir) / version, target)
    model.set_string_custom_property("version", version)
