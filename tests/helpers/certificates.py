"""Certificates by openssl, with the extensions that RFC 5280 asks for: Python 3.13 takes no others."""

from __future__ import annotations

import ipaddress
import subprocess
from pathlib import Path
from typing import NamedTuple

_AUTHORITY = """
[req]
distinguished_name = name
x509_extensions = authority
[name]
[authority]
basicConstraints = critical, CA:TRUE
"""
_SIGNING = """
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
"""
_HOST = """
basicConstraints = CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth, clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
"""


class Certificate(NamedTuple):
    """Two PEM files."""

    cert: Path
    key: Path


def make_authority(folder: Path, name: str, *, bare: bool = False) -> Certificate:
    """An authority that signs itself; a `bare` one, without the extensions, does for gRPC and for older Pythons."""
    made = Certificate(folder / f"{name}.pem", folder / f"{name}.key")
    config = folder / f"{name}.cnf"
    config.write_text(_AUTHORITY if bare else _AUTHORITY + _SIGNING)
    _openssl(
        *("req", "-x509", "-config", config, *_new_key(made.key)),
        *("-out", made.cert, "-days", 2, "-subj", f"/CN={name}"),
    )
    return made


def make_certificate(folder: Path, authority: Certificate, host: str) -> Certificate:
    """A certificate for a host's name or IP address, signed by the authority."""
    made = Certificate(folder / f"{host}.pem", folder / f"{host}.key")
    request, extensions = folder / f"{host}.csr", folder / f"{host}.ext"
    extensions.write_text(f"{_HOST}subjectAltName = {_alternative_name(host)}\n")
    _openssl("req", *_new_key(made.key), "-out", request, "-subj", f"/CN={host}")
    _openssl(
        *("x509", "-req", "-in", request, "-CA", authority.cert, "-CAkey", authority.key, "-CAcreateserial"),
        *("-extfile", extensions, "-out", made.cert, "-days", 2),
    )
    return made


def _alternative_name(host: str) -> str:
    try:
        return f"IP:{ipaddress.ip_address(host)}"
    except ValueError:
        return f"DNS:{host}"


def _new_key(path: Path) -> tuple:
    return "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", path


def _openssl(*arguments) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
