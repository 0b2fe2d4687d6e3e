import re
import subprocess
import sys

from tests.kubeflow.image.dockerfile import ROOT


def measure(*arguments: str) -> subprocess.CompletedProcess:
    script = (ROOT / "bench" / "import_time.py").read_text()
    return subprocess.run([sys.executable, "-", *arguments], input=script, capture_output=True, text=True, check=False)


def test_each_module_has_a_line():
    done = measure("--rounds", "2", "json", "decimal")
    assert done.returncode == 0
    first, second = done.stdout.splitlines()
    assert re.fullmatch(r"json: wall \d+\.\d\d s, CPU \d+\.\d\d s \(median of 2\)", first)
    assert second.startswith("decimal: ")


def test_a_module_that_cannot_be_imported_is_no_time():
    done = measure("no_such_module")
    assert done.returncode == 1
    assert done.stderr.endswith(
        "no_such_module cannot be imported: ModuleNotFoundError: No module named 'no_such_module'\n"
    )
