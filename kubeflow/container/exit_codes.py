"""The termination message, by which a task on a cluster passes on the exit code that a run ends with.

The pod's own exit code is the launcher's, which is 1 whatever failed; what comes through to the UI and the API is the
termination message.
"""

from __future__ import annotations

import re

MEANINGS = {
    0: "done",
    1: "failed",
    2: "the call, the configuration or the input is wrong",
    3: "the data was refused",
    4: "the model was not blessed",
    5: "the model did not pass infra validation",
    130: "interrupted",
    143: "stopped from outside",
}
_FIRST_LINE = re.compile(r"clickbait exit code (\d+)\b")


def termination_message(exit_code: int, reason: str) -> str:
    """Returns what a person reads in the UI, cut to the 4,096 bytes that Kubernetes keeps of it."""
    text = f"clickbait exit code {exit_code}, {MEANINGS.get(exit_code, 'failed')}: {reason}"
    encoded = text.encode()
    return text if len(encoded) <= 4096 else encoded[:4093].decode(errors="ignore") + "..."


def read_exit_code(message: str) -> int | None:
    """Returns the exit code that a message names, whatever the cluster put around it; None where it names none."""
    match = _FIRST_LINE.search(message)
    return int(match[1]) if match else None
