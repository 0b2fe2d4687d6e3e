"""The errors of requests, with gRPC's and HTTP's codes, and of starting the server."""

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
    """A request, or the load of a version, that ends with a status other than OK."""

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
        """The error as absl::Status prints it: `CODE_NAME: message`."""
        return f"{self.code.name}: {self.message}"


class StartError(Exception):
    """The server cannot start with these flags."""

    def __init__(self, message: str, exit_code: int = 2):
        super().__init__(message)
        self.exit_code = exit_code


def invalid_argument(message: str) -> ServingError:
    """Returns the error of a request that is wrong."""
    return ServingError(grpc.StatusCode.INVALID_ARGUMENT, message)


def not_found(message: str) -> ServingError:
    """Returns the error of a missing model, version or folder."""
    return ServingError(grpc.StatusCode.NOT_FOUND, message)


def failed_precondition(message: str) -> ServingError:
    """Returns the error of a valid request that this model or its state does not allow."""
    return ServingError(grpc.StatusCode.FAILED_PRECONDITION, message)


def deadline_exceeded() -> ServingError:
    """Returns the error of a request whose time was over while it waited."""
    return ServingError(grpc.StatusCode.DEADLINE_EXCEEDED, "The deadline passed before the computation began")


def unsupported_method(name: str) -> ServingError:
    """Returns the error of a method of TF Serving that this server leaves out."""
    return ServingError(
        grpc.StatusCode.UNIMPLEMENTED,
        f"The local server must be called by Predict. Received: {name}, which it leaves out, for the models of this "
        "project have no signatures for it. Call Predict, or start tensorflow/serving.",
    )


def error_from_number(number: int, message: str) -> ServingError:
    """Returns the error of a status code by its number in TensorFlow and gRPC."""
    return ServingError(_CODE_BY_NUMBER.get(number, grpc.StatusCode.UNKNOWN), message)


def cut_message(message: str) -> str:
    """Cuts a message to the length that TF Serving allows in a gRPC response."""
    encoded = message.encode("utf-8", "replace")
    if len(encoded) <= _MESSAGE_LIMIT_BYTES:
        return message
    return encoded[:_MESSAGE_LIMIT_BYTES].decode("utf-8", "ignore") + "...TRUNCATED"
