"""The gate's word is an artifact or an exception, with the same findings."""

import pytest

from components.data_gate.policy import Finding
from components.data_gate.verdict import DataVerdict, read_verdict, refuse, require_accepted, write_verdict
from components.errors import DataRefused

KEPT = Finding("rows", "train", ">= 50 rows", 700, True, outcome="kept")
BROKEN = Finding("drift", "label", "<= 0.1", 0.2, False, "l infty", ["1: 50.0% -> 70.0%"], outcome="fail")


def verdict(tmp_path) -> DataVerdict:
    artifact = DataVerdict()
    artifact.uri = str(tmp_path / "verdict")
    return artifact


def test_accepted_data_has_its_findings_beside_it(tmp_path):
    artifact = verdict(tmp_path)
    write_verdict(artifact, [KEPT])
    assert artifact.get_int_custom_property("accepted") == 1
    assert [(finding.rule, finding.outcome) for finding in read_verdict(artifact.uri).findings] == [("rows", "kept")]
    require_accepted(artifact.uri)


@pytest.mark.parametrize("content", [None, "{}", '{"accepted": false}', '{"accepted": "yes"}'])
def test_whatever_does_not_say_accepted_is_not(tmp_path, content):
    if content is not None:
        (tmp_path / "verdict").mkdir()
        (tmp_path / "verdict" / "verdict.json").write_text(content)
    with pytest.raises(DataRefused, match="which is no such verdict"):
        require_accepted(str(tmp_path / "verdict"))


def test_refused_data_is_told_rule_by_rule_with_bound_value_examples_and_way_out():
    with pytest.raises(DataRefused) as caught:
        refuse([KEPT, BROKEN])
    lines = str(caught.value).splitlines()
    assert lines[1:] == [
        "  drift, label: expected <= 0.1, observed 0.2 (l infty)",
        "    1: 50.0% -> 70.0%",
        "Fix the data and run again, or turn the rule into a warning with --set gate.drift=warn.",
    ]
    assert caught.value.exit_code == 3
    assert [finding["rule"] for finding in caught.value.findings] == ["rows", "drift"]
