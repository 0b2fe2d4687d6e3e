"""What was run: the rehearsal's ML Metadata, a JSON file an execution, each written whole or not at all."""

from __future__ import annotations

import dataclasses
import json
import threading
from pathlib import Path
from typing import Any

COMPLETE, CACHED, CANCELED = "COMPLETE", "CACHED", "CANCELED"


@dataclasses.dataclass(frozen=True)
class Execution:
    """One that ended well, or was not triggered."""

    run_id: str
    task: str
    """Its name with those of the DAGs around it, e.g. `root/Trainer`."""
    state: str
    fingerprint: str = ""
    """What the cache goes by; empty for a task that is not cached."""
    artifacts: dict[str, list[dict[str, Any]]] = dataclasses.field(default_factory=dict)
    """RuntimeArtifacts, by key."""
    parameters: dict[str, Any] = dataclasses.field(default_factory=dict)


class Executions:
    """All of them, kept in a folder; for several threads.

    Args:
      folder: made when missing.
    """

    def __init__(self, folder: Path):
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._lock = threading.Lock()
        files = sorted(folder.glob("[0-9]*.json"))
        self._known = [Execution(**json.loads(one.read_text(encoding="utf-8"))) for one in files]
        self._artifacts = sum(
            len(those) for one in self._known if one.state == COMPLETE for those in one.artifacts.values()
        )

    def of_run(self, run_id: str, task: str) -> Execution | None:
        """A task's execution in a run."""
        return next((one for one in self._known if (one.run_id, one.task) == (run_id, task)), None)

    def cached(self, fingerprint: str) -> Execution | None:
        """The newest with that fingerprint."""
        with self._lock:
            return next((one for one in reversed(self._known) if one.fingerprint == fingerprint), None)

    def add(self, execution: Execution) -> Execution:
        """Keeps an execution; new artifacts get their ids, which are their names from then on."""
        with self._lock:
            if execution.state == COMPLETE:
                for those in execution.artifacts.values():
                    for artifact in those:
                        self._artifacts += 1
                        artifact["name"] = str(self._artifacts)
            path = self._folder / f"{len(self._known):06d}.json"
            partial = self._folder / f".{path.name}"
            partial.write_text(json.dumps(dataclasses.asdict(execution), indent=1), encoding="utf-8")
            partial.replace(path)
            self._known.append(execution)
        return execution
