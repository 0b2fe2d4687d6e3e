"""Reads where the API server is, and the token for it."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

FORWARD = "`kubectl port-forward -n kubeflow svc/ml-pipeline-ui 8080:80` makes --host http://localhost:8080"
NO_CLUSTER = "Without a cluster, `clickbait kubeflow rehearse` runs the spec here."
TOKEN = "`kubectl create token SERVICE_ACCOUNT --audience pipelines.kubeflow.org` makes a token for --token-file."


class AddressError(Exception):
    """There is no such address."""

    exit_code = 2


class Address(NamedTuple):
    """The address of an API server, and the token for it."""

    host: str
    token: str = ""
    token_file: Path | None = None
    tls_ca: Path | None = None
    """The authority to trust (PEM); the public ones where it is None."""
    seconds: float = 30.0
    """Most that one call may take."""

    def read_token(self) -> str:
        """Returns the token as it is now: Kubernetes renews those that it mounts. Empty where there is none.

        Raises:
          AddressError: the file holds none.
        """
        if self.token or not self.token_file:
            return self.token
        try:
            token = self.token_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise AddressError(f"--token-file must be readable. Received: {error}. Give another.") from error
        if not _is_token(token):
            raise AddressError(
                f"--token-file must hold one token. Received: {self.token_file}, which does not. {TOKEN}"
            )
        return token


def read_address(
    host: str | None, token: str | None, token_file: Path | None, tls_ca: Path | None, seconds: float
) -> Address:
    """Returns the address that the command line and the environment give. No message ever holds the token.

    Raises:
      AddressError: they give none, or one that is no address.
    """
    if not host:
        raise AddressError(f"--host or KUBEFLOW_HOST must name a cluster. Received: neither. {FORWARD}. {NO_CLUSTER}")
    host = host.partition("#")[0].rstrip("/")  # as copied from a browser
    try:
        parts = urlsplit(host)
        wrong = parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0
        secret = parts.username is not None
    except ValueError:
        wrong, secret = True, False
    if secret:
        raise AddressError("--host must be a URL without credentials. Received: one with. Give --token-file.")
    if wrong or parts.query:
        raise AddressError(f"--host must be an http:// or https:// URL. Received: {host}. E.g. http://localhost:8080.")
    if token and token_file:
        raise AddressError(
            "--token and --token-file must not be given together. Received: --token (or KUBEFLOW_TOKEN) and "
            "--token-file. Leave one out."
        )
    if token and not _is_token(token.strip()):
        raise AddressError(f"--token must be one word of ASCII. Received: something else, which is not shown. {TOKEN}")
    if tls_ca:
        try:
            ssl.create_default_context(cafile=tls_ca)
        except OSError as error:  # an SSLError, too
            raise AddressError(
                f"--tls-ca must be a file of certificates (PEM). Received: {tls_ca}: {error.strerror or error}. "
                "Give another."
            ) from error
    address = Address(host, (token or "").strip(), token_file, tls_ca, seconds)
    address.read_token()
    return address


def _is_token(text: str) -> bool:
    return bool(text) and text.isascii() and text.isprintable() and " " not in text
