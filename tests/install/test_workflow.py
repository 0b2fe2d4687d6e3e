"""GitHub's workflow runs what CI runs, on every Python that the project admits."""

import re
from pathlib import Path

import yaml
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[2]
JOBS = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())["jobs"]


def commands(job: str) -> str:
    return "\n".join(step["run"] for step in JOBS[job]["steps"] if "run" in step)


def test_every_python_that_is_admitted_is_tried():
    (admitted,) = re.findall(r'python_requires="(.*)"', (ROOT / "setup.py").read_text())
    pythons = [f"3.{minor}" for minor in range(9, 20)]
    assert JOBS["test"]["strategy"]["matrix"]["python"] == [one for one in pythons if one in SpecifierSet(admitted)]
    assert commands("test") == ".ci/run"


def test_a_tag_releases_wheel_image_and_bill_of_materials_once_all_passed():
    assert JOBS["release"]["if"] == "startsWith(github.ref, 'refs/tags/v')"
    assert JOBS["release"]["needs"] == "test"
    assert all(word in commands("release") for word in ("pip wheel", "make sbom", "make image"))


def test_the_hooks_before_a_commit_are_the_tools_of_make_lint():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    lint = re.search(r"^lint:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)[1]
    assert {hook["entry"].split()[0] for hook in hooks} == set(re.findall(r"\.venv/bin/[\w-]+", lint))
