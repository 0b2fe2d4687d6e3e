"""Which tasks are never taken from the cache."""

from __future__ import annotations

#: What looks at the world as it is now: the serving folder, a running server, the outcome of this very run.
UNCACHED = ("LatestBlessedModel", "LocalInfraValidator", "VersionedPusher", "RunReport", "Verdict")
