"""The options of a client: the server's address and its calls; checked when made, so that a mistake costs no call."""

from __future__ import annotations

import dataclasses
import random
import re
from collections.abc import Mapping
from pathlib import Path

from serving.classes import Unsure, UnsureError
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
    """When a call is repeated within its own deadline.

    On UNAVAILABLE as often as `attempts` says; where the server is short of threads, until the deadline.
    """

    attempts: int = 4
    """In all; 1 is no retry of either kind, and gRPC makes at most 5."""
    first_pause_s: float = 0.1
    longest_pause_s: float = 2.0

    def __post_init__(self) -> None:
        if not 1 <= self.attempts <= 5:
            raise ServingError(f"attempts must be 1 to 5. Received: {self.attempts}. Give another number.")
        if not 0 < self.first_pause_s <= self.longest_pause_s:
            raise ServingError(
                "first_pause_s must be above 0 and at most longest_pause_s. Received: "
                f"{self.first_pause_s} and {self.longest_pause_s} s. Give others."
            )

    def draw_pause_s(self, failures: int) -> float:
        """Draws the seconds to wait after so many failures in a row: exponential back-off with full jitter."""
        return random.uniform(0.0, min(self.first_pause_s * 2.0 ** min(failures - 1, 60), self.longest_pause_s))


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
                f"A client's certificate and its key must be given together. Received: cert={self.cert}, "
                f"key={self.key}.",
                "Give both, --tls-cert and --tls-key, or neither.",
            )

    def read(self, name: str) -> bytes | None:
        """Returns the content of `ca`, `cert` or `key`; None where it is not set.

        Raises:
          ServingError: it is not a readable PEM file.
        """
        path: str | Path | None = getattr(self, name)
        if path is None:
            return None
        try:
            content = Path(path).read_bytes()
        except OSError as error:
            raise ServingError(
                f"--tls-{name} must be a readable PEM file. Received: {path}: {error.strerror}. Give another path."
            ) from error
        if b"-----BEGIN " not in content:
            raise ServingError(
                f"--tls-{name} must be a PEM file. Received: {path}, which has no line -----BEGIN ...-----. Give "
                "another path."
            )
        return content


@dataclasses.dataclass(frozen=True)
class ClientOptions:
    """The options of a client.

    Raises:
      ServingError: a value is out of bounds, or two values contradict each other.
    """

    target: str = ""
    """`host:port`, or another name that gRPC resolves; `dns:///host:port` spreads the calls over all its addresses.

    By default `localhost:8500`, with REST `localhost:8501`.
    """
    model: str = "clickbait"
    version: int | None = None
    """By default the server's choice, its newest."""
    label: str = ""
    """Of a version, as the server's configuration names it: `stable`, `canary`."""
    signature: str = RAW_SIGNATURE
    input_name: str = ""
    """By default that of this project's exports: `title`, or `examples` in `serving_examples`."""
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
    stall_timeout_s: float = 120.0
    """In bulk: how long no call may be answered, before the run ends."""
    rest: bool = False
    """REST and JSON instead of gRPC, for what lets only HTTP/1.1 through."""
    log_to: str | Path | None = None
    """Folder for a log of texts and scores, TFRecord files of PredictionLog; None: nothing is logged.

    The texts are as they were sent. Over REST an answer does not name the version: give `version`.
    """
    log_rate: float = 1.0
    """Share of the calls that are logged."""
    unsure: Unsure | None = None
    """The band of scores without a class, a pair of its ends; None: a score above 0.5 is clickbait, any other news."""

    def __post_init__(self) -> None:
        if not self.target:
            object.__setattr__(self, "target", REST_TARGET if self.rest else GRPC_TARGET)
        self._check_target()
        if not self.model:
            raise ServingError("The model's name must not be empty. Received: an empty name.", "Give --model.")
        if self.version is not None and self.label:
            raise ServingError(
                f"--version and --label must not be given together. Received: {self.version} and {self.label!r}.",
                "Leave one out.",
            )
        if self.version is not None and not 0 <= self.version < 1 << 63:
            raise ServingError(
                f"The version must be a whole number from 0 to 2**63 - 1. Received: {self.version}.", "Give another."
            )
        for name in ("timeout_s", "keepalive_s", "stall_timeout_s"):
            if not 0 < getattr(self, name) <= _LONGEST_S:
                raise ServingError(
                    f"{name} must be above 0 and at most {_LONGEST_S:,} s. Received: {getattr(self, name)}.",
                    "Give another.",
                )
        for name in ("rows_per_call", "calls_in_flight"):
            if getattr(self, name) < 1:
                raise ServingError(f"{name} must be at least 1. Received: {getattr(self, name)}.", "Give another.")
        if not 0 < self.log_rate <= 1:
            raise ServingError(f"log_rate must be above 0 and at most 1. Received: {self.log_rate}.", "Give another.")
        if self.log_rate < 1 and self.log_to is None:
            raise ServingError(
                f"log_rate must come with log_to. Received: {self.log_rate} and no folder.", "Give --log-to."
            )
        if self.unsure is not None:
            try:
                object.__setattr__(self, "unsure", Unsure(*self.unsure).checked())
            except (UnsureError, TypeError) as error:
                raise ServingError(str(error)) from error

    @property
    def input(self) -> str:
        """The name of the signature's input."""
        return self.input_name or ("examples" if self.sends_examples else TITLE)

    @property
    def sends_examples(self) -> bool:
        """Whether the signature takes serialized tf.Examples, not texts."""
        return self.signature == EXAMPLES_SIGNATURE

    @property
    def loopback(self) -> bool:
        """Whether the server is on this machine, so that no proxy is between."""
        return bool(_LOOPBACK.fullmatch(self.target))

    def _check_target(self) -> None:
        if not self.rest and self.target.startswith(_SCHEMES):
            return
        match = _HOST_PORT.fullmatch(self.target)
        if not match or not 0 < int(match[2]) < 1 << 16:
            example = REST_TARGET if self.rest else f"{GRPC_TARGET} or dns:///{GRPC_TARGET}"
            raise ServingError(
                f"The target must be HOST:PORT, e.g. {example}. Received: {self.target!r}.", "Give --target."
            )


def check_wait(seconds: float) -> None:
    """Checks a time to wait.

    Raises:
      ServingError: it is out of bounds.
    """
    if not 0 <= seconds <= _LONGEST_S:
        raise ServingError(f"The wait must be 0 to {_LONGEST_S:,} s. Received: {seconds}.", "Give another.")


def merge_options(target: str, options: ClientOptions | None, changes: Mapping[str, object]) -> ClientOptions:
    """Merges a client's arguments: `target` and `changes` over `options` over the defaults.

    Raises:
      ServingError: a name is no option, or a value is out of bounds.
    """
    if target:
        changes = {**changes, "target": target}
    try:
        # A name or a value that is wrong raises.
        return dataclasses.replace(options, **changes) if options else ClientOptions(**changes)  # type: ignore[arg-type]
    except TypeError as error:
        known = ", ".join(field.name for field in dataclasses.fields(ClientOptions))
        raise ServingError(
            f"A client's options must be of {known}. Received: {', '.join(changes)}.", "Correct the names."
        ) from error
