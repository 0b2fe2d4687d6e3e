"""Failed calls as messages with the way out.

A message often names the versions or signatures that the server has, so it takes two steps: `lookup_for` names the
request for them, and `error_for` makes the message with the response, or without one. Neither makes a call, so both
kinds of client use them.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Sequence
from typing import NamedTuple

from serving.client.answers import AVAILABLE, Metadata, Signature, VersionStatus
from serving.client.errors import EXIT_CALL, EXIT_UNFORESEEN, Failure, ServingError
from serving.client.options import GRPC_TARGET, REST_TARGET, ClientOptions

_SIGNATURE_NOT_FOUND = re.compile(r"[Ss]erving signature (key|name:) ")
_VERIFY_FAILED = re.compile(r"certificate verify failed: (.+?) \(_ssl")
_CERTIFICATE_REFUSED = ("CERTIFICATE_VERIFY_FAILED", "certificate verify failed")
# Since Python 3.13 REST asks for the extensions of RFC 5280; gRPC does not.
_NOT_STRICT = ("Key Identifier", "key usage", "Key usage", "Basic Constraints", "Path length")
_OTHER_NAME = ("Hostname Verification Check failed", "is not in peer certificate", "doesn't match", "Hostname mismatch")
_NO_TLS_THERE = ("WRONG_VERSION_NUMBER", "wrong version number", "record layer failure")
_UNRESOLVED = ("errors resolving", "DNS resolution failed", "Name or service not known", "Failed to resolve")
_NO_THREAD = ("Server Threadpool Exhausted", "Concurrent RPC limit exceeded")
_HUNG_UP = ("Socket closed", "Connection reset", "Connection aborted", "RemoteDisconnected", "EOF occurred", "alert")
_UNUSABLE_FILES = ("security handshaker", "PEM lib", "KEY_VALUES_MISMATCH", "no certificate or crl found")
_NOT_THERE = ("refused", "No route", "unreachable", "Cannot assign requested address")
_NO_HTTP2 = ("Failed parsing HTTP/2", "http1.x server", "Trying to connect an http1")


_NO_VARIABLES = ("Could not find variable", "Error while reading resource variable")

THREADS_FLAG = "--grpc_max_threads=64"
SHORT_OF_THREADS = (
    "the server is short of threads and refuses calls: fewer are sent at once, and the refused ones again. Start it "
    f"with {THREADS_FLAG} (by default it has 4 a CPU)"
)


class Lookup(enum.Enum):
    """A further request that explains a failure."""

    STATUS = "status of all versions"
    METADATA = "metadata"


def lookup_for(failure: Failure) -> Lookup | None:
    """Returns the further request that explains a failure, if any."""
    if failure.code == "NOT_FOUND" or "version label" in failure.details:
        return Lookup.STATUS
    if failure.code in ("INVALID_ARGUMENT", "FAILED_PRECONDITION"):
        return Lookup.METADATA
    return None


def is_short_of_threads(failure: BaseException) -> bool:
    """Returns whether the server has no thread for the call.

    TF Serving's official image refuses it without a text, a build of it with gRPC 1.51 with one, and so does gRPC for
    Python. A message that is too large has the same code, and another text.
    """
    if not isinstance(failure, Failure) or failure.code != "RESOURCE_EXHAUSTED":
        return False
    return not failure.details.strip() or _has(failure.details, _NO_THREAD)


def waiting_helps(failure: Failure) -> bool:
    """Returns whether the same call may succeed later: the server, or its model, is not available yet."""
    lasting = (*_CERTIFICATE_REFUSED, *_OTHER_NAME, *_NO_TLS_THERE, *_UNUSABLE_FILES, *_NO_HTTP2)
    passing = failure.code in ("UNAVAILABLE", "NOT_FOUND", "DEADLINE_EXCEEDED") or is_short_of_threads(failure)
    return passing and not _has(failure.details, lasting)


def is_gone(failure: Failure) -> bool:
    """Returns whether there is no server, or none any more, rather than one that has too much to do."""
    return failure.code == "UNAVAILABLE" and _has(failure.details, (*_NOT_THERE, *_HUNG_UP, "failed to connect"))


def nobody_listened(failure: Failure) -> bool:
    """Returns whether there was no server at the address that was tried."""
    return failure.code == "UNAVAILABLE" and _has(failure.details, _NOT_THERE)


def error_for(
    failure: Failure, options: ClientOptions, answer: Sequence[VersionStatus] | Metadata | None = None
) -> ServingError:
    """Returns the error of a failed call, for a user.

    Args:
      failure: of the call.
      options: of the call.
      answer: the response to `lookup_for(failure)`; None where there is none.
    """
    exit_code, finding, way = _message(failure, options, answer)
    return ServingError(" ".join(finding.split()), way, exit_code=exit_code, code=failure.code)


class _Message(NamedTuple):
    exit_code: int
    finding: str
    """The rule and the value received."""
    way: str = ""


def _message(failure: Failure, options: ClientOptions, answer: Sequence[VersionStatus] | Metadata | None) -> _Message:
    target, details = options.target, failure.details.strip().rstrip(".") or "no reason given"
    if failure.code == "UNAVAILABLE":
        return _unavailable(details, options)
    if failure.code == "DEADLINE_EXCEEDED":
        return _Message(
            EXIT_UNFORESEEN,
            f"The server must answer within {options.timeout_s:g} s. Received: nothing yet from {target} ({details}).",
            "Give it more time (--timeout) or smaller calls (--rows-per-call), or check that it runs.",
        )
    if lookup_for(failure) is Lookup.STATUS:
        return _no_version(details, options, None if isinstance(answer, Metadata) else answer)
    if lookup_for(failure) is Lookup.METADATA:
        return _wrong_input(details, options, answer if isinstance(answer, Metadata) else None)
    if is_short_of_threads(failure):
        return _Message(
            EXIT_UNFORESEEN,
            f"The server at {target} must have a thread for each call. Received: {failure.code}, with which TF Serving "
            "refuses a call while all its threads are busy.",
            f"Start it with {THREADS_FLAG} (by default it has 4 a CPU), or send fewer at once: --in-flight 1.",
        )
    if failure.code == "RESOURCE_EXHAUSTED":
        return _Message(
            EXIT_UNFORESEEN,
            f"The server must have resources for the call. Received: {details}.",
            f"Send less at once: --rows-per-call {_half(options)}, or fewer --in-flight; where the message is too "
            f"large, the limit is that of {target} or of a proxy before it.",
        )
    if failure.code in ("UNAUTHENTICATED", "PERMISSION_DENIED"):
        return _Message(
            EXIT_CALL,
            f"The caller must be authorized. Received: {failure.code} from {target}: {details}.",
            "Check --tls-cert and --tls-key, and what a proxy before it requires.",
        )
    if failure.code == "UNIMPLEMENTED":
        return _Message(
            EXIT_CALL,
            f"A TF Serving model server must answer at {target}. Received: {details}.",
            f"Something else listens there: give its address with --target, e.g. {GRPC_TARGET}, or {REST_TARGET} with "
            "--rest.",
        )
    return _Message(
        EXIT_UNFORESEEN,
        f"The server must answer. Received: {failure.code} from {target}: {details}.",
        "See the server's log.",
    )


def _unavailable(details: str, options: ClientOptions) -> _Message:
    target = options.target
    if _has(details, _CERTIFICATE_REFUSED) and not _has(details, _OTHER_NAME):
        signer = f"the authority in {options.tls.ca}" if options.tls and options.tls.ca else "a public authority"
        return _Message(
            EXIT_CALL,
            f"The certificate of {target} must be signed by {signer}, and valid. Received: {_reason(details)}.",
            "Make both anew with the extensions of RFC 5280, as docs/serving.md does, or call over gRPC."
            if _has(details, _NOT_STRICT)
            else "Give the authority that signed it with --tls-ca.",
        )
    if _has(details, _OTHER_NAME):
        name = options.tls.server_name if options.tls and options.tls.server_name else target.rpartition(":")[0]
        return _Message(
            EXIT_CALL,
            f"The server's certificate must be for the host that is called. Received: one for another name than "
            f"{name!r}.",
            "Call it by the name in its certificate, or give that with --tls-server-name.",
        )
    if _has(details, _NO_TLS_THERE):
        return _Message(
            EXIT_CALL,
            f"With TLS options the server must speak TLS. Received: an answer without TLS from {target}.",
            "Leave the --tls options out, or give the port that speaks TLS.",
        )
    if _has(details, _UNUSABLE_FILES):
        return _Message(
            EXIT_CALL,
            f"Certificates and key must be PEM files that go together. Received: {_files(options)}, which TLS cannot "
            "use.",
            "Give the right ones.",
        )
    if _has(details, _UNRESOLVED):
        return _Message(
            EXIT_CALL,
            f"The target's host must be known. Received: {target!r}, which no name server knows.",
            "Give --target.",
        )
    if _has(details, _NO_HTTP2):
        return _Message(
            EXIT_CALL,
            f"The target must be a gRPC port. Received: {target}, which speaks HTTP/1.1.",
            "Give the gRPC port, or --rest for this one.",
        )
    if _has(details, _HUNG_UP):
        if options.tls:
            way = "It may ask for a certificate of the client: give --tls-cert and --tls-key."
        else:
            other = "it is a gRPC port: leave --rest out" if options.rest else "it is another service"
            way = f"It may speak TLS: give --tls-ca; or {other}; or it is just stopping."
        finding = f"The server at {target} must keep the connection. Received: it hung up."
        return _Message(EXIT_UNFORESEEN, finding, way)
    if _has(details, _NOT_THERE) or "failed to connect" in details:
        return _Message(
            EXIT_UNFORESEEN,
            f"A server must listen at {target}. Received: {_reason(details)}.",
            "Start it, give the right --target, or --wait SECONDS for one that is starting.",
        )
    return _Message(
        EXIT_UNFORESEEN,
        f"The server at {target} must be available. Received: {details}.",
        "Try again, or see the server's log.",
    )


def _no_version(details: str, options: ClientOptions, versions: Sequence[VersionStatus] | None) -> _Message:
    model, target = options.model, options.target
    if not versions:
        return _Message(
            EXIT_CALL,
            f"The server at {target} must have the model. Received: {model!r}, which it does not have ({details}).",
            "Give the right name with --model; `--model_name` is what the server was started with.",
        )
    known = ", ".join(f"{status.version} ({_state(status)})" for status in versions)
    if options.label:
        return _Message(
            EXIT_CALL,
            f"A label must name an available version of {model!r}. Received: {options.label!r}, which {target} does "
            f"not know; it has the versions {known}.",
            "Give one of them with --version, or set the label in the server's model configuration.",
        )
    available = [status.version for status in versions if status.state == AVAILABLE]
    if options.version is None or not available:
        return _Message(
            EXIT_CALL,
            f"The server at {target} must have an available version of {model!r}. Received: {known}.",
            "Wait for it with --wait SECONDS, or see the server's log.",
        )
    return _Message(
        EXIT_CALL,
        f"Version {options.version} of {model!r} must be available at {target}. Received: {known}.",
        f"Give --version {available[0]}, or none for the server's choice.",
    )


def _wrong_input(details: str, options: ClientOptions, metadata: Metadata | None) -> _Message:
    if _has(details, _NO_VARIABLES):
        which = f"{options.model!r}" if metadata is None else f"{metadata.model!r} version {metadata.version}"
        return _Message(
            EXIT_UNFORESEEN,
            f"The server at {options.target} must have all variables of {which}. Received: {details}.",
            "The version's folder is damaged or not whole: push it again, or go back with `clickbait rollback`.",
        )
    if metadata is None:
        return _Message(
            EXIT_CALL,
            f"The model must accept the request. Received: {details}.",
            "Check --model, --signature and --input-name.",
        )
    which = f"{metadata.model!r} version {metadata.version}"
    signature = metadata.signatures.get(options.signature)
    if _SIGNATURE_NOT_FOUND.search(details) or signature is None:
        known = "; ".join(
            f"{name} ({known_signature.describe_inputs()})"
            for name, known_signature in metadata.signatures.items()
            if known_signature.inputs
        )
        return _Message(
            EXIT_CALL,
            f"The signature must be one of {which}: {known}. Received: {options.signature!r}.",
            "Give one of them with --signature.",
        )
    rule = f"The input must be that of the signature {options.signature!r} of {which}: {signature.describe_inputs()}."
    sent = f"{options.input}: string [-1]"
    if _takes(signature, options.input):
        return _Message(EXIT_CALL, f"{rule} Received: {sent}, and the server says: {details}.")
    return _Message(
        EXIT_CALL,
        f"{rule} Received: {sent}.",
        "Name its input with --input-name, or another signature with --signature.",
    )


def _takes(signature: Signature, name: str) -> bool:
    return list(signature.inputs) == [name] and signature.inputs[name].dtype == "DT_STRING"


def _state(status: VersionStatus) -> str:
    return f"{status.state}: {status.message}" if status.message else status.state


def _files(options: ClientOptions) -> str:
    tls = options.tls
    return ", ".join(str(path) for path in (tls.ca, tls.cert, tls.key) if path) if tls else "none"


def _half(options: ClientOptions) -> int:
    return max(1, options.rows_per_call // 2)


def _has(text: str, parts: Sequence[str]) -> bool:
    return any(part in text for part in parts)


def _reason(details: str) -> str:
    """Returns the end of a message, where gRPC, OpenSSL and requests put the reason."""
    if "unable to get local issuer certificate" in details or "self-signed" in details or "self signed" in details:
        return "one that is not"
    if "has expired" in details:
        return "one that has expired"
    if match := _VERIFY_FAILED.search(details):
        return match[1]
    if "refused" in details:
        return "connection refused"
    return details.rpartition("last error: ")[2]
