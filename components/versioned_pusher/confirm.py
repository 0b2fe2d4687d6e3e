"""A running server is asked whether it serves a version that was pushed."""

from __future__ import annotations

import math
import time

from components.versions import PushError
from serving.client import Client, ServingError

_TITLE = "21 Pictures That Will Make You Feel Like You're 99 Years Old"
_POLL_SECONDS = 0.5
_CALL_SECONDS = 10.0
_MAY_PASS = ("UNAVAILABLE", "NOT_FOUND", "DEADLINE_EXCEEDED")


def confirm_version(target: str, model_name: str, version: int, seconds: float) -> None:
    """Waits until a server has loaded a version, and lets it score a title.

    Args:
      target: `host:port` of its gRPC port.
      model_name: as the server calls the model.
      version: the one that it must serve.
      seconds: how long it may take.

    Raises:
      PushError: it does not serve the version in time.
    """
    deadline = time.monotonic() + seconds
    found = "no answer"
    try:
        with Client(target, model=model_name, version=version, timeout_s=min(seconds, _CALL_SECONDS)) as client:
            while (found := _state(client)) != "AVAILABLE":
                if found.startswith("END: ") or time.monotonic() > deadline:
                    raise _unconfirmed(target, version, found)
                time.sleep(_POLL_SECONDS)
            (score,) = client.predict([_TITLE])
    except ServingError as error:
        raise _unconfirmed(target, version, str(error)) from error
    if not (math.isfinite(score) and 0 <= score <= 1):
        raise _unconfirmed(target, version, f"the probability {score}")


def _state(client: Client) -> str:
    """The version's state, with the server's reason where it has one."""
    try:
        (found,) = client.status()
    except ServingError as error:
        if error.code not in _MAY_PASS:
            raise
        return str(error)
    return f"{found.state}: {found.message}" if found.code else found.state


def _unconfirmed(target: str, version: int, found: str) -> PushError:
    return PushError(
        f"The server at {target} must serve version {version}, which is pushed. Received: {found.rstrip('.')}. See the "
        "server's log; the next run asks again, and `clickbait rollback` puts the version before it back."
    )
