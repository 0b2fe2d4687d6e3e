"""A client of TF Serving, over gRPC or REST, that needs no TensorFlow.

    from serving.client import Client

    with Client("localhost:8500") as client:
        client.predict(["21 Pictures That Will Make You Feel Old"])  # [0.997]

The names below are imported at their first use: gRPC's import costs 0.1 s, which a command's `--help` need not pay.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from serving.client.aio import AsyncClient
    from serving.client.answers import Metadata, Signature, TensorInfo, VersionStatus
    from serving.client.client import Client
    from serving.client.errors import ServingError
    from serving.client.options import ClientOptions, Retry, Tls

_HOMES = {
    "AsyncClient": "aio",
    "Client": "client",
    "ClientOptions": "options",
    "Metadata": "answers",
    "Retry": "options",
    "ServingError": "errors",
    "Signature": "answers",
    "TensorInfo": "answers",
    "Tls": "options",
    "VersionStatus": "answers",
}

__all__ = [
    "AsyncClient",
    "Client",
    "ClientOptions",
    "Metadata",
    "Retry",
    "ServingError",
    "Signature",
    "TensorInfo",
    "Tls",
    "VersionStatus",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
