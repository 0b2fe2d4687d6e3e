"""`clickbait review`: labels that are likely wrong, or texts to label next, into a file for people's answers.

Imports TensorFlow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.metrics import roc_auc_score

from components.headline_example_gen.settings import DataConfig
from components.titles import normalize
from pipeline.labelling.next_labels import choose_next
from pipeline.labelling.review_file import ReviewRow
from pipeline.labelling.rows import LabelledTitles
from pipeline.labelling.scorer import Inputs, fold_of, score_held_out, score_others
from pipeline.labelling.suspects import find_suspects

_LEAST_ROWS = 100


class Suspected(NamedTuple):
    """The labelled titles to look at."""

    rows: Sequence[ReviewRow]
    """Contradictions and suspects first, then by how little the label fits."""
    suspects: int
    """How many labels are likely wrong, of all titles without an answer."""
    contradictions: int
    """How many titles have rows of both labels."""
    auc: float
    """Of the models, on titles that they did not see: how well they tell the labels apart."""


class ToLabel(NamedTuple):
    """The texts to label."""

    rows: Sequence[ReviewRow]
    """What is likely to teach most first."""
    known: int
    """Texts that are left out, because they are labelled already."""
    repeats: int
    """Texts that are left out, because an earlier one is the same to a reader."""


def review_labels(
    labelled: LabelledTitles, encoder: Path, settings: DataConfig, answers: Mapping[str, int], limit: int | None
) -> Suspected:
    """Finds the labels that fit least.

    Args:
      labelled: the titles; those that have an answer teach, and are not shown.
      encoder: its SavedModel.
      settings: the section `data`.
      answers: by exact title.
      limit: at most so many rows; None shows all suspects and contradictions, and at least 100 titles.
    """
    inputs = Inputs.of(labelled.titles, encoder)
    scored = score_held_out(inputs, labelled.labels, fold_of(labelled.titles, labelled.labels))
    suspects = find_suspects(labelled.labels, scored.probabilities)
    opened = np.array([title not in answers for title in labelled.titles])
    contradicts = np.array([bool(text) for text in labelled.contradictions]) & opened
    flagged = (suspects.is_suspect & opened) | contradicts
    order = suspects.order[opened[suspects.order]]
    order = order[np.argsort(~flagged[order], kind="stable")]
    count = max(int(flagged.sum()), _LEAST_ROWS) if limit is None else limit
    rows = [
        ReviewRow(
            labelled.titles[row],
            settings.label_names[labelled.labels[row]],
            float(scored.probabilities[row]),
            bool(suspects.is_suspect[row]),
            labelled.contradictions[row],
        )
        for row in order[:count]
    ]
    auc = float(roc_auc_score(labelled.labels, scored.probabilities))
    return Suspected(rows, int((suspects.is_suspect & opened).sum()), int(contradicts.sum()), auc)


def choose_texts(labelled: LabelledTitles, texts: Sequence[str], encoder: Path, limit: int | None) -> ToLabel:
    """Chooses the texts whose labels are likely to teach most.

    Args:
      labelled: the titles that are labelled.
      texts: to choose from.
      encoder: its SavedModel.
      limit: at most so many; None is 100.
    """
    known = {*map(normalize, labelled.titles)}
    by_key: dict[str, str] = {}
    already = 0
    for text in texts:
        key = normalize(text)
        already += key in known
        if key and key not in known:
            by_key.setdefault(key, text)
    others = [*by_key.values()]
    left_out = ToLabel([], already, len(texts) - already - len(others))
    if not others:
        return left_out
    inputs, candidates = Inputs.of(labelled.titles, encoder), Inputs.of(others, encoder)
    blend = score_held_out(inputs, labelled.labels, fold_of(labelled.titles, labelled.labels)).blend
    scores = score_others(inputs, labelled.labels, blend, candidates)
    chosen = choose_next(scores, candidates.vectors, inputs.vectors, _LEAST_ROWS if limit is None else limit)
    return left_out._replace(rows=[ReviewRow(others[row], "", float(scores[row])) for row in chosen])
