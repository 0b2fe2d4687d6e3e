"""What Flink's REST service says of itself and of a job."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import time
import urllib.request
from typing import Any, NamedTuple

_ANSWER_SECONDS = 10
_RUNNING = ("INITIALIZING", "CREATED", "RUNNING", "FAILING", "CANCELLING", "RESTARTING", "SUSPENDED", "RECONCILING")
# Flink's own wrappers of what happened.
_WRAPPERS = ("JobException", "JobExecutionException", "CompletionException", "ExecutionException", "RuntimeException")


class FlinkJob(NamedTuple):
    """A job in Flink's list."""

    id: str
    name: str
    state: str

    @property
    def runs(self) -> bool:
        return self.state in _RUNNING


class Flink(NamedTuple):
    """Flink's REST service. Each answer is None, or empty, where it does not answer."""

    address: str

    @classmethod
    def at(cls, flink_master: str | None) -> Flink | None:
        """Returns the service at `beam.options.flink_master`; None where that is no address."""
        if not flink_master or flink_master.startswith("["):  # [auto], [local]
            return None
        return cls(flink_master if "://" in flink_master else f"http://{flink_master}")

    def get(self, path: str) -> Any:
        """Returns the JSON at a path; None where there is none."""
        try:
            with urllib.request.urlopen(f"{self.address}{path}", timeout=_ANSWER_SECONDS) as answer:
                return json.load(answer)
        except (OSError, ValueError, http.client.HTTPException):
            return None

    def overview(self) -> dict[str, Any] | None:
        """Returns `flink-version`, `taskmanagers`, `slots-total`, `slots-available` and more."""
        overview: dict[str, Any] | None = self.get("/overview")
        return overview

    def jobs(self) -> list[FlinkJob]:
        """Returns all jobs that Flink remembers, the newest first."""
        jobs = (self.get("/jobs/overview") or {}).get("jobs", [])
        jobs.sort(key=lambda job: job["start-time"], reverse=True)
        return [FlinkJob(job["jid"], job["name"], job["state"]) for job in jobs]

    def job(self, name: str) -> FlinkJob | None:
        """Returns the newest job of a name."""
        return next((job for job in self.jobs() if job.name == name), None)

    def vertices(self, name: str) -> list[tuple[str, int, int]] | None:
        """Returns the state, the records read and the records written of each vertex of a job."""
        job = self.job(name)
        details = self.get(f"/jobs/{job.id}") if job else None
        if not details:
            return None
        return [
            (vertex["status"], vertex["metrics"]["read-records"], vertex["metrics"]["write-records"])
            for vertex in details["vertices"]
        ]

    def waits_for(self, name: str) -> str:
        """Returns what a job that does not move waits for, as far as Flink knows."""
        overview, vertices = self.overview(), self.vertices(name)
        if overview is None or vertices is None:
            return f"Flink at {self.address} does not know"
        running = sum(state in ("RUNNING", "INITIALIZING") for state, _, _ in vertices)
        if running:
            return f"{running} of its {len(vertices)} vertices run and hand on no rows: their workers may not start"
        others = [job.name for job in self.jobs() if job.runs and job.name != name]
        return (
            f"none of its {len(vertices)} vertices run: of {overview['slots-total']} slots "
            f"{overview['slots-available']} are free" + (f", and {', '.join(others)} run, too" if others else "")
        )

    def exception_of(self, name: str) -> str | None:
        """Returns why a job failed: the innermost cause that is none of Flink's wrappers, on a line."""
        job = self.job(name)
        details = self.get(f"/jobs/{job.id}/exceptions") if job else None
        text = (details or {}).get("root-exception") or ""
        causes = re.findall(r"^(?:Caused by: )?([\w.$]+(?:Exception|Error|Failure)\b.*)$", text, re.MULTILINE)
        telling = [cause for cause in causes if not cause.partition(":")[0].rpartition(".")[2].endswith(_WRAPPERS)]
        cause = next(reversed(telling or causes), None)
        return cause.strip() if cause else None

    def cancel(self, job_id: str, seconds: float) -> bool:
        """Cancels a job, and returns whether it has ended within some seconds."""
        request = urllib.request.Request(f"{self.address}/jobs/{job_id}", method="PATCH")
        with contextlib.suppress(OSError, http.client.HTTPException):
            urllib.request.urlopen(request, timeout=_ANSWER_SECONDS).close()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            details = self.get(f"/jobs/{job_id}")
            if details and details["state"] not in _RUNNING:
                return True
            time.sleep(0.5)
        return False

    def setting(self, key: str) -> str | None:
        """Returns a setting of the job manager's file."""
        settings = self.get("/jobmanager/config") or []
        return next((setting["value"] for setting in settings if setting["key"] == key), None)
