"""Fetches a module from the network through tensorflow_hub, within bounds of time, and says plainly why it cannot."""

from __future__ import annotations

import contextlib
import errno
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
from collections.abc import Callable, Iterator
from pathlib import Path

import tenacity

from trainer.encoders.errors import EncoderError

# Seconds. One attempt of the first contact; all of it together, name resolution included; a silence while downloading.
ATTEMPT_LIMIT = 5.0
CONTACT_LIMIT = 10.0
SILENCE_LIMIT = 30.0

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
    """Returns the URL to give to `hub.resolve` for a remote source, or `None` if `source` names nothing remote.

    tensorflow_hub 0.16.1 knows no Kaggle handles: `owner/model/tensorFlow2/variation/version` and the page of a model
    version become the address that kagglehub downloads from (https://github.com/Kaggle/kagglehub).
    """
    match = _KAGGLE_HANDLE.fullmatch(source) or _KAGGLE_PAGE.fullmatch(source)
    if match:
        return KAGGLE_DOWNLOAD.format(*match.groups())
    return source if source.startswith(("http://", "https://")) else None


def way_out(url: str) -> str:
    """Says how to do without the network."""
    return (
        f"Download {_compressed(url)} on a machine that can, and give the file or the unpacked folder: "
        "--encoder FOLDER_OR_TAR_GZ. Or use the encoder that came with the installation: --encoder embedded."
    )


def probe(url: str) -> None:
    """Makes sure within `CONTACT_LIMIT` seconds that `url` answers with an archive, at the price of one small request.

    tensorflow_hub opens its connections without a time limit and takes seconds to import: without this a machine
    that is off the network would hang. The request goes the way of the download (urllib, with its proxies).

    Raises: `EncoderError` that names the URL and what failed.
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


def fetch(url: str, folder: Path) -> Path:
    """Downloads and unpacks `url` with `hub.resolve` below `folder`; returns the folder of the module.

    The caller holds a lock on the module and has called `probe`.

    Raises: `EncoderError` that names the URL and what failed.
    """
    import trainer.keras_policy  # noqa: F401

    # isort: split
    import tensorflow as tf
    import tensorflow_hub as hub

    _log.info("downloading the encoder %s into %s", url, folder)
    try:
        with _hub_settings(folder):
            return Path(_retrying(hub.resolve, url, stop=tenacity.stop_after_attempt(3)))
    except tf.errors.NotFoundError as error:
        raise EncoderError(
            f"The encoder {url} is an archive that lists files without their folders, which tensorflow_hub cannot "
            f"unpack. {way_out(url)}"
        ) from error
    except tf.errors.OpError as error:
        raise EncoderError(
            f"The encoder {url} cannot be stored in {folder}: {error.message}. Make room there, or set CLICKBAIT_CACHE "
            "to another folder."
        ) from error
    except Exception as error:
        if _is_connection_error(error) or isinstance(error, urllib.error.HTTPError):
            raise _unreachable(url, error) from error
        if isinstance(error, OSError) and error.errno:
            raise
        raise EncoderError(
            f"The encoder {url} did not arrive as a whole tar archive: {error}. Try again. {way_out(url)}"
        ) from error


def _contact(url: str) -> None:
    context = ssl.create_default_context()
    if os.getenv("TFHUB_DISABLE_CERT_VALIDATION") == "true":
        # tensorflow_hub's own setting, obeyed here so that both requests fare alike.
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with urllib.request.urlopen(_compressed(url), timeout=ATTEMPT_LIMIT, context=context) as response:
        head = response.read(263)
        kind = response.headers.get("Content-Type", "no Content-Type")
    if not (head.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ")) or head[257:262] == b"ustar"):
        raise EncoderError(
            f"An encoder's URL must answer with a tar archive of a SavedModel. Received from {url}: "
            f"{len(head) and kind or 'nothing'}. Check the address, or whether the site wants a login. {way_out(url)}"
        )


def _compressed(url: str) -> str:
    """Adds the query of the hub protocol (https://www.tensorflow.org/hub/hosting), as tensorflow_hub does."""
    parts = urllib.parse.urlparse(url)
    query = [*urllib.parse.parse_qsl(parts.query), ("tf-hub-format", "compressed")]
    return urllib.parse.urlunparse(parts._replace(query=urllib.parse.urlencode(query)))


def _retrying(function: Callable, url: str, *, stop):
    return tenacity.Retrying(
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
    via = f" (by way of the {scheme}_proxy of the environment)" if proxy else ""
    cause = _cause(error)
    if isinstance(error, urllib.error.HTTPError):
        what = f"{host} answered HTTP {error.code} {error.reason}"
        if error.code in (401, 403):
            what += "; the site wants a login or a consent for this module"
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
    return EncoderError(f"The encoder {url} cannot be downloaded: {what}{via}. {way_out(url)}")


@contextlib.contextmanager
def _hub_settings(folder: Path) -> Iterator[None]:
    """Sets tensorflow_hub's cache and a limit on silent sockets, for the time of the call."""
    wanted = {"TFHUB_CACHE_DIR": str(folder), "TFHUB_MODEL_LOAD_FORMAT": "COMPRESSED"}
    before = {name: os.environ.get(name) for name in wanted}
    timeout = socket.getdefaulttimeout()
    os.environ.update(wanted)
    socket.setdefaulttimeout(SILENCE_LIMIT)
    try:
        yield
    finally:
        socket.setdefaulttimeout(timeout)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
