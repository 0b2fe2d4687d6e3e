"""Gets a file over HTTP. Only this needs requests and pooch, whose import costs 0.2 s CPU."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pooch
import requests
import tenacity

# A host may have several addresses, each of which is tried: a short connect timeout keeps the whole bounded.
CONNECT_TIMEOUT_SECONDS = 3.0
READ_TIMEOUT_SECONDS = 10.0
RETRY_ATTEMPTS = 4
RETRY_FOR_SECONDS = 10.0
RETRY_FIRST_WAIT_SECONDS = 0.5

# pooch reports each download on stderr; messages to the user are the caller's business.
pooch.get_logger().setLevel("WARNING")


class DownloadError(Exception):
    """An address gives no file; the message continues after the address."""


def download(url: str, sha256: str, file: Path, check: Callable[[str], None]) -> bytes:
    """Downloads a file, unless it exists with that checksum; temporary errors are retried.

    Args:
        url: http or https.
        sha256: of the file.
        file: where it is stored, in a folder that exists.
        check: raises where the sha256 of the download differs.

    Returns:
        The file's content.

    Raises:
        DownloadError: the address cannot be reached, or has no such file.
        OSError: the file cannot be stored.
    """

    def get(url: str, output_file: str, _pooch: object) -> None:
        _get(url, output_file)
        check(pooch.file_hash(output_file))

    return Path(pooch.retrieve(url, f"sha256:{sha256}", fname=file.name, path=file.parent, downloader=get)).read_bytes()


def _get(url: str, output_file: str) -> None:
    get = pooch.HTTPDownloader(
        timeout=(CONNECT_TIMEOUT_SECONDS, READ_TIMEOUT_SECONDS),
        # A server that marks .gz files as an encoding would have them unpacked on the way.
        headers={"Accept-Encoding": "identity"},
    )
    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception(_may_pass),
        stop=tenacity.stop_after_attempt(RETRY_ATTEMPTS) | tenacity.stop_after_delay(RETRY_FOR_SECONDS),
        wait=tenacity.wait_exponential(multiplier=RETRY_FIRST_WAIT_SECONDS, max=3),
        reraise=True,
    )
    try:
        retrying(get, url, output_file, None)
    except requests.HTTPError as error:
        raise DownloadError(f"answered HTTP {error.response.status_code}.") from error
    except requests.RequestException as error:
        raise DownloadError(f"cannot be reached ({type(error).__name__}). Check the network.") from error


def _may_pass(error: BaseException) -> bool:
    if isinstance(error, requests.HTTPError):
        return error.response.status_code == 429 or error.response.status_code >= 500
    return isinstance(error, (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError))
