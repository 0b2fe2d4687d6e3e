"""The cost of the tests: `--cpu-by-folder` ends a run with the CPU seconds of each folder and of all that it started.

Seconds of the clock say more of what else a machine does than of the tests.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import psutil
import pytest

IMPORTS = "imports and collection"
FOLDER_DEPTH = 2


class Meter:
    """Charges what this process and its descendants have used since the last charge.

    Attributes:
      seconds: of CPU time, by what they were charged to.
    """

    def __init__(self):
        self.seconds: Counter[str] = Counter()
        self._last = 0.0

    def charge(self, name: str) -> None:
        """Adds the CPU seconds since the last charge to those of `name`."""
        used = cpu_seconds()
        self.seconds[name] += max(used - self._last, 0)  # less: a process ended that nobody waits for
        self._last = used


def cpu_seconds() -> float:
    """The CPU seconds of this process and of all that it started, ended or not."""
    process, seconds = psutil.Process(), 0.0
    for each in (process, *process.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            seconds += sum(each.cpu_times()[:4])  # user and system, and the same of ended children
    return seconds


def folder_of(path: Path, root: Path) -> str:
    """The first folders of a test file below `tests`, e.g. `components/evaluator`."""
    return "/".join(path.relative_to(root).parent.parts[1 : 1 + FOLDER_DEPTH]) or "."


def table(seconds: Mapping[str, float], tests: Mapping[str, int]) -> list[str]:
    """Lines of a table, the dearest first."""
    total = sum(seconds.values())
    lines = [f"{'CPU s':>8} {'share':>6} {'tests':>6}"]
    for name, cost in sorted(seconds.items(), key=lambda item: -item[1]):
        lines.append(f"{cost:8.1f} {cost / total:6.1%} {tests.get(name) or '':>6} {name}")
    return [*lines, f"{total:8.1f} {'':>6} {sum(tests.values()):>6} in all"]


# ---- Hooks of pytest, in a worker of xdist as in the only process


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--cpu-by-folder", action="store_true", help="end with the CPU seconds of each folder of tests")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--cpu-by-folder"):
        config.pluginmanager.register(_Account(config))


class _Account:
    def __init__(self, config: pytest.Config):
        self._config, self._meter = config, Meter()
        self._seconds: Counter[str] = Counter()
        self._tests: Counter[str] = Counter()
        self._folder = IMPORTS

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None):
        folder = folder_of(item.path, self._config.rootpath)
        # Looking at all processes takes milliseconds, so once a folder; the fixtures of its files have ended by then.
        if folder != self._folder:
            self._meter.charge(self._folder)
        self._folder = folder
        self._tests[folder] += 1
        return (yield)

    def pytest_sessionfinish(self) -> None:
        if self._config.getoption("dist", "no") != "no" and not hasattr(self._config, "workeroutput"):
            return  # this process has only told the workers what to do
        self._meter.charge(self._folder)
        if hasattr(self._config, "workeroutput"):
            self._config.workeroutput["cpu_by_folder"] = (dict(self._meter.seconds), dict(self._tests))
        else:
            self._add(self._meter.seconds, self._tests)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node) -> None:
        self._add(*getattr(node, "workeroutput", {}).get("cpu_by_folder", ({}, {})))

    def _add(self, seconds: Mapping[str, float], tests: Mapping[str, int]) -> None:
        self._seconds.update(seconds)
        if tests is not self._tests:
            self._tests.update(tests)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        terminalreporter.section("CPU seconds by folder")
        for line in table(self._seconds, self._tests):
            terminalreporter.write_line(line)
