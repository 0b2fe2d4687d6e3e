"""The README of the manifests: what it names is there, and what is there is named."""

from __future__ import annotations

import re
import textwrap

import yaml

from tests.serving.manifests.files import MANIFESTS, resource

TEXT = (MANIFESTS / "README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^\$ (.*?)(?: +#.*)?$", TEXT, re.MULTILINE)


def test_every_link_and_path_leads_somewhere():
    links = re.findall(r"\]\(([^)#]+)\)", TEXT)
    paths = [path for command in COMMANDS for path in re.findall(r"serving/manifests/\S+", command)]
    assert links and paths
    for path in [MANIFESTS / link for link in links] + [MANIFESTS.parents[1] / path for path in paths]:
        assert path.exists(), path


def test_everything_at_the_top_is_named():
    assert {path.name for path in MANIFESTS.iterdir()} <= {*re.findall(r"\]\(([^)#]+)\)", TEXT), "README.md"}


def test_commands_name_what_is_there():
    text = " ".join(COMMANDS)
    for kind, name in re.findall(r"\b(pod|deployment)/([\w-]+)", text):
        assert resource(kind.capitalize(), name)
    assert set(re.findall(r"(\S+):/models", text)) == {resource("Pod", "clickbait-loader")["metadata"]["name"]}
    (loader,) = resource("Pod", "clickbait-loader")["spec"]["containers"]
    (mount,) = loader["volumeMounts"]
    assert f"{mount['mountPath']}/clickbait/1" in text
    service, port = re.search(r"dns:///([\w-]+):(\d+)", TEXT).groups()
    assert int(port) in {port["port"] for port in resource("Service", service)["spec"]["ports"]}
    client = re.search(r"labelled `([\w-]+): \"(\w+)\"`", TEXT).groups()
    (source,) = resource("NetworkPolicy")["spec"]["ingress"][0]["from"]
    assert source["podSelector"]["matchLabels"] == dict([client])


def test_the_proxy_leads_to_all_replicas():
    (text,) = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    (cluster,) = yaml.safe_load(textwrap.dedent("  " + text.lstrip()))["clusters"]
    # By the Service without an address of its own, whose name has those of all replicas; over HTTP/2, or it is no gRPC.
    assert (cluster["type"], cluster["lb_policy"]) == ("STRICT_DNS", "LEAST_REQUEST")
    (options,) = cluster["typed_extension_protocol_options"].values()
    assert "http2_protocol_options" in options["explicit_http_config"]
    (endpoint,) = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"]
    address = endpoint["endpoint"]["address"]["socket_address"]
    service = resource("Service", address["address"])["spec"]
    assert service["clusterIP"] == "None" and service["ports"][0]["port"] == address["port_value"]
