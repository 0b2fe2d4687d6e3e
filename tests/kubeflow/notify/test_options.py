"""What is given to the command: the webhook, which is a secret, and the file of its record."""

from __future__ import annotations

import errno
import json
import logging
import os

import pytest
from filelock import FileLock

from kubeflow.notify.webhook import WebhookError, read_webhook
from tests.kubeflow.notify.conftest import SECRET, log_of


def test_the_webhook_may_be_in_a_file(api, receiver, notify, tmp_path, monkeypatch):
    api.end_run("DataGate", log_of(3, "too few rows"))
    (tmp_path / "url").write_text(f"{receiver.url}\n")
    assert "both a file and the variable" in notify("--webhook-file", str(tmp_path / "url")).output
    monkeypatch.delenv("CLICKBAIT_WEBHOOK")
    assert notify("--webhook-file", str(tmp_path / "url")).exit_code == 0
    assert receiver.posts == 1


@pytest.mark.parametrize(
    "text",
    ["", f"hooks.example/{SECRET}", f"ftp://hooks.example/{SECRET}", f"https:///{SECRET}", f"https://h/{SECRET} x"]
    + [f"https://h:0/{SECRET}", f"https://[h/{SECRET}", f"https://h:x/{SECRET}", f"https://h/{SECRET}\nhttps://i"],
)
def test_what_is_no_url_is_refused_and_not_shown(tmp_path, text):
    (tmp_path / "url").write_text(text)
    with pytest.raises(WebhookError, match="must be one http:// or https:// URL") as refusal:
        read_webhook(tmp_path / "url", {})
    assert SECRET not in str(refusal.value)
    assert refusal.value.exit_code == 2


def test_without_a_webhook_there_is_a_way_out(notify, tmp_path, monkeypatch):
    monkeypatch.delenv("CLICKBAIT_WEBHOOK")
    done = notify()
    assert done.exit_code == 2
    assert "Received: neither a file nor the variable. Give --webhook-file FILE or" in done.output
    done = notify("--webhook-file", str(tmp_path / "none"))
    assert (done.exit_code, "none: No such file or directory. Give another." in done.output) == (2, True)


def test_the_url_is_in_no_log_and_in_no_error(api, receiver, notify, caplog, monkeypatch):
    caplog.set_level(logging.INFO)
    api.end_run("DataGate", log_of(3, "too few rows"))
    for answer in ((500, {}), (404, {}), None):
        receiver.answers = [answer] * 4
        assert notify().exit_code == 1
    for url in (f"http://nowhere.invalid/{SECRET}", f"https://{receiver.url.partition('//')[2]}"):
        monkeypatch.setenv("CLICKBAIT_WEBHOOK", url)
        done = notify()
        assert done.exit_code == 1
        assert "must answer within" in done.output
    assert SECRET not in caplog.text
    assert SECRET not in repr(read_webhook(None, {"CLICKBAIT_WEBHOOK": receiver.url}))


@pytest.mark.parametrize("content", ["", "{}", "no JSON", '{"version": 2, "scope": "s", "since": "2026-01-01T00:00Z"}'])
def test_another_file_is_no_record(notify, state, content):
    state.write_text(content)
    done = notify()
    assert done.exit_code == 2
    assert "--state must be a file that `notify` wrote" in done.output
    assert state.read_text() == content


def test_nothing_is_posted_where_it_cannot_be_remembered(api, receiver, notify, tmp_path, monkeypatch):
    api.end_run("DataGate", log_of(3, "too few rows"))
    (tmp_path / "file").touch()
    done = notify("--state", str(tmp_path / "file" / "file.json"))
    assert (done.exit_code, "--state must be in a folder that is there" in done.output) == (2, True)
    (tmp_path / "folder").mkdir()
    done = notify("--state", str(tmp_path / "folder"))
    assert (done.exit_code, "--state must be readable" in done.output) == (2, True)
    monkeypatch.setattr("kubeflow.notify.record.write_whole", full)
    done = notify()
    assert (done.exit_code, "notified.json: No space left on device" in done.output) == (2, True)
    assert receiver.posts == 0


def full(*_, **__):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_two_at_a_time_are_one_too_many(api, receiver, notify, state):
    api.end_run("DataGate", log_of(3, "too few rows"))
    with FileLock(f"{state}.lock"):
        done = notify()
    assert done.exit_code == 2
    assert "--state must be used by one notifier at a time" in done.output
    assert receiver.posts == 0
    assert notify().exit_code == 0


def test_the_record_stays_small(api, notify, state):
    for day in range(3, 23):
        api.run(api.end_run("Trainer"))["finished_at"] = f"2026-01-{day:02}T09:00:00Z"
    assert notify().exit_code == 0
    record = json.loads(state.read_text())
    assert record["since"] == "2026-01-21T09:00:00Z"
    assert [*record["ended"]] == ["run-19", "run-20"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--pipeline", "a", "--experiment", "b"], "--pipeline and --experiment must not be given together"),
        (["--pipeline", "unknown"], "--pipeline must name a pipeline"),
        (["--experiment", "unknown"], "--experiment must name an experiment"),
        (["--namespace", "one"], "--namespace must be left out"),
    ],
)
def test_a_wrong_call_is_a_sentence(notify, arguments, message):
    done = notify(*arguments)
    assert done.exit_code == 2
    assert message in done.output


def test_on_a_server_of_several_users_the_namespace_is_asked_for(api, receiver, notify):
    api.multi_user = True
    api.end_run("DataGate", log_of(3, "too few rows"))
    for thing in (*api.things["pipelines"], *api.things["runs"]):
        thing["namespace"] = "news"
    assert "--namespace must be given" in notify().output
    assert notify("--namespace", "news").exit_code == 0
    assert receiver.posts == 1


def test_an_installation_with_2_14_is_no_reason_to_keep_quiet(api, receiver, notify):
    api.release = "2.14.0"
    api.end_run("DataGate", log_of(3, "too few rows"))
    assert notify().exit_code == 0
    assert receiver.posts == 1
