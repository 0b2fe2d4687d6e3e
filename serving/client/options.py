"""Where the server is and how it is called; checked when made, so that a mistake costs no call."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path

from serving.client.errors import ServingError
from trainer.features import EXAMPLES_SIGNATURE, PROBABILITY, RAW_SIGNATURE, TITLE

GRPC_TARGET = "localhost:8500"
REST_TARGET = "localhost:8501"

_LONGEST_S = 1_000_000
_SCHEMES = ("dns:", "ipv4:", "ipv6:", "unix:", "unix-abstract:", "xds:")
_HOST_PORT = re.compile(r"(\[[0-9a-fA-F:.%]+\]|[^\s:/\[\]]+):(\d{1,5})")
_LOOPBACK = re.compile(r"(dns:/+|ipv[46]:)?(localhost|127\.[\d.]+|\[::1\]):\d+")


@dataclasses.dataclass(frozen=True)
class Retry:
    """When a call is repeated: on UNAVAILABLE alone, within the call's own deadline."""

    attempts: int = 4
    """In all; 1 is no retry, and gRPC makes at most 5."""
    first_pause_s: float = 0.1
    longest_pause_s: float = 2.0

    def __post_init__(self) -> None:
        if not 1 <= self.attempts <= 5:
            raise ServingError(f"A call is tried 1 to 5 times. Received: attempts={self.attempts}.")
        if not 0 < self.first_pause_s <= self.longest_pause_s:
            raise ServingError(
                "The pauses between attempts grow from first_pause_s to longest_pause_s. Received: "
                f"{self.first_pause_s} to {self.longest_pause_s} s."
            )


@dataclasses.dataclass(frozen=True)
class Tls:
    """A connection by TLS. Without `ca` the public authorities that come with gRPC (or requests) are trusted."""

    ca: str | Path | None = None
    """PEM file of the authority that signed the server's certificate."""
    cert: str | Path | None = None
    """PEM file of the client's own certificate, where the server asks for one (mTLS)."""
    key: str | Path | None = None
    """PEM file of that certificate's key."""
    server_name: str | None = None
    """The name in the server's certificate, where it is not the target's host."""

    def __post_init__(self) -> None:
        if bool(self.cert) != bool(self.key):
            raise ServingError(
                f"A client's certificate and its key go together. Received: cert={self.cert}, key={self.key}.",
                "Give both, --tls-cert and --tls-key, or neither.",
            )

    def read(self, name: str) -> bytes | None:
        """The content of `ca`, `cert` or `key`; None where there is none.

        Raises:
          ServingError: it is no readable PEM file.
        """
        path: str | Path | None = getattr(self, name)
        if path is None:
            return None
        try:
            content = Path(path).read_bytes()
        except OSError as error:
            raise ServingError(f"--tls-{name} is a PEM file. Received: {path}: {error.strerror}.") from error
        if b"-----BEGIN " not in content:
            raise ServingError(f"--tls-{name} is a PEM file. Received: {path}, which has no line -----BEGIN ...-----.")
        return content


@dataclasses.dataclass(frozen=True)
class ClientOptions:
    """All that a client is told.

    Raises:
      ServingError: a value is out of its bounds, or two of them contradict each other.
    """

    target: str = ""
    """`host:port`, or what else gRPC resolves; `dns:///host:port` spreads the calls over all its addresses.

    By default `localhost:8500`, with REST `localhost:8501`.
    """
    model: str = "clickbait"
    version: int | None = None
    """The one to ask; by default the server's choice, its newest."""
    label: str = ""
    """Of a version, as the server's configuration names it: `stable`, `canary`."""
    signature: str = RAW_SIGNATURE
    input_name: str = ""
    """By default what this project's exports call it: `title`, or `examples` in `serving_examples`."""
    output_name: str = PROBABILITY
    timeout_s: float = 60.0
    """Of each call, with its retries."""
    wait_for_ready: bool = False
    """Within that time, wait for a server that does not listen yet instead of failing."""
    retry: Retry = Retry()
    keepalive_s: float = 310.0
    """Between pings of an idle connection; gRPC servers close it when asked more than once in 300 s."""
    tls: Tls | None = None
    rows_per_call: int = 512
    calls_in_flight: int = 4
    """At most, per client."""
    rest: bool = False
    """REST and JSON instead of gRPC, for what lets only HTTP/1.1 through."""
    log_to: str | Path | None = None
    """Folder for a log of texts and scores, TFRecord files of PredictionLog; None: nothing is logged.

    The texts are as they were sent. Over REST an answer does not name the version: give `version`.
    """
    log_rate: float = 1.0
    """Share of the calls that are logged."""

    def __post_init__(self) -> None:
        if not self.target:
            object.__setattr__(self, "target", REST_TARGET if self.rest else GRPC_TARGET)
        self._check_target()
        if not self.model:
            raise ServingError("A model has a name. Received: an empty one.", "Give --model.")
        if self.version is not None and self.label:
            raise ServingError(
                f"A version is named by number or by label. Received: {self.version} and {self.label!r}.",
                "Give --version or --label.",
            )
        if self.version is not None and not 0 <= self.version < 1 << 63:
            raise ServingError(f"A version is a whole number from 0. Received: {self.version}.")
        for name in ("timeout_s", "keepalive_s"):
            if not 0 < getattr(self, name) <= _LONGEST_S:
                raise ServingError(f"{name} is above 0 and at most {_LONGEST_S:,} s. Received: {getattr(self, name)}.")
        for name in ("rows_per_call", "calls_in_flight"):
            if getattr(self, name) < 1:
                raise ServingError(f"{name} is at least 1. Received: {getattr(self, name)}.")
        if not 0 < self.log_rate <= 1:
            raise ServingError(f"log_rate is above 0 and at most 1. Received: {self.log_rate}.")
        if self.log_rate < 1 and self.log_to is None:
            raise ServingError(f"log_rate goes with log_to. Received: {self.log_rate} and no folder.", "Give --log-to.")

    @property
    def input(self) -> str:
        """The name of the signature's input."""
        return self.input_name or ("examples" if self.sends_examples else TITLE)

    @property
    def sends_examples(self) -> bool:
        """The signature takes serialized tf.Examples, not texts."""
        return self.signature == EXAMPLES_SIGNATURE

    @property
    def loopback(self) -> bool:
        """The server is on this machine, so that no proxy lies between."""
        return bool(_LOOPBACK.fullmatch(self.target))

    def _check_target(self) -> None:
        if not self.rest and self.target.startswith(_SCHEMES):
            return
        found = _HOST_PORT.fullmatch(self.target)
        if not found or not 0 < int(found[2]) < 1 << 16:
            example = REST_TARGET if self.rest else f"{GRPC_TARGET} or dns:///{GRPC_TARGET}"
            raise ServingError(f"The target is HOST:PORT, e.g. {example}. Received: {self.target!r}.", "Give --target.")


def check_wait(seconds: float) -> None:
    """Raises ServingError where that is no time to wait."""
    if not 0 <= seconds <= _LONGEST_S:
        raise ServingError(f"A wait is 0 to {_LONGEST_S:,} s. Received: {seconds}.")


def merge_options(target: str, options: ClientOptions | None, changes: Mapping[str, object]) -> ClientOptions:
    """The options that a client's arguments mean: `target` and `changes` over `options` over the defaults."""
    if target:
        changes = {**changes, "target": target}
    try:
        # A name or a value that is wrong raises.
        return dataclasses.replace(options, **changes) if options else ClientOptions(**changes)  # type: ignore[arg-type]
    except TypeError as error:
        known = ", ".join(field.name for field in dataclasses.fields(ClientOptions))
        raise ServingError(f"A client's options are {known}. Received: {', '.join(changes)}.") from error
