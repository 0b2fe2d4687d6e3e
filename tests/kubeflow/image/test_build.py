"""`make image`: which engine it takes and what it tells it. The engines are stand-ins that write down their call."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.kubeflow.image.dockerfile import DOCKERFILE, ROOT

DIGEST = f"sha256:{'0' * 64}"
DOCKER_WITHOUT_BUILDX = '[ "$1" != buildx ]'
DAEMON_IS_DOWN = 'if [ "$1" = info ]; then echo first >&2; echo "the daemon is down" >&2; exit 1; fi'


@pytest.fixture
def build(tmp_path):
    """Returns a function that runs the script with only these engines, name -> what it does, and their calls."""
    folder = tmp_path / "engines"
    folder.mkdir()
    for tool in ("bash", "dirname", "git"):
        (folder / tool).symlink_to(next(p for p in map(Path, ("/usr/bin", "/bin")) if (p / tool).exists()) / tool)

    def run(engines: dict[str, str], *arguments: str, **environment: str):
        calls = tmp_path / "calls"
        for name, does in engines.items():
            (folder / name).write_text(f'#!/bin/bash\necho "{name} $*" >> {calls}\n{does}\n')
            (folder / name).chmod(0o755)
        done = subprocess.run(
            [DOCKERFILE.with_name("build"), *arguments],
            env={"PATH": str(folder), "HOME": os.environ["HOME"], **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        return done, calls.read_text().splitlines() if calls.exists() else []

    return run


@pytest.mark.parametrize(
    ("engines", "chosen"),
    [
        ({"docker": "", "podman": "", "buildah": ""}, "docker buildx build --load "),
        ({"docker": DOCKER_WITHOUT_BUILDX, "podman": "", "buildah": ""}, "podman build --layers "),
        ({"docker": DAEMON_IS_DOWN, "buildah": ""}, "buildah build --layers "),
    ],
)
def test_the_first_engine_that_works_is_taken(build, engines, chosen):
    done, calls = build(engines)
    assert done.returncode == 0, done.stderr
    (call,) = (call for call in calls if " --file " in call)
    assert call.startswith(chosen)
    assert call.endswith(" .")
    assert "--file kubeflow/image/Dockerfile --tag clickbait-tfx:latest " in call
    assert calls[-1] == f"{chosen.split()[0]} images clickbait-tfx:latest"


def test_where_none_works_each_says_why(build):
    done, calls = build({"docker": DOCKER_WITHOUT_BUILDX, "podman": DAEMON_IS_DOWN})
    assert done.returncode == 2
    assert done.stderr.splitlines()[1:4] == [
        "  docker: no plugin buildx, which brings BuildKit",
        "  podman: `podman info` fails: the daemon is down",
        "  buildah: not on PATH",
    ]
    assert not [call for call in calls if " --file " in call]


def test_an_engine_that_is_asked_for_is_the_only_one(build):
    done, _ = build({"docker": ""}, ENGINE="buildah")
    assert done.returncode == 2
    assert "buildah: not on PATH" in done.stderr
    assert "docker:" not in done.stderr


def test_what_is_set_goes_on_to_the_engine(build):
    settings = {"IMAGE": "hub/ours:1", "PYTHON_IMAGE": "mirror/python:3.13", "PYTHON_DIGEST": DIGEST}
    done, calls = build({"buildah": ""}, "--isolation", "chroot", **settings)
    (call,) = (call for call in calls if " --file " in call)
    assert "--tag hub/ours:1 " in call
    assert f"--build-arg PYTHON_IMAGE=mirror/python:3.13 --build-arg PYTHON_DIGEST={DIGEST} " in call
    assert call.endswith(" --isolation chroot .")
    assert "PYTHON_DIGEST" not in done.stderr


def test_the_variant_for_gpus_has_a_tag_of_its_own(build):
    _, calls = build({"buildah": ""}, GPU="1")
    (call,) = (call for call in calls if " --file " in call)
    assert "--tag clickbait-tfx:gpu --build-arg GPU=1 " in call
    _, calls = build({"buildah": ""}, GPU="1", IMAGE="hub/ours:1")
    assert "--tag hub/ours:1 --build-arg GPU=1 " in calls[-2]


@pytest.mark.parametrize("value", ["0", "yes"])
def test_what_is_no_variant_is_refused(build, value):
    done, calls = build({"buildah": ""}, GPU=value)
    assert done.returncode == 2
    assert done.stderr.startswith(f"GPU must be 1, or not be set. Received: {value}.")
    assert not calls


def test_a_base_that_is_not_pinned_is_said(build):
    done, _ = build({"buildah": ""})
    assert "PYTHON_DIGEST=sha256:... pins it" in done.stderr


@pytest.mark.parametrize("digest", ["latest", "sha256:12", f"sha512:{'0' * 64}"])
def test_what_is_no_digest_is_refused(build, digest):
    done, calls = build({"buildah": ""}, PYTHON_DIGEST=digest)
    assert done.returncode == 2
    assert done.stderr.startswith("PYTHON_DIGEST must be sha256: and 64 hexadecimal digits. Received: " + digest)
    assert not calls


def test_the_engines_exit_code_is_makes(build):
    done, _ = build({"buildah": 'if [ "$1" = build ]; then exit 7; fi'})
    assert done.returncode == 7


def test_the_commit_is_written_down(build):
    if not (ROOT / ".git").exists():
        pytest.skip("no checkout")
    _, calls = build({"buildah": ""})
    (call,) = (call for call in calls if " --file " in call)
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert f"--build-arg REVISION={head.stdout.strip()}" in call
