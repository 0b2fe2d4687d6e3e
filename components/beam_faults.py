"""Messages for the user where a Beam engine does not answer, or fails a job."""

from __future__ import annotations

import re
import sys
import traceback

# The client of all job servers; the DirectRunner's errors are those of its steps.
_CLIENT = ("apache_beam.runners.portability.portable_runner", "apache_beam.runners.portability.job_server")
_WAY_OUT = "Then run again: what is finished comes from the cache (docs/beam.md)."


def explain_beam(error: BaseException) -> str | None:
    """Returns the message of an error that came from a Beam job server; None for any other."""
    if _CLIENT[0] not in sys.modules or not _is_from_client(error):
        return None
    import grpc

    text = str(error)
    if isinstance(error, grpc.FutureTimeoutError):
        return f"Beam's job server must answer. Received: nothing. Start it, or correct beam.job_endpoint. {_WAY_OUT}"
    if isinstance(error, grpc.RpcError):
        code = error.code() if isinstance(error, grpc.Call) else None
        if code is grpc.StatusCode.DEADLINE_EXCEEDED:
            return (
                "A Beam job must end within its time. Received: no end; its workers may be gone, or it is long. Check "
                f"that they run, or raise beam.options.job_server_timeout (seconds, 300 by default). {_WAY_OUT}"
            )
        return (
            f"Beam's job server must answer until a job ends. Received: {_gist(text)}. Find out why it stopped, and "
            f"start it. {_WAY_OUT}"
        )
    # Java's engines name the connection alone: to the pool of the environment EXTERNAL.
    if "StartWorker" in text or "java.net.ConnectException" in text:
        return (
            f"Beam's engine must reach its workers. Received: {_gist(text)}. Start the worker pool, or correct "
            f"beam.environment_config. {_WAY_OUT}"
        )
    if "Timeout has occurred" in text or "NoResourceAvailable" in text:  # Flink's slot.request.timeout
        return (
            f"Beam's engine must have free slots. Received: {_gist(text)}. Start task managers, or wait for the jobs "
            f"that hold theirs; `clickbait doctor --beam` counts them. {_WAY_OUT}"
        )
    if "Insufficient number of network buffers" in text:
        return (
            f"Flink must have network buffers for a job. Received: {_gist(text)}. Set "
            f"taskmanager.network.sort-shuffle.min-buffers to 32 in Flink's configuration. {_WAY_OUT}"
        )
    if "client cancelled" in text:  # all that an engine knows of a worker that is gone
        return (
            f"Beam's workers must live until a job ends. Received: {_gist(text)}. One was killed, or had too little "
            f"memory: the worker pool's log has more. {_WAY_OUT}"
        )
    return f"A Beam job must succeed. Received: {_gist(text)}. The engine's and its workers' logs have more. {_WAY_OUT}"


def _is_from_client(error: BaseException) -> bool:
    frames = traceback.walk_tb(error.__traceback__)
    return any(frame.f_globals.get("__name__") in _CLIENT for frame, _ in frames)


def _gist(text: str) -> str:
    """Returns gRPC's details, or the last line of a traceback."""
    if found := re.search(r'details = "(.*)"', text):
        return found[1]
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no reason"
