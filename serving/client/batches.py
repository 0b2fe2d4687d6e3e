"""Batches of texts for calls, and their scores back in the order of the texts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from serving.client.calls import predict_request
from serving.client.errors import ServingError
from serving.client.options import ClientOptions
from serving.protocol.messages import PredictRequest


class Batch(NamedTuple):
    """The texts of one call."""

    indices: Sequence[int]
    """The index of each text in the sequence that `plan_batches` was given."""
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
        """Whether every text has its score."""
        return not self._missing

    def fill(self, indices: Sequence[int], values: Sequence[float]) -> None:
        """Sets the scores of a batch, by the indices of its texts."""
        for index, value in zip(indices, values, strict=True):
            self.values[index] = value
        self._missing -= len(indices)


def plan_batches(texts: Sequence[str], options: ClientOptions) -> Iterator[Batch]:
    """Divides texts into calls of `rows_per_call`, the longest texts first.

    Texts of about one length go together, because the encoder pads all of a call to its longest.

    Raises:
      ServingError: a text is not a str, or cannot be encoded as UTF-8.
    """
    encoded = _encode(texts)
    order = sorted(range(len(encoded)), key=lambda index: len(encoded[index]), reverse=True)
    for start in range(0, len(order), options.rows_per_call):
        indices = order[start : start + options.rows_per_call]
        yield Batch(indices, predict_request([encoded[index] for index in indices], options))


def _encode(texts: Sequence[str]) -> list[bytes]:
    if isinstance(texts, str | bytes):
        raise ServingError(f"Texts must be a list of str. Received: one {type(texts).__name__}. Put it into a list.")
    encoded = []
    for number, text in enumerate(texts, start=1):
        if not isinstance(text, str):
            raise ServingError(f"A text must be a str. Received: {type(text).__name__}, as text {number}. Convert it.")
        try:
            encoded.append(text.encode())
        except UnicodeEncodeError as error:
            raise ServingError(
                f"A text must be valid UTF-8. Received: text {number} with {error.object[error.start]!a} at character "
                f"{error.start + 1}. Remove or replace it."
            ) from error
    return encoded
