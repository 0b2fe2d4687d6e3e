"""The Dockerfile as its stages: what each starts from, and its steps with their variables filled in."""

from __future__ import annotations

import io
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dockerfile_parse import DockerfileParser

ROOT = Path(__file__).parents[3]
DOCKERFILE = ROOT / "kubeflow" / "image" / "Dockerfile"
IGNORE_FILE = DOCKERFILE.with_name("Dockerfile.dockerignore")

_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?::(?P<sign>[+-])(?P<word>(?:[^{}]|\{[^{}]*\})*))?\})")


@dataclass(frozen=True)
class Step:
    """One instruction: `flags` are those before its value, such as `--from=...` of COPY and `--mount=...` of RUN."""

    instruction: str
    value: str
    flags: Mapping[str, str]


@dataclass
class Stage:
    """What FROM begins."""

    base: str
    name: str
    steps: list[Step] = field(default_factory=list)

    def of(self, instruction: str) -> list[Step]:
        return [step for step in self.steps if step.instruction == instruction]


def read_stages(text: str, arguments: Mapping[str, str] | None = None) -> list[Stage]:
    """Returns the stages in order; the last one is the image.

    Args:
      text: of the Dockerfile.
      arguments: what `--build-arg` gives.
    """
    arguments, outermost, stages = arguments or {}, {}, []
    for instruction, value in _instructions(text):
        if instruction == "FROM":
            base, *named = expand(value, outermost).split()
            stages.append(Stage(base, named[1] if named else ""))
        elif stages:
            flags, value = _split_flags(value)
            stages[-1].steps.append(Step(instruction, value, flags))
        else:  # an ARG before the first FROM
            name, _, default = value.partition("=")
            outermost[name] = arguments.get(name, default)
    return stages


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Fills in `$NAME`, `${NAME}`, `${NAME:+word}` and `${NAME:-word}`."""

    def found(match: re.Match) -> str:
        value = variables.get(match[1] or match[2], "")
        if match["sign"] == "+":
            return expand(match["word"], variables) if value else ""
        return value or expand(match["word"] or "", variables)

    return _VARIABLE.sub(found, text)


def assignments(value: str) -> dict[str, str]:
    """The pairs of ENV and LABEL, and of an ARG with a default."""
    return dict(pair.split("=", 1) for pair in shlex.split(value) if "=" in pair)


def ignore_rules(path: Path = IGNORE_FILE) -> list[str]:
    """The patterns of what is not sent to the builder, without comments."""
    return [line for line in path.read_text().splitlines() if line and not line.startswith("#")]


def _instructions(text: str) -> Iterator[tuple[str, str]]:
    parser = DockerfileParser(fileobj=io.BytesIO(text.encode()))
    for found in parser.structure:
        if found["instruction"] != "COMMENT":
            yield found["instruction"], found["value"]


def _split_flags(value: str) -> tuple[dict[str, str], str]:
    flags = {}
    while match := re.match(r"--(\w+)=(\S+)\s+", value):
        flags[match[1]], value = match[2], value[match.end() :]
    return flags, value
