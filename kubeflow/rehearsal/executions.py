"""Keeps the executions, as ML Metadata does on a cluster: a JSON file each, written whole or not at all."""

from __future__ import annotations

import dataclasses
import json
import threading
from pathlib import Path

from kubeflow.spec.messages import Json, RuntimeArtifact
from serving.whole_file import write_whole

COMPLETE, CACHED = "COMPLETE", "CACHED"


@dataclasses.dataclass(frozen=True)
class Execution:
    """An execution that ended well."""

    run_id: str
    task: str
    state: str
    fingerprint: str = ""
    """What the cache goes by; empty for a task that is not cached."""
    artifacts: dict[str, list[RuntimeArtifact]] = dataclasses.field(default_factory=dict)
    """By key."""
    parameters: dict[str, Json] = dataclasses.field(default_factory=dict)


class Executions:
    """All executions, kept in a folder; for several threads.

    Args:
      folder: made when missing.
    """

    def __init__(self, folder: Path):
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._lock = threading.Lock()
        files = sorted(folder.glob("[0-9]*.json"))
        self._known = [Execution(**json.loads(file.read_text(encoding="utf-8"))) for file in files]
        complete = [execution for execution in self._known if execution.state == COMPLETE]
        self._artifacts = sum(len(entry) for execution in complete for entry in execution.artifacts.values())

    def of_run(self, run_id: str, task: str) -> Execution | None:
        """Returns a task's execution in a run."""
        return next((item for item in self._known if (item.run_id, item.task) == (run_id, task)), None)

    def cached(self, fingerprint: str) -> Execution | None:
        """Returns the newest with that fingerprint."""
        with self._lock:
            return next((item for item in reversed(self._known) if item.fingerprint == fingerprint), None)

    def add(self, execution: Execution) -> Execution:
        """Keeps an execution; new artifacts get their ids, which are their names from then on."""
        with self._lock:
            if execution.state == COMPLETE:
                for entry in execution.artifacts.values():
                    for artifact in entry:
                        self._artifacts += 1
                        artifact["name"] = str(self._artifacts)
            path = self._folder / f"{len(self._known):06d}.json"
            write_whole(path, json.dumps(dataclasses.asdict(execution), indent=1))
            self._known.append(execution)
        return execution
