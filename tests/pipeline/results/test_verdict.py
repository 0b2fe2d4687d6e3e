"""`verdict.json` is one typed record: it comes back as it was written, by this version, an older or a newer one."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from pipeline.results.verdict import VERDICT_FILE, Verdict, read_verdict, write_verdict
from tests.helpers.verdicts import a_verdict

OF_SCHEMA_2 = Path(__file__).with_name("verdict_of_schema_2.json")
"""Of a tuned run that pushed."""


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "runs" / "20240101-000000-aa"
    made.mkdir(parents=True)
    return made


@pytest.fixture
def recorded() -> dict:
    return json.loads(OF_SCHEMA_2.read_text(encoding="utf-8"))


def test_a_file_of_schema_2_comes_back_byte_for_byte(tmp_path, recorded):
    folder = tmp_path / recorded["run_id"]
    folder.mkdir()
    file = folder / VERDICT_FILE
    file.write_bytes(OF_SCHEMA_2.read_bytes())
    verdict = read_verdict(folder)
    assert (verdict.status, verdict.data.setting("text_column"), verdict.folder) == ("pushed", "title", str(folder))
    assert (verdict.training.settings["casing"], verdict.training.asked["casing"]) == ("lower", "augment")
    file.unlink()
    write_verdict(folder, verdict)
    assert file.read_bytes() == OF_SCHEMA_2.read_bytes()


def test_keys_that_nobody_knows_are_kept_wherever_they_stand(recorded):
    parts = [
        recorded,
        recorded["data"],
        recorded["evaluation"]["slices"][0],
        recorded["thresholds"][0],
        recorded["gate"]["findings"][0],
        recorded["infra"]["server"],
        recorded["training"],
    ]
    for number, part in enumerate(parts):
        part["of_tomorrow"] = {"number": number, "nothing": None}
    assert Verdict.from_dict(recorded).as_dict() == recorded


def test_what_a_run_has_not_reached_is_no_key(folder):
    write_verdict(folder, Verdict(run_id=folder.name, status="failed", reason="no such file", components={}))
    written = json.loads((folder / VERDICT_FILE).read_text(encoding="utf-8"))
    assert written == {"run_id": folder.name, "status": "failed", "reason": "no such file", "components": {}}


def test_a_model_that_was_judged_and_is_in_no_version_has_null_for_it():
    written = a_verdict(status="not blessed", blessed=False, pushed=None).as_dict()
    assert written["pushed"] is None
    assert list(written)[-3:] == ["pushed", "components", "seconds"]


def test_a_part_of_another_type_is_refused():
    with pytest.raises(ValidationError, match="seconds"):
        a_verdict(seconds="long")


def test_a_rule_of_schema_1_is_read_as_what_it_was():
    old = {"split": "eval", "metric": "binary_accuracy", "against": "bound", "bound": 0.9, "observed": 0.8}
    first, second = a_verdict(
        thresholds=[{**old, "passed": False}, {**old, "against": "last blessed model", "passed": True}]
    ).thresholds
    assert (first.rule, first.slice, first.outcome, first.gates, first.rows) == ("accuracy", {}, "broken", True, None)
    assert (second.rule, second.outcome) == ("last_blessed", "kept")


@pytest.mark.parametrize(
    "content", [b"", b'{"status": "pu', b"[]", b"{}", b"null", b"\xff\xfe", b'{"status": "done", "seconds": "long"}']
)
def test_a_damaged_file_is_said_to_be_so(folder, content):
    (folder / VERDICT_FILE).write_bytes(content)
    verdict = read_verdict(folder)
    assert (verdict.run_id, verdict.status) == (folder.name, "damaged")
    assert verdict.reason == f"{folder / VERDICT_FILE} is no verdict"


def test_a_run_without_a_file_was_interrupted(folder):
    verdict = read_verdict(folder)
    assert (verdict.run_id, verdict.status) == (folder.name, "interrupted")
    assert verdict.reason == "the run left no verdict"


def test_a_verdict_that_cannot_be_written_whole_leaves_the_old_one(folder):
    write_verdict(folder, a_verdict())
    before = (folder / VERDICT_FILE).read_bytes()
    with pytest.raises(UnicodeEncodeError):
        write_verdict(folder, a_verdict(tuner_policy={"trials": "\udc80"}))
    assert (folder / VERDICT_FILE).read_bytes() == before


def test_a_verdict_replaces_the_old_one_and_leaves_nothing_beside_it(folder):
    for status in ("running", "done"):
        write_verdict(folder, a_verdict(status=status))
    assert [path.name for path in folder.iterdir()] == [VERDICT_FILE]
    assert read_verdict(folder).status == "done"
