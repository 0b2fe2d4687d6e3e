"""Fetches a module from the network, within bounds of time and size, with plain messages of failures."""

from __future__ import annotations

import errno
import functools
import http.client
import logging
import os
import queue
import re
import socket
import ssl
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path

import tenacity

from trainer.encoders import archives
from trainer.encoders.errors import EncoderError

# Seconds. One attempt of the first contact; all of it together, name resolution included; a silence while downloading.
ATTEMPT_LIMIT = 5.0
CONTACT_LIMIT = 10.0
SILENCE_LIMIT = 30.0
_BLOCK_BYTES = 1 << 20

KAGGLE_DOWNLOAD = "https://www.kaggle.com/api/v1/models/{}/{}/tensorFlow2/{}/{}/download"
_WORD = r"([\w.-]+)"
_KAGGLE_HANDLE = re.compile(rf"{_WORD}/{_WORD}/tensorflow2/{_WORD}/(\d+)", re.IGNORECASE)
_KAGGLE_PAGE = re.compile(
    rf"https?://(?:www\.)?kaggle\.com/models/{_WORD}/{_WORD}/(?:frameworks/)?tensorflow2/"
    rf"(?:variations/)?{_WORD}/(?:versions/)?(\d+)/?",
    re.IGNORECASE,
)

_log = logging.getLogger(__name__)


def download_url(source: str) -> str | None:
    """Returns the address of a remote source, or `None` if `source` names nothing remote.

    A Kaggle handle `owner/model/tensorFlow2/variation/version` and the page of a model version become the address
    that kagglehub downloads from (https://github.com/Kaggle/kagglehub).
    """
    match = _KAGGLE_HANDLE.fullmatch(source) or _KAGGLE_PAGE.fullmatch(source)
    if match:
        return KAGGLE_DOWNLOAD.format(*match.groups())
    return source if source.startswith(("http://", "https://")) else None


def way_out(url: str) -> str:
    """Returns the advice how to do without the network."""
    return (
        f"Download {_compressed(url)} on a machine that can, and give the file or the unpacked folder: "
        "--encoder FOLDER_OR_TAR_GZ. Or use the encoder that came with the installation: --encoder embedded."
    )


def probe(url: str) -> None:
    """Checks within `CONTACT_LIMIT` seconds that `url` answers with an archive, by one small request.

    Without this a machine that is off the network would hang: name resolution has no time limit. The request takes
    the same way as the download (urllib, with its proxies).

    Raises:
      EncoderError: it does not; the message names the URL and the failure.
    """
    answer: queue.SimpleQueue[Exception | None] = queue.SimpleQueue()

    def attempt() -> None:
        try:
            _retrying(_contact, url, stop=tenacity.stop_after_attempt(3) | tenacity.stop_after_delay(ATTEMPT_LIMIT))
            answer.put(None)
        except Exception as error:
            answer.put(error)

    # In a thread of its own, as neither name resolution nor the walk over a host's addresses obeys a socket's timeout.
    threading.Thread(target=attempt, name="encoder-probe", daemon=True).start()
    try:
        failure = answer.get(timeout=CONTACT_LIMIT)
    except queue.Empty:
        failure = TimeoutError()
    if isinstance(failure, EncoderError):
        raise failure
    if failure is not None:
        raise _unreachable(url, failure) from failure


def fetch(url: str, entry: Path) -> None:
    """Downloads `url` and unpacks it into the new folder `entry`.

    The caller holds a lock on `entry` and has called `probe`.

    Raises:
      EncoderError: it cannot; the message names the URL and the failure.
    """
    _log.info("downloading the encoder %s into %s", url, entry)
    part = entry.with_name(f"{entry.name}.part")
    try:
        _retrying(functools.partial(_download, part), url, stop=tenacity.stop_after_attempt(3))
        archives.unpack(part, entry, url)
    except (OSError, http.client.HTTPException) as error:
        if _is_connection_error(error) or isinstance(error, urllib.error.HTTPError):
            raise _unreachable(url, error) from error
        raise
    finally:
        part.unlink(missing_ok=True)


def _download(part: Path, url: str) -> None:
    with _opened(url, SILENCE_LIMIT) as response, part.open("wb") as out:
        while block := response.read(_BLOCK_BYTES):
            archives.require_room(out.tell(), len(block), part.parent, url)
            out.write(block)
        if response.length:  # known beforehand, and not all of it came
            raise http.client.IncompleteRead(b"", response.length)


def _contact(url: str) -> None:
    with _opened(url, ATTEMPT_LIMIT) as response:
        head = response.read(263)
        kind = response.headers.get("Content-Type", "no Content-Type")
    if not (head.startswith(b"\x1f\x8b") or head[257:262] == b"ustar"):
        raise EncoderError(
            f"An encoder's URL must answer with a tar archive of a SavedModel. Received: "
            f"{len(head) and kind or 'nothing'} from {url}. Check the address, and whether the site "
            f"requires a login. {way_out(url)}"
        )


def _opened(url: str, limit: float) -> http.client.HTTPResponse:
    """Sends a request whose connection is silent for `limit` seconds at most, and returns the response."""
    context = ssl.create_default_context()
    if os.getenv("TFHUB_DISABLE_CERT_VALIDATION") == "true":  # tensorflow_hub's own setting
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return urllib.request.urlopen(_compressed(url), timeout=limit, context=context)


def _compressed(url: str) -> str:
    """Adds the query of the hub protocol (https://www.tensorflow.org/hub/hosting), as tensorflow_hub does."""
    parts = urllib.parse.urlparse(url)
    query = [*urllib.parse.parse_qsl(parts.query), ("tf-hub-format", "compressed")]
    return urllib.parse.urlunparse(parts._replace(query=urllib.parse.urlencode(query)))


def _retrying(function: Callable[[str], None], url: str, *, stop: tenacity.stop.stop_base) -> None:
    tenacity.Retrying(
        retry=tenacity.retry_if_exception(_is_connection_error),
        stop=stop,
        wait=tenacity.wait_exponential(multiplier=0.25, max=2),
        reraise=True,
    )(function, url)


def _is_connection_error(error: BaseException) -> bool:
    if isinstance(error, urllib.error.HTTPError):
        return error.code in (502, 503, 504)
    cause = _cause(error)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return False
    return isinstance(error, urllib.error.URLError) or isinstance(
        cause, (ConnectionError, TimeoutError, socket.timeout, socket.gaierror, http.client.HTTPException, ssl.SSLError)
    )


def _cause(error: BaseException) -> BaseException:
    reason = getattr(error, "reason", None)
    return reason if isinstance(reason, BaseException) else error


def _unreachable(url: str, error: Exception) -> EncoderError:
    scheme, host = urllib.parse.urlparse(url)[:2]
    proxy = None if urllib.request.proxy_bypass(host) else urllib.request.getproxies().get(scheme)
    via = f" (through the {scheme}_proxy of the environment)" if proxy else ""
    cause = _cause(error)
    if isinstance(error, urllib.error.HTTPError):
        what = f"{host} answered HTTP {error.code} {error.reason}"
        if error.code in (401, 403):
            what += "; the site requires a login or a consent for this module"
    elif isinstance(cause, socket.gaierror):
        what = f"the name of the host {host} could not be resolved (DNS: {cause.strerror})"
    elif isinstance(cause, (TimeoutError, socket.timeout)):
        what = f"the connection to {host} timed out"
    elif isinstance(cause, ConnectionRefusedError):
        what = f"{host} refused the connection"
    elif isinstance(cause, ssl.SSLError):
        what = f"no trusted TLS connection to {host} ({cause.reason or cause})"
    elif isinstance(cause, OSError) and cause.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH):
        what = f"there is no route to {host}"
    else:
        what = f"the connection to {host} failed ({cause or type(cause).__name__})"
    return EncoderError(f"The encoder's URL must be reachable. Received: {url}: {what}{via}. {way_out(url)}")
