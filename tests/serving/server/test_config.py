"""The text protos: the model, its policy and labels, and TLS."""

from __future__ import annotations

from pathlib import Path

import pytest

from serving.server.config import ModelConfig, Policy, model_config_from_flags, server_credentials
from serving.server.errors import StartError
from serving.server.flags import Flags
from tests.helpers.certificates import make_authority, make_certificate
from tests.helpers.serving import write_ssl_config


def from_file(tmp_path, *lines: str) -> ModelConfig:
    file = tmp_path / "models.config"
    file.write_text("\n".join(lines))
    return model_config_from_flags(Flags(model_config_file=str(file)))


def config_of(*lines: str, platform: str = "tensorflow") -> str:
    body = "\n".join(lines)
    return f'model_config_list {{ config {{ name: "m" base_path: "/m" model_platform: "{platform}" {body} }} }}'


def test_a_model_by_flags():
    assert model_config_from_flags(Flags(model_name="m", model_base_path="/m")) == ModelConfig("m", Path("/m"))


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("", Policy()),
        ("model_version_policy { latest {} }", Policy(latest=1)),
        ("model_version_policy { latest { num_versions: 3 } }", Policy(latest=3)),
        ("model_version_policy { all {} }", Policy(everything=True)),
        ("model_version_policy { specific { versions: 4 versions: 2 } }", Policy(specific=(4, 2))),
        ("model_version_policy { specific {} }", Policy(specific=())),
    ],
)
def test_policies(tmp_path, policy, expected):
    assert from_file(tmp_path, config_of(policy)).policy == expected


def test_labels(tmp_path):
    labels = ('version_labels { key: "stable" value: 1 }', 'version_labels { key: "canary" value: 2 }')
    assert from_file(tmp_path, config_of(*labels)).labels == {"stable": 1, "canary": 2}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must have one model. Received: 0"),
        (config_of()[:-1] + config_of()[19:].replace('"m"', '"n"'), "must have one model. Received: 2"),
        (f"{config_of()[:-1]} {config_of()[19:]}", "Illegal to list model m multiple times in config list"),
        (config_of(platform=""), 'model_platform must be "tensorflow"'),
        (config_of().replace('"/m"', '"m"'), "Expected model m to have an absolute path or URI; got base_path()=m"),
        ("model_config_list { confg {} }", "must be a text proto of tensorflow.serving.ModelServerConfig"),
    ],
)
def test_a_file_that_cannot_be_served(tmp_path, text, message):
    with pytest.raises(StartError) as caught:
        from_file(tmp_path, text)
    assert message in str(caught.value) and caught.value.exit_code == 2


def test_a_missing_file_and_a_relative_path():
    with pytest.raises(StartError, match="No such file"):
        model_config_from_flags(Flags(model_config_file="/nowhere/models.config"))
    with pytest.raises(StartError, match="absolute path.*Give /"):
        model_config_from_flags(Flags(model_base_path="models/m"))


def test_certificates(tmp_path):
    authority = make_authority(tmp_path, "authority")
    server = make_certificate(tmp_path, authority, "localhost")
    for client_verify in (False, True):
        path = write_ssl_config(tmp_path / "ssl", server, authority, client_verify=client_verify)
        assert server_credentials(str(path))


@pytest.mark.parametrize(
    "text", ["", 'server_key: "k"', 'server_key: "k" server_cert: "c" client_verify: true', "server_kye: 'k'"]
)
def test_certificates_that_are_not_whole(tmp_path, text):
    (tmp_path / "ssl").write_text(text)
    with pytest.raises(StartError, match="Received: "):
        server_credentials(str(tmp_path / "ssl"))
