"""Recurring runs: one by name, each on the newest spans."""

from __future__ import annotations

import pytest
import yaml

from components.headline_example_gen.settings import DataConfig
from kubeflow.spec.parameters import ParameterError
from kubeflow.spec.pipeline_spec import find_faults, load_spec, write_spec
from kubeflow.submit.recurring import check_cron, recurring_spec
from tests.kubeflow.golden import GOLDEN
from tests.kubeflow.submit.conftest import SAID, SMALL
from tests.kubeflow.submit.fake_api import say

SPANS = tuple(one for one in SAID if not one.startswith("data_digest"))
DAILY = ("--recurring", "0 6 * * *")


def test_one_is_created_with_no_second_run_beside_it_and_none_for_missed_times(api, submit):
    result = submit(*DAILY, said=SPANS)
    assert result.exit_code == 0, result.output
    (made,) = api.things["recurringRuns"]
    assert made["trigger"] == {"cron_schedule": {"cron": "0 0 6 * * *"}}
    assert (made["max_concurrency"], made["no_catchup"], made["mode"]) == ("1", True, "ENABLE")
    assert made["display_name"] == "clickbait"
    assert made["runtime_config"]["parameters"] == dict(one.split("=", 1) for one in SPANS)
    assert not api.things["runs"]
    assert "clickbait created: 0 0 6 * * * (UTC), each of the newest span" in result.output


def test_the_same_again_changes_nothing(api, submit):
    submit(*DAILY, said=SPANS)
    before = dict(api.things["recurringRuns"][0])
    result = submit(*DAILY, said=SPANS)
    assert "unchanged" in result.output
    assert api.things["recurringRuns"] == [before]
    assert len(api.things["pipeline_versions"]) == 1


@pytest.mark.parametrize("change", [("--recurring", "30 7 * * 1"), ("--parameter", "epochs=2")])
def test_a_change_takes_the_place_of_the_old(api, submit, change):
    submit(*DAILY, said=SPANS)
    (old,) = api.things["recurringRuns"]
    result = submit(*DAILY, *change, said=SPANS)
    assert "updated" in result.output
    (new,) = api.things["recurringRuns"]
    assert new["recurring_run_id"] != old["recurring_run_id"]
    assert new["status"] == "ENABLED"


def test_root_and_account_of_the_spec_are_sent_and_another_takes_the_place_of_the_old(api, submit, tmp_path):
    first = with_root(tmp_path, "s3://bucket/a", serviceAccount="pipelines")
    submit("--spec", first, *DAILY, said=SPANS)
    (old,) = api.things["recurringRuns"]
    assert old["runtime_config"]["pipeline_root"] == "s3://bucket/a"
    assert old["service_account"] == "pipelines"
    assert "unchanged" in submit("--spec", first, *DAILY, said=SPANS).output
    # Of the same version, as a server may keep it.
    for change in ({"service_account": "other"}, {"runtime_config": old["runtime_config"] | {"pipeline_root": None}}):
        api.things["recurringRuns"] = [old | change]
        assert "updated" in submit("--spec", first, *DAILY, said=SPANS).output


@pytest.mark.parametrize("account", ["pipeline-runner", "default-editor", None])
def test_the_account_that_the_server_fills_in_is_no_change(api, submit, account):
    submit(*DAILY, said=SPANS)
    api.things["recurringRuns"][0]["service_account"] = account
    assert "unchanged" in submit(*DAILY, said=SPANS).output


def test_an_account_that_was_given_before_is_taken_back(api, submit):
    submit(*DAILY, said=SPANS)
    api.things["recurringRuns"][0]["service_account"] = "mine"
    assert "updated" in submit(*DAILY, said=SPANS).output


def at_work(api, recurring, state="RUNNING"):
    """A run that a recurring run has started."""
    run = {key: recurring[key] for key in ("recurring_run_id", "experiment_id", "pipeline_version_reference")}
    run |= {"run_id": "scheduled", "display_name": "by schedule", "state": state}
    api.things["runs"].append(run)
    return run


@pytest.mark.parametrize("release", ["2.16.0", "2.17.0", "master-55ec846"])
def test_a_change_leaves_the_run_alone_that_the_old_one_has_at_work(api, submit, release):
    submit(*DAILY, said=SPANS)
    (old,) = api.things["recurringRuns"]
    run = at_work(api, old)
    api.release = release
    result = submit("--recurring", "1 6 * * *", said=SPANS)
    assert "updated" in result.output
    assert "warning" not in result.output
    assert old not in api.things["recurringRuns"]
    assert api.called("DELETE", f"/apis/v2beta1/recurringruns/{old['recurring_run_id']}?propagation_policy=ORPHAN") == 1
    assert not run["deleted"]


def test_before_2_16_the_old_one_stays_disabled_while_it_has_a_run(api, submit):
    api.release = "2.15.2"
    submit(*DAILY, said=SPANS)
    (old,) = api.things["recurringRuns"]
    run = at_work(api, old)
    result = submit("--recurring", "1 6 * * *", said=SPANS)
    assert result.exit_code == 0
    assert f"warning   the recurring run {old['recurring_run_id']}" in result.output
    assert "before 2.16.0 would delete the run scheduled, which is at work" in result.output
    assert [one["status"] for one in api.things["recurringRuns"]] == ["DISABLED", "ENABLED"]
    run["state"] = "SUCCEEDED"
    # The new one is the one of that name from now on, and has no run.
    result = submit("--recurring", "2 6 * * *", said=SPANS)
    assert "warning" not in result.output
    assert [one["status"] for one in api.things["recurringRuns"]] == ["DISABLED", "ENABLED"]


@pytest.mark.parametrize("cron", ["0 6 * * *", "1 6 * * *"])
def test_one_whose_scheduled_workflow_somebody_deleted_is_made_anew(api, submit, cron):
    submit(*DAILY, said=SPANS)
    (old,) = api.things["recurringRuns"]
    api.without_workflow.add(old["recurring_run_id"])
    result = submit("--recurring", cron, said=SPANS)
    assert result.exit_code == 0, result.output
    assert "updated" in result.output
    (new,) = api.things["recurringRuns"]
    assert new["recurring_run_id"] != old["recurring_run_id"]


def with_root(folder, root, **config):
    """Writes the spec with a pipeline root, and with what `compile` leaves for `submit`."""
    platform = {"platforms": {"kubernetes": {"config": config}}}
    write_spec({**load_spec(SMALL), "defaultPipelineRoot": root}, folder / "rooted.yaml", [platform])
    return str(folder / "rooted.yaml")


def test_another_name_is_another(api, submit):
    submit(*DAILY, said=SPANS)
    submit(*DAILY, "--name", "weekly", said=SPANS)
    assert {one["display_name"] for one in api.things["recurringRuns"]} == {"clickbait", "weekly"}


def test_where_the_new_one_is_refused_the_old_goes_on(api, submit):
    submit(*DAILY, said=SPANS)
    (old,) = api.things["recurringRuns"]

    def mood(handler):
        if handler.command == "POST" and handler.path.endswith("/recurringruns"):
            handler.send(400, {"message": "the schedule format is invalid"})
            return True
        return False

    api.mood = mood
    result = submit("--recurring", "1 6 * * *", said=SPANS)
    assert result.exit_code == 2
    assert "the schedule format is invalid" in result.output
    assert api.things["recurringRuns"] == [old]
    assert old["status"] == "ENABLED"


def test_one_that_somebody_disabled_is_enabled_by_the_command(api, submit):
    submit(*DAILY, said=SPANS)
    api.things["recurringRuns"][0]["status"] = "DISABLED"
    submit(*DAILY, said=SPANS)
    assert [one["status"] for one in api.things["recurringRuns"]] == ["ENABLED"]


def test_the_digest_of_data_that_is_not_there_yet_is_nobodys_to_say(submit, api):
    result = submit(*DAILY, said=SAID)
    assert result.exit_code == 2
    assert "data_digest" in result.output
    assert not api.calls


def test_data_without_spans_would_be_the_same_each_time(submit, api):
    result = submit(*DAILY, "--parameter", "data=/data/titles.csv", said=SPANS)
    assert result.exit_code == 2
    assert "{SPAN}" in result.output
    assert not api.calls


def test_its_spec_reads_what_is_new_and_is_sound():
    spec = load_spec(GOLDEN)
    made = recurring_spec(spec)
    tasks = made["root"]["dag"]["tasks"]
    ingest, gate = (tasks[name] for name in ("HeadlineExampleGen", "DataGate"))
    assert find_faults(made) == []
    assert "componentInputParameter: data_digest" not in yaml.safe_dump(made["root"])
    assert "data_digest" not in made["root"]["inputDefinitions"]["parameters"]
    assert ingest["cachingOptions"] == {}
    assert ingest["inputs"]["parameters"]["content_digest"] == {"runtimeValue": {"constant": ""}}
    # Drift is measured against the data of another run.
    assert gate["inputs"]["parameters"]["content_digest"]["runtimeValue"]["constant"] == "{{$.pipeline_job_uuid}}"
    assert tasks["RunReport"]["inputs"]["parameters"]["data_digest"] == {"runtimeValue": {"constant": ""}}
    others = {*tasks} - {"HeadlineExampleGen", "DataGate", "RunReport"}
    assert all(tasks[name] == spec["root"]["dag"]["tasks"][name] for name in others)
    assert spec == load_spec(GOLDEN)


def test_a_spec_of_one_span_for_ever_is_refused():
    spec = load_spec(GOLDEN)
    ingest = spec["root"]["dag"]["tasks"]["HeadlineExampleGen"]["inputs"]["parameters"]
    ingest["settings"] = {"runtimeValue": {"constant": DataConfig(last_span="7").model_dump_json()}}
    with pytest.raises(ParameterError, match=r"data\.last_span"):
        recurring_spec(spec)


@pytest.mark.parametrize(
    ("text", "taken"),
    [("0 6 * * *", "0 0 6 * * *"), ("30 0 6 * * MON-FRI", "30 0 6 * * MON-FRI"), ("@every 6h", "@every 6h")],
)
def test_crontabs_five_fields_get_seconds(text, taken):
    assert check_cron(text) == taken


@pytest.mark.parametrize("text", ["", "daily", "* * *", "0 6 * * * * *", "0 6 * * ;", "@every"])
def test_what_is_no_schedule_is_refused(text):
    with pytest.raises(ParameterError, match="cron expression"):
        check_cron(text)


def test_a_login_page_in_the_middle_leaves_the_schedule_alone(api, submit):
    submit(*DAILY, said=SPANS)
    api.mood = say(200, "<html>login</html>", "/recurringruns")
    assert submit("--recurring", "1 6 * * *", said=SPANS).exit_code == 2
    assert [one["status"] for one in api.things["recurringRuns"]] == ["ENABLED"]
