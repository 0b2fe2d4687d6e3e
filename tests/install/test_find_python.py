"""The Python of .venv: the one that it has, else 3.12, 3.13, 3.11, from PATH, pyenv or uv; never a download."""

import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[2]
SCRIPT = (ROOT / "install" / "find-python").read_text()
#: The programs that say in the script whether a Python is fit.
FIT, WITH_VENV = re.findall(r"^[A-Z_]+='\n(.*?)^'$", SCRIPT, re.MULTILINE | re.DOTALL)


@pytest.fixture
def machine(tmp_path):
    """A clone, a PATH without any Python, and a home."""
    (tmp_path / "clone" / "install").mkdir(parents=True)
    shutil.copy(ROOT / "install" / "find-python", tmp_path / "clone" / "install")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "dirname").symlink_to(shutil.which("dirname"))
    return tmp_path


def add(path: Path, version: str, venv: bool = True) -> Path:
    """A Python that answers as one of this version does: the script asks for the versions that it takes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f"""#!/bin/bash
if [[ $3 == *ensurepip* ]]; then {"echo $0" if venv else "exit 1"}; exit; fi
for wanted in "${{@:4}}"; do [[ $wanted == {version} ]] && echo "$0" && exit; done
exit 1
"""
    )
    path.chmod(0o755)
    return path


def find(machine: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [shutil.which("bash"), "clone/install/find-python", *arguments],
        cwd=machine,
        env={"PATH": str(machine / "bin"), "HOME": str(machine / "home")} | environment,
        capture_output=True,
        text=True,
    )


def found(machine: Path, *arguments: str, **environment: str) -> Path:
    result = find(machine, *arguments, **environment)
    assert (result.returncode, result.stderr) == (0, "")
    return Path(result.stdout.strip())


def test_of_several_on_path_3_12_is_first_then_3_13_then_3_11(machine):
    pythons = [add(machine / "bin" / f"python{version}", version) for version in ("3.12", "3.13", "3.11")]
    for python in pythons:
        assert found(machine) == python
        python.unlink()


def test_one_that_is_called_python3_counts_by_its_version(machine):
    python = add(machine / "bin" / "python3", "3.13")
    assert found(machine) == python


PLACES = ["bin/python3.12", "home/.pyenv/versions/3.12.9/bin/python3.12"]
PLACES += ["home/.local/share/uv/python/cpython-3.12.9-linux-x86_64-gnu/bin/python3.12"]


@pytest.mark.parametrize("place", PLACES)
def test_the_only_python_is_found_wherever_it_is(machine, place):
    python = add(machine / place, "3.12")
    assert found(machine) == python


def test_path_is_before_pyenv_and_pyenv_before_uv(machine):
    for python in [add(machine / place, "3.12") for place in PLACES]:
        assert found(machine) == python
        python.unlink()


def test_3_12_of_pyenv_is_before_3_13_on_path(machine):
    add(machine / "bin" / "python3.13", "3.13")
    python = add(machine / PLACES[1], "3.12")
    assert found(machine) == python


def test_pyenv_and_uv_may_lie_elsewhere(machine):
    python = add(machine / "opt" / "pyenv" / "versions" / "3.11.7" / "bin" / "python3.11", "3.11")
    assert found(machine, PYENV_ROOT=str(machine / "opt" / "pyenv")) == python
    python = add(machine / "data" / "uv" / "python" / "cpython-3.11.7-macos" / "bin" / "python3.11", "3.11")
    assert found(machine, XDG_DATA_HOME=str(machine / "data")) == python
    python = add(machine / "opt" / "uv" / "cpython-3.12.1-macos" / "bin" / "python3.12", "3.12")
    assert found(machine, UV_PYTHON_INSTALL_DIR=str(machine / "opt" / "uv")) == python


def test_pyenv_s_name_for_a_version_that_is_not_active_does_not_count(machine):
    shim = machine / "bin" / "python3.12"
    shim.write_text('#!/bin/sh\necho "pyenv: python3.12: command not found" >&2\nexit 127\n')
    shim.chmod(0o755)
    python = add(machine / "home" / ".pyenv" / "versions" / "3.11.7" / "bin" / "python3.11", "3.11")
    assert found(machine) == python


def test_the_python_that_venv_has_stays(machine):
    add(machine / "bin" / "python3.12", "3.12")
    python = machine / "clone" / ".venv" / "bin" / "python"
    add(python, "3.11")
    assert (machine / "clone" / found(machine)) == python


def test_a_python_of_venv_that_is_too_old_or_gone_does_not_stay(machine):
    python = add(machine / "bin" / "python3.12", "3.12")
    old = add(machine / "clone" / ".venv" / "bin" / "python", "3.9")
    assert found(machine) == python
    old.unlink()
    old.symlink_to("/no/such/python3.11")
    assert found(machine) == python


def test_where_there_is_none_one_sentence_says_what_to_install(machine):
    add(machine / "bin" / "python3", "3.9")
    add(machine / "home" / ".pyenv" / "versions" / "3.9.25" / "bin" / "python3.9", "3.9")
    for arguments in ((), ("--with-venv",)):
        result = find(machine, *arguments)
        assert (result.returncode, result.stdout) == (2, "")
        (line,) = result.stderr.splitlines()
        assert line.startswith("Python 3.12, 3.13 or 3.11 must be there, and none is on PATH")
        assert "`apt-get install python3-venv`" in line
        assert "`pyenv install 3.12`" in line


def test_uv_is_installed_with_another_python_where_the_chosen_one_has_no_venv(machine):
    add(machine / "bin" / "python3.12", "3.12", venv=False)
    other = add(machine / "bin" / "python3", "3.9")
    assert found(machine, "--with-venv") == other
    other.unlink()
    other = add(machine / "home" / ".pyenv" / "versions" / "3.9.25" / "bin" / "python3", "3.9")
    assert found(machine, "--with-venv") == other
    other.unlink()
    result = find(machine, "--with-venv")
    assert result.returncode == 2
    assert "uv must be installed" in result.stderr
    assert "python3-venv" in result.stderr


# ---- What makes a Python fit


def verdict(monkeypatch, capsys, program: str, version=(3, 12, 1), name="cpython", maxsize=2**63 - 1, variables=()):
    monkeypatch.setattr(sys, "argv", ["-c", "3.12", "3.13", "3.11"])
    monkeypatch.setattr(sys, "version_info", version)
    monkeypatch.setattr(sys, "implementation", SimpleNamespace(**vars(sys.implementation) | {"name": name}))
    monkeypatch.setattr(sys, "maxsize", maxsize)
    monkeypatch.setattr(sysconfig, "get_config_var", dict.fromkeys(variables, 1).get)
    try:
        exec(program, {})
    except SystemExit as end:
        return end.code
    return capsys.readouterr().out.strip()


@pytest.mark.parametrize("version", [(3, 11, 2), (3, 12, 1), (3, 13, 0)])
def test_the_three_versions_are_fit(monkeypatch, capsys, version):
    assert verdict(monkeypatch, capsys, FIT, version) == sys.executable


@pytest.mark.parametrize(
    "kind",
    [
        {"version": (3, 10, 13)},
        {"version": (3, 14, 0)},
        {"name": "pypy"},
        {"maxsize": 2**31 - 1},
        {"variables": ["Py_GIL_DISABLED"]},
        {"variables": ["Py_DEBUG"]},
    ],
)
def test_another_version_or_kind_is_not(monkeypatch, capsys, kind):
    assert verdict(monkeypatch, capsys, FIT, **kind) == 1


def test_uv_is_installed_by_python_3_8_or_newer(monkeypatch, capsys):
    assert verdict(monkeypatch, capsys, WITH_VENV, (3, 8, 18)) == sys.executable
    assert verdict(monkeypatch, capsys, WITH_VENV, (3, 7, 16)) == 1


def test_the_versions_are_those_that_the_project_takes():
    (versions,) = re.findall(r"^VERSIONS=\((.*)\)$", SCRIPT, re.MULTILINE)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    taken = SpecifierSet(project["requires-python"])
    assert sorted(versions.split()) == [f"3.{minor}" for minor in range(30) if f"3.{minor}" in taken]
