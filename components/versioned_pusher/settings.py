"""How a blessed model becomes a version."""

from __future__ import annotations

from pydantic import Field

from trainer.section import Section


class PushConfig(Section):
    """How a blessed model becomes a version."""

    keep_versions: int = Field(
        5, ge=2, description="Versions that are kept, the newest; a server may still serve the one before the newest."
    )
    confirm_target: str = Field(
        "",
        pattern=r"^$|^\S+:\d{1,5}$|^(unix|xds):\S+$",
        description="`host:port` (gRPC) of a server that must serve the version before a run ends well; empty: none.",
    )
    confirm_seconds: float = Field(60.0, gt=0, le=3600, description="Most seconds that this may take.")
