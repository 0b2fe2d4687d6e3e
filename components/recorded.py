"""Typed records that are written as JSON, and keep keys that this version does not know."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Self

from pydantic import ConfigDict, JsonValue, SerializerFunctionWrapHandler, TypeAdapter, model_serializer
from pydantic.dataclasses import dataclass

KEEPS_UNKNOWN = ConfigDict(extra="allow")
"""Keys that a newer or an older version wrote are read, and written again."""


@dataclass(frozen=True, config=KEEPS_UNKNOWN)
class Recorded:
    """Base of the records; each is a `@dataclass(frozen=True, config=KEEPS_UNKNOWN)` of pydantic.

    A field whose default is None or `()` is left out while it is that. One that is to be null in the file has no
    default, or `field(default_factory=type(None))` where older files lack it.
    """

    @classmethod
    def from_dict(cls, values: Mapping[str, object]) -> Self:
        """Returns a record of values as JSON has them, checked.

        Raises:
          pydantic.ValidationError: a value is missing, or of another type.
        """
        return TypeAdapter(cls).validate_python(values)

    @classmethod
    def from_json(cls, text: bytes) -> Self:
        """Parses and checks JSON at once, which takes half the time of both in turn.

        Raises:
          pydantic.ValidationError: it is no JSON, or a value is missing, or of another type.
        """
        return TypeAdapter(cls).validate_json(text)

    def as_dict(self) -> dict[str, JsonValue]:
        """Returns the values as JSON has them, the unknown ones last."""
        written: dict[str, JsonValue] = TypeAdapter(type(self)).dump_python(self, mode="json", by_alias=True)
        return written

    @model_serializer(mode="wrap")
    def _written(self, handler: SerializerFunctionWrapHandler) -> dict[str, JsonValue]:
        fields = {field.name: field for field in dataclasses.fields(self)}
        known: dict[str, JsonValue] = handler(self)
        left_out = {
            name for name, field in fields.items() if field.default in (None, ()) and getattr(self, name) in (None, ())
        }
        reached = {name: value for name, value in known.items() if name not in left_out}
        return reached | {key: value for key, value in vars(self).items() if key not in fields}
