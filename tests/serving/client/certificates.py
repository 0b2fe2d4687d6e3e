"""Certificates by openssl, as an administrator would make them."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import NamedTuple


class Certificate(NamedTuple):
    """Two PEM files."""

    cert: Path
    key: Path


def make_authority(folder: Path, name: str) -> Certificate:
    """An authority that signs itself."""
    made = Certificate(folder / f"{name}.pem", folder / f"{name}.key")
    _openssl("req", "-x509", *_new_key(made.key), "-out", made.cert, "-days", 2, "-subj", f"/CN={name}")
    return made


def make_certificate(folder: Path, authority: Certificate, host: str) -> Certificate:
    """A certificate for a host name, signed by the authority."""
    made = Certificate(folder / f"{host}.pem", folder / f"{host}.key")
    request, extension = folder / f"{host}.csr", folder / f"{host}.ext"
    extension.write_text(f"subjectAltName=DNS:{host}\n")
    _openssl("req", *_new_key(made.key), "-out", request, "-subj", f"/CN={host}")
    _openssl(
        *("x509", "-req", "-in", request, "-CA", authority.cert, "-CAkey", authority.key, "-CAcreateserial"),
        *("-extfile", extension, "-out", made.cert, "-days", 2),
    )
    return made


def _new_key(path: Path) -> tuple:
    return "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", path


def _openssl(*arguments) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
