"""What a request is refused with, in gRPC's codes and in HTTP's, and what keeps the server from starting."""

from __future__ import annotations

import grpc

#: TF Serving cuts the messages of its gRPC answers, so that they fit into a header.
_MESSAGE_LIMIT_BYTES = 1024

_HTTP_STATUS = {
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
    grpc.StatusCode.OUT_OF_RANGE: 400,
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.ABORTED: 409,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.CANCELLED: 499,
    grpc.StatusCode.UNIMPLEMENTED: 501,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
}

_CODE_BY_NUMBER = {code.value[0]: code for code in grpc.StatusCode}


class ServingError(Exception):
    """A request, or the loading of a version, that ends with a status other than OK."""

    def __init__(self, code: grpc.StatusCode, message: str):
        super().__init__(message)
        self.code = code
        self.message = message

    @property
    def http_status(self) -> int:
        """The HTTP status that TF Serving gives to the gRPC code."""
        return _HTTP_STATUS.get(self.code, 500)

    @property
    def status_text(self) -> str:
        """As absl::Status prints itself: `CODE_NAME: message`."""
        return f"{self.code.name}: {self.message}"


class StartError(Exception):
    """The server cannot start as it was called."""

    def __init__(self, message: str, exit_code: int = 2):
        super().__init__(message)
        self.exit_code = exit_code


def invalid_argument(message: str) -> ServingError:
    """The request itself is wrong."""
    return ServingError(grpc.StatusCode.INVALID_ARGUMENT, message)


def not_found(message: str) -> ServingError:
    """The model, version or folder is not there."""
    return ServingError(grpc.StatusCode.NOT_FOUND, message)


def failed_precondition(message: str) -> ServingError:
    """The request is sound, and not what this model or this moment allows."""
    return ServingError(grpc.StatusCode.FAILED_PRECONDITION, message)


def error_from_number(number: int, message: str) -> ServingError:
    """The error of a status code as TensorFlow and gRPC number it."""
    return ServingError(_CODE_BY_NUMBER.get(number, grpc.StatusCode.UNKNOWN), message)


def cut_message(message: str) -> str:
    """The message as it fits into a gRPC answer."""
    encoded = message.encode("utf-8", "replace")
    if len(encoded) <= _MESSAGE_LIMIT_BYTES:
        return message
    return encoded[:_MESSAGE_LIMIT_BYTES].decode("utf-8", "ignore") + "...TRUNCATED"
