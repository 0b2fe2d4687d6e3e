"""What docs/serving.md tells people to type at a server is typed at one."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.serving import ServerProcess, write_model

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]

# grpcurl comes from no package registry. This one takes the same flags and knows as much of the protocol as they say.
GRPCURL = """#!{python}
import argparse, grpc, sys
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
parser = argparse.ArgumentParser(prefix_chars="-")
for flag in ("-protoset", "-d"):
    parser.add_argument(flag, required=True)
parser.add_argument("-plaintext", action="store_true", required=True)
parser.add_argument("address")
parser.add_argument("method")
asked = parser.parse_args()
pool = descriptor_pool.DescriptorPool()
for file in descriptor_pb2.FileDescriptorSet.FromString(open(asked.protoset, "rb").read()).file:
    pool.Add(file)
service, _, name = asked.method.rpartition("/")
method = pool.FindServiceByName(service).FindMethodByName(name)
make = message_factory.GetMessageClass
request = json_format.Parse(asked.d, make(method.input_type)())
call = grpc.insecure_channel(asked.address).unary_unary(
    f"/{{asked.method}}", lambda message: message.SerializeToString(), make(method.output_type).FromString)
print(json_format.MessageToJson(call(request, timeout=20)))
"""


def blocks(heading: str) -> list:
    section = (
        (ROOT / "docs" / "serving.md").read_text(encoding="utf-8").split(f"## {heading}\n", 1)[1].split("\n## ")[0]
    )
    found = re.findall(r"```(console|python)\n(.*?)```", section, re.DOTALL)
    commands = [("python", text) for kind, text in found if kind == "python"]
    for text in (text for kind, text in found if kind == "console"):
        commands += [("console", one.strip()) for one in re.split(r"^\$ ", text, flags=re.MULTILINE) if one.strip()]
    return [pytest.param(kind, text, id=re.sub(r"\W+", "-", text)[:50].strip("-")) for kind, text in commands]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    write_model(folder / "clickbait" / "7", weight=0.125)
    with ServerProcess(folder / "clickbait", folder / "log", "clickbait") as server:
        yield server.wait_until_ready()


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bin")
    (folder / "grpcurl").write_text(GRPCURL.format(python=sys.executable))
    (folder / "grpcurl").chmod(0o755)
    return {**os.environ, "PATH": os.pathsep.join([str(folder), str(Path(sys.executable).parent), os.environ["PATH"]])}


def test_the_section_has_examples_of_all_kinds():
    text = " ".join(one.values[1] for one in blocks("Asking it"))
    assert all(word in text for word in ("clickbait predict", "AsyncClient", "with Client(", "grpcurl", "curl --fail"))


@pytest.mark.parametrize(("kind", "text"), blocks("Asking it"))
def test_an_example_is_answered(kind, text, server, environment):
    if text.startswith("curl") and not shutil.which("curl"):
        pytest.skip("no curl here")
    text = text.replace("localhost:8500", f"localhost:{server.port}").replace("8501", str(server.rest_port))
    if "clickbait predict" in text:
        target = server.rest_port if "--rest" in text else server.port
        text = text.replace("clickbait predict", f"clickbait predict --target localhost:{target}")
    call = [sys.executable, "-c", text] if kind == "python" else ["bash", "-ec", text]
    done = subprocess.run(call, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    # The model gives an eighth of the text's length, 0.625 of which is unsure; metadata and status have the version.
    assert any(answer in done.stdout for answer in ("0.625", "2.5", "4.875", "'unsure'", '"7"')), done.stdout


def test_certificates_are_made_as_strict_pythons_want_them(tmp_path):
    for _, text in (block.values for block in blocks("Over TLS")):
        done = subprocess.run(["bash", "-ec", text], capture_output=True, text=True, cwd=tmp_path, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout == "server.pem: OK\n"
