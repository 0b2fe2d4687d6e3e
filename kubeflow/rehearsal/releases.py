"""What of Kubeflow Pipelines differs by release: the one table of what a rehearsal emulates.

A change has the release that begins it. Behind each stands its source in kubeflow/pipelines, in backend/src/v2 at the
release that is named; 2.16 stands for 2.16.1.
"""

from __future__ import annotations

from typing import NamedTuple

RELEASES = ("2.14", "2.15", "2.16", "2.17")
NEWEST = RELEASES[-1]


class Change(NamedTuple):
    """A behaviour that a release begins."""

    since: str
    text: str


NAMED_OUTPUTS = Change("2.15", "artifacts of outputs have a name")  # driver/driver.go:700 (2.15.0)
TASK_ROOT = Change(  # driver/driver.go:719 (2.15.0), driver/driver.go:486 (2.14.0)
    "2.15", "the output file lies in the task's root; before, in /tmp/kfp_outputs, a folder that nobody makes"
)
CLAIMS = Change("2.15", "the cache goes by the volume claims, too")  # cacheutils/cache.go:39 (2.15.0)
STORE_RETRIES = Change("2.15", "the session of the store in the metadata has maxRetries")  # config/env.go:185 (2.15.0)
SEAWEEDFS = Change("2.16", "the default store is SeaweedFS; before, MinIO")  # config/env.go:182 (2.16.0)
RUN_TIMES = Change(  # driver/resolve.go:438 (2.16.0)
    "2.16", "a constant may be the time at which the run was created or scheduled"
)
FAILED_LOGS = Change("2.16", "executor-logs of a failed task are kept, too")  # component/launcher_v2.go:678 (2.16.0)
NUMBERED_LOGS = Change(  # component/launcher_v2.go:541 (2.16.1)
    "2.16", "executor-logs end in the retry's number (2.16.1)"
)
WHOLE_NAMES = Change(  # objectstore/object_store.go:171 (2.17.0), :128 (2.16.1)
    "2.17", "an input is downloaded alone; before, with all whose names begin with its own (model_run with model)"
)
LOST_PODS = Change(  # manifests/kustomize/third-party/argo/base/workflow-controller-configmap-patch.yaml:59 (2.17.0)
    "2.17", "a task that fails is not retried, as the installation has it; before, as often as the spec says"
)

CHANGES = (
    NAMED_OUTPUTS,
    TASK_ROOT,
    CLAIMS,
    STORE_RETRIES,
    SEAWEEDFS,
    RUN_TIMES,
    FAILED_LOGS,
    NUMBERED_LOGS,
    WHOLE_NAMES,
    LOST_PODS,
)


class Release(str):
    """One of `RELEASES`.

    Example:
        >>> Release("2.16").has(TASK_ROOT), Release("2.16").has(WHOLE_NAMES)
        (True, False)
    """

    def has(self, change: Change) -> bool:
        """Returns whether the release does as a change says."""
        return RELEASES.index(self) >= RELEASES.index(change.since)


def changes_text() -> str:
    """Returns the table for a person, a line each."""
    return "\n".join(f"{change.since}  {change.text}" for change in CHANGES)
