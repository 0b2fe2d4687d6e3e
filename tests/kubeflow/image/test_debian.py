"""How the image's base is made, with a stand-in for debootstrap that writes down its call."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kubeflow.image import clean_root, debian
from tests.kubeflow.image.dockerfile import Step

IMAGE = "docker.io/library/python:3.13-slim-trixie"
MAKES_A_ROOT = """
for argument; do case $argument in */root*) root=$argument;; esac; done
mkdir -p $root/usr/local/bin $root/etc/ssl/certs $root/etc/apt/apt.conf.d $root/var/cache/apt/archives $root/dev
touch $root/etc/debian_version $root/var/cache/apt/archives/gcc.deb $root/dev/null
"""


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Returns a function that puts programs, name -> what it does, on an empty PATH, and the file of their calls."""
    folder, calls = tmp_path / "bin", tmp_path / "calls"
    folder.mkdir()
    calls.touch()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("http_proxy", raising=False)
    for tool in ("tar", "mkdir", "touch"):
        (folder / tool).symlink_to(next(p for p in map(Path, ("/usr/bin", "/bin")) if (p / tool).exists()) / tool)

    def install(**programs: str) -> Path:
        for name, does in programs.items():
            path = folder / name.replace("_", "-")
            path.write_text(f'#!/bin/sh\necho "{path.name} $http_proxy $*" >> {calls}\n{does}\n')
            path.chmod(0o755)
        return calls

    return install


def test_the_mirror_and_the_proxy_are_those_of_apt(machine, tmp_path):
    calls = machine(
        debootstrap=MAKES_A_ROOT,
        apt_get="echo http://mirror.example/debian/; echo http://other.example/debian/",
        apt_config="""case $1 in shell) echo "http_proxy='http://proxy:1'";; *) echo 'Acquire "dumped";';; esac""",
    )
    debian.unpack(IMAGE, tmp_path / "root")
    (call,) = (line for line in calls.read_text().splitlines() if line.startswith("debootstrap"))
    assert call.startswith("debootstrap http://proxy:1 --variant=minbase --force-check-gpg --include=")
    assert ",python3.13-dev,python3.13-venv," in call
    assert call.endswith(f" trixie {tmp_path / 'root'} http://mirror.example/debian/")
    assert "dumped" in (tmp_path / "root/etc/apt/apt.conf.d/machine").read_text()


def test_without_apt_debootstrap_takes_its_own_mirror(machine, tmp_path):
    calls = machine(debootstrap=MAKES_A_ROOT)
    debian.unpack(IMAGE, tmp_path / "root")
    assert calls.read_text().endswith(f" trixie {tmp_path / 'root'}\n")


def test_a_root_is_made_once_and_kept_without_what_can_be_fetched(machine, tmp_path):
    calls = machine(debootstrap=MAKES_A_ROOT)
    for name in ("root1", "root2"):
        debian.unpack(IMAGE, tmp_path / name)
        assert (tmp_path / name / "etc/debian_version").exists()
        assert (tmp_path / name / "usr/local/bin/python3.13").readlink() == Path("/usr/bin/python3.13")
        assert (tmp_path / name / "etc/hosts").read_bytes() == Path("/etc/hosts").read_bytes()
    assert len(calls.read_text().splitlines()) == 1
    assert not list((tmp_path / "root2/var/cache/apt/archives").iterdir()) + list((tmp_path / "root2/dev").iterdir())


def test_another_python_is_another_root(machine, tmp_path):
    calls = machine(debootstrap=MAKES_A_ROOT)
    debian.unpack(IMAGE, tmp_path / "root1")
    debian.unpack(IMAGE.replace("3.13", "3.14"), tmp_path / "root2")
    assert len(calls.read_text().splitlines()) == 2


def test_where_none_can_be_made_the_reason_is_debootstraps(machine, tmp_path):
    machine(debootstrap="echo I: Retrieving; echo E: Failed getting release file >&2; exit 1")
    with pytest.raises(debian.NoDebianError, match="must make a trixie. Received: E: Failed getting release file"):
        debian.unpack(IMAGE, tmp_path / "root")
    assert not (tmp_path / "cache").exists()


def test_another_base_is_refused(tmp_path):
    with pytest.raises(AssertionError, match="Received: docker.io/library/alpine:3"):
        debian.unpack("docker.io/library/alpine:3", tmp_path / "root")


def test_what_a_machine_lacks_is_named(machine):
    machine(unshare="echo unshare: Operation not permitted >&2; exit 1", chroot="", mount="")
    assert clean_root.lacking().startswith("needs debootstrap on the PATH")
    machine(debootstrap="")
    assert clean_root.lacking() == "needs root's right to mount. Received: unshare: Operation not permitted"
    machine(unshare="")
    assert clean_root.lacking() is None


def test_what_is_compiled_for_the_newer_debian_stays_out_of_this_users_caches(machine, tmp_path):
    machine()
    step = Step("RUN", "uv sync", {"mount": "type=cache,target=/root/.cache/uv"})
    assert clean_root._caches(step) == {"/root/.cache/uv": tmp_path / "cache" / "clickbait-tfx" / "image" / "uv"}
