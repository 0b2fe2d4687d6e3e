"""What a model must keep as it is served, and what was found."""

from __future__ import annotations

import dataclasses
from typing import Any

KEPT, FAIL, NOT_JUDGED = "kept", "fail", "not judged"

MAX_DIFFERENCE = 1e-5
"""Between two ways to the same probability: another batch pads otherwise and adds up in another order."""


@dataclasses.dataclass(frozen=True)
class InfraPolicy:
    """The configuration's section `infra`."""

    server: str
    """`auto`: tensorflow_model_server where there is one, else `local`; `path`, `local` or `docker`: that one."""
    cold_start_seconds: float
    """From the server's start to its first answer."""
    max_p99_milliseconds: float
    """Of calls with one headline."""
    max_memory_gb: float
    """The server's peak."""
    golden_rows: int
    """Rows of the evaluation split that are scored, besides the article's two titles."""


@dataclasses.dataclass(frozen=True)
class Finding:
    """One rule, judged in one place."""

    rule: str
    """`starts`, `loads`, `scores`, `agreement`, `range`, `latency` or `memory`."""
    where: str
    """The signature, or what was looked at."""
    bound: str
    """What was asked, for a person."""
    observed: Any
    kept: bool | None
    """None: not judged."""
    detail: str = ""

    @property
    def outcome(self) -> str:
        """`kept`, `fail` or `not judged`."""
        return {None: NOT_JUDGED, True: KEPT, False: FAIL}[self.kept]

    def to_dict(self) -> dict[str, Any]:
        """For a verdict."""
        return {**dataclasses.asdict(self), "outcome": self.outcome}


class ServerUnavailable(Exception):  # noqa: N818  what is missing is no error of the model
    """There is no server of the kind that the configuration asks for."""

    exit_code = 2
