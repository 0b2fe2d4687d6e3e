"""The base class of the sections of the configuration; each is declared in the folder that uses it."""

from __future__ import annotations

import re
from typing import Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, model_validator

_SECRET = re.compile(r"[^=&;]*(?:token|secret|passw|sig|credential|key|auth)[^=&;]*=", re.IGNORECASE)


class Section(BaseModel):
    # Strict: "3" or True never passes for a number; sources of text are parsed before they get here.
    # protected_namespaces: `model_name` is TF Serving's word, and no clash with pydantic's methods.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, protected_namespaces=())

    @model_validator(mode="after")
    def _no_secret(self) -> Self:
        # Settings go into verdicts, reports, model cards and ML Metadata.
        for name, value in self:
            if isinstance(value, str) and holds_secret(value):
                raise ValueError(
                    f"{name} must hold no password and no token, for it is recorded. Received: a URL with one. Fetch "
                    "its file, and give the path; stores take credentials from their own environment variables."
                )
        return self


def holds_secret(text: str) -> bool:
    """Returns whether a text is a URL with a password or a token."""
    parts = urlsplit(text) if "://" in text else None
    return parts is not None and ("@" in parts.netloc or bool(_SECRET.search(parts.query)))
