"""Posts JSON to a webhook, whose URL is a secret: no message holds it, nor what was answered, which may quote it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import requests
import tenacity
import urllib3

from kubeflow.spec.messages import Json

VARIABLE = "CLICKBAIT_WEBHOOK"
_CONNECT_SECONDS, _READ_SECONDS = 3.0, 10.0
_ATTEMPTS = 4
_MOST_SECONDS = 60.0
"""Of all attempts with the waits between them; what would wait longer is for the next look."""
_FIRST_WAIT_SECONDS, _MOST_WAIT_SECONDS = 1.0, 8.0
_SHORT_OF_TIME = (408, 425, 429)


class WebhookError(Exception):
    """The webhook did not take a message.

    Attributes:
      passing: whether it may take the same message in a while.
      wait_seconds: how long it asks to wait before that; None where it does not.
    """

    exit_code = 2

    def __init__(self, message: str, passing: bool = False, wait_seconds: float | None = None):
        super().__init__(message)
        self.passing = passing
        self.wait_seconds = wait_seconds


class Webhook(NamedTuple):
    """Where messages go.

    Example:
        >>> Webhook(url="https://hooks.example/services/secret")
        Webhook(url=<secret>)
    """

    url: str

    def __repr__(self) -> str:
        return "Webhook(url=<secret>)"

    def post(self, body: Mapping[str, Json]) -> None:
        """Posts a JSON object; what may pass is tried again, for a minute at most.

        Raises:
          WebhookError: it was not taken.
        """
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(lambda error: isinstance(error, WebhookError) and error.passing),
            stop=tenacity.stop_after_attempt(_ATTEMPTS) | tenacity.stop_before_delay(_MOST_SECONDS),
            wait=_wait,
            reraise=True,
        )
        retrying(_post, self.url, body)


def read_webhook(file: Path | None, environ: Mapping[str, str] = os.environ) -> Webhook:
    """Returns the webhook that a file or the environment names.

    Raises:
      WebhookError: neither does, or both, or it is no URL.
    """
    way_out = f"Give --webhook-file FILE or the variable {VARIABLE}: the URL is a secret, so no option takes it."
    variable = environ.get(VARIABLE)
    if (file is None) == (not variable):
        received = "neither a file nor the variable" if file is None else "both a file and the variable"
        raise WebhookError(f"One webhook must be given. Received: {received}. {way_out}")
    try:
        url = (file.read_text(encoding="utf-8") if file else variable or "").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise WebhookError(f"--webhook-file must be readable. Received: {file}: {reason}. Give another.") from None
    if not _is_url(url):
        source = f"in {file}" if file else f"in {VARIABLE}"
        raise WebhookError(
            f"The webhook must be one http:// or https:// URL. Received: something else {source}, which is not shown. "
            "Copy it anew."
        )
    return Webhook(url)


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return (
            parts.scheme in ("http", "https")
            and bool(parts.hostname)
            and parts.port != 0
            and text.isascii()
            and text.isprintable()
            and " " not in text
        )
    except ValueError:
        return False


def _post(url: str, body: Mapping[str, Json]) -> None:
    try:
        # A redirected POST becomes a GET. The answer's body is not read: one that never ends would hold us.
        with requests.post(
            url,
            json=body,
            headers={"User-Agent": "clickbait-tfx"},
            timeout=(_CONNECT_SECONDS, _READ_SECONDS),
            allow_redirects=False,
            stream=True,
        ) as response:
            status, after = response.status_code, response.headers.get("Retry-After")
    except (requests.RequestException, urllib3.exceptions.HTTPError, ValueError) as error:
        # Their messages have the URL, and so would a traceback of the cause.
        passing = isinstance(error, (requests.ConnectionError, requests.Timeout)) and not isinstance(
            error, requests.exceptions.SSLError
        )
        raise WebhookError(
            f"The webhook must answer within {_READ_SECONDS:g} s. Received: no answer ({type(error).__name__}). Look "
            "at its host, at the network between, and at its certificate (REQUESTS_CA_BUNDLE names another authority).",
            passing,
        ) from None
    if 200 <= status < 300:
        return
    passing = status in _SHORT_OF_TIME or status >= 500
    way_out = (
        "It is tried again."
        if passing
        else "Is the URL whole, of now, and of a webhook that takes JSON with these fields? --text-only leaves out all "
        "but the text."
    )
    raise WebhookError(
        f"The webhook must take the message. Received: HTTP {status}. {way_out}", passing, _seconds(after)
    )


def _seconds(retry_after: str | None) -> float | None:
    """Returns the seconds of a Retry-After header, which has these or a date."""
    if retry_after is None:
        return None
    try:
        return float(urllib3.Retry().parse_retry_after(retry_after))
    except (urllib3.exceptions.InvalidHeader, ValueError, OverflowError):
        return None


def _wait(state: tenacity.RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, WebhookError) and error.wait_seconds is not None:
        return error.wait_seconds
    return tenacity.wait_exponential(multiplier=_FIRST_WAIT_SECONDS, max=_MOST_WAIT_SECONDS)(state)
