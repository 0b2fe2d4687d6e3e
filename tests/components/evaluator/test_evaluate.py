"""The batches of predictions that TFMA reads."""

import numpy as np
import pyarrow as pa
import pytest

from components.evaluator.evaluate import gather_slices
from components.record_batches import singles

ROWS = {
    "split": [b"eval", b"eval", b"train", b"eval", b"eval"],
    "variant": [b"as_is", b"lower", b"as_is", b"as_is", b"upper"],
    "label": np.array([1, 0, 0, 0, 1]),
    "probability": np.array([0.9, 0.2, np.nan, 0.1, 0.5], np.float32),
    "title": [b"One", b"two", b"Three", b"Four", b"five"],
}


def batch(rows) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([singles(column) for column in rows.values()], [*rows])


def gathered(rows) -> dict[tuple, list]:
    found = gather_slices(batch(rows), ["split", "variant"], ["label", "probability"])
    assert found.schema.names == ["split", "variant", "label", "probability"]
    splits, variants, labels, probabilities = (column.to_pylist() for column in found.columns)
    keys = [(*split, *variant) for split, variant in zip(splits, variants, strict=True)]
    assert len({*keys}) == len(keys)
    return dict(zip(keys, zip(labels, probabilities, strict=True), strict=True))


def test_rows_of_the_same_slices_become_one_with_all_their_numbers():
    found = gathered(ROWS)
    assert found.keys() == {(b"eval", b"as_is"), (b"eval", b"lower"), (b"train", b"as_is"), (b"eval", b"upper")}
    labels, probabilities = found[b"eval", b"as_is"]
    assert labels == [1, 0]
    np.testing.assert_allclose(probabilities, [0.9, 0.1])
    assert found[b"eval", b"lower"][0] == [0]
    assert found[b"eval", b"upper"] == ([1], [0.5])


def test_what_is_no_number_stays_so():
    assert np.isnan(gathered(ROWS)[b"train", b"as_is"][1]).all()


def test_numbers_are_of_the_types_they_had():
    found = gather_slices(batch(ROWS), ["split"], ["label", "probability"])
    assert found.schema.types[1:] == [pa.large_list(pa.int64()), pa.large_list(pa.float32())]


@pytest.mark.parametrize("labels", [[[1], None, [0], [1], [1]], [[1], [], [0], [1], [1]], [[1], [0, 1], [0], [1], [1]]])
def test_a_row_without_a_label_or_with_two_is_no_row(labels):
    columns = {**{name: singles(column) for name, column in ROWS.items()}, "label": pa.array(labels)}
    rows = pa.RecordBatch.from_arrays([*columns.values()], [*columns])
    with pytest.raises(ValueError, match="must have one value of label. Received: a row with none or several"):
        gather_slices(rows, ["split"], ["label"])
