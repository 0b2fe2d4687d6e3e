"""Texts to calls and answers back to the order of the texts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from serving.client.calls import predict_request
from serving.client.errors import ServingError
from serving.client.options import ClientOptions
from serving.protocol.messages import PredictRequest


class Batch(NamedTuple):
    """The texts of one call."""

    places: Sequence[int]
    """Where each text stands in what `plan_batches` was given."""
    request: PredictRequest


class Scores:
    """The scores of one sequence of texts, filled batch by batch.

    Args:
      count: of the texts.
    """

    def __init__(self, count: int):
        self.values: list[float] = [0.0] * count
        self._missing = count

    @property
    def complete(self) -> bool:
        """Every text has its score."""
        return not self._missing

    def fill(self, places: Sequence[int], values: Sequence[float]) -> None:
        """Puts a batch's values where its texts stand."""
        for place, value in zip(places, values, strict=True):
            self.values[place] = value
        self._missing -= len(places)


def plan_batches(texts: Sequence[str], options: ClientOptions) -> Iterator[Batch]:
    """Divides texts into calls of `rows_per_call`, the longest texts first.

    Texts of about one length go together, because the encoder pads all of a call to its longest.

    Raises:
      ServingError: a text is no str, or cannot be UTF-8.
    """
    encoded = _encode(texts)
    order = sorted(range(len(encoded)), key=lambda place: len(encoded[place]), reverse=True)
    for start in range(0, len(order), options.rows_per_call):
        places = order[start : start + options.rows_per_call]
        yield Batch(places, predict_request([encoded[place] for place in places], options))


def _encode(texts: Sequence[str]) -> list[bytes]:
    if isinstance(texts, str | bytes):
        raise ServingError(f"predict takes a list of texts. Received: one {type(texts).__name__}. Put it into a list.")
    encoded = []
    for number, text in enumerate(texts, start=1):
        if not isinstance(text, str):
            raise ServingError(f"A text is a str. Received: {type(text).__name__}, as text {number}.")
        try:
            encoded.append(text.encode())
        except UnicodeEncodeError as error:
            raise ServingError(
                f"A text is UTF-8. Received: text {number} with {error.object[error.start]!a} at character "
                f"{error.start + 1}. Remove or replace it."
            ) from error
    return encoded
