"""What a run starts from: the data, the encoder and the baseline that its configuration leads to today."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
from pathlib import Path

from components import versions
from components.headline_example_gen.files import CsvInput, data_digest, find_csv_files
from components.headline_example_gen.rows import read_header
from data.fetch import DEFAULT_DESTINATION
from pipeline.config import PipelineConfig
from pipeline.paths import SAMPLE_FILE, OutputPaths
from trainer.encoders.resolve import ResolvedEncoder, resolve_encoder


@dataclasses.dataclass(frozen=True)
class DataSource:
    """The CSV files of a run and how they were chosen."""

    csv: CsvInput
    origin: str
    """`given`, `fetched` or `sample`."""
    digest: str

    @property
    def description(self) -> str:
        """For a person: which data, and why these."""
        # The first line of a run says which data it takes, and why.
        files = self.csv.paths[0] if len(self.csv.paths) == 1 else f"{len(self.csv.paths)} files in {self.csv.base}"
        reasons = {
            "given": "by --data",
            "fetched": "Stop Clickbait, fetched",
            "sample": "the bundled sample: no --data, none fetched (`clickbait fetch` gets 32,000 rows)",
        }
        return f"{_short(files)} · {reasons[self.origin]}"


@dataclasses.dataclass(frozen=True)
class RunInputs:
    """One run's start."""

    run_id: str
    data: DataSource
    encoder: ResolvedEncoder
    baseline_version: str
    """Version of the serving folder to compare with, or `none`."""
    fingerprint: str
    """Equal for runs of one configuration, data and encoder."""


def prepare_inputs(config: PipelineConfig, run_id: str | None = None, data: DataSource | None = None) -> RunInputs:
    """Finds what the configuration leads to, building or fetching the encoder if this machine has it not yet.

    Args:
      config: everything a run can be told.
      run_id: the run's id; a new one when not given.
      data: from `choose_data`; chosen when not given.

    Raises:
      InputError: the data is not there or has not the columns.
      EncoderError: the encoder cannot be had.
    """
    data = data or choose_data(config)
    encoder = resolve_encoder(config.encoder.source, offline=config.encoder.offline)
    fingerprint = _fingerprint(config, data, encoder)
    return RunInputs(
        run_id=run_id or new_run_id(),
        data=data,
        encoder=encoder,
        baseline_version=choose_baseline(OutputPaths.of(config).serving_model, fingerprint),
        fingerprint=fingerprint,
    )


def choose_data(config: PipelineConfig) -> DataSource:
    """`--data` if given, else the fetched CSV, else the bundled sample.

    Raises:
      InputError: nothing is there, or a file has not the columns.
    """
    if config.data.path is not None:
        origin, path = "given", config.data.path
    elif DEFAULT_DESTINATION.is_file():
        origin, path = "fetched", str(DEFAULT_DESTINATION)
    else:
        origin, path = "sample", str(SAMPLE_FILE)
    csv = find_csv_files(path)
    for file in csv.paths:
        read_header(file, config.data.text_column, config.data.label_column)
    return DataSource(csv, origin, data_digest(csv.paths))


def choose_baseline(serving_model_dir: Path, fingerprint: str) -> str:
    """The newest pushed version that another configuration, data or encoder made; `none` without one.

    A rerun of the same thing is thus compared with what the first run was compared with, and finds all its components
    in the cache, instead of evaluating the model against itself.
    """
    for version in reversed(versions.list_blessed(serving_model_dir)):
        if versions.read_card(serving_model_dir, version).fingerprint != fingerprint:
            return str(version)
    return "none"


def new_run_id() -> str:
    """Sorts by time, to the microsecond, so that no two are equal."""
    now = datetime.datetime.now(datetime.timezone.utc)
    return f"{now:%Y%m%d-%H%M%S}-{now.microsecond:05x}"


def _fingerprint(config: PipelineConfig, data: DataSource, encoder: ResolvedEncoder) -> str:
    settings = config.model_dump_json(exclude={"output": True, "cache": True, "data": {"path"}, "encoder": True})
    return hashlib.sha256("\n".join([settings, data.digest, encoder.digest]).encode()).hexdigest()


def _short(path: str) -> str:
    place = Path(path)
    return str(place.relative_to(Path.cwd())) if place.is_relative_to(Path.cwd()) else path
