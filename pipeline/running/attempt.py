"""The life of a run, here or in a rehearsal: its folder, its log, and the verdict at its end."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import os
import time
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from components.data_gate.policy import GateVerdict
from components.errors import DataRefused, describe_failure
from pipeline.config.paths import OutputPaths
from pipeline.config.pipeline_config import PipelineConfig
from pipeline.inputs import DataSource, SchemaSource, choose_schema
from pipeline.results import run_folders
from pipeline.results.summary import print_head, print_summary
from pipeline.results.verdict import SCHEMA_VERSION, Data, Encoder, Timing, Verdict, write_verdict
from pipeline.terminal import Terminal, captured_output

EXIT_INTERRUPTED = 130


@dataclasses.dataclass
class Attempt:
    """A run in progress."""

    run_id: str
    folder: Path
    verdict: Verdict
    """As far as it is known."""
    earlier: run_folders.Runs
    """The verdicts of the runs before it."""
    terminal: Terminal
    began: float
    """By the clock `time.monotonic`."""

    @contextlib.contextmanager
    def judged(self, timings: Mapping[str, Timing], resume: str) -> Iterator[None]:
        """Records the end of the run in its verdict, and writes it whatever happens.

        Args:
          timings: of the components, filled while they run.
          resume: how to continue an interrupted run, as its reason.
        """
        try:
            yield
        except DataRefused as error:
            gate = GateVerdict.from_dict({"accepted": False, "findings": error.findings})
            self._end("refused", error.exit_code, str(error))
            from pipeline.results.diagnosis import cause_of

            self.verdict = replace(self.verdict, gate=gate)
            self.verdict = replace(self.verdict, cause=cause_of(self.verdict))
        except KeyboardInterrupt:
            self._end("interrupted", EXIT_INTERRUPTED, resume)
        except Exception as error:
            os.write(2, traceback.format_exc().encode())  # into the log, whatever sys.stderr is
            exit_code, reason = describe_failure(error)
            self._end("failed", exit_code, reason)
        finally:
            seconds = round(time.monotonic() - self.began, 2)
            self.verdict = replace(self.verdict, components=dict(timings), seconds=seconds)
            write_verdict(self.folder, self.verdict)

    def print_outcome(self) -> int:
        """Prints the verdict, and returns the command's exit code."""
        failed = self.verdict.status in ("failed", "refused")
        print_summary(self.terminal.err if failed else self.terminal.out, self.verdict, self.folder)
        return self.verdict.exit_code or 0

    def _end(self, status: str, exit_code: int, reason: str) -> None:
        self.verdict = replace(self.verdict, status=status, exit_code=exit_code, reason=reason)


def open_verdict(config: PipelineConfig, run_id: str, data: DataSource, schema: SchemaSource) -> Verdict:
    """Returns the verdict before any component has run."""
    source = {
        "origin": data.origin,
        "description": data.description,
        "files": [*data.paths, *(data.label_fixes.paths if data.label_fixes else ())],
        "sha256": data.digest,
        "label_fixes_sha256": data.fixes_digest,
        "schema_sha256": schema.digest,
    }
    return Verdict(
        schema_version=SCHEMA_VERSION,
        run_id=run_id,
        started_at=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        status="running",
        preset=config.preset,
        data=Data.from_dict({**source, **config.data.model_dump(exclude={"path"})}),
        gate_policy=config.gate.model_dump(),
        evaluation_policy=config.evaluation.model_dump(),
        tuner_policy=config.tuner.model_dump(),
        infra_policy=config.infra.model_dump(),
        encoder=Encoder(config.encoder.source, config.training.fine_tune),
    )


@contextlib.contextmanager
def open_attempt(config: PipelineConfig, data: DataSource, *, began: float, verbose: bool) -> Iterator[Attempt]:
    """Begins a run: keeps others out of its output, makes its folder, and sends what libraries print into its log.

    Args:
      config: all settings of the run.
      data: from `choose_data`.
      began: when the command began, by the clock `time.monotonic`.
      verbose: shows the libraries' log on the terminal.

    Raises:
      InputError: the schema cannot be read.
      OutputError: the output cannot be used.
    """
    schema, paths, run_id = choose_schema(config), OutputPaths.of(config), run_folders.new_run_id()
    with run_folders.claim_output(paths.runs.parent, paths.metadata):
        earlier = run_folders.read_runs(paths.runs.parent)
        folder = run_folders.make_folder(paths.runs / run_id, config.to_yaml())
        verdict = open_verdict(config, run_id, data, schema)
        with captured_output(folder / run_folders.LOG_FILE, verbose=verbose) as terminal:
            print_head(terminal.out, verdict, folder)
            yield Attempt(run_id, folder, verdict, earlier, terminal, began)
