"""The files: known ones are fitted whole, others refused and left alone, whoever else is at it or is killed."""

import shutil
import subprocess
import sys
from itertools import count
from pathlib import Path

import pytest

import install.__main__
from install import fitting
from install.fitting import FittingError, fit_modules
from pipeline.extension_modules import load_error, origin
from tests.helpers.extension_modules import (
    DEBIAN_11,
    DEBIAN_12,
    DEBIAN_13,
    LINUX_X86_64,
    published_modules,
)

pytestmark = pytest.mark.skipif(not LINUX_X86_64, reason="only Linux's modules on x86-64 are fitted")
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    return published_modules(tmp_path_factory.mktemp("published"))


@pytest.fixture
def modules(published, tmp_path):
    """The published modules, hard-linked out of a cache as uv's are."""
    linked = []
    for module in published:
        cached, path = tmp_path / "cache" / module.path.name, tmp_path / module.distribution / module.path.name
        for folder in (cached.parent, path.parent):
            folder.mkdir(exist_ok=True)
        shutil.copy2(module.path, cached)
        path.hardlink_to(cached)
        linked.append(module._replace(path=path))
    return linked


def origins(modules) -> list[str]:
    return [origin(module) for module in modules]


def states(modules) -> list[tuple]:
    """What changes where a file is touched, written or replaced."""
    return [(status.st_ino, status.st_mtime_ns, status.st_size) for one in modules for status in [one.path.stat()]]


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file()} - {".lock"}


def test_published_modules_are_fitted_and_load(modules, tmp_path):
    fitted = fit_modules(modules, tmp_path / ".lock", DEBIAN_12)
    assert list(fitted) == modules
    assert origins(modules) == ["fitted", "fitted"]
    assert [load_error(module.path) for module in modules] == [None, None]
    assert files(tmp_path) == {module.path.name for module in modules}


def test_the_files_that_share_their_bytes_with_the_cache_are_not_written_into(modules, published, tmp_path):
    fit_modules(modules, tmp_path / ".lock", DEBIAN_12)
    for module in published:
        assert (tmp_path / "cache" / module.path.name).read_bytes() == module.path.read_bytes()


def test_fitted_modules_are_left_as_they_are(modules, tmp_path):
    fit_modules(modules, tmp_path / ".lock", DEBIAN_12)
    before = states(modules)
    assert fit_modules(modules, tmp_path / ".lock", DEBIAN_12) == {}
    assert states(modules) == before


@pytest.mark.parametrize("name", ["published", "unknown"])
def test_a_system_that_lacks_nothing_is_not_touched(modules, tmp_path, name):
    if name == "unknown":
        rewrite(modules[1], lambda data: data + b"\0")
    before = states(modules)
    assert fit_modules(modules, tmp_path / ".lock", DEBIAN_13) == {}
    assert states(modules) == before
    assert not (tmp_path / ".lock").exists()
    assert origin(modules[1]) == name


def test_half_of_a_fitting_is_completed(modules, tmp_path):
    fit_modules(modules[:1], tmp_path / ".lock", DEBIAN_12)
    assert origins(modules) == ["fitted", "published"]
    assert list(fit_modules(modules, tmp_path / ".lock", DEBIAN_12)) == modules[1:]
    assert origins(modules) == ["fitted", "fitted"]


def test_a_read_only_file_is_replaced_and_stays_read_only(modules, tmp_path):
    modules[0].path.chmod(0o444)
    fit_modules(modules, tmp_path / ".lock", DEBIAN_12)
    assert origins(modules) == ["fitted", "fitted"]
    assert modules[0].path.stat().st_mode & 0o777 == 0o444


def rewrite(module, change) -> None:
    data = change(module.path.read_bytes())
    module.path.unlink()
    module.path.write_bytes(data)


def refusal(modules, folder, system=DEBIAN_12) -> str:
    """The message of the refusal, after which all is as before."""
    before = states(modules), files(folder)
    with pytest.raises(FittingError) as caught:
        fit_modules(modules, folder / ".lock", system)
    assert (states(modules), files(folder)) == before
    return str(caught.value)


def test_an_unknown_file_is_refused_with_the_ways_out(modules, tmp_path):
    rewrite(modules[1], lambda data: data + b"\0")
    message = refusal(modules, tmp_path)
    assert f"{modules[1].path} must be of a wheel named in uv.lock" in message
    assert "lacks CXXABI_1.3.15, GLIBCXX_3.4.32. Received: another file, sha256 " in message
    for way_out in ("`rm -rf .venv && make setup`", "Debian 13", "Ubuntu 24.04", "container image"):
        assert way_out in message


@pytest.mark.parametrize("length", [0, 1000, 2_000_000])
@pytest.mark.parametrize("system", [DEBIAN_12, DEBIAN_13])
def test_a_half_written_file_is_refused_everywhere(modules, tmp_path, length, system):
    rewrite(modules[1], lambda data: data[:length])
    message = refusal(modules, tmp_path, system)
    assert f"{modules[1].path} must be a whole extension module. Received: " in message
    assert "`rm -rf .venv && make setup`" in message


def test_what_the_fitting_cannot_replace_is_named_with_the_ways_out(modules, tmp_path):
    message = refusal(modules, tmp_path, DEBIAN_11)
    assert "pthread_key_create" in message
    assert "Received: a system that lacks GLIBC_2.32, GLIBC_2.34" in message
    assert "__isoc23_strtol" not in message
    assert "Debian 13, Ubuntu 24.04 and the container image" in message


def test_a_module_that_does_not_load_once_fitted_is_not_put_in_place(modules, tmp_path, monkeypatch):
    monkeypatch.setattr(fitting, "load_error", lambda path: "undefined symbol" if "metadata" in path.name else None)
    message = refusal(modules, tmp_path)
    assert f"{modules[1].path} must load once it is fitted. Received: undefined symbol." in message


def test_a_file_that_is_missing_and_a_folder_that_takes_no_file_are_refused(modules, tmp_path):
    (modules[0].path.with_name(modules[0].path.name + ".fitting")).mkdir()
    message = refusal(modules, tmp_path)
    assert "must be readable and their folders writable. Received: [Errno" in message
    modules[0].path.unlink()
    with pytest.raises(FittingError, match="No such file"):
        fit_modules(modules, tmp_path / ".lock", DEBIAN_12)


# ---- Others at the same time, and the end in the midst

_CHILD = """
import os, signal, sys
from pathlib import Path
from install.fitting import fit_modules
from pipeline.extension_modules import installed_modules
from tests.helpers.extension_modules import DEBIAN_12

folder, last = Path(sys.argv[1]), int(sys.argv[2])
steps = 0

def count(event, arguments):
    global steps
    if event.startswith("os.") or event in ("open", "subprocess.Popen"):
        if any(str(folder) in str(one) for one in arguments):
            if steps == last:
                os.kill(os.getpid(), signal.SIGKILL)
            steps += 1

modules = [one._replace(path=folder / one.distribution / one.path.name) for one in installed_modules()]
sys.addaudithook(count)
print(len(fit_modules(modules, folder / ".lock", DEBIAN_12)))
"""


def child(folder: Path, last: int = -1) -> subprocess.Popen:
    """Fits in another process, which ends by SIGKILL before its step `last` in the folder."""
    command = [sys.executable, "-c", _CHILD, str(folder), str(last)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_of_two_setups_at_once_one_fits_and_the_other_finds_it_done(modules, tmp_path):
    both = [child(tmp_path), child(tmp_path)]
    outputs = [process.communicate()[0].strip() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sorted(outputs) == ["0", "2"]
    assert origins(modules) == ["fitted", "fitted"]


@pytest.mark.slow
def test_a_fitting_killed_at_any_step_leaves_whole_files_and_the_next_goes_on(modules, tmp_path):
    seen = set()
    for last in count():
        for module in modules:
            module.path.unlink()
            module.path.hardlink_to(tmp_path / "cache" / module.path.name)
        process = child(tmp_path, last)
        process.communicate()
        seen.add(tuple(origins(modules)))
        fit_modules(modules, tmp_path / ".lock", DEBIAN_12)
        assert origins(modules) == ["fitted", "fitted"]
        assert files(tmp_path) == {module.path.name for module in modules}
        if process.returncode == 0:
            break
        assert process.returncode == -9
    assert seen == {("published", "published"), ("fitted", "published"), ("fitted", "fitted")}


# ---- The command


def test_the_command_says_in_one_line_what_it_did_and_then_nothing(modules, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(install.__main__, "installed_modules", lambda: modules)
    monkeypatch.setattr(
        install.__main__, "fit_modules", lambda found, lock: fit_modules(found, tmp_path / ".lock", DEBIAN_12)
    )
    assert install.__main__.main("fit") == 0
    said = capsys.readouterr().out
    assert said.startswith("Fitted the extension modules of tensorflow-data-validation and ml-metadata to this system")
    assert said.endswith("which lacks CXXABI_1.3.15, GLIBCXX_3.4.32, GLIBC_2.38\n")
    assert install.__main__.main("fit") == 0
    assert capsys.readouterr().out == ""


def test_the_command_ends_with_2_and_the_message(modules, tmp_path, monkeypatch, capsys):
    rewrite(modules[0], lambda data: data[:5000])
    monkeypatch.setattr(install.__main__, "installed_modules", lambda: modules)
    assert install.__main__.main("fit") == 2
    assert "must be a whole extension module" in capsys.readouterr().err


@pytest.mark.parametrize("machine", [("darwin", "arm64"), ("linux", "aarch64")])
def test_elsewhere_there_is_nothing_to_fit(monkeypatch, machine):
    monkeypatch.setattr(install.__main__.sys, "platform", machine[0])
    monkeypatch.setattr(install.__main__.platform, "machine", lambda: machine[1])
    monkeypatch.setattr(install.__main__, "fit_modules", None)
    assert install.__main__.main("fit") == 0
