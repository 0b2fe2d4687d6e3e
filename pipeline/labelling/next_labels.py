"""Which texts to label next: those that the model is unsure of, unlike what is labelled, and unlike each other."""

from __future__ import annotations

import numpy as np

_SHORTLIST = 10  # times as many as are chosen: the most uncertain
_BLOCK = 1024


def choose_next(
    probabilities: np.ndarray, vectors: np.ndarray, known: np.ndarray, count: int, *, nearest: float = 0.05
) -> np.ndarray:
    """Chooses texts, the one that is likely to teach most first.

    Of the most uncertain ones it takes, one at a time, that with the largest product of uncertainty and distance to
    what is labelled or taken. Distances are 1 - cosine.

    Args:
      probabilities: of class 1, of each text [texts].
      vectors: of the texts [texts, dimension].
      known: vectors of what is labelled [rows, dimension].
      count: at most so many.
      nearest: what is nearer than that to a text that is labelled or taken repeats it, and is left out.

    Returns:
      Numbers of texts, int64 [<= count].
    """
    uncertainty = 1 - np.abs(2 * probabilities - 1)
    shortlist = np.argsort(-uncertainty, kind="stable")[: _SHORTLIST * count]
    uncertainty, candidates = uncertainty[shortlist], _unit(vectors[shortlist])
    distance = np.full(len(shortlist), 2.0)
    known = _unit(known)
    for begin in range(0, len(known), _BLOCK):
        distance = np.minimum(distance, 1 - (candidates @ known[begin : begin + _BLOCK].T).max(axis=1))
    chosen: list[int] = []
    while len(chosen) < count:
        worth = np.where(distance < nearest, -1.0, uncertainty * distance)
        best = int(worth.argmax()) if len(worth) else -1
        if best < 0 or worth[best] < 0:
            break
        chosen.append(best)
        distance = np.minimum(distance, 1 - candidates @ candidates[best])
        distance[best] = 0  # also of a vector of length 0
    return np.asarray(shortlist[chosen], np.int64)


def _unit(vectors: np.ndarray) -> np.ndarray:
    lengths: np.ndarray = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(lengths > 0, lengths, 1)
