"""Ingests as tests run them: through the executor, or through the functions below it alone."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from components.headline_example_gen.files import find_csv_files
from components.headline_example_gen.resolve import Resolution, make_candidate, resolve
from components.headline_example_gen.settings import DataConfig
from components.labelled_csv.rows import Fault, Row, read_rows

DATA = DataConfig()


class Ingested(NamedTuple):
    """The outputs of the executor."""

    examples: Any
    ingest: Any

    @property
    def report(self) -> dict[str, Any]:
        """report.json."""
        return json.loads(Path(self.ingest.uri, "report.json").read_text(encoding="utf-8"))

    @property
    def rejects(self) -> list[dict[str, str]]:
        """The rows of rejects.csv."""
        with Path(self.ingest.uri, "rejects.csv").open(encoding="utf-8", newline="") as stream:
            return list(csv.DictReader(stream))

    def split(self, name: str) -> list[tuple[str, int]]:
        """The titles and labels of a split, in the order of its files."""
        return [
            (
                example.features.feature["title"].bytes_list.value[0].decode(),
                example.features.feature["label"].int64_list.value[0],
            )
            for example in self.records(name)
        ]

    def records(self, name: str) -> list:
        """The tf.Examples of a split."""
        import tensorflow as tf

        files = sorted(map(str, Path(self.examples.uri, f"Split-{name}").iterdir()))
        records = tf.data.TFRecordDataset(files, compression_type="GZIP").as_numpy_iterator()
        return [tf.train.Example.FromString(record) for record in records]

    @property
    def rows(self) -> list[tuple[str, int]]:
        """The titles and labels of both splits, sorted."""
        return sorted(self.split("train") + self.split("eval"))


def run_executor(data: Path | str, output: Path, *, beam_flags: Sequence[str] = (), **settings: Any) -> Ingested:
    """Runs the executor as the component configures it and TFX's launcher calls it.

    Args:
      data: as `--data`.
      output: folder for the artifacts.
      beam_flags: as the pipeline hands them to the component.
      **settings: keys of the section `data`, and arguments of HeadlineExampleGen.
    """
    import tfx.v1 as tfx

    from components.headline_example_gen.component import HeadlineExampleGen
    from components.headline_example_gen.executor import Executor
    from components.headline_example_gen.ingest import Ingest

    section = DataConfig(**{key: settings.pop(key) for key in {*settings} & {*DataConfig.model_fields}})
    settings = {"eval_location": section.eval_data, "label_fixes": section.label_fixes, **settings}
    found = find_csv_files(str(data), window_spans=section.window_spans, last_span=section.last_span)
    places = {"input_base": found.base, "pattern": found.pattern}
    component = HeadlineExampleGen(settings=section.model_dump_json(), **{**places, **settings})
    left = Ingested(tfx.types.standard_artifacts.Examples(), Ingest())
    left.examples.uri, left.ingest.uri = str(output / "examples"), str(output / "ingest")
    context = Executor.Context(beam_pipeline_args=[*beam_flags], tmp_dir=str(output / "tmp"), unique_id="1")
    outputs = {"examples": [left.examples], "ingest": [left.ingest]}
    Executor(context).Do({}, outputs, dict(component.exec_properties))
    return left


class Account(NamedTuple):
    """The outcome of the rows of some files, without Beam."""

    read: Sequence[Row | Fault]
    faults: Sequence[tuple[int, Fault]]
    """By file and line; conflicts among them."""
    resolutions: Sequence[Resolution]

    @property
    def accepted(self) -> list[tuple[str, int]]:
        """Titles and labels, sorted."""
        return sorted(
            (resolution.kept.title, resolution.kept.label) for resolution in self.resolutions if resolution.kept
        )

    @property
    def duplicates(self) -> int:
        """Number of rows that repeat an accepted one."""
        return sum(len(resolution.repeats) for resolution in self.resolutions)


def account(paths: Sequence[str], settings: DataConfig = DATA) -> Account:
    """Reads and compares all rows of some files, as the executor's steps do."""
    read, faults, candidates = [], [], []
    for number, path in enumerate(paths):
        for row in read_rows(path, settings):
            read.append(row)
            if isinstance(row, Fault):
                faults.append((number, row))
                continue
            candidates.append(make_candidate(row, number, settings))
    resolutions = list(resolve(candidates, paths, settings.label_names))
    faults += [conflict for resolution in resolutions for conflict in resolution.conflicts]
    return Account(read, sorted(faults), resolutions)


def write_csv(path: Path, rows, header=("title", "label")) -> str:
    """Writes rows as a CSV, and returns its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([header, *rows])
    return str(path)
