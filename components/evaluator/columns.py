"""The slices by the values of `data.slice_columns`, measured from the predictions. Needs no TFX.

Not by TFMA: which values are slices is known when all rows are, and a column may have many values.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from components.evaluator.measures import measure
from components.evaluator.policy import EvaluationConfig, Slice
from components.evaluator.results import SliceColumn
from components.record_batches import read_values
from components.slices import AS_IS, NO_VALUE, OTHER_VALUES, SPLIT, VARIANT, column_of
from trainer import features

MOST_VALUES = 20
LEAST_ROWS = 10


class ColumnSlices(NamedTuple):
    """The slices by columns."""

    slices: Sequence[Slice] = ()
    columns: tuple[SliceColumn, ...] = ()


class _Rows(NamedTuple):
    """The evaluation rows as they are."""

    numbers: Mapping[str, np.ndarray]
    """By feature, float64 [rows]."""
    values: Mapping[str, np.ndarray]
    """By column, its values, [rows] of str."""


def measure_columns(
    folders: Sequence[str], present: Collection[str], contenders: Mapping[str, str], policy: EvaluationConfig
) -> ColumnSlices:
    """Measures the evaluation rows as they are by each column of which they have a feature.

    Args:
      folders: of splits, with the examples of ModelScorer.
      present: the features of a row.
      contenders: the models that the candidate is compared with, and the features of their probabilities.
      policy: for the wanted precision, and the slices that have a bound.
    """
    columns = {column: feature for feature in sorted(present) if (column := column_of(feature)) is not None}
    if not columns:
        return ColumnSlices()
    rows = _read(folders, columns, contenders)
    slices: list[Slice] = []
    described = []
    for column, values in rows.values.items():
        bounds = (name.partition("=") for name in policy.min_slice_accuracy)
        distinct, codes = np.unique(values, return_inverse=True)
        parts = split_rows(distinct.tolist(), codes, [value for name, _, value in bounds if name == column])
        slices += [
            Slice(features.EVAL_SPLIT, {column: value}, _measure(rows, part, contenders, policy))
            for value, part in parts.items()
        ]
        described.append(SliceColumn(column, len(distinct), len(distinct) - len({*parts} - {OTHER_VALUES})))
    return ColumnSlices(slices, tuple(described))


def split_rows(values: Sequence[str], codes: np.ndarray, named: Collection[str] = ()) -> dict[str, np.ndarray]:
    """Returns the slices of a column as whether each row is in it, bool [rows], by value.

    The most frequent value is first. Values of less than `LEAST_ROWS` rows, and those behind the first `MOST_VALUES`,
    are together in `OTHER_VALUES` where they are not named; `NO_VALUE` is last.

    Args:
      values: the distinct ones, each of which a row has.
      codes: the place in `values` of each row's, [rows] of int.
      named: values that are slices of their own in any case.
    """
    rows = dict(zip(values, np.bincount(codes, minlength=len(values)).tolist(), strict=True))
    by_rows = sorted({*rows} - {NO_VALUE, OTHER_VALUES}, key=lambda value: (-rows[value], value))
    own = {*[value for value in by_rows if rows[value] >= LEAST_ROWS][:MOST_VALUES], *named, NO_VALUE}
    order = [*(value for value in by_rows if value in own), OTHER_VALUES, NO_VALUE]
    places = {value: place for place, value in enumerate(order)}
    shown = np.array([places.get(value, places[OTHER_VALUES]) for value in values], np.int32)[codes]
    parts = {value: shown == place for value, place in places.items()}
    return {value: part for value, part in parts.items() if part.any()}


def _read(folders: Sequence[str], columns: Mapping[str, str], contenders: Mapping[str, str]) -> _Rows:
    names = [features.LABEL, features.PROBABILITY, *contenders.values()]
    types = {
        **dict.fromkeys((SPLIT, VARIANT, *columns.values()), tf.string),
        **dict.fromkeys(names, tf.float32),
        features.LABEL: tf.int64,
    }
    numbers: dict[str, list[np.ndarray]] = {name: [] for name in names}
    values: dict[str, list[str]] = {column: [] for column in columns}
    for batch in _batches(folders, types):
        chosen = (batch[SPLIT] == features.EVAL_SPLIT.encode()) & (batch[VARIANT] == AS_IS.encode())
        for name in names:
            numbers[name].append(batch[name][chosen].astype(np.float64))
        for column, feature in columns.items():
            values[column] += [value.decode() for value in batch[feature][chosen]]
    return _Rows(
        {name: np.concatenate(parts or [np.empty(0)]) for name, parts in numbers.items()},
        {column: np.array(found, object) for column, found in values.items()},
    )


def _batches(folders: Sequence[str], types: Mapping[str, tf.DType]) -> Iterator[dict[str, np.ndarray]]:
    for folder in folders:
        yield from read_values(folder, types)


def _measure(
    rows: _Rows, part: np.ndarray, contenders: Mapping[str, str], policy: EvaluationConfig
) -> dict[str, float]:
    numbers = {name: values[part] for name, values in rows.numbers.items()}
    return measure(
        numbers[features.LABEL],
        numbers[features.PROBABILITY],
        {name: numbers[feature] for name, feature in contenders.items()},
        policy.wanted_precision,
    )
