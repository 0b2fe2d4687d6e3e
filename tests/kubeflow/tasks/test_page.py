"""The page says what a verdict says, and nothing in it is taken for HTML."""

from __future__ import annotations

import re

from kubeflow.tasks.page import render_page
from tests.helpers.verdicts import a_verdict


def test_status_reason_rows_and_thresholds_are_on_the_page():
    text = re.sub("<[^>]+>", " ", render_page(a_verdict(ingest={"read": 12345, "rejected_by_rule": {}})))
    for one in ("pushed", "all thresholds are kept", "12,345", "eval binary_accuracy", "0.9846", "0.9900", "kept"):
        assert one in text


def test_what_is_not_kept_stands_out():
    verdict = a_verdict()
    verdict["thresholds"][0] |= {"passed": False, "outcome": "broken"}
    verdict["gate"] = {"findings": [_finding(outcome="fail"), _finding(outcome="kept")]}
    assert render_page(verdict).count('<tr class="fail">') == 2


def test_texts_are_escaped():
    page = render_page(a_verdict(reason="<script>alert(1)</script>", gate={"findings": [_finding(where="a & <b>")]}))
    assert "<script>" not in page
    assert "a &amp; &lt;b&gt;" in page


def test_nothing_is_loaded_from_elsewhere():
    assert not re.search(r"https?://|src=|@import|url\(", render_page(a_verdict()))


def _finding(**changes) -> dict:
    return {"rule": "rows", "where": "train", "bound": ">= 50", "observed": "49", "outcome": "kept", **changes}
