"""The client's side of the log of requests."""

from __future__ import annotations

from pathlib import Path

from serving.client.errors import ServingError
from serving.client.options import ClientOptions
from serving.request_log.options import LogOptions, RequestLogError
from serving.request_log.writer import RequestLog


def open_log(options: ClientOptions) -> RequestLog | None:
    """Opens the log that the options name; None where they name none.

    Raises:
      ServingError: its folder cannot be written.
    """
    if options.log_to is None:
        return None
    try:
        return RequestLog(LogOptions(Path(options.log_to), options.log_rate))
    except RequestLogError as error:
        raise ServingError(f"{error} It is --log-to, or log_to.") from error
