"""VersionedPusher: the DAG's last node."""

import contextlib
import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path

import tfx.v1 as tfx
from tfx.types.standard_artifacts import InfraBlessing, Model, ModelBlessing, PushedModel
from tfx.utils import path_utils

from components.versioned_pusher.confirm import confirm_version
from components.versioned_pusher.settings import PushConfig
from serving.versions import version_folder
from serving.versions.object_store import push_to_store
from serving.versions.push import PUSHED, UNCHANGED, push_model
from serving.versions.version_folder import PushError
from trainer import saved_model

logger = logging.getLogger("components")

NOT_BLESSED, NOT_FIT = "not blessed", "infra not blessed"


@tfx.dsl.components.component
def VersionedPusher(  # noqa: N802  components are named as classes
    blessing: tfx.dsl.components.InputArtifact[ModelBlessing],
    infra_blessing: tfx.dsl.components.InputArtifact[InfraBlessing],
    model: tfx.dsl.components.InputArtifact[Model],
    pushed_model: tfx.dsl.components.OutputArtifact[PushedModel],
    serving_model_dir: tfx.dsl.components.Parameter[str],
    run_id: tfx.dsl.components.Parameter[str],
    fingerprint: tfx.dsl.components.Parameter[str],
    settings: tfx.dsl.components.Parameter[str],
):
    """Pushes a model that was blessed by all validations, unless the newest version is that very model.

    TFX's Pusher pushes an unchanged model again, and builds the version under its
    final name, where TF Serving may load half of it.

    What is pushed is what LocalInfraValidator served and scored, with its warm-up requests: that the pushed files are
    the same bytes replaces loading them once more.

    Args:
      blessing: the Evaluator's; its `override` becomes the version's.
      infra_blessing: LocalInfraValidator's, with the warm-up requests.
      model: the candidate.
      pushed_model: `pushed` 1 or 0, `pushed_version`, `pushed_destination`, `confirmed_by` where a server confirmed it,
        `override` where the model failed rules, and `outcome`: `pushed`, `unchanged`, `rolled back`, `not blessed` or
        `infra not blessed`.
      serving_model_dir: the folder of versions that TF Serving watches, or its URL in an object store; its name is the
        model's name there.
      run_id: the run that pushes, for the version's card. It differs in each run, so the cache never skips this node:
        it must look at the folder as it is now.
      fingerprint: of configuration, data and encoder, for the version's card.
      settings: the section `push`, `PushConfig` as JSON.

    Raises:
      PushError: the folder cannot be written, or the server does not confirm the version.
    """
    pushed_model.set_int_custom_property("pushed", 0)
    if not blessing.get_int_custom_property("blessed"):
        pushed_model.set_string_custom_property("outcome", NOT_BLESSED)
        return
    if not infra_blessing.get_int_custom_property("blessed"):
        pushed_model.set_string_custom_property("outcome", NOT_FIT)
        return
    source = path_utils.serving_model_path(model.uri)
    if saved_model.digest(Path(source)) != infra_blessing.get_string_custom_property("digest"):
        raise PushError(
            f"The pushed model must be the one that was served and scored. Received: {source}, which has changed "
            "since. Run again with --fresh."
        )
    config = PushConfig.model_validate_json(settings)
    override = blessing.get_string_custom_property("override")
    push = push_to_store if "://" in serving_model_dir else push_model
    with _stamped(source, infra_blessing.uri, pushed_model.uri) as stamped:
        outcome, version = push(
            stamped,
            serving_model_dir,
            run_id=run_id,
            fingerprint=fingerprint,
            keep_versions=config.keep_versions,
            override=override,
        )
    logger.info("%s: version %s in %s", outcome, version, serving_model_dir)
    if version is not None and outcome in (PUSHED, UNCHANGED) and config.confirm_target:
        confirm_version(config.confirm_target, Path(serving_model_dir).name, version, config.confirm_seconds)
        pushed_model.set_string_custom_property("confirmed_by", config.confirm_target)
    pushed_model.set_int_custom_property("pushed", int(outcome == PUSHED))
    if override:
        pushed_model.set_string_custom_property("override", override)
    if version is not None:
        pushed_model.set_string_custom_property("pushed_version", str(version))
        pushed_model.set_string_custom_property("pushed_destination", f"{serving_model_dir}/{version}")
    pushed_model.set_string_custom_property("outcome", outcome)


@contextlib.contextmanager
def _stamped(model_dir: str, blessing_dir: str, beside: str) -> Iterator[Path]:
    """Yields the model with the warm-up requests, by hard links in a folder that is removed afterwards."""
    Path(beside).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=beside) as folder:
        stamped = Path(folder, "model")
        version_folder.link_tree(model_dir, stamped)
        version_folder.link_over(Path(blessing_dir, version_folder.EXTRA), stamped / version_folder.EXTRA)
        yield stamped
