"""Reads what `compile` leaves for `submit` in the platform document: Kubeflow Pipelines keeps it, and reads it not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from packaging.version import InvalidVersion, Version

from kubeflow.spec.messages import Json, Platform
from kubeflow.spec.pipeline_spec import SpecError
from kubeflow.submit.server import LEAST_RELEASE


class SubmitSettings(NamedTuple):
    """What a spec asks of its runs."""

    service_account: str | None
    """Of the pods; None takes the server's own choice."""
    release: str
    """The least release of Kubeflow Pipelines that runs it."""


def read_settings(platforms: Sequence[Platform]) -> SubmitSettings:
    """Returns the settings in the platform documents of a spec, with what holds for every spec.

    Raises:
      SpecError: they are of another kind.
    """
    account: Json = None
    release: Json = LEAST_RELEASE
    for platform in platforms:
        kubernetes = platform.get("platforms", {}).get("kubernetes")
        config = kubernetes.get("config") if isinstance(kubernetes, dict) else None
        if isinstance(config, dict):
            account, release = config.get("serviceAccount", account), config.get("release", release)
    try:
        if not isinstance(account, str | None) or not isinstance(release, str):
            raise TypeError
        return SubmitSettings(account or None, max(release, LEAST_RELEASE, key=Version))
    except (TypeError, InvalidVersion) as error:
        raise SpecError(
            "platforms.kubernetes.config must hold texts: serviceAccount, and release as 2.14.0. Received: "
            f"{account!r} and {release!r}. Compile the spec anew."
        ) from error
