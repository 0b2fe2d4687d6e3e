"""What of a signature is computed for a filter of outputs."""

from __future__ import annotations

import itertools

import numpy as np

from serving.protocol.messages import SignatureDef
from serving.server.predict import run_signature


class FakeModel:
    """Gives each output its own name; keeps the lists that it was asked for."""

    def __init__(self):
        self.lists: set[tuple[str, ...]] = set()

    def run(self, feeds, infos, fetches, timeout_ms):
        self.lists.add(tuple(fetches))
        return [np.array([name], object) for name in fetches]


def test_a_caller_cannot_make_the_server_keep_an_executor_for_each_order_of_outputs():
    signature = SignatureDef()
    for alias in "abcd":
        signature.outputs[alias].name = f"{alias}:0"
    model = FakeModel()
    for count in range(5):
        for aliases in itertools.permutations("abcd", count):
            outputs = run_signature(model, signature, {}, aliases)
            assert [*outputs] == [*(aliases or "abcd")]
            assert all(array.item() == f"{alias}:0" for alias, array in outputs.items())
    assert len(model.lists) == 5  # each alone, and all
