"""The wheels named in uv.lock: which are newer than older systems, and that the fitting knows each of those."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from install.plan import fit
from pipeline.extension_modules import FITTED, installed_modules, sha256
from tests.helpers.extension_modules import LINUX_X86_64

ROOT = Path(__file__).parents[2]
LOCKED = {package["name"]: package for package in tomllib.loads((ROOT / "uv.lock").read_text())["package"]}
FITTABLE = ("tensorflow-data-validation", "ml-metadata")


def test_of_all_wheels_only_two_packages_ask_for_more_than_glibc_2_34():
    newer = set()
    for name, package in LOCKED.items():
        wheels = [wheel["url"].rpartition("/")[2] for wheel in package.get("wheels", [])]
        linux = [re.findall(r"manylinux_2_(\d+)_x86_64", wheel) for wheel in wheels]
        if any(min(map(int, versions)) > 34 for versions in linux if versions):
            newer.add(name)
    assert newer == set(FITTABLE)


@pytest.mark.skipif(not LINUX_X86_64, reason="only Linux's modules on x86-64 are fitted")
def test_the_installed_modules_are_of_wheels_that_the_fitting_knows():
    assert {module.distribution for module in installed_modules()} == set(FITTABLE)
    assert all(module.published in FITTED for module in installed_modules())


@pytest.mark.slow
def test_the_fitting_knows_the_locked_wheels_of_every_python(tmp_path):
    uv = shutil.which("uv") or shutil.which(ROOT / ".uv" / "bin" / "uv")
    if not uv:
        pytest.skip("needs uv (`make setup`), which takes the wheels of other Pythons")
    fitted = {}
    for version in ("3.11", "3.12", "3.13"):
        command = [
            uv,
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--only-binary=:all:",
            f"--target={tmp_path / version}",
        ]
        command += [f"--python-version={version}", "--python-platform=x86_64-manylinux_2_40"]
        command += [f"{name}=={LOCKED[name]['version']}" for name in FITTABLE]
        installed = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        if installed.returncode and "error sending request" in installed.stderr:
            pytest.skip("needs the package index")
        assert installed.returncode == 0, installed.stderr
        for path in (tmp_path / version).rglob("*_extension.so"):
            data = path.read_bytes()
            fitted[sha256(data)] = sha256(fit(data))
    assert fitted == FITTED
