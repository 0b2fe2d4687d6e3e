"""The compose file: valid, on loopback, and as confined as the cluster's servers. Its health check: test_live.py."""

from __future__ import annotations

import compose_spec
import pytest
import yaml

from serving.serve import IMAGE
from tests.serving.manifests.files import MANIFESTS, compose_server, compose_text


def validate(text: str) -> None:
    compose_spec.PyCompose.from_yaml(text).validate()


def test_it_is_valid():
    validate(compose_text())


@pytest.mark.parametrize("key", ["healthcheck", "entrypoint", "read_only", "cap_drop", "create_host_path"])
def test_a_typo_is_seen(key):
    with pytest.raises(ValueError, match=f"{key}s"):
        validate(compose_text().replace(f"{key}:", f"{key}s:"))


def test_an_image_and_a_folder_of_ones_own():
    image = f"tensorflow/serving@sha256:{'0' * 64}"
    text = compose_text(TF_SERVING_IMAGE=image, CLICKBAIT_SERVING="/srv/models")
    validate(text)
    found = yaml.safe_load(text)["services"]["serving"]
    assert (found["image"], found["volumes"][0]["source"]) == (image, "/srv/models")


def test_it_serves_what_runs_push_to_this_machine_only():
    found = compose_server()
    assert found["image"] == IMAGE
    assert all(port.startswith("127.0.0.1:") for port in found["ports"])
    assert (MANIFESTS / found["volumes"][0]["source"]).resolve() == MANIFESTS.parents[1] / "output" / "serving"


def test_it_may_do_nothing_that_it_need_not():
    found = compose_server()
    assert found["read_only"] is True and found["cap_drop"] == ["ALL"] and found["mem_limit"]
    assert found["user"].split(":")[0] not in ("", "0", "root")
    assert found["security_opt"] == ["no-new-privileges:true"]
    assert all(mount["read_only"] is True for mount in found["volumes"])


def test_every_variable_has_a_default():
    assert "$" not in yaml.safe_dump({**compose_server(), "healthcheck": None})
