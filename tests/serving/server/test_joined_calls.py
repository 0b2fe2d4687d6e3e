"""Calls that wait for a core are computed together, and each gets what it would have got alone."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import pytest

from serving.server.errors import ServingError, invalid_argument
from serving.server.joined_calls import JoinedCalls


class Model:
    """Gives each text its length and its number; refuses `bad`. Computes once it may."""

    def __init__(self):
        self.batches: list[list[bytes]] = []
        self.timeouts: list[int] = []
        self.may = threading.Event()

    def compute(self, texts, timeout_ms):
        self.batches.append([*texts])
        self.timeouts.append(timeout_ms)
        assert self.may.wait(30)
        if b"bad" in texts:
            raise invalid_argument("bad")
        if b"worse" in texts:
            raise ZeroDivisionError
        return [np.array([[len(text)] for text in texts]), np.array([text * 2 for text in texts], object)]


@pytest.fixture
def model():
    return Model()


def held(pool, model, *calls, timeout_ms=0):
    """Runs the first call, and the others while it computes; returns their futures."""
    joined = JoinedCalls(model.compute, 1)
    futures = [pool.submit(joined.run, [b"first"])]
    wait_for(lambda: model.batches)
    for count, texts in enumerate(calls, start=1):
        futures.append(pool.submit(joined.run, texts, timeout_ms))
        wait_for(lambda count=count: len(joined._waiting) == count)
    return futures


def wait_for(condition):
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


@pytest.fixture
def pool():
    with ThreadPoolExecutor(20) as pool:
        yield pool


def test_a_call_alone_waits_for_nobody(model):
    model.may.set()
    lengths, doubled = JoinedCalls(model.compute, 1).run([b"a", b"bcd"], timeout_ms=500)
    assert (lengths.tolist(), doubled.tolist()) == ([[1], [3]], [b"aa", b"bcdbcd"])
    assert 0 < model.timeouts[0] <= 500


def test_calls_that_wait_are_one_computation_and_get_their_own_rows(model, pool):
    futures = held(pool, model, [b"b"], [b"cc", b"d"], [b"eee"])
    model.may.set()
    assert [future.result()[0].ravel().tolist() for future in futures] == [[5], [1], [2, 1], [3]]
    assert model.batches == [[b"first"], [b"b", b"cc", b"d", b"eee"]]


def test_a_core_that_is_free_computes_beside(model, pool):
    joined = JoinedCalls(model.compute, at_once=2)
    futures = [pool.submit(joined.run, [text]) for text in (b"a", b"b")]
    wait_for(lambda: len(model.batches) == 2)
    model.may.set()
    assert [len(future.result()) for future in futures] == [2, 2]
    joined.run([b"c"])
    assert sorted(model.batches[:2]) == [[b"a"], [b"b"]] and model.batches[2] == [b"c"]


def test_a_computation_has_at_most_512_texts(model, pool):
    futures = held(pool, model, *[[b"x"] * 60 for _ in range(12)])
    model.may.set()
    assert all(future.result() for future in futures)
    assert [len(batch) for batch in model.batches] == [1, 480, 240]


def test_one_that_fails_fails_alone(model, pool):
    futures = held(pool, model, [b"b"], [b"bad"], [b"c"])
    model.may.set()
    assert futures[1].result()[0].tolist() == [[1]] and futures[3].result()[0].tolist() == [[1]]
    with pytest.raises(ServingError, match="bad"):
        futures[2].result()
    assert model.batches[1:] == [[b"b", b"bad", b"c"], [b"b"], [b"bad"], [b"c"]]


def test_one_whose_deadline_passed_is_not_computed(model, pool):
    futures = held(pool, model, [b"late"], timeout_ms=20)
    time.sleep(0.05)
    model.may.set()
    with pytest.raises(ServingError) as caught:
        futures[1].result()
    assert caught.value.code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert model.batches == [[b"first"]]


def test_together_they_have_the_longest_of_their_deadlines(model, pool):
    joined = JoinedCalls(model.compute, 1)
    futures = [pool.submit(joined.run, [b"first"])]
    wait_for(lambda: model.batches)
    for count, timeout_ms in enumerate((5_000, 60_000), start=1):
        futures.append(pool.submit(joined.run, [b"x"], timeout_ms))
        wait_for(lambda count=count: len(joined._waiting) == count)
    model.may.set()
    assert all(future.result() for future in futures)
    assert model.timeouts[0] == 0 and 50_000 < model.timeouts[1] <= 60_001


def test_an_unexpected_error_is_its_caller_s_alone(model, pool):
    futures = held(pool, model, [b"b"], [b"worse"])
    model.may.set()
    assert futures[1].result()[0].tolist() == [[1]]
    with pytest.raises(ZeroDivisionError):
        futures[2].result()


def test_many_at_once(pool):
    joined = JoinedCalls(lambda texts, _: [np.array([int(text) for text in texts])], 2)
    numbers = range(2_000)
    assert [found[0].item() for found in pool.map(lambda number: joined.run([b"%d" % number]), numbers)] == [*numbers]
