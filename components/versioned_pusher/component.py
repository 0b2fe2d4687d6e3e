"""VersionedPusher: the DAG's last node."""

import datetime
import logging
from pathlib import Path

import tfx.v1 as tfx
from tfx.types.standard_artifacts import Model, ModelBlessing, PushedModel
from tfx.utils import path_utils

from components import versions
from trainer.encoders import saved_model

logger = logging.getLogger("components")


@tfx.dsl.components.component
def VersionedPusher(  # noqa: N802  components are named as classes
    model: tfx.dsl.components.InputArtifact[Model],
    eval_blessing: tfx.dsl.components.InputArtifact[ModelBlessing],
    train_blessing: tfx.dsl.components.InputArtifact[ModelBlessing],
    pushed_model: tfx.dsl.components.OutputArtifact[PushedModel],
    serving_model_dir: tfx.dsl.components.Parameter[str],
    run_id: tfx.dsl.components.Parameter[str],
    fingerprint: tfx.dsl.components.Parameter[str],
):
    """Pushes a model that both evaluations blessed, unless the newest version is that very model.

    TFX's Pusher takes one blessing, pushes an unchanged model again, and builds the version under its final name,
    where TF Serving may load half of it.

    Args:
      model: the candidate.
      eval_blessing: of the held-out rows.
      train_blessing: of the training rows.
      pushed_model: `pushed` 1 or 0, `pushed_version`, `pushed_destination`, and `outcome`: `pushed`, `unchanged` or
        `not blessed`.
      serving_model_dir: the folder of versions that TF Serving watches.
      run_id: the run that pushes, for the version's card. It differs in each run, so the cache never skips this node:
        it must look at the folder as it is now.
      fingerprint: of configuration, data and encoder, for the version's card.
    """
    pushed_model.set_int_custom_property("pushed", 0)
    if not all(one.get_int_custom_property("blessed") for one in (eval_blessing, train_blessing)):
        pushed_model.set_string_custom_property("outcome", "not blessed")
        return
    source = path_utils.serving_model_path(model.uri)
    digest = saved_model.digest(Path(source))
    known = versions.list_versions(serving_model_dir)
    newest = versions.read_card(serving_model_dir, known[-1]) if known else None
    if newest and newest.digest == digest:
        outcome, version = "unchanged", known[-1]
    else:
        now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
        card = versions.VersionCard(digest=digest, run_id=run_id, fingerprint=fingerprint, pushed_at=now)
        outcome, version = "pushed", versions.write_version(source, serving_model_dir, card)
        pushed_model.set_int_custom_property("pushed", 1)
    logger.info("%s: version %d in %s", outcome, version, serving_model_dir)
    pushed_model.set_string_custom_property("pushed_version", str(version))
    pushed_model.set_string_custom_property("pushed_destination", f"{serving_model_dir}/{version}")
    pushed_model.set_string_custom_property("outcome", outcome)
