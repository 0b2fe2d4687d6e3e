"""The inputs of a compiled run: constants for the cluster, and the parameters' values for this machine."""

from __future__ import annotations

import dataclasses
import hashlib
import tempfile
from collections.abc import Sequence
from pathlib import Path

from components.challenges import ChallengeConfig, ChallengeSource, sources_to_json
from components.errors import InputError
from components.headline_example_gen.files import CsvInput
from components.headline_example_gen.settings import LOCATIONS, NOT_THE_ROWS
from components.labelled_csv.digests import file_digest
from components.labelled_csv.rows import read_header
from kubeflow.spec.messages import Json
from kubeflow.spec.parameters import default_values
from pipeline.config.paths import OutputPaths
from pipeline.config.pipeline_config import PipelineConfig
from pipeline.inputs import (
    NOT_THE_MODEL,
    ChallengeInputs,
    DataSource,
    RunInputs,
    choose_behaviours,
    choose_challenges,
    choose_data,
    choose_schema,
)
from serving.versions.stores import download, is_url

#: Kubeflow Pipelines puts the run's id in its place.
RUN_ID = "{{$.pipeline_job_uuid}}"

_LATEST = "latest"


def cluster_inputs(config: PipelineConfig) -> RunInputs:
    """Returns what no parameter says: nothing of this machine, and nothing that is known only when a run starts.

    Raises:
      InputError: a challenge is on this machine, or has not the columns.
      StoreError: a challenge cannot be read.
    """
    schema = choose_schema(config)
    text = schema.path.read_text(encoding="utf-8")
    data = DataSource(CsvInput("", "", ()), "given", "")
    behaviours = choose_behaviours(config.evaluation, data)
    columns = config.data.slice_columns
    challenges = [_read_challenge(challenge, columns) for challenge in config.evaluation.challenges or ()]
    return RunInputs(
        run_id=RUN_ID,
        data=data,
        schema=dataclasses.replace(schema, path=schema.path.relative_to(schema.path.parent), text=text),
        encoder_digest=config.encoder.digest or "",
        data_fingerprint=_digest(config.data.model_dump_json(exclude={*LOCATIONS, *NOT_THE_ROWS})),
        accepted_data=None,
        accepted_baseline=_LATEST,
        baseline_version="",
        fingerprint=_digest(
            config.model_dump_json(
                exclude={
                    "data": {*NOT_THE_ROWS},
                    "evaluation": {"behaviours": True, "challenges": {"__all__": {*NOT_THE_ROWS}}},
                    **dict.fromkeys(NOT_THE_MODEL, True),
                }
            ),
            schema.digest,
            *([behaviours] if behaviours else []),
        ),
        infra_attempt="",
        bulk_digest="",
        behaviours=behaviours,
        challenges=ChallengeInputs(
            tuple(settings for settings, _ in challenges), tuple(source for _, source in challenges)
        ),
    )


def _read_challenge(
    challenge: ChallengeConfig, slice_columns: Sequence[str]
) -> tuple[ChallengeConfig, ChallengeSource]:
    """Returns a challenge with its columns of slices, and where a cluster finds it.

    With the digest, by which the cluster's cache goes.
    """
    url = challenge.path
    if not is_url(url):
        raise InputError(
            "A challenge of a compiled pipeline must be in an object store (s3://, gs:// or minio://), for a cluster "
            f"does not see this machine's files. Received: {challenge.name}={url}. Upload it, and give its URL."
        )
    with tempfile.TemporaryDirectory(prefix="clickbait-") as folder:
        copy = Path(folder, url.rpartition("/")[2] or "files")
        download(url, copy)
        if not copy.is_file():
            raise InputError(
                f"A challenge must be one CSV file. Received: {challenge.name}={url}, which is not one. Give its URL."
            )
        try:
            header = read_header(str(copy), challenge)
        except InputError as error:
            raise InputError(str(error).replace(str(copy), url)) from None
        source = ChallengeSource(name=challenge.name, path=url, sha256=file_digest(str(copy)))
        return challenge.with_slices(header, slice_columns), source


def local_values(config: PipelineConfig) -> tuple[DataSource, dict[str, Json]]:
    """Returns the data that this machine has, and the values of all parameters for a run on it.

    Raises:
      InputError: the data is not there or has not the columns.
    """
    data, paths = choose_data(config), OutputPaths.of(config)
    given = bool(config.evaluation.challenges)  # what was fetched is not in the spec
    values: dict[str, Json] = {
        "push_destination": str(paths.serving_model),
        # Invented headlines are no measure of anybody's data, nor the other way round.
        "accepted_data": str(paths.accepted_data / ("sample" if data.origin == "sample" else "data")),
        **default_values(config),
        "data": config.data.path or data.csv.paths[0],
        "data_digest": data.digest,
        **({"challenges": sources_to_json(choose_challenges(config, data).sources)} if given else {}),
    }
    return data, values


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
