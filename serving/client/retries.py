"""When a single call is sent again though its server refused it for want of threads.

UNAVAILABLE is the transports' own: gRPC's retry policy. That sees a code alone, which a message that is too large
shares with a server that is short of threads.
"""

from __future__ import annotations

from typing import TypedDict

import tenacity

from serving.client.failures import is_short_of_threads
from serving.client.options import Retry


class Terms(TypedDict):
    """The arguments of `tenacity.Retrying` and of `tenacity.AsyncRetrying`."""

    retry: tenacity.retry_if_exception
    wait: tenacity.wait_random_exponential
    stop: tenacity.stop_before_delay
    reraise: bool


def repeats(failure: BaseException, retry: Retry) -> bool:
    """Returns whether a call that failed is sent again by these terms."""
    return retry.attempts > 1 and is_short_of_threads(failure)


def retry_terms(retry: Retry, within_s: float) -> Terms:
    """Returns the terms: exponential back-off with full jitter, no attempt after `within_s`."""
    return {
        "retry": tenacity.retry_if_exception(is_short_of_threads),
        "wait": tenacity.wait_random_exponential(2 * retry.first_pause_s, retry.longest_pause_s),
        "stop": tenacity.stop_before_delay(within_s),
        "reraise": True,
    }
