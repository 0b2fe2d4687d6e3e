"""Finds the object store of a standard installation: its name differs by release of Kubeflow Pipelines."""

from __future__ import annotations

import os
import socket
from urllib.parse import urlsplit

#: Variable with addresses, of which the first that answers is the store; AWS_ENDPOINT_URL stands over it.
ENDPOINTS = "CLICKBAIT_S3_ENDPOINTS"

_ENDPOINT = "AWS_ENDPOINT_URL"
_SECONDS = 5.0


def choose_endpoint() -> None:
    """Sets the store's address for all that opens it, from the addresses in the environment; without any, nothing.

    Where none answers it is the last, so that the task says that it is not there.
    """
    urls = os.environ.get(ENDPOINTS, "").split()
    if urls and not os.environ.get(_ENDPOINT):
        os.environ[_ENDPOINT] = next((url for url in urls[:-1] if _answers(url)), urls[-1])


def _answers(url: str) -> bool:
    address = urlsplit(url)
    try:
        socket.create_connection((address.hostname or "", address.port or 80), timeout=_SECONDS).close()
    except OSError:
        return False
    return True
