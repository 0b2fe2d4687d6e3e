"""Finds which of a name's addresses to report to a user.

A name may have several addresses, as localhost has [::1] and 127.0.0.1, and gRPC reports the one that it tried last,
which is another each time. Where that one refused and another listens, the other's failure is what helps.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
import socket

from serving.client.calls import metadata_call
from serving.client.errors import Failure
from serving.client.failures import nobody_listened
from serving.client.options import ClientOptions, Retry
from serving.client.transport import GrpcTransport

PROBE_TIMEOUT_S = 1.0
_NAME_AND_PORT = re.compile(r"(?:dns:(?:///)?)?([^\s:/\[\]]+):(\d+)")


def failure_where_one_listens(failure: Failure, options: ClientOptions) -> Failure | None:
    """Returns the failure of a call at the address of the target's name that listens.

    Returns:
      None where the failure is of another kind, no address listens, or the call does not fail there.
    """
    match = _NAME_AND_PORT.fullmatch(options.target)
    # Over REST the addresses are tried in turn, up to one that listens.
    if options.rest or not match or not nobody_listened(failure):
        return None
    host, port = match[1], int(match[2])
    address = _listening_address(host, port)
    if address is None:
        return None
    tls = options.tls and dataclasses.replace(options.tls, server_name=options.tls.server_name or host)
    there = dataclasses.replace(options, target=address, tls=tls, retry=Retry(attempts=1), wait_for_ready=False)
    transport = GrpcTransport(there)
    try:
        transport.call(*metadata_call(there), PROBE_TIMEOUT_S)
    except Failure as failed:
        return failed
    finally:
        transport.close()
    return None


def _listening_address(host: str, port: int) -> str | None:
    """Returns the first address that listens, as a target of gRPC."""
    try:
        known = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        return None
    for family, _, _, _, socket_address in known:
        address = str(socket_address[0])
        with contextlib.suppress(OSError), socket.create_connection((address, port), PROBE_TIMEOUT_S):
            return f"ipv6:[{address}]:{port}" if family == socket.AF_INET6 else f"ipv4:{address}:{port}"
    return None
