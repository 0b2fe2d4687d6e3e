"""The rules of infra validation, and its findings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from components.recorded import KEEPS_UNKNOWN, Recorded
from trainer.section import Section

VERDICT_FILE = "verdict.json"
PASSED, FAIL, NOT_JUDGED = "kept", "fail", "not judged"  # as verdicts hold them

MAX_DIFFERENCE = 1e-5
"""Between two ways to the same probability: another batch pads otherwise and adds up in another order."""


class InfraConfig(Section):
    """How a model is served once before it is pushed, and the thresholds that it must meet there."""

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


@dataclass(frozen=True, config=KEEPS_UNKNOWN)
class Finding(Recorded):
    """One rule, judged for one signature or server."""

    rule: str
    """`starts`, `loads`, `scores`, `agreement`, `range`, `latency` or `memory`."""
    where: str
    """The signature, or what was measured."""
    bound: str
    """The threshold, for people."""
    observed: str
    kept: bool | None
    """None: not judged."""
    detail: str = ""
    outcome: str = ""
    """`kept`, `fail` or `not judged`; follows from `kept`."""

    def __post_init__(self) -> None:
        if not self.outcome:
            object.__setattr__(self, "outcome", {None: NOT_JUDGED, True: PASSED, False: FAIL}[self.kept])


@dataclass(frozen=True, config=KEEPS_UNKNOWN)
class Server(Recorded):
    """Which server the model was served by."""

    kind: str
    """`path`, `local` or `docker`."""
    command: list[str]


@dataclass(frozen=True, config=KEEPS_UNKNOWN)
class InfraVerdict(Recorded):
    """LocalInfraValidator's `verdict.json`."""

    blessed: bool
    digest: str
    """Of the served model."""
    server: Server
    log: str
    """Path of the server's log."""
    golden_titles: int
    findings: list[Finding]


class ServerUnavailable(Exception):  # noqa: N818  what is missing is no error of the model
    """There is no server of the kind that the configuration asks for."""

    exit_code = 2


def write_verdict(folder: Path, verdict: InfraVerdict) -> None:
    """Writes `verdict.json`."""
    text = json.dumps(verdict.as_dict(), indent=2, ensure_ascii=False)
    (folder / VERDICT_FILE).write_text(text, encoding="utf-8")


def read_verdict(uri: str | Path) -> InfraVerdict:
    """Reads what `write_verdict` wrote."""
    return InfraVerdict.from_dict(json.loads(Path(uri, VERDICT_FILE).read_text(encoding="utf-8")))


def describe(finding: Finding) -> str:
    """Describes a finding in one line."""
    detail = f" ({finding.detail})" if finding.detail else ""
    return f"{finding.rule}, {finding.where}: expected {finding.bound}, observed {finding.observed}{detail}"
