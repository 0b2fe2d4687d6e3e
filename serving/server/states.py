"""The states of a version, as GetModelStatus names them."""

from __future__ import annotations

import dataclasses
import enum

from serving.server.errors import ServingError


class State(enum.Enum):
    """The state of a version; the values are those of ModelVersionStatus."""

    START = 10
    LOADING = 20
    AVAILABLE = 30
    UNLOADING = 40
    END = 50


@dataclasses.dataclass(frozen=True)
class VersionStatus:
    """The status of a version."""

    version: int
    state: State
    error: ServingError | None
