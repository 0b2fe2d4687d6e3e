"""Reads what a rehearsal came to. Imports TFX: for a fork, see `processes.call_forked`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

from kubeflow.container.outputs import as_artifact
from kubeflow.spec.messages import Json
from pipeline.results.verdict import Verdict
from pipeline.running.outcome import collect_facts, judge_model

Outputs: TypeAlias = dict[str, dict[str, tuple[str, Mapping[str, Json]]]]
"""By task and by key: the path of an artifact, and its metadata."""


def read_outcome(verdict: Verdict, outputs: Outputs, folder: str) -> Verdict:
    """Adds what the tasks of a run came to.

    Args:
      verdict: of the run so far.
      outputs: of the tasks that ended well.
      folder: of the run, for the rejected rows.
    """
    artifacts = {
        task: {key: as_artifact(path, metadata) for key, (path, metadata) in entry.items()}
        for task, entry in outputs.items()
    }
    return judge_model(collect_facts(verdict, artifacts, Path(folder)), artifacts)
