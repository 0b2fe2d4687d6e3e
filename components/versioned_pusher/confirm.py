"""Checks that a running server serves a version that was pushed."""

from __future__ import annotations

import math
import time
from typing import NamedTuple

from serving.client import Client, ServingError
from serving.client.errors import EXIT_UNFORESEEN
from serving.versions.version_folder import PushError

_TITLE = "21 Pictures That Will Make You Feel Like You're 99 Years Old"
_POLL_SECONDS = 0.5
_CALL_SECONDS = 10.0
_MAY_PASS = ("UNAVAILABLE", "NOT_FOUND", "DEADLINE_EXCEEDED")


def confirm_version(target: str, model_name: str, version: int, seconds: float) -> None:
    """Waits until a server has loaded a version, and scores a title on it.

    Args:
      target: `host:port` of its gRPC port.
      model_name: as the server calls the model.
      version: the one that it must serve.
      seconds: how long it may take.

    Raises:
      PushError: it does not serve the version in time, with the exit code of what it does instead.
    """
    deadline = time.monotonic() + seconds
    try:
        with Client(target, model=model_name, version=version, timeout_s=min(seconds, _CALL_SECONDS)) as client:
            while (found := _state(client)).name != "AVAILABLE":
                if found.name.startswith("END: ") or time.monotonic() > deadline:
                    raise _unconfirmed(target, version, *found)
                time.sleep(_POLL_SECONDS)
            (score,) = client.predict([_TITLE])
    except ServingError as error:
        raise _unconfirmed(target, version, error.finding, error.exit_code) from error
    if not (math.isfinite(score) and 0 <= score <= 1):
        raise _unconfirmed(target, version, f"the probability {score}")


class _State(NamedTuple):
    name: str
    """With the server's reason where it has one; else why it did not answer."""
    exit_code: int = EXIT_UNFORESEEN
    """Where it stays so."""


def _state(client: Client) -> _State:
    try:
        (found,) = client.status()
    except ServingError as error:
        if error.code not in _MAY_PASS:
            raise
        return _State(error.finding, error.exit_code)
    return _State(f"{found.state}: {found.message}" if found.code else found.state)


def _unconfirmed(target: str, version: int, found: str, exit_code: int = EXIT_UNFORESEEN) -> PushError:
    return PushError(
        f"The server at {target} must serve version {version}, which is pushed. Received: {found.rstrip('.')}. See the "
        "server's log; the next run checks again, and `clickbait rollback` puts the version before it back.",
        exit_code=exit_code,
    )
