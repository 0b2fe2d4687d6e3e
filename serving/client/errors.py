"""The errors of the client and of scoring files."""

from __future__ import annotations

EXIT_UNFORESEEN = 1
EXIT_CALL = 2


class Failure(Exception):  # noqa: N818  not for users: `error_for` turns it into a ServingError
    """A call that failed, in gRPC's terms, whatever carried it.

    Attributes:
      code: the name of a gRPC status code, e.g. `NOT_FOUND`.
      details: the message of the server or the transport; may be empty.
    """

    def __init__(self, code: str, details: str):
        super().__init__(f"{code}: {details}")
        self.code = code
        self.details = details


class ServingError(Exception):
    """A call that failed, as a message with the way out.

    Args:
      finding: the rule and the value received.
      way: the way out, in the words of `clickbait predict`.

    Attributes:
      finding: the message without the way out, for callers that have another.
      way: the way out.
      exit_code: 2 where the call or the configuration is wrong, 1 where something else is, e.g. the server is gone.
      code: the name of a gRPC status code, empty where no call was made.
    """

    def __init__(self, finding: str, way: str = "", *, exit_code: int = EXIT_CALL, code: str = ""):
        super().__init__(f"{finding} {way}" if way else finding)
        self.finding = finding
        self.way = way
        self.exit_code = exit_code
        self.code = code


class FileError(Exception):
    """A file of texts cannot be read in its format, or the scores cannot be written.

    Attributes:
      exit_code: 2 where the call or the file is wrong, 1 where the machine is, e.g. its disk is full.
    """

    def __init__(self, message: str, *, exit_code: int = EXIT_CALL):
        super().__init__(message)
        self.exit_code = exit_code
