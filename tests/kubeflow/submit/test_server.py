"""What goes wrong with a server: one message that says the way out, and exit code 2."""

from __future__ import annotations

import socket
import struct
import time

import pytest

from kubeflow.spec.pipeline_spec import load_spec, write_spec
from tests.helpers.certificates import make_authority, make_certificate
from tests.kubeflow.submit.conftest import SMALL
from tests.kubeflow.submit.fake_api import hang, say

SECRET = "eyJhbGciOi.secret-part.signature"
LOGIN = "<!DOCTYPE html><html><body><form action='/dex/auth/local'>Log in</form></body></html>"


def message(result) -> str:
    assert result.exit_code == 2, result.output
    assert result.output.count("clickbait: ") == 1
    assert "Received: " in result.output
    return result.output


def test_no_host_names_the_forward_and_the_rehearsal(submit):
    shown = message(submit("--host", ""))
    assert "port-forward" in shown
    assert "rehearse" in shown


@pytest.mark.parametrize("host", ["localhost:8888", "ftp://x", "http://", "http://a b:99999", "http://x?y=1"])
def test_a_host_that_is_no_url(submit, host):
    assert "--host must be an http:// or https:// URL" in message(submit(host=host))


def test_credentials_in_a_host_are_not_repeated(submit):
    assert "hunter2" not in message(submit(host="http://me:hunter2@localhost"))


def test_nobody_listens(submit):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shown = message(submit(host=f"http://127.0.0.1:{port}"))
    assert "refused" in shown
    assert "rehearse" in shown


def test_a_name_that_is_nobodys(submit):
    assert "A server must answer at --host" in message(submit(host="http://no-such-host.invalid"))


def test_a_server_that_hangs_has_a_deadline(api, submit):
    api.mood = hang(30)
    began = time.monotonic()
    assert "no answer within 0.2 s" in message(submit("--call-timeout", "0.2"))
    assert time.monotonic() - began < 10


def test_http_where_https_is_asked(api, submit):
    shown = message(submit(host=api.url.replace("http:", "https:")))
    assert "A server must answer at --host" in shown
    assert "SSL" in shown


def test_a_certificate_of_ones_own_authority(api, submit, tmp_path):
    authority = make_authority(tmp_path, "authority")
    api.encrypt(*make_certificate(tmp_path, authority, "127.0.0.1"))
    assert "Give its authority by --tls-ca" in message(submit())
    assert submit("--tls-ca", str(authority.cert), "--no-wait").exit_code == 0


def test_an_authority_that_is_no_certificate(submit, tmp_path):
    (tmp_path / "ca.pem").write_text("none")
    assert "--tls-ca" in message(submit("--tls-ca", str(tmp_path / "ca.pem")))
    assert "--tls-ca" in message(submit("--tls-ca", str(tmp_path / "nowhere.pem")))


def test_401_asks_for_a_token_and_the_right_one_is_taken(api, submit, tmp_path):
    api.token = SECRET
    assert "kubectl create token" in message(submit())
    assert "must have a valid token" in message(submit("--token", "wrong"))
    file = tmp_path / "token"
    file.write_text(f"{SECRET}\n")
    taken = submit("--token-file", str(file))
    assert taken.exit_code == 0
    assert api.tokens[-1] == f"Bearer {SECRET}"
    assert SECRET not in taken.output


def test_the_token_of_the_environment(api, submit, monkeypatch):
    api.token = SECRET
    monkeypatch.setenv("KUBEFLOW_TOKEN", SECRET)
    assert submit("--no-wait").exit_code == 0


def test_a_token_file_is_read_again_when_the_token_was_renewed(api, submit, tmp_path):
    file = tmp_path / "token"
    file.write_text("first")
    api.token = "first"

    def renew(handler):
        if "/runs/" in handler.path:
            file.write_text("second")
            api.token = api.tokens[-1].removeprefix("Bearer ")  # what came is still good
        elif handler.command == "POST" and handler.path.endswith("/runs"):
            api.token = "first"
        return False

    api.mood = renew
    assert submit("--token-file", str(file)).exit_code == 0
    assert api.tokens[-1] == "Bearer second"


@pytest.mark.parametrize("content", ["", "two words", "line\nline", "schlüssel"])
def test_a_file_without_a_token_is_not_shown(submit, tmp_path, content):
    file = tmp_path / "token"
    file.write_text(content)
    shown = message(submit("--token-file", str(file)))
    assert "--token-file must hold one token" in shown
    assert not content or content not in shown


def test_two_tokens_or_none_to_be_read(submit, tmp_path):
    assert "must not be given together" in message(submit("--token", "a", "--token-file", "b"))
    assert "must be readable" in message(submit("--token-file", str(tmp_path / "none")))
    assert SECRET not in message(submit("--token", f"{SECRET} {SECRET}"))


@pytest.mark.parametrize(
    "answer", ["RBAC: access denied", {"code": 7, "message": "User 'me' is not authorized with reason: no role"}]
)
def test_403_names_the_role(api, submit, answer):
    api.mood = say(403, answer, "/experiments")
    shown = message(submit("--token", SECRET))
    assert "kubeflow-edit" in shown
    assert (answer if isinstance(answer, str) else answer["message"]) in shown
    assert SECRET not in shown
    assert not api.things["runs"]


def test_a_backend_of_v1_is_old(api, submit):
    def mood(handler):
        old = handler.path == "/apis/v1beta1/healthz"
        handler.send(200 if old else 404, {"commit_sha": "1"} if old else {"message": "Not Found"})
        return True

    api.mood = mood
    shown = message(submit())
    assert "v1beta1 only" in shown
    assert "Upgrade" in shown


@pytest.mark.parametrize("release", ["2.0.5", "2.5.0", "2.13.0"])
def test_a_backend_before_2_14_is_old_for_every_spec(api, submit, release):
    api.release = release
    shown = message(submit())
    assert f"which is {release}" in shown
    assert "2.14.0 or later" in shown
    assert not api.things["pipelines"]


@pytest.mark.parametrize("release", ["2.14.0", "2.16.1", "unknown", "master-55ec846", ""])
def test_a_newer_backend_and_one_of_ones_own_are_trusted(api, submit, release):
    api.release = release
    assert submit("--no-wait").exit_code == 0


def test_a_backend_older_than_the_spec_says_is_old(api, submit, tmp_path):
    path = with_config(tmp_path, {"release": "2.16.0"})
    api.release = "2.15.2"
    assert "2.16.0 or later. Received" in message(submit("--spec", path))
    api.release = "2.16.0"
    assert submit("--spec", path, "--no-wait").exit_code == 0


@pytest.mark.parametrize("config", [{"release": "soon"}, {"release": 2.16}, {"serviceAccount": ["a"]}])
def test_a_platform_config_of_another_kind_is_refused(api, submit, tmp_path, config):
    assert "Compile the spec anew" in message(submit("--spec", with_config(tmp_path, config)))
    assert not api.calls


def test_another_service_is_not_called_old(api, submit):
    api.mood = say(404, "not here")
    shown = message(submit())
    assert "which has no /apis/v2beta1" in shown
    assert "/pipeline" in shown


def test_a_backend_that_refuses_the_schema_is_old(api, submit):
    api.mood = say(400, {"message": "unsupported schemaVersion 2.1.0"}, "/upload_version")
    assert "Upgrade the backend" in message(submit())


def test_another_refusal_of_an_upload_is_told_as_it_is(api, submit):
    api.mood = say(400, {"message": "the file is too large"}, "/upload_version")
    shown = message(submit())
    assert "the file is too large" in shown
    assert "Upgrade" not in shown


@pytest.mark.parametrize("path", ["/healthz", "/pipelines", "/runs"])
def test_a_login_page_is_no_answer(api, submit, path):
    api.mood = say(200, LOGIN, path)
    shown = message(submit())
    assert "login" in shown
    assert "<form" not in shown


def test_an_answer_of_another_api(api, submit):
    api.mood = say(200, "[1]", "/pipelines")
    assert "must answer by Kubeflow Pipelines' API" in message(submit())


def test_500_and_then_fine_is_fine(api, submit):
    api.mood = say(500, {"message": "database is starting"}, "/pipelines", times=2)
    assert submit().exit_code == 0
    assert api.called("GET", "/apis/v2beta1/pipelines?") == 3


def test_500_for_ever_is_told(api, submit):
    api.mood = say(500, {"message": "database is gone"}, "/experiments")
    assert "database is gone" in message(submit())


def test_a_run_is_not_started_twice_by_a_500(api, submit):
    api.mood = say(500, {"message": "who knows"}, "/runs", times=1, method="POST")
    message(submit())
    assert api.called("POST", "/apis/v2beta1/runs") == 1


@pytest.mark.parametrize("answer", [b"", b"\x00\x00\x12\x04\x00\x00\x00\x00\x00"], ids=["nothing", "gRPC's"])
def test_a_port_that_speaks_no_http(api, submit, answer):
    def mood(handler):
        handler.wfile.write(answer)
        handler.close_connection = True
        return True

    api.mood = mood
    shown = message(submit())
    assert "--host must speak HTTP" in shown
    assert "gRPC, 8887" in shown


def test_a_connection_that_is_reset(api, submit):
    def mood(handler):
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        handler.connection.close()
        handler.close_connection = True
        return True

    api.mood = mood
    assert "--host must speak HTTP" in message(submit())


def test_the_reason_at_the_end_of_a_long_403_is_shown(api, submit):
    reason = f"{'Failed to authorize: ' * 300}User 'me' is not authorized with reason: no role"
    api.mood = say(403, {"message": reason}, "/experiments")
    assert "with reason: no role" in message(submit())


def test_a_run_that_is_not_there(api, submit):
    shown = message(submit("--follow", "no-such-run", said=()))
    assert "--follow must be the id of a run. Received: no-such-run" in shown
    assert "was not touched" not in shown


@pytest.mark.parametrize("name", ["Clickbait", "click_bait", "-click", "click.", "c" * 129])
def test_a_name_that_leaves_an_empty_pipeline_behind_is_refused(api, submit, tmp_path, name):
    path = with_spec(tmp_path, pipelineInfo={"name": name})
    assert "pipelineInfo.name must be of a-z, 0-9 and -" in message(submit("--spec", path))
    assert not api.things["pipelines"]


def test_a_key_that_the_server_does_not_know_is_refused_by_name(api, submit, tmp_path):
    path = with_spec(tmp_path, pipelinInfo={"name": "x"})
    assert "pipelinInfo" in message(submit("--spec", path))
    assert not api.things["pipelines"]


def test_two_documents_of_platforms_are_refused(api, submit, tmp_path):
    write_spec(load_spec(SMALL), tmp_path / "two.yaml", [{"platforms": {"kubernetes": {}}}] * 2)
    assert "one document of `platforms:` at most" in message(submit("--spec", str(tmp_path / "two.yaml")))
    assert not api.things["pipelines"]


@pytest.mark.parametrize(
    "text",
    [
        SMALL.read_text().replace("schemaVersion: 2.1.0", "schemaVersion: 2.0.0"),
        "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nspec: {entrypoint: main}\n",
    ],
    ids=["schema 2.0.0", "v1"],
)
def test_a_spec_of_an_older_kfp_is_refused(api, submit, tmp_path, text):
    (tmp_path / "old.yaml").write_text(text)
    shown = message(submit("--spec", str(tmp_path / "old.yaml")))
    assert "schemaVersion must be 2.1.0" in shown
    assert "`clickbait kubeflow compile` writes one" in shown
    assert not api.calls


def with_config(folder, config):
    """Writes the spec with what `compile` leaves for `submit`."""
    write_spec(load_spec(SMALL), folder / "spec.yaml", [{"platforms": {"kubernetes": {"config": config}}}])
    return str(folder / "spec.yaml")


def with_spec(folder, **changes):
    """Writes the spec with other keys."""
    write_spec({**load_spec(SMALL), **changes}, folder / "spec.yaml")
    return str(folder / "spec.yaml")
