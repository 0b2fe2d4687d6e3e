"""The doctor finds each fault and says what to type."""

import collections
import os
from importlib import metadata

import pytest
from click.testing import CliRunner

from pipeline import extension_modules, installation
from pipeline.commands.doctor import doctor
from pipeline.installation import Finding
from trainer.encoders.errors import EncoderError
from trainer.tensorflow_setup import cuda


@pytest.fixture(autouse=True)
def work(tmp_path, monkeypatch):
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("CLICKBAIT_CACHE", str(tmp_path / "cache"))
    return folder


def only(check) -> Finding:
    (finding,) = check()
    return finding


def named(check, name) -> Finding:
    (finding,) = [finding for finding in check() if finding.name == name]
    return finding


# ---- Python and packages


@pytest.fixture
def required_python(monkeypatch):
    """Sets the Python versions that the project's metadata requires."""
    monkeypatch.setattr(installation.metadata, "metadata", lambda name: {"Requires-Python": ">=3.11,<3.14"})


def test_the_python_that_the_project_was_installed_with_is_well():
    assert only(installation.check_python).way_out is None


@pytest.mark.parametrize("version", ["3.11.0", "3.12.1", "3.13.7"])
def test_a_python_that_the_project_asks_for_is_well(required_python, monkeypatch, version):
    monkeypatch.setattr(installation.platform, "python_version", lambda: version)
    assert only(installation.check_python).way_out is None


@pytest.mark.parametrize("version", ["3.9.25", "3.14.0", "3.14.0rc1"])
def test_another_python_is_found(required_python, monkeypatch, version):
    monkeypatch.setattr(installation.platform, "python_version", lambda: version)
    finding = only(installation.check_python)
    assert finding.result.startswith(version)
    assert finding.way_out.startswith("Python must be >=3.11,<3.14: `make setup`")


@pytest.fixture
def installed(monkeypatch):
    """The distributions that the doctor sees; all that the project requires, at first."""
    versions = {"click": "8.1.7", "tfx": "1.21.0"}

    def version(name):
        try:
            return versions[name]
        except KeyError:
            raise metadata.PackageNotFoundError(name) from None

    monkeypatch.setattr(installation.metadata, "version", version)
    requires = ["click>=8,<9", "tfx==1.21.0", 'extra-only; extra == "dev"', 'mac-only; sys_platform == "nowhere"']
    monkeypatch.setattr(installation.metadata, "requires", lambda name: requires)
    return versions


def test_packages_as_required_are_well_and_extras_are_not_required(installed):
    assert only(installation.check_packages) == Finding("packages", "2 as pinned")


def test_a_missing_package_is_found(installed):
    del installed["tfx"]
    assert only(installation.check_packages) == Finding("packages", "tfx is missing", "`make setup` installs the lock.")


def test_each_package_of_a_wrong_version_is_found(installed):
    installed.update({"tfx": "1.20.0", "click": "9.0"})
    finding = only(installation.check_packages)
    assert "click is 9.0, needed <9,>=8" in finding.result
    assert "tfx is 1.20.0, needed ==1.21.0" in finding.result
    assert finding.way_out


def test_the_real_installation_has_what_it_requires():
    assert only(installation.check_packages).way_out is None


# ---- Namesakes


def test_no_other_package_has_our_name_here():
    assert only(installation.check_namesakes) == Finding("namesakes", "no other package has the name kubeflow")


@pytest.mark.parametrize("listing", ["RECORD", "top_level.txt"])
def test_the_sdk_of_kubeflow_is_found_by_what_it_installed(tmp_path, monkeypatch, listing):
    facts = tmp_path / "kubeflow-0.4.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: kubeflow\nVersion: 0.4.0\n")
    (facts / listing).write_text("kubeflow\n" if listing == "top_level.txt" else "kubeflow/__init__.py,,\n")
    (tmp_path / "kubeflow").mkdir()
    (tmp_path / "kubeflow" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    finding = only(installation.check_namesakes)
    assert finding.result == "kubeflow 0.4.0 has a package kubeflow, too: one hides the other"
    assert (
        "`pip uninstall kubeflow` here, then `pip install --force-reinstall --no-deps clickbait-tfx`" in finding.way_out
    )


# ---- Extension modules

LOADS, FAILS = None, "ImportError: version `GLIBC_2.38' not found"
AS_PUBLISHED, FITTED, NEITHER = b"published", b"fitted", b"half of the published"


@pytest.fixture
def module(monkeypatch, tmp_path):
    """Returns a function that installs one module: its file's bytes, and what loading it says."""
    published = extension_modules.sha256(AS_PUBLISHED)
    monkeypatch.setattr(extension_modules, "FITTED", {published: extension_modules.sha256(FITTED)})
    one = extension_modules.ExtensionModule("ml-metadata", tmp_path / "extension.so", published)
    monkeypatch.setattr(installation, "installed_modules", lambda: [one])

    def install(data: bytes | None, error: str | None) -> None:
        if data is not None:
            one.path.write_bytes(data)
        monkeypatch.setattr(installation, "load_error", lambda path: error)

    return install


@pytest.mark.parametrize(
    ("data", "says"),
    [(AS_PUBLISHED, "as published and loads"), (FITTED, "fitted to older systems than it was published for and loads")],
)
def test_a_module_that_loads_is_well_and_told_apart(module, data, says):
    module(data, LOADS)
    assert only(installation.check_modules) == Finding("modules", f"ml-metadata's extension module is {says}")


@pytest.mark.parametrize(
    ("data", "error", "way_out"),
    [
        (AS_PUBLISHED, FAILS, "`make setup` fits it to this system."),
        (FITTED, FAILS, "`rm -rf .venv && make setup` installs the lock anew."),
        (NEITHER, LOADS, "`rm -rf .venv && make setup` installs the lock anew."),
        (NEITHER, FAILS, "`rm -rf .venv && make setup` installs the lock anew."),
        (None, FAILS, "`rm -rf .venv && make setup` installs the lock anew."),
    ],
)
def test_a_module_that_is_unfitted_damaged_or_missing_is_found(module, data, error, way_out):
    module(data, error)
    finding = only(installation.check_modules)
    assert finding.way_out == way_out
    assert finding.result.endswith(f"does not load: {error}" if error else "and loads")
    assert ("neither as published nor as fitted" in finding.result) is (data in (NEITHER, None))


def test_a_file_that_is_no_module_does_not_load(tmp_path):
    path = tmp_path / "metadata_store_extension.so"
    path.write_bytes(b"half")
    assert extension_modules.load_error(path).startswith("ImportError: ")


def test_a_module_that_ends_the_process_does_not_load(tmp_path, monkeypatch):
    monkeypatch.setattr(extension_modules, "_LOAD", "import os; os.write(2, b'noise'); os.abort()")
    assert extension_modules.load_error(tmp_path / "any.so") == "the process was ended by SIGABRT"


def test_the_real_modules_are_well():
    findings = list(installation.check_modules())
    assert [finding.way_out for finding in findings] == [None, None]


# ---- Imports


def test_imports_that_work_are_well(monkeypatch):
    monkeypatch.setattr(installation, "_PROBE", "pass")
    assert only(installation.check_imports).way_out is None


def test_an_import_that_fails_is_found_by_its_last_line(monkeypatch):
    monkeypatch.setattr(installation, "_PROBE", "import os\nos.write(2, b'noise\\n')\nimport no_such_module")
    finding = only(installation.check_imports)
    assert finding.result == "ModuleNotFoundError: No module named 'no_such_module'"
    assert "`rm -rf .venv && make setup`" in finding.way_out


def test_a_probe_that_dies_without_a_word_is_found(monkeypatch):
    monkeypatch.setattr(installation, "_PROBE", "import os; os._exit(139)")
    finding = only(installation.check_imports)
    assert finding.result == "the process ended with 139"
    assert finding.way_out


def test_the_probe_is_valid_code_that_sets_the_keras_policy_first():
    compile(installation._PROBE, "probe", "exec")
    imports = next(line for line in installation._PROBE.splitlines() if line.startswith("import"))
    assert imports.startswith("import trainer.tensorflow_setup.keras_policy, tensorflow")


# ---- Encoder, machine, data


def test_an_encoder_with_its_checksums_and_a_cache_that_can_be_written_are_well(monkeypatch):
    monkeypatch.setattr(installation, "verify_package", lambda: None)
    assert [finding.way_out for finding in installation.check_encoder()] == [None, None]


def test_an_encoder_that_was_changed_is_found(monkeypatch):
    def refuse():
        raise EncoderError("model.onnx is not the file")

    monkeypatch.setattr(installation, "verify_package", refuse)
    assert named(installation.check_encoder, "encoder") == Finding(
        "encoder", "model.onnx is not the file", "`make setup` installs the lock."
    )


@pytest.mark.parametrize(
    ("name", "check"), [("cache", installation.check_encoder), ("output", installation.check_machine)]
)
@pytest.mark.parametrize("fault", ["file", "read-only"])
def test_a_folder_that_cannot_be_written_is_found(monkeypatch, tmp_path, work, name, check, fault):
    monkeypatch.setattr(installation, "verify_package", lambda: None)
    place = tmp_path / "cache" if name == "cache" else work / "output"
    if fault == "file":
        place.write_text("in the way")
    else:  # the tests may be run by root, whom no mode keeps out
        monkeypatch.setattr(os, "access", lambda path, mode: False)
    finding = named(check, name)
    assert "cannot be written" in finding.result
    assert ("CLICKBAIT_CACHE" if name == "cache" else "--output") in finding.way_out


def test_checking_makes_no_folder(monkeypatch, tmp_path, work):
    monkeypatch.setattr(installation, "verify_package", lambda: None)
    list(installation.check_encoder())
    list(installation.check_machine())
    assert not (tmp_path / "cache").exists()
    assert not (work / "output").exists()


@pytest.mark.parametrize(("free", "well"), [(5, True), (4.9, False)])
def test_a_full_disk_is_found(monkeypatch, free, well):
    usage = collections.namedtuple("usage", "total used free")
    monkeypatch.setattr(installation.shutil, "disk_usage", lambda path: usage(0, 0, int(free * 2**30)))
    finding = named(installation.check_machine, "disk")
    assert (finding.way_out is None) is well
    assert well or "5 GiB" in finding.way_out


@pytest.mark.parametrize(("memory", "well"), [(6, True), (5, False)])
def test_too_little_memory_is_found(monkeypatch, memory, well):
    pages = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": memory * 2**30 // 4096}
    monkeypatch.setattr(installation.os, "sysconf", pages.__getitem__)
    finding = named(installation.check_machine, "memory")
    assert finding.result.startswith(f"{memory} GiB")
    assert (finding.way_out is None) is well
    assert well or "--limit" in finding.way_out


@pytest.mark.parametrize(
    ("device", "wheels", "results"),
    [
        ("nvidiactl", False, []),
        ("nvidia0", True, ["an NVIDIA GPU, and TensorFlow's CUDA wheels"]),
        ("nvidia0", False, ["an NVIDIA GPU that training leaves unused: pip install 'clickbait-tfx[gpu]'"]),
    ],
)
def test_a_gpu_is_named_where_there_is_one_and_is_no_fault(tmp_path, monkeypatch, device, wheels, results):
    (tmp_path / device).touch()
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(cuda, "_DEVICES", tmp_path)
    monkeypatch.setattr(cuda, "has_cuda_wheels", lambda: wheels)
    findings = list(installation.check_gpu())
    assert [finding.way_out for finding in findings] == [None] * len(results)
    assert all(finding.result.startswith(result) for finding, result in zip(findings, results, strict=True))


def test_without_fetched_data_the_sample_is_named_with_the_way_to_more():
    finding = only(installation.check_data)
    assert "the bundled sample; `clickbait fetch`" in finding.result
    assert finding.way_out is None


def test_fetched_data_is_named(work):
    path = work / installation.DEFAULT_DESTINATION
    path.parent.mkdir()
    path.write_text("title,label\n")
    assert only(installation.check_data).result == "data/clickbait.csv is there"


# ---- The whole


@pytest.mark.parametrize(
    ("findings", "code", "last"),
    [
        ([Finding("a", "fine")], 0, "all checks passed: type `clickbait run`"),
        (
            [Finding("a", "fine"), Finding("b", "[odd]", "do this"), Finding("c", "odd", "do that")],
            1,
            "2 failed, see above",
        ),
    ],
)
def test_the_exit_code_and_the_last_line_say_whether_all_is_well(monkeypatch, findings, code, last):
    monkeypatch.setattr(installation, "CHECKS", (lambda: iter(findings),))
    done = CliRunner().invoke(doctor)
    assert done.exit_code == code
    lines = done.output.splitlines()
    assert lines[-1].startswith(last)
    for finding in findings:
        at = next(number for number, line in enumerate(lines) if line.split()[1:2] == [finding.name])
        assert lines[at].split()[0] == ("✗" if finding.way_out else "✓")
        assert lines[at].endswith(finding.result)
        assert not finding.way_out or lines[at + 1].strip() == finding.way_out


def test_every_check_of_the_module_is_made():
    checks = {value for name, value in vars(installation).items() if name.startswith("check_")}
    assert set(installation.CHECKS) == checks


@pytest.mark.slow
def test_the_libraries_import_together_from_any_folder_without_the_clients_of_clouds(monkeypatch):
    """The compiler for Kubeflow Pipelines is there when it is required_python for, see `components.lean_tfx`."""
    clients = ("google.cloud.aiplatform", "google.cloud.bigquery.client", "kubernetes", "kfp", "nltk")
    more = (
        f"import sys, tfx.v1\nassert not [name for name in {clients} if name in sys.modules]\n"
        "assert tfx.v1.orchestration.experimental.KubeflowV2DagRunner.__name__ == 'KubeflowV2DagRunner'\n"
    )
    monkeypatch.setattr(installation, "_PROBE", installation._PROBE + more)
    assert only(installation.check_imports).way_out is None
