"""The Dockerfile and what is sent to the builder, by reading: nothing is built."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from docker.utils.build import exclude_paths
from packaging.specifiers import SpecifierSet

from tests.kubeflow.image.dockerfile import DOCKERFILE, ROOT, assignments, expand, ignore_rules, read_stages

TEXT = DOCKERFILE.read_text()
DIGEST = f"sha256:{'0' * 64}"


def lint(text: str) -> str:
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, "--no-color", "-"], input=text, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def sent_to_the_builder() -> set[str]:
    return exclude_paths(str(ROOT), ignore_rules())


def test_hadolint_finds_nothing():
    assert lint(TEXT) == ""


@pytest.mark.parametrize(
    ("found", "instead", "rule"),
    [
        ("USER 65532:0", "USER root", "DL3002"),
        ("WORKDIR /tmp", "WORKDIR tmp", "DL3000"),
        ("# hadolint ignore=DL3008\n", "", "DL3008"),
        ("COPY --from=dependencies", "COPY --from=dependency", "DL3022"),
    ],
)
def test_hadolint_sees_a_fault(found, instead, rule):
    assert rule in lint(TEXT.replace(found, instead))


@pytest.mark.parametrize(
    ("arguments", "base"),
    [
        ({}, "docker.io/library/python:3.13-slim-trixie"),
        ({"PYTHON_DIGEST": DIGEST}, f"docker.io/library/python:3.13-slim-trixie@{DIGEST}"),
        ({"PYTHON_IMAGE": "mirror/python:3.13", "PYTHON_DIGEST": DIGEST}, f"mirror/python:3.13@{DIGEST}"),
    ],
)
def test_the_one_base_is_pinned_by_its_digest(arguments, base):
    stages = read_stages(TEXT, arguments)
    names = {stage.name for stage in stages}
    assert {stage.base for stage in stages} - names == {base}


def test_python_is_the_projects():
    supported = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    (version,) = set(re.findall(r"python:?(\d\.\d+)", TEXT))
    assert SpecifierSet(supported).contains(version)


def test_uv_is_the_makefiles():
    (in_makefile,) = re.findall(r"^UV_VERSION := (\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert f"ARG UV_VERSION={in_makefile}\n" in TEXT


def test_the_dependencies_are_one_layer_that_only_the_lock_changes():
    *_, dependencies, project, image = read_stages(TEXT)
    assert [step.value for step in dependencies.of("COPY")] == ["pyproject.toml uv.lock ./"]
    assert project.base == dependencies.name
    assert [step.flags.get("from") for step in image.of("COPY")] == [dependencies.name, project.name]


@pytest.mark.parametrize(("arguments", "left_out"), [({}, {"gpu"}), ({"GPU": "1"}, set())])
def test_extras_of_a_desk_are_not_installed_nor_cuda_where_it_is_not_asked_for(packaging, arguments, left_out):
    *_, dependencies, _, _ = read_stages(TEXT, arguments)
    given = {**assignments(" ".join(step.value for step in dependencies.of("ARG"))), **arguments}
    (sync,) = (expand(step.value, given) for step in dependencies.of("RUN") if "uv sync" in step.value)
    assert "--frozen " in sync
    assert {*re.findall(r"--extra (\S+)", sync)} == {*packaging["extras_require"]} - {
        "dev",
        "mlflow",
        "notebook",
    } - left_out


def test_the_image_installs_nothing_itself():
    *_, image = read_stages(TEXT)
    assert [step.value for step in image.of("RUN")] == ["mkdir --mode=1777 /gcs /minio /s3"]
    assert not image.of("ADD")


def test_nothing_is_fetched_but_packages():
    assert not [step for stage in read_stages(TEXT) for step in stage.of("ADD")]
    assert not re.search(r"https?://|\b(curl|wget|git)\b|# *syntax *=", TEXT)


def test_it_runs_as_a_numbered_user_that_writes_below_tmp():
    *_, image = read_stages(TEXT)
    (user,) = (step.value for step in image.of("USER"))
    assert re.fullmatch(r"[1-9]\d*:0", user)
    environment = assignments(" ".join(step.value for step in image.of("ENV")))
    for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME", "CLICKBAIT_CACHE"):
        assert Path(environment[name]).is_relative_to("/tmp")
    assert environment["TF_USE_LEGACY_KERAS"] == "1"


def test_what_the_wheel_is_made_of_is_sent(packaging):
    sent = sent_to_the_builder()
    packages = [name.replace(".", "/") for name in packaging["packages"]]
    wanted = {str(path.relative_to(ROOT)) for name in packages for path in (ROOT / name).glob("*.py")}
    for package, patterns in packaging["package_data"].items():
        wanted |= {str(path.relative_to(ROOT)) for one in patterns for path in (ROOT / package).glob(one)}
    assert wanted | {"setup.py", "pyproject.toml", "uv.lock"} <= sent


def test_nothing_else_is_sent(packaging):
    roots = {path.split("/")[0] for path in sent_to_the_builder()}
    assert roots == {name.split(".")[0] for name in packaging["packages"]} | {"setup.py", "pyproject.toml", "uv.lock"}


@pytest.mark.parametrize(
    "path", ["data/clickbait.csv", "data/downloads/clickbait.gz", ".env", "pipeline/x.pyc", "output"]
)
def test_data_secrets_and_leftovers_are_not_sent(tmp_path, path):
    for name in (path, "data/schema.pbtxt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    assert exclude_paths(str(tmp_path), ignore_rules()) & {path, "data/schema.pbtxt"} == {"data/schema.pbtxt"}


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("$A ${A} ${B}", "a a "),
        ("${A:+[$A]}${B:+[$B]}", "[a]"),
        ("${A:-x}${B:-${A}}", "aa"),
    ],
)
def test_variables_are_filled_in_as_a_builder_does(text, expanded):
    assert expand(text, {"A": "a"}) == expanded
