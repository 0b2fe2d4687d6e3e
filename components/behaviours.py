"""Cases that a person can read, by which a model's behaviour is checked; see data/behaviours.yaml. Light: no TFX."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import Field, ValidationError, model_validator

from components.errors import InputError
from trainer.section import Section

BEHAVIOURS_FILE = "behaviours.json"
"""What `ScoredBehaviours` is written to, beside the predictions of ModelScorer."""

_MAX_BYTES = 100_000  # the cases are a parameter of a component, and of a task on a cluster
_Title = Annotated[str, Field(min_length=1, max_length=1_000, pattern=r"\S")]
_Cases = 500


class BehaviourGroup(Section):
    """Cases of one expectation: titles of a class, or pairs whose scores may differ in one direction only."""

    group: str = Field(min_length=1, max_length=60, pattern=r"^\S(.*\S)?$")
    expected: Literal["clickbait", "news"] | None = None
    """The class of each of `titles`."""
    titles: list[_Title] = Field([], max_length=_Cases)
    must_not: Literal["fall", "rise"] | None = None
    """What the score must not do from the first to the second title of each of `pairs`."""
    pairs: list[Annotated[list[_Title], Field(min_length=2, max_length=2)]] = Field([], max_length=_Cases)
    tolerance: float = Field(0.05, ge=0, le=1)
    """How far it may do so nevertheless, from 0 to 1."""

    @model_validator(mode="after")
    def _one_expectation(self) -> Self:
        given = {name for name in ("expected", "titles", "must_not", "pairs") if getattr(self, name)}
        if given not in ({"expected", "titles"}, {"must_not", "pairs"}):
            raise ValueError("must have expected and titles, or must_not and pairs")
        return self

    @property
    def cases(self) -> list[list[str]]:
        """The titles of each case, one or two."""
        return self.pairs or [[title] for title in self.titles]


class Behaviours(Section):
    """Groups of cases."""

    groups: list[BehaviourGroup] = Field(min_length=1, max_length=100)

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        if repeated := [name for name, count in Counter(group.group for group in self.groups).items() if count > 1]:
            raise ValueError(f"each group must have a name of its own, and {repeated[0]!r} is that of several")
        return self

    @property
    def texts(self) -> list[str]:
        """Each distinct title once."""
        return [*dict.fromkeys(title for group in self.groups for case in group.cases for title in case)]


class ScoredBehaviours(Section):
    """Cases with a model's scores."""

    behaviours: Behaviours
    scores: dict[str, float | None]
    """Of class 1, by title; None for one that is no number."""


def read_behaviours(path: str | Path) -> Behaviours:
    """Reads a YAML file of cases.

    Raises:
      InputError: it cannot be read, or is no such file.
    """
    shown = f"evaluation.behaviours={path}"
    try:
        with Path(path).expanduser().open("rb") as stream:
            content = stream.read(_MAX_BYTES + 1)
        if len(content) > _MAX_BYTES:
            raise InputError(
                f"A file of behaviours must have at most {_MAX_BYTES:,} bytes. Received: {shown}, which has more. Give "
                "fewer cases: a challenge set is the place for many."
            )
        return Behaviours.model_validate(yaml.safe_load(content.decode("utf-8")))
    except OSError as error:
        raise InputError(f"A file of behaviours must be there. Received: {shown}: {error.strerror}.") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise InputError(
            f"A file of behaviours must have groups of cases. Received: {shown}: {where}: "
            f"{first['msg'].removeprefix('Value error, ')}. See data/behaviours.yaml, and put titles with signs into "
            "quotes."
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"A file of behaviours must be YAML in UTF-8. Received: {shown}: {reason}.") from error
