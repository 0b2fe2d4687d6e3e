"""The inputs of a run: the data, the encoder and the baseline that its configuration leads to now."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from components.behaviours import read_behaviours
from components.bulk_example_gen.settings import BulkConfig
from components.challenges import ChallengeConfig, ChallengeSource
from components.data_gate import accepted
from components.errors import InputError
from components.evaluator.policy import EvaluationConfig
from components.headline_example_gen.files import CsvInput, data_digest, files_digest, find_csv_files
from components.headline_example_gen.fixes import read_fixes
from components.headline_example_gen.settings import LOCATIONS, NOT_THE_ROWS
from components.headline_example_gen.spans import parse_specs
from components.labelled_csv.digests import file_digest
from components.labelled_csv.rows import read_header
from components.local_infra_validator.servers import identify_server
from data.challenges import find_fetched
from data.fetch import CSV_SHA256, DEFAULT_DESTINATION
from pipeline.config.paths import BEHAVIOURS_FILE, SAMPLE_FILE, SCHEMA_FILE, OutputPaths
from pipeline.config.pipeline_config import PipelineConfig
from pipeline.results.run_folders import new_run_id, newest_refusal
from pipeline.stored_data import Spans, copy_csv_files
from pipeline.terminal import shorten
from serving.client.bulk.files import file_digest as text_digest
from serving.client.bulk.files import open_source
from serving.versions import version_folder
from serving.versions.stores import is_url
from trainer.encoders.resolve import ResolvedEncoder, resolve_encoder

#: Settings that make no other model of the same data. The encoder counts by its digest.
NOT_THE_MODEL = ("output", "cache", "encoder", "infra", "push", "bulk", "monitor", "tracking", "beam", "kubeflow")


@dataclasses.dataclass(frozen=True)
class DataSource:
    """The CSV files of a run and how they were chosen."""

    csv: CsvInput
    origin: str
    """`given`, `fetched` or `sample`."""
    digest: str
    url: str | None = None
    """Where in an object store they were copied from; None for files of this machine."""
    eval_csv: CsvInput | None = None
    """The files of `data.eval_data`, if any."""
    eval_data: str | None = None
    """How they were given."""
    label_fixes: CsvInput | None = None
    """The files of `data.label_fixes`, if any."""
    fixes_digest: str | None = None
    """Of these."""
    fixes: int = 0
    """How many titles they have an answer for."""

    @property
    def paths(self) -> tuple[str, ...]:
        """All files with rows."""
        return (*self.csv.paths, *(self.eval_csv.paths if self.eval_csv else ()))

    @property
    def description(self) -> str:
        """The data and why it was chosen, for people."""
        folder = self.url or self.csv.base
        files = (
            self.url or self.csv.paths[0] if len(self.csv.paths) == 1 else f"{len(self.csv.paths)} files in {folder}"
        )
        reasons = {
            "given": "by --data",
            "fetched": "Stop Clickbait, fetched",
            "sample": "the bundled sample: no --data, none fetched (`clickbait fetch` gets 32,000 rows)",
        }
        evaluated = f", evaluated on {shorten(self.eval_data)} by --eval-data" if self.eval_data else ""
        fixed = f", {self.fixes:,} answers of data.label_fixes" if self.label_fixes else ""
        return f"{shorten(files)} · {self._spans()}{reasons[self.origin]}{evaluated}{fixed}"

    def _spans(self) -> str:
        specs = parse_specs(self.csv.pattern) if self.csv.spans else None
        if specs is None:
            return ""
        names = [
            specs.span_name(span) + (f" version {version}" if version is not None else "")
            for span, version in self.csv.spans
        ]
        return f"{'span' if len(names) == 1 else 'spans'} {', '.join(names)} · "


@dataclasses.dataclass(frozen=True)
class SchemaSource:
    """The schema that the data must fit."""

    path: Path
    digest: str
    text: str = ""
    """The schema itself, for a run on a machine that has not the file; else empty."""


@dataclasses.dataclass(frozen=True)
class ChallengeInputs:
    """The challenges of a run."""

    settings: tuple[ChallengeConfig, ...] = ()
    """Without their bounds, which the Evaluator has, and with their columns of slices."""
    sources: tuple[ChallengeSource, ...] = ()
    """In the order of `settings`."""
    fetched: bool = False
    """Whether they are those of `clickbait fetch --challenges`, which nobody named."""

    @property
    def description(self) -> str:
        """What they are and why they were chosen, for people; empty where there are none."""
        if not self.settings:
            return ""
        folder = shorten(Path(self.sources[0].path).parent) if self.fetched else ""
        reason = f"of {folder}, fetched; --no-challenges leaves them out" if self.fetched else "by --challenge"
        sliced = (
            f"{challenge.name} (slices by {', '.join(challenge.slice_columns)})"
            if challenge.slice_columns
            else challenge.name
            for challenge in self.settings
        )
        return f"{', '.join(sliced)}, from elsewhere · {reason}"


@dataclasses.dataclass(frozen=True)
class RunInputs:
    """The inputs of a run."""

    run_id: str
    data: DataSource
    schema: SchemaSource
    encoder_digest: str
    data_fingerprint: str
    """Equal for runs that read the same data in the same way."""
    accepted_data: Path | None
    """The folder of accepted statistics that the data is compared with and added to; None where a parameter has it."""
    accepted_baseline: str
    """Its entry to measure drift against, or `none`."""
    baseline_version: str
    """Version of the serving folder to compare with, or `none`."""
    fingerprint: str
    """Equal for runs of one configuration, data and encoder."""
    infra_attempt: str
    """What infra validation depends on besides the model: the server, and the newest run that it refused, if any."""
    bulk_digest: str
    """Of the file whose texts are scored; empty where there is none."""
    behaviours: str
    """The cases of `evaluation.behaviours` as JSON; empty where there are none."""
    challenges: ChallengeInputs


@dataclasses.dataclass(frozen=True)
class LocalInputs(RunInputs):
    """The inputs of a run on this machine, which has the encoder."""

    encoder: ResolvedEncoder


def prepare_inputs(
    config: PipelineConfig,
    run_id: str | None = None,
    data: DataSource | None = None,
    challenges: ChallengeInputs | None = None,
) -> LocalInputs:
    """Finds the inputs of a configuration, and builds or fetches the encoder if this machine does not have it yet.

    Args:
      config: all settings of the run.
      run_id: the run's id; a new one when not given.
      data: from `choose_data`; chosen when not given.
      challenges: from `choose_challenges`; chosen when not given.

    Raises:
      InputError: the data, a challenge or the behaviours are not there or have not the columns, or the schema is none.
      ServerUnavailable: there is no server of the kind that is to validate the model.
      FileError: the file to be scored is not there or has not the column.
      EncoderError: the encoder cannot be had.
    """
    data = data or choose_data(config)
    challenges = challenges or choose_challenges(config, data)
    schema = choose_schema(config)
    encoder = resolve_encoder(config.encoder.source, offline=config.encoder.offline, digest=config.encoder.digest)
    paths, behaviours = OutputPaths.of(config), choose_behaviours(config.evaluation, data)
    fingerprint = _digest(
        config.model_dump_json(
            exclude={
                "data": {"path", "eval_data", "label_fixes", *NOT_THE_ROWS},
                "encoder": {"digest"},
                "evaluation": {
                    "bless_anyway": True,
                    "behaviours": True,
                    "challenges": {"__all__": {"path", *NOT_THE_ROWS}},
                },
                **dict.fromkeys(NOT_THE_MODEL, True),
            }
        ),
        data.digest,
        schema.digest,
        encoder.digest,
        *([behaviours] if behaviours else []),
        *(source.sha256 for source in challenges.sources),
    )
    data_fingerprint = _digest(config.data.model_dump_json(exclude={*LOCATIONS, *NOT_THE_ROWS}), data.digest)
    # Invented headlines are no measure of anybody's data, nor the other way round.
    accepted_data = paths.accepted_data / ("sample" if data.origin == "sample" else "data")
    return LocalInputs(
        run_id=run_id or new_run_id(),
        data=data,
        schema=schema,
        encoder=encoder,
        encoder_digest=encoder.digest,
        data_fingerprint=data_fingerprint,
        accepted_data=accepted_data,
        accepted_baseline=choose_accepted(accepted_data, data_fingerprint, config.gate.min_compared_rows),
        baseline_version=choose_baseline(paths.serving_model, fingerprint),
        fingerprint=fingerprint,
        infra_attempt=choose_attempt(paths.runs.parent, identify_server(config.infra.server)),
        bulk_digest=_bulk_digest(config.bulk),
        behaviours=behaviours,
        challenges=challenges,
    )


def choose_data(config: PipelineConfig) -> DataSource:
    """Returns `--data` if given, else the fetched CSV, else the bundled sample; `--eval-data` and `data.label_fixes`.

    Data in an object store is copied into the output.

    Raises:
      InputError: nothing is there, a file has not the columns, or is of both, or an answer of `data.label_fixes` is no
        label.
      StoreError: the store cannot be read.
      OutputError: the output cannot be written.
    """
    if config.data.path is not None:
        origin, path = "given", config.data.path
    elif DEFAULT_DESTINATION.is_file():
        origin, path = "fetched", str(DEFAULT_DESTINATION)
    else:
        origin, path = "sample", str(SAMPLE_FILE)
    spans: Spans = {"window_spans": config.data.window_spans, "last_span": config.data.last_span}
    eval_data = config.data.eval_data
    if eval_data is not None and origin != "given":
        raise InputError(
            f"--eval-data must be given with --data, whose rows train. Received: --eval-data {eval_data} alone. Give "
            "--data."
        )
    url = path if is_url(path) else None
    inputs = OutputPaths.of(config).inputs
    csv = _find_files(path, inputs, spans)
    newest: Spans = {"window_spans": 1, "last_span": None}
    eval_csv = _find_files(eval_data, inputs, newest) if eval_data else None
    label_fixes = config.data.label_fixes
    if label_fixes is not None and is_url(label_fixes):
        label_fixes = copy_csv_files(label_fixes, inputs, **newest).location
    fixes = read_fixes(label_fixes, config.data)
    data = DataSource(
        csv,
        origin,
        "",
        url,
        eval_csv,
        eval_data,
        find_csv_files(label_fixes) if label_fixes else None,
        files_digest(fixes.digests) if fixes.digests else None,
        len(fixes.labels),
    )
    for file in data.paths:
        read_header(file, config.data)
    digest = data_digest(
        csv.paths, eval_csv.paths if eval_csv else (), data.label_fixes.paths if data.label_fixes else ()
    )
    return dataclasses.replace(data, digest=digest)


def _find_files(path: str, inputs: Path, spans: Spans) -> CsvInput:
    return copy_csv_files(path, inputs, **spans) if is_url(path) else find_csv_files(path, **spans)


def choose_challenges(config: PipelineConfig, data: DataSource) -> ChallengeInputs:
    """Returns the challenges that are given, else, beside the fetched headlines, those that were fetched, too.

    A challenge in an object store is copied into the output.

    Args:
      config: all settings of the run.
      data: of the run.

    Raises:
      InputError: a file is not there, is no file, or has not the columns.
      StoreError: the store cannot be read.
      OutputError: the output cannot be written.
    """
    given, folder = config.evaluation.challenges, OutputPaths.of(config).inputs
    fetched = given is None and data.origin == "fetched"
    if given is None:
        given = [ChallengeConfig(name=name, path=str(path)) for name, path in find_fetched()] if fetched else []
    settings, sources = [], []
    for challenge in given:
        csv = _challenge_file(challenge, folder)
        sliced = challenge.with_slices(read_header(csv, challenge), config.data.slice_columns)
        settings.append(sliced.model_copy(update={"min_auc": None, "max_auc_below_linear": None}))
        sources.append(ChallengeSource(name=challenge.name, path=csv, sha256=file_digest(csv)))
    return ChallengeInputs((*settings,), (*sources,), fetched)


def _challenge_file(challenge: ChallengeConfig, folder: Path) -> str:
    """Returns the path of the file of a challenge on this machine."""
    path = Path(challenge.path).expanduser()
    if is_url(challenge.path):
        paths: tuple[str, ...] = copy_csv_files(challenge.path, folder, window_spans=1, last_span=None).paths
    else:
        paths = (str(path.absolute()),) if path.is_file() else ()
    if len(paths) != 1:
        raise InputError(
            f"A challenge must be one CSV file. Received: {challenge.name}={challenge.path}, "
            f"{'which is not one file' if paths or path.exists() else 'where there is nothing'}. Give --challenge "
            f"{challenge.name}=FILE."
        )
    return paths[0]


def choose_schema(config: PipelineConfig) -> SchemaSource:
    """Returns `data.schema_file` if given, else the committed schema.

    Raises:
      InputError: it cannot be read.
    """
    path = Path(config.data.schema_file or SCHEMA_FILE).expanduser().absolute()
    if not path.is_file():
        raise InputError(
            f"The schema must be there. Received: data.schema_file={path}. `clickbait schema infer` makes one."
        )
    try:
        text_format.Parse(path.read_text(encoding="utf-8"), schema_pb2.Schema())
    except (OSError, UnicodeDecodeError, RecursionError, text_format.ParseError) as error:
        raise InputError(
            f"{path}: the schema must be a tensorflow_metadata.proto.v0.Schema as text. Received: {error}. See "
            "data/schema.pbtxt."
        ) from error
    return SchemaSource(path, file_digest(str(path)))


def choose_behaviours(settings: EvaluationConfig, data: DataSource) -> str:
    """Returns the cases of `evaluation.behaviours` as JSON; empty where there are none.

    Raises:
      InputError: they cannot be read, or `min_behaviours_passed` names a group that is not among them.
    """
    path = settings.behaviours
    is_stop_clickbait = data.origin == "fetched" or data.digest == f"sha256:{CSV_SHA256}"
    if path == "auto":
        path = "english" if is_stop_clickbait else None
    found = read_behaviours(BEHAVIOURS_FILE if path == "english" else path) if path else None
    known = [group.group for group in found.groups] if found else []
    if unknown := [name for name in settings.min_behaviours_passed if name not in known]:
        raise InputError(
            f"evaluation.min_behaviours_passed must name groups of evaluation.behaviours. Received: {unknown[0]!r}; "
            f"there are {', '.join(map(repr, known)) or 'none; behaviours=english has some'}."
        )
    return found.model_dump_json(exclude_defaults=True) if found else ""


def choose_accepted(folder: Path, data_fingerprint: str, min_rows: int) -> str:
    """Returns the number of the newest accepted statistics of other data with enough rows, or `none`.

    A rerun names what the first run named, and so finds the gate in the cache.
    """
    known = accepted.list_accepted(folder)
    others = [entry for entry in known if entry.fingerprint != data_fingerprint and entry.rows >= min_rows]
    return str(others[-1].number) if others else "none"


def choose_baseline(serving_model_dir: Path, fingerprint: str) -> str:
    """Returns the newest pushed version of another configuration, data or encoder, or `none`.

    A rerun of the same thing is thus compared with what the first run was compared with, and finds all its components
    in the cache, instead of evaluating the model against itself.
    """
    for version in reversed(version_folder.list_blessed(serving_model_dir)):
        card = version_folder.read_card(serving_model_dir, version)
        if card and card.fingerprint != fingerprint:
            return str(version)
    return "none"


def choose_attempt(output: Path, server: str) -> str:
    """Returns a text that differs for another server, and after a refusal, for which the machine may be the cause.

    A rerun of a refused model validates again, and a rerun of that does not.
    """
    return f"{server}, after {newest_refusal(output) or 'none'}"


def _bulk_digest(bulk: BulkConfig) -> str:
    if bulk.path is None:
        return ""
    source = open_source(bulk.path, bulk.text_column, option="bulk.path")
    next(source.chunks(1), None)  # a file that lacks the column is refused before anything is trained
    return text_digest(bulk.path)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
