"""LocalInfraValidator: the last validation before the push."""

import logging
from pathlib import Path

import tfx.v1 as tfx
from tfx.types.standard_artifacts import Examples, InfraBlessing, Model
from tfx.utils import path_utils

from components.local_infra_validator.expected_scores import read_titles
from components.local_infra_validator.policy import FAIL, InfraConfig, describe
from components.local_infra_validator.validate import validate_model
from trainer import features

logger = logging.getLogger("components")


@tfx.dsl.components.component
def LocalInfraValidator(  # noqa: N802  components are named as classes
    model: tfx.dsl.components.InputArtifact[Model],
    examples: tfx.dsl.components.InputArtifact[Examples],
    blessing: tfx.dsl.components.OutputArtifact[InfraBlessing],
    policy: tfx.dsl.components.Parameter[str],
    model_name: tfx.dsl.components.Parameter[str] = "clickbait",
    attempt: tfx.dsl.components.Parameter[str] = "",
):
    """Serves the model by a real server process and sends it golden headlines over gRPC in both signatures.

    TFX's InfraValidator knows Docker and Kubernetes only, and looks at nothing but whether an answer comes.

    As the evaluators do, it ends well and withholds its blessing from a model that fails a rule.

    Args:
      model: the candidate.
      examples: rows of whose evaluation split are scored.
      blessing: `blessed` 1 or 0, and `digest` of the model; in its folder `verdict.json`, `server.log`, and under
        `assets.extra` the warm-up requests that the model was served with. TFX's InfraValidator keeps the whole model
        there, which a cluster would copy for each task that reads the blessing.
      policy: `InfraConfig` as JSON.
      model_name: what the server calls the model.
      attempt: another text makes the cache miss an earlier result, of another server or on a bad day.

    Raises:
      ServerUnavailable: there is no server of the kind that the policy asks for.
    """
    config = InfraConfig.model_validate_json(policy)
    folder = Path(blessing.uri)
    folder.mkdir(parents=True, exist_ok=True)
    verdict = validate_model(
        path_utils.serving_model_path(model.uri),
        folder,
        read_titles(f"{examples.uri}/Split-{features.EVAL_SPLIT}", config.golden_rows),
        config,
        model_name,
    )
    for finding in verdict.findings:
        logger.log(logging.WARNING if finding.outcome == FAIL else logging.INFO, "%s", describe(finding))
    blessed = verdict.blessed
    (folder / ("INFRA_BLESSED" if blessed else "INFRA_NOT_BLESSED")).touch()
    blessing.set_int_custom_property("blessed", int(blessed))
    blessing.set_string_custom_property("digest", verdict.digest)
