"""The messages, as JSON, between `bench.training` and its contenders, which are processes of their own."""

from __future__ import annotations

from typing import NotRequired, TypeAlias, TypedDict

Recipe: TypeAlias = dict[str, str | float | None]
"""The section `training` of a configuration."""


class Order(TypedDict):
    """The order of a training."""

    contender: str
    data: str
    rows: int | None
    """The number of rows to use; None for all."""
    encoder: str
    training: Recipe
    wanted: NotRequired[float]
    """The accuracy to be reached, as these three by all but the plain script."""
    evaluations: NotRequired[int]
    """An epoch."""
    seconds: NotRequired[float]
    """The most that it may train."""
    output: NotRequired[str]
    """The folder of the plain script's model."""


class Point(TypedDict):
    """An evaluation: what the training had cost until then, and the accuracy."""

    steps: int
    wall: float
    cpu: float
    accuracy: float


class Reached(TypedDict):
    """The evaluations of a training, and whether it came to the accuracy that was wanted."""

    points: list[Point]
    reached: bool


class Plain(TypedDict):
    """The result of the plain script."""

    steps: int
    fit_wall: float
    fit_cpu: float
    accuracy: dict[str, float]
    """By split."""
