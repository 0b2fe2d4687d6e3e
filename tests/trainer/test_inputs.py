"""tf.data from Examples: every row once an epoch, shuffled, bucketed, cased; evaluation in order."""

import numpy as np
import pytest

from trainer import inputs
from trainer.settings import TrainingConfig

ROWS, BATCH = 103, 8


@pytest.fixture(scope="module")
def rows():
    """103 different titles, 1 to 40 words long; the label is the row's parity."""
    lengths = np.random.default_rng(0).integers(1, 41, size=ROWS)
    return [(f"{number:03d}" + " word" * int(words), number % 2) for number, words in enumerate(lengths)]


@pytest.fixture(scope="module")
def file(rows, examples):
    return examples(rows)


def training(file, **changes):
    first = {key: changes.pop(key) for key in ("first_epoch", "first_batch") if key in changes}
    settings = {"epochs": 1, "batch_size": BATCH, "shuffle_buffer_rows": 1000, "casing": "as_is"}
    return inputs.training_dataset([file], TrainingConfig(**settings | changes), **first)


def epoch(dataset):
    """One pass: a list of batches, each a list of (title, label)."""
    return [
        [(text.decode(), int(one)) for text, one in zip(title.numpy(), label.numpy(), strict=True)]
        for title, label in dataset
    ]


def epochs(file, number, **changes):
    """The first so many passes of one training, which has each as if it had begun there."""
    batches, size = epoch(training(file, epochs=number, **changes)), -(-ROWS // BATCH)
    assert len(batches) == number * size
    return [batches[start : start + size] for start in range(0, len(batches), size)]


def flat(batches):
    return [row for batch in batches for row in batch]


def padding(batches):
    """The share of needless work of an encoder that pads to the longest text of a batch."""
    longest = sum(max(len(title) for title, _ in batch) * len(batch) for batch in batches)
    return 1 - sum(len(title) for title, _ in flat(batches)) / longest


def test_rows_are_counted_over_all_files(file, examples):
    assert inputs.count_rows([file]) == ROWS
    assert inputs.count_rows([file, examples([("one more", 1)])]) == ROWS + 1
    assert inputs.count_rows([examples([])]) == 0


def test_patterns_become_sorted_files(tmp_path):
    names = ["b/part-1.gz", "a/part-2.gz", "a/part-1.gz"]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = inputs.matching_files([f"{tmp_path}/b/*", f"{tmp_path}/a/*"])
    assert found == [f"{tmp_path}/{name}" for name in sorted(names)]


# Drawing casings makes a graph of a second, and shuffles nothing.
@pytest.mark.parametrize(
    ("policy", "buckets", "buffer"),
    [*(("as_is", buckets, buffer) for buckets in (1, 4, 32) for buffer in (5, 1000)), ("augment", 4, 5)],
)
def test_every_row_comes_once_an_epoch_with_its_label(file, rows, buffer, buckets, policy):
    for batches in epochs(file, 2, shuffle_buffer_rows=buffer, length_buckets=buckets, casing=policy):
        assert sorted((title.lower(), label) for title, label in flat(batches)) == rows
        assert sorted(map(len, batches)) == [ROWS % BATCH] + [BATCH] * (ROWS // BATCH)


@pytest.mark.parametrize("buckets", [1, 4])
def test_each_epoch_has_its_own_order(file, buckets):
    first, second = map(flat, epochs(file, 2, length_buckets=buckets))
    assert first != second
    assert first != sorted(first)


@pytest.mark.parametrize(("policy", "buckets"), [("as_is", 1), ("augment", 4)])
def test_a_training_goes_on_in_the_middle_of_an_epoch(file, policy, buckets):
    settings = {"length_buckets": buckets, "casing": policy}
    first, second, third = epochs(file, 3, **settings)
    assert epoch(training(file, first_epoch=1, first_batch=5, epochs=3, **settings)) == second[5:] + third
    assert epoch(training(file, **settings)) == first


@pytest.mark.parametrize(("policy", "buckets"), [("as_is", 1), ("augment", 4)])
def test_equal_seeds_give_equal_epochs_and_other_seeds_others(file, policy, buckets):
    one, again, other = (epochs(file, 2, length_buckets=buckets, casing=policy, seed=seed) for seed in (7, 7, 8))
    assert one == again
    assert one[0] != other[0]
    assert one[1] != other[1]


def test_bucketing_makes_batches_of_similar_length(file):
    without, bucketed = padding(epoch(training(file))), padding(epoch(training(file, length_buckets=8)))
    assert without > 0.3
    assert bucketed < without / 2


def test_bucketed_batches_do_not_come_sorted_by_length(file):
    longest = [max(len(title) for title, _ in batch) for batch in epoch(training(file, length_buckets=32))]
    assert longest not in (sorted(longest), sorted(longest, reverse=True))


def test_augment_draws_anew_in_each_epoch(file):
    # A buffer of one row keeps the order: what differs is drawn, not moved.
    first, second = (
        {title.lower(): title for title, _ in flat(batches)}
        for batches in epochs(file, 2, casing="augment", shuffle_buffer_rows=1)
    )
    changed = sum(first[key] != second[key] for key in first)
    assert ROWS * 0.2 < changed < ROWS * 0.9


def test_augment_draws_anew_for_each_batch(examples):
    file = examples([("oNE tWO", 0)] * 40)
    batches = epoch(training(file, casing="augment"))
    assert len({tuple(title for title, _ in batch) for batch in batches}) > 1


def test_capitals_are_normalised_in_training_too(examples):
    file = examples([("ALL CAPITALS", 0), ("Some Capitals", 1)])
    assert sorted(flat(epoch(training(file, casing="lower")))) == [("all capitals", 0), ("some capitals", 1)]
    assert ("ALL CAPITALS", 0) not in flat(epoch(training(file, casing="augment", epochs=5)))


def test_evaluation_keeps_the_order_of_the_files(file, rows, examples):
    more = examples([("last", 1)])
    batches = epoch(inputs.evaluation_dataset([file, more], batch_size=BATCH, policy="as_is"))
    assert flat(batches) == [*rows, ("last", 1)]
    assert [len(batch) for batch in batches] == [BATCH] * 13


@pytest.mark.parametrize("wanted", [1, BATCH + 1, 10 * ROWS])
def test_evaluation_may_be_of_the_first_rows_alone(file, rows, wanted):
    dataset = inputs.evaluation_dataset([file], batch_size=BATCH, policy="as_is", first_rows=wanted)
    assert flat(epoch(dataset)) == rows[:wanted]


@pytest.mark.parametrize("wanted", [None, 1, BATCH, BATCH + 1, 10 * ROWS])
def test_evaluation_knows_how_many_batches_it_has(file, wanted):
    """Or Keras could not run several in one call, and workers would wait for each other's last."""
    dataset = inputs.evaluation_dataset([file], batch_size=BATCH, policy="as_is", first_rows=wanted)
    assert dataset.cardinality().numpy() == len(epoch(dataset))


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("as_is", ["Mixed Case", "ALL CAPS", "été"]),
        ("lower", ["mixed case", "all caps", "été"]),
        ("augment", ["Mixed Case", "all caps", "été"]),
    ],
)
def test_evaluation_is_cased_as_in_serving(examples, policy, expected):
    file = examples([("Mixed Case", 0), ("ALL CAPS", 1), ("été", 0)])
    dataset = inputs.evaluation_dataset([file], batch_size=2, policy=policy)
    assert [title for title, _ in flat(epoch(dataset))] == expected


def test_titles_are_strings_and_labels_floats(file):
    for dataset in (training(file), inputs.evaluation_dataset([file], batch_size=BATCH, policy="lower")):
        title, label = dataset.element_spec
        assert (title.dtype.name, title.shape.rank, label.dtype.name, label.shape.rank) == ("string", 1, "float32", 1)


def test_no_thread_that_tunes_holds_up_the_end_of_an_iterator(file):
    for dataset in (training(file), inputs.evaluation_dataset([file], batch_size=8, policy="lower")):
        assert dataset.options().autotune.enabled is False
