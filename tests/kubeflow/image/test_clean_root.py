"""The Dockerfile's steps install and run on the Debian that the image is made of.

What the tests run here has a root that is read-only, no network and a user without a name. Some two minutes.
"""

from __future__ import annotations

import re
import shlex
import stat
from importlib.metadata import distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.kubeflow.image import clean_root
from tests.kubeflow.image.debian import NoDebianError
from tests.kubeflow.image.dockerfile import DOCKERFILE, IGNORE_FILE, ROOT, read_stages

# What docs/kubeflow.md states, with some room for the lock's next changes.
MOST_BYTES = 3.4e9
LACKING = clean_root.lacking()

pytestmark = [
    pytest.mark.slow,
    pytest.mark.image,
    pytest.mark.skipif(bool(LACKING), reason=str(LACKING)),
]


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    with clean_root.short_lived(tmp_path_factory.mktemp("image")) as folder:
        try:
            built = clean_root.build(read_stages(DOCKERFILE.read_text()), ROOT, IGNORE_FILE, folder)
        except NoDebianError as error:
            pytest.skip(str(error))
        yield built


@pytest.fixture(scope="module")
def site_packages(image) -> Path:
    return image.path("/opt/clickbait/lib/python3.13/site-packages")


def test_the_entrypoint_starts(image):
    assert "usage" in image.run(f"{shlex.join(image.entrypoint)} --help", frozen=True).lower()


def test_doctor_finds_nothing_to_mend(image):
    said = image.run("clickbait doctor", frozen=True)
    assert "all checks passed" in said
    assert "python      3.13" in said
    assert "in /opt/clickbait\n" in said


def test_a_component_runs(image):
    said = image.run("clickbait run --preset smoke --offline --to HeadlineExampleGen", frozen=True)
    assert "✓ HeadlineExampleGen" in said


def test_it_is_read_only_and_without_a_network(image):
    """What the other tests stand on."""
    probe = "touch /opt/clickbait/x; touch /tmp/x && echo tmp; id -u; cat /proc/net/dev | grep -c :; echo $HOME"
    said = image.run(probe, frozen=True).splitlines()
    assert said[0].endswith("Permission denied") or said[0].endswith("Read-only file system")
    assert said[1:] == ["tmp", "65532", "1", "/tmp"]


def test_all_packages_and_their_data_are_installed(packaging, site_packages):
    assert [name for name in packaging["packages"] if not (site_packages / name.replace(".", "/")).is_dir()] == []
    for package, patterns in packaging["package_data"].items():
        for path in (path for one in patterns for path in (ROOT / package).glob(one)):
            assert (site_packages / path.relative_to(ROOT)).is_file()
    assert not list(site_packages.glob("__editable__*"))


def test_the_packages_are_those_of_requirements_txt(image, site_packages):
    """But for libclang, which the Dockerfile leaves out, and the project itself."""
    version = image.run("python -c 'import platform; print(platform.python_version())'").strip()
    here = {"python_version": version.rpartition(".")[0], "python_full_version": version}
    lines = re.findall(r"^\w.*?(?= \\$)", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    named = [one for one in map(Requirement, lines) if one.marker is None or one.marker.evaluate(here)]
    found = {canonicalize_name(one.name): one.version for one in distributions(path=[str(site_packages)])}
    assert {f"{name}=={version}" for name, version in found.items() if name != "clickbait-tfx"} == {
        f"{one.name}{one.specifier}" for one in named if one.name != "libclang"
    }


def test_everything_is_compiled_so_that_the_times_of_files_do_not_matter(site_packages):
    for module in ("tensorflow/__init__", "tfx/v1/__init__", "pipeline/pipeline"):
        path = site_packages / f"{module}.py"
        compiled = path.parent / "__pycache__" / f"{path.stem}.cpython-313.pyc"
        unchecked_hash = compiled.read_bytes()[4:8]  # https://peps.python.org/pep-0552/
        assert unchecked_hash == b"\x01\x00\x00\x00"


def test_there_is_no_tool_of_the_build_and_no_cache(image, site_packages):
    assert not image.path("/opt/uv").exists()
    assert not image.path("/source").exists()
    assert not image.path("/root/.cache").exists()
    assert not [*site_packages.glob("pytest"), *site_packages.glob("ruff*"), *site_packages.glob("tensorflow/include")]


def test_the_launcher_can_stage_artifacts(image):
    for folder in ("/gcs", "/minio", "/s3"):
        assert stat.S_IMODE(image.path(folder).stat().st_mode) == 0o1777


def test_its_size_is_the_stated_one(image):
    files = [path.lstat() for path in image.path("/opt/clickbait").rglob("*")]
    assert sum(found.st_blocks * 512 for found in files if stat.S_ISREG(found.st_mode)) < MOST_BYTES


def test_a_step_that_fails_says_so(image):
    with pytest.raises(AssertionError, match=re.escape("`echo why; exit 3` ended with 3:\nwhy")):
        image.run("echo why; exit 3")
