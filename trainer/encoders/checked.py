"""Caches which encoders passed the check, so that a module is checked once and not in each run."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
from pathlib import Path

from trainer.encoders.cache import cache_dir
from trainer.encoders.check import EncoderFacts, check_encoder, versions
from trainer.encoders.resolve import ResolvedEncoder

#: Raise it when `check_encoder` requires more or returns more.
_FORMAT = 1


def facts_of(encoder: ResolvedEncoder, *, fine_tune: bool, cache: Path | None = None) -> EncoderFacts:
    """Returns the facts of an encoder, from the cache where the same bytes passed the check with the same libraries.

    Args:
      encoder: the resolved encoder.
      fine_tune: whether its variables will be trained.
      cache: the cache of encoders; `cache_dir()` if not given.

    Raises:
      EncoderError: it does not pass, which is not cached.
    """
    key = json.dumps([_FORMAT, encoder.digest, fine_tune, versions()])
    file = (cache or cache_dir()) / "checked" / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.json"
    with contextlib.suppress(OSError, ValueError, TypeError):  # missing or unreadable: it is written anew
        return EncoderFacts(**json.loads(file.read_text(encoding="utf-8")))
    facts = check_encoder(encoder.path, source=encoder.source, fine_tune=fine_tune)
    with contextlib.suppress(OSError):  # a cache that cannot be written to: the next run checks again
        file.parent.mkdir(parents=True, exist_ok=True)
        writing = file.with_suffix(f".{os.getpid()}")
        writing.write_text(json.dumps(dataclasses.asdict(facts)), encoding="utf-8")
        writing.replace(file)
    return facts
