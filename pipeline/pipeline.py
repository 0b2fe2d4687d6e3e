"""The DAG, whole: from CSV files to a version that TF Serving loads."""

from __future__ import annotations

import components.lean_tfx  # noqa: F401  isort: skip
import trainer.tensorflow_setup.keras_policy  # noqa: F401  isort: skip
from trainer.tensorflow_setup import threads  # noqa: F401  isort: skip

from collections.abc import Mapping
from typing import Any

import tfx.v1 as tfx
from tfx.components.example_validator.component import ExampleValidator

from components.baseline_scorer.component import BaselineScorer
from components.bulk_example_gen.component import BulkExampleGen
from components.bulk_inferrer.component import BulkInferrer
from components.challenge_example_gen.component import ChallengeExampleGen
from components.challenges import settings_to_json, sources_to_json
from components.data_gate.component import DataGate
from components.evaluator.component import Evaluator
from components.evaluator.policy import BOUNDS
from components.headline_example_gen.component import HeadlineExampleGen
from components.import_schema_gen.component import ImportSchemaGen
from components.latest_blessed_model.component import LatestBlessedModel
from components.local_infra_validator.component import LocalInfraValidator
from components.model_scorer.component import ModelScorer
from components.statistics_gen.component import StatisticsGen
from components.trainer.component import Trainer
from components.tuner.component import Tuner
from components.variant_example_gen.component import VariantExampleGen
from components.versioned_pusher.component import VersionedPusher
from pipeline.config.beam import BEAM_COMPONENTS, beam_flags, require_known
from pipeline.config.paths import OutputPaths
from pipeline.config.pipeline_config import PipelineConfig
from pipeline.inputs import RunInputs, prepare_inputs
from trainer import features
from trainer.settings import TrainerSettings


def create_pipeline(
    config: PipelineConfig, inputs: RunInputs | None = None, parameters: Mapping[str, Any] = {}
) -> tfx.dsl.Pipeline:
    """Wires the components.

    Args:
      config: all settings of the run.
      inputs: what the run starts from; found by the configuration when not given.
      parameters: RuntimeParameters in place of settings that are known only when a run starts, by their names in
        `kubeflow.spec.parameters`.

    Returns:
      A pipeline for `tfx.orchestration.LocalDagRunner` or, with all parameters, for Kubeflow Pipelines.
    """
    require_known(config.beam)
    inputs = inputs or prepare_inputs(config)
    paths, parameter = OutputPaths.of(config), parameters.get
    serving_model_dir = parameter("push_destination", str(paths.serving_model))

    example_gen = HeadlineExampleGen(
        input_base=inputs.data.csv.base,
        pattern=inputs.data.csv.pattern,
        content_digest=parameter("data_digest", inputs.data.digest),
        location=parameter("data"),
        eval_location=parameter("eval_data", inputs.data.eval_csv and inputs.data.eval_csv.location),
        label_fixes=parameter("label_fixes", inputs.data.label_fixes and inputs.data.label_fixes.location),
        settings=config.data.to_json(),
    )
    schema_gen = ImportSchemaGen(
        schema_file=str(inputs.schema.path), content_digest=inputs.schema.digest, text=inputs.schema.text
    )
    statistics_gen = StatisticsGen(examples=example_gen.outputs["examples"], schema=schema_gen.outputs["schema"])
    example_validator = ExampleValidator(
        statistics=statistics_gen.outputs["statistics"], schema=schema_gen.outputs["schema"]
    )
    # ExampleValidator only reports anomalies; this one stops the run.
    data_gate = DataGate(
        examples=example_gen.outputs["examples"],
        ingest=example_gen.outputs["ingest"],
        statistics=statistics_gen.outputs["statistics"],
        schema=schema_gen.outputs["schema"],
        anomalies=example_validator.outputs["anomalies"],
        policy=config.gate.model_dump_json(),
        train_share=config.data.train_share,
        accepted_dir=parameter("accepted_data", str(inputs.accepted_data)),
        fingerprint=inputs.data_fingerprint,
        description=parameter("data", inputs.data.description),
        baseline=inputs.accepted_baseline,
        content_digest=parameter("data_digest", ""),
    )

    # A component and no Resolver, which open-source Kubeflow Pipelines does not run.
    latest_blessed_model = LatestBlessedModel(
        serving_model_dir=serving_model_dir, version=parameter("baseline_version", inputs.baseline_version)
    )

    # An importable run_fn: a module_file would build and install a wheel at run time.
    settings = TrainerSettings(
        encoder=config.encoder.source,
        encoder_digest=inputs.encoder_digest,
        offline=config.encoder.offline,
        eval_batch_size=config.evaluation.batch_size,
        **config.training.model_dump(),
    ).model_dump()
    tuning = []
    if config.tuner.trials:
        tuning = [
            Tuner(
                tuner_fn="trainer.tuner_fn",
                examples=example_gen.outputs["examples"],
                data_verdict=data_gate.outputs["verdict"],
                train_args=tfx.proto.TrainArgs(splits=[features.TRAIN_SPLIT]),
                custom_config={
                    **settings,
                    "tuner": config.tuner.model_dump(),
                    "directory": str(paths.tuner),
                },
            )
        ]
    trainer = Trainer(
        run_fn="trainer.run_fn",
        examples=example_gen.outputs["examples"],
        data_verdict=data_gate.outputs["verdict"],
        train_args=tfx.proto.TrainArgs(splits=[features.TRAIN_SPLIT]),
        eval_args=tfx.proto.EvalArgs(splits=[features.EVAL_SPLIT]),
        custom_config=settings,
        encoder=parameter("encoder"),
        epochs=parameter("epochs"),
        seed=parameter("seed"),
        hyperparameters=tuning[0].outputs["best_hyperparameters"] if tuning else None,
        base_model=latest_blessed_model.outputs["model"] if config.training.warm_start else None,
    )

    # Each row, and for evaluation its variants, with the scores of all models, which the Evaluator only reads.
    challenges = []
    if inputs.challenges.settings:
        challenges = [
            ChallengeExampleGen(
                examples=example_gen.outputs["examples"],
                settings=settings_to_json(inputs.challenges.settings),
                sources=parameter("challenges", sources_to_json(inputs.challenges.sources)),
            )
        ]
    variant_example_gen = VariantExampleGen(
        examples=example_gen.outputs["examples"],
        data_verdict=data_gate.outputs["verdict"],
        challenges=challenges[0].outputs["challenges"] if challenges else None,
    )
    baseline_scorer = BaselineScorer(examples=variant_example_gen.outputs["variants"])
    model_scorer = ModelScorer(
        examples=baseline_scorer.outputs["scored"],
        model=trainer.outputs["model"],
        baseline_model=latest_blessed_model.outputs["model"],
        batch_rows=config.evaluation.batch_size,
        behaviours=inputs.behaviours,
    )
    evaluator = Evaluator(
        examples=model_scorer.outputs["predictions"],
        policy=config.evaluation.model_dump_json(
            exclude={"batch_size": True, "behaviours": True, "challenges": {"__all__": {"slice_columns"}}}
        ),
        **{name: parameter(name) for name in BOUNDS},
    )
    infra_validator = LocalInfraValidator(
        model=trainer.outputs["model"],
        examples=example_gen.outputs["examples"],
        policy=config.infra.model_dump_json(),
        model_name=config.model_name,
        attempt=inputs.infra_attempt,
    )
    blessings = {
        "blessing": evaluator.outputs["blessing"],
        "infra_blessing": infra_validator.outputs["blessing"],
    }
    pusher = VersionedPusher(
        **blessings,
        model=trainer.outputs["model"],
        serving_model_dir=serving_model_dir,
        run_id=inputs.run_id,
        fingerprint=inputs.fingerprint,
        settings=config.push.model_dump_json(),
    )
    bulk_scoring = []
    if config.bulk.path is not None:
        bulk_example_gen = BulkExampleGen(settings=config.bulk.model_dump_json(), content_digest=inputs.bulk_digest)
        bulk_inferrer = BulkInferrer(
            examples=bulk_example_gen.outputs["examples"], model=trainer.outputs["model"], **blessings
        )
        bulk_scoring = [bulk_example_gen, bulk_inferrer]

    components = [
        example_gen,
        schema_gen,
        statistics_gen,
        example_validator,
        data_gate,
        *tuning,
        trainer,
        latest_blessed_model,
        *challenges,
        variant_example_gen,
        baseline_scorer,
        model_scorer,
        evaluator,
        infra_validator,
        pusher,
        *bulk_scoring,
    ]
    for component in components:
        if component.id in BEAM_COMPONENTS:
            component.with_beam_pipeline_args(beam_flags(config.beam, component.id))

    return tfx.dsl.Pipeline(
        pipeline_name=config.model_name,
        pipeline_root=str(paths.pipeline_root),
        metadata_connection_config=tfx.orchestration.metadata.sqlite_metadata_connection_config(str(paths.metadata)),
        components=components,
        enable_cache=config.cache,
    )
