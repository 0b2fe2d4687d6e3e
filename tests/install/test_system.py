"""uv is told of newer wheels only where the system is older than they are."""

import platform

import pytest

from install.system import glibc, uv_flags

NEWER = ["--python-platform", "x86_64-manylinux_2_40"]


@pytest.mark.parametrize("version", ["2.28", "2.34", "2.35", "2.36", "2.38"])
def test_an_older_glibc_needs_the_flag(version):
    assert uv_flags(version, "x86_64") == NEWER


@pytest.mark.parametrize(
    ("version", "machine"), [("2.39", "x86_64"), ("2.41", "x86_64"), ("2.36", "aarch64"), (None, "x86_64")]
)
def test_a_system_of_the_wheels_age_or_of_another_kind_does_not(version, machine):
    assert uv_flags(version, machine) == []


def test_glibc_is_what_this_python_runs_on():
    name, version = platform.libc_ver()
    assert glibc() == (version if name == "glibc" else None)
