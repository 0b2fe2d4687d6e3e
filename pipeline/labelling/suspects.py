"""Which labels are likely wrong, by confident learning.

Northcutt, Jiang, Chuang (2021), Confident Learning: Estimating Uncertainty in Dataset Labels, JAIR 70. Their library,
cleanlab, is under the AGPL; what two classes need of the method stands here.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

_ROUNDING = 1e-9


class Suspects(NamedTuple):
    """Labels by how little they fit."""

    order: np.ndarray
    """Rows, int64 [rows]: the suspects before the others, and in both the label that fits least first."""
    is_suspect: np.ndarray
    """Whether a model that did not see the row is confident of the other class, bool [rows]."""


def find_suspects(labels: np.ndarray, probabilities: np.ndarray) -> Suspects:
    """Ranks labels.

    A class's threshold is the mean probability that rows with its label have for it. A label is a suspect where the
    other class exceeds its threshold and this one does not, or less surely: scores that are all equal suspect nothing.

    Args:
      labels: 0 or 1 [rows], and both.
      probabilities: of class 1 [rows], by models that did not see the row.

    Example:
        >>> ranked = find_suspects(np.array([0, 0, 1, 1]), np.array([0.1, 0.9, 0.8, 0.3]))
        >>> ranked.order.tolist(), ranked.is_suspect.tolist()
        ([1, 3, 2, 0], [False, True, False, True])
    """
    of_class = np.stack([1 - probabilities, probabilities])
    thresholds = np.array([of_class[label, labels == label].mean() for label in (0, 1)])
    rows = np.arange(len(labels))
    given, other = of_class[labels, rows], of_class[1 - labels, rows]
    is_suspect = (other > thresholds[1 - labels] + _ROUNDING) & ((given < thresholds[labels]) | (other > given))
    return Suspects(np.lexsort((given, ~is_suspect)), is_suspect)
