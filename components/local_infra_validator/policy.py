"""What a model must keep as it is served, and what was found."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

from pydantic import Field

from trainer.section import Section

KEPT, FAIL, NOT_JUDGED = "kept", "fail", "not judged"

MAX_DIFFERENCE = 1e-5
"""Between two ways to the same probability: another batch pads otherwise and adds up in another order."""


class InfraConfig(Section):
    """How a model is served once before it is pushed, and what it must keep there."""

    server: Literal["auto", "path", "local", "docker"] = Field(
        "auto",
        description="`path`: tensorflow_model_server, from TF_MODEL_SERVER or the PATH; `local`: the project's own "
        "server; `docker`: the official image; `auto`: `path` where there is one, else `local`.",
    )
    cold_start_seconds: float = Field(
        120.0, gt=0, le=3600, description="Most seconds from the server's start to its first answer."
    )
    max_p99_milliseconds: float = Field(
        250.0, gt=0, description="Most milliseconds that 99 of 100 calls with one headline take."
    )
    max_memory_gb: float = Field(4.0, gt=0, description="Most memory that the server holds, in GB (1e9 bytes).")
    golden_rows: int = Field(
        98, ge=0, le=10_000, description="Evaluation rows that are scored there, besides the article's two headlines."
    )


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
