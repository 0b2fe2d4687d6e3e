"""Which variants are made."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from components.slices import AS_IS, VARIANTS


@dataclasses.dataclass(frozen=True)
class VariantPolicy:
    """The variants of each evaluation row. The row as it is is always among them, and the first.

    Raises:
      ValueError: there is no such variant.
    """

    variants: Sequence[str] = VARIANTS

    def __post_init__(self):
        unknown = [name for name in self.variants if name not in VARIANTS]
        if unknown:
            raise ValueError(f"Variants are {', '.join(VARIANTS)}. Received: {', '.join(unknown)}.")
        ordered = (AS_IS, *(name for name in VARIANTS if name in self.variants and name != AS_IS))
        object.__setattr__(self, "variants", ordered)
