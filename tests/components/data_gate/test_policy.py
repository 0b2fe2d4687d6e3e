"""A rule that is broken fails, warns or is not there; examples are masked on request."""

import pytest

from components.data_gate.policy import Finding, apply_policy, mask, shown
from tests.helpers.gate import a_policy


def finding(kept, rule="rows"):
    return Finding(rule=rule, where="train", bound=">= 50 rows", observed=7, kept=kept)


@pytest.mark.parametrize(
    ("kept", "action", "outcomes"),
    [
        (True, "fail", ["kept"]),
        (True, "warn", ["kept"]),
        (False, "fail", ["fail"]),
        (False, "warn", ["warn"]),
        (None, "fail", ["not judged"]),
        (False, "off", ["off"]),
        (None, "off", ["off"]),
    ],
)
def test_what_follows_from_a_finding(kept, action, outcomes):
    assert [judged.outcome for judged in apply_policy([finding(kept)], a_policy(rows=action))] == outcomes


def test_each_rule_has_an_action_of_its_own():
    found = apply_policy([finding(False, "rows"), finding(False, "drift")], a_policy(drift="warn"))
    assert [(judged.rule, judged.outcome) for judged in found] == [("rows", "fail"), ("drift", "warn")]


def test_a_masked_text_keeps_its_shape_alone():
    assert mask("21 Pictures, you’ll “LOVE” é") == "00 Xxxxxxxx, xxx’xx “XXXX” x"


def test_texts_are_masked_on_request():
    assert shown("Storm 7", a_policy()) == "Storm 7"
    assert shown("Storm 7", a_policy(mask_examples=True)) == "Xxxxx 0"
