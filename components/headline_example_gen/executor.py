"""HeadlineExampleGen's executor: the Beam pipeline from files to splits, and the report of every row."""

from __future__ import annotations

import csv
import fnmatch
import itertools
import json
from collections.abc import Sequence

import apache_beam as beam
import tensorflow as tf
from pydantic import JsonValue
from tfx import types
from tfx.dsl.components.base import base_beam_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils, standard_component_specs

from components import Properties
from components.beam_jobs import watch_jobs
from components.errors import DataRefused, InputError
from components.headline_example_gen.files import files_digest, find_csv_files, require_apart, resolve_pattern
from components.headline_example_gen.fixes import LabelFixes, read_fixes
from components.headline_example_gen.groups import GroupCounts, add_up, require_one_split
from components.headline_example_gen.rejects import REJECTS_FILE, merge_parts
from components.headline_example_gen.report import REPORT_FILE, SHOWN_FAULTS, make_report, sum_tallies
from components.headline_example_gen.settings import DataConfig
from components.headline_example_gen.transforms import GROUPS, FirstLeftOut, ReadFile, WriteShard, write_group_counts
from components.labelled_csv.streams import open_csv
from serving.untrusted import plain_cell
from trainer import features

INGEST_KEY = "ingest"
_SPLITS = (features.TRAIN_SPLIT, features.EVAL_SPLIT)
# Of CSV: the rows of one shard are compared in the memory of one worker, ten times as much.
_SHARD_BYTES = 16 << 20
_GZIP_RATIO = 3
_SHOWN_CHARACTERS = 4096  # of each text of a rejected row in the report; rejects.csv has them whole


@watch_jobs
class Executor(base_beam_executor.BaseBeamExecutor):
    """Writes the examples in their splits, and beside them the report and the rejected rows."""

    def Do(  # noqa: N802  TFX's name
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: Properties,
    ) -> None:
        """Runs the ingest.

        Raises:
          InputError: a file cannot be read as a CSV; all such files are named. Or one is of both splits, or an answer
            is no label.
          DataRefused: the rows of a group are in both splits.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        examples = artifact_utils.get_single_instance(output_dict[standard_component_specs.EXAMPLES_KEY])
        ingest = artifact_utils.get_single_instance(output_dict[INGEST_KEY])
        settings = DataConfig.model_validate_json(exec_properties["settings"])
        eval_data = exec_properties.get("eval_location")
        settings = settings.model_copy(update={"eval_data": eval_data})
        window, last = settings.window_spans, settings.last_span
        if location := exec_properties.get("location"):
            csv_input = find_csv_files(location, window_spans=window, last_span=last)
        else:
            base, pattern = exec_properties["input_base"], exec_properties["pattern"]
            csv_input = resolve_pattern(base, pattern, window_spans=window, last_span=last)
        eval_paths = find_csv_files(eval_data).paths if eval_data else ()
        paths, first_of_eval = (*csv_input.paths, *eval_paths), len(csv_input.paths)
        fixes = read_fixes(exec_properties.get("label_fixes"), settings)
        folders = {split: f"{examples.uri}/Split-{split}" for split in _SPLITS}
        parts = f"{ingest.uri}/parts"
        for folder in (*folders.values(), parts):
            fileio.makedirs(folder)

        shards = _number_of_shards(paths)
        with self._make_beam_pipeline() as pipeline:
            files = pipeline | "Files" >> beam.Create(list(enumerate(paths))) | "Spread" >> beam.Reshuffle()
            read = beam.ParDo(ReadFile(settings, shards, first_of_eval, parts, fixes.labels))
            if settings.group_column:
                rows = files | "Read" >> read.with_outputs(GROUPS, main="rows")
                groups = rows[GROUPS] | "ByGroup" >> beam.GroupByKey()
                _ = groups | "CountGroups" >> beam.Map(write_group_counts, parts)
                rows = rows["rows"]
            else:
                rows = files | "Read" >> read
            grouped = rows | "Group" >> beam.GroupByKey()
            sample = {}
            if settings.limit_rows is not None:
                sample["left_out"] = beam.pvalue.AsSingleton(
                    grouped | "Sample" >> FirstLeftOut(paths, settings.label_names, settings.limit_rows)
                )
            write = WriteShard(paths, settings.label_names, shards, folders, parts, settings.slice_columns)
            _ = grouped | "Write" >> beam.ParDo(write, **sample)

        groups = add_up(GroupCounts(*json.loads(_read(part))) for part in _list(parts, "groups-*.json"))
        try:
            answered = _check_files(paths, first_of_eval, parts, fixes, exec_properties.get("content_digest"))
            require_one_split(groups, settings, paths)
        except (InputError, DataRefused):
            for folder in (*folders.values(), parts):
                fileio.rmtree(folder)
            raise
        _report(paths, settings, groups, fixes, answered, parts, ingest.uri)
        fileio.rmtree(parts)
        _fill_empty_splits(folders)
        examples.split_names = artifact_utils.encode_split_names(list(_SPLITS))
        examples.set_string_custom_property("payload_format", "FORMAT_TF_EXAMPLE")  # TFX warns of each reader without
        if csv_input.spans:
            examples.span, version = csv_input.spans[-1]
            examples.version = version or 0


def _number_of_shards(paths: Sequence[str]) -> int:
    sizes = (tf.io.gfile.stat(path).length * (_GZIP_RATIO if path.endswith(".gz") else 1) for path in paths)
    return 1 + sum(sizes) // _SHARD_BYTES


def _check_files(
    paths: Sequence[str], first_of_eval: int, parts: str, fixes: LabelFixes, expected_digest: str | None
) -> set[str]:
    """Returns the titles of `fixes` that are in the data."""
    outcomes = [json.loads(_read(part)) for part in _list(parts, "outcome-*.json")]
    if refused := [outcome["refused"] for outcome in outcomes if "refused" in outcome]:
        raise InputError("\n".join(refused))
    digests = [outcome["digest"] for outcome in outcomes]
    require_apart(paths, digests, first_of_eval)
    digest = files_digest(digests[:first_of_eval], digests[first_of_eval:], fixes.digests)
    if expected_digest and digest != expected_digest:
        raise InputError(
            f"The data must not change while a run reads it. Received: {len(paths)} files from {paths[0]} on, which "
            "have changed since the run began. Run again."
        )
    return {title for outcome in outcomes for title in outcome["answered"]}


def _report(
    paths: Sequence[str],
    settings: DataConfig,
    groups: GroupCounts,
    fixes: LabelFixes,
    answered: set[str],
    parts: str,
    target: str,
) -> None:
    rejects = f"{target}/{REJECTS_FILE}"
    merge_parts(_list(parts, "file-*.csv"), _list(parts, "shard-*.csv"), paths, settings, rejects)
    with open_csv(rejects) as stream:
        rows = csv.reader(stream)
        next(rows)
        names = ("title", "label", "file", "line", "rule", "reason")
        first = itertools.islice(rows, SHOWN_FAULTS)
        faults = [
            {name: plain_cell(cell)[:_SHOWN_CHARACTERS] for name, cell in zip(names, row, strict=False)}
            for row in first
        ]
    split: dict[str, JsonValue] = {"by": settings.split_by}
    if settings.group_column:
        split |= {"groups": groups.groups, "units": groups.units}
    total = sum_tallies(map(_read, _list(parts, "tally-*.json")))
    with fileio.open(f"{target}/{REPORT_FILE}", "w") as stream:
        report = make_report(total, paths, _SPLITS, faults, split, fixes.report(answered, total))
        stream.write(json.dumps(report, indent=2))


def _fill_empty_splits(folders: dict[str, str]) -> None:
    # TFX reads no split without a file; that a split has no rows is for the gate to judge.
    for folder in folders.values():
        if not fileio.listdir(folder):
            tf.io.TFRecordWriter(f"{folder}/data_tfrecord-00000-of-00001.gz", "GZIP").close()


def _list(folder: str, pattern: str) -> list[str]:
    # No glob of the whole path: the output's folder may be called `runs [1]`.
    return [f"{folder}/{name}" for name in sorted(fnmatch.filter(fileio.listdir(folder), pattern))]


def _read(path: str) -> str:
    with fileio.open(path, "r") as stream:
        return stream.read()
