"""`python -m bench.engines`: a run's Beam components by size, in memory and on Beam engines brought up here.

Made-up headlines (those of `bench.ingest`) go through `clickbait run`: the data components up to DataGate, and with
`--parts scoring` variants, linear models and scores of 0.3 of the rows by a model that a sample trained. The engines
are processes of this machine, as in the tests: Prism with a worker pool, and a Flink of one or two task managers of one
slot. Prints Markdown.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.ingest import make_files
from bench.processes import Usage, run_module
from pipeline.results.run_folders import read_run
from tests.flink.cluster import running_cluster
from tests.flink.downloads import fetch_jars
from tests.helpers.beam_engine import find_prism, local_engine

_SAMPLE = "data/sample/headlines.csv"
_EVAL_SHARE = 0.3
_LOG_LINES = 40


@dataclass(frozen=True)
class Running:
    """An engine: how the pipeline reaches it, and the leaders of its sessions."""

    overrides: Sequence[str] = ()
    workers: Sequence[int] = ()
    """Python's."""
    service: Sequence[int] = ()
    """All others."""


@contextlib.contextmanager
def _memory(_: Path) -> Iterator[Running]:
    yield Running()


@contextlib.contextmanager
def _prism(folder: Path) -> Iterator[Running]:
    prism = find_prism()
    if prism is None:
        raise SystemExit("Prism must be there. Received: none. Type `make test-tools` where Go is installed.")
    with local_engine(folder, prism) as engine:
        service, workers = engine.processes
        yield Running(engine.overrides, [workers.pid], [service.pid])


def _flink(slots: int) -> Callable[[Path], contextlib.AbstractContextManager[Running]]:
    @contextlib.contextmanager
    def running(folder: Path) -> Iterator[Running]:
        with running_cluster(fetch_jars(), folder / "flink", task_managers=slots) as cluster:
            pools = [process.pid for name, process in cluster.processes.items() if name.startswith("worker_pool")]
            others = [process.pid for process in cluster.processes.values() if process.pid not in pools]
            overrides = [option.replace("parallelism: 2", f"parallelism: {slots}") for option in cluster.overrides]
            yield Running(overrides, pools, others)

    return running


ENGINES: dict[str, Callable[[Path], contextlib.AbstractContextManager[Running]]] = {
    "memory": _memory,
    "prism": _prism,
    "flink-1": _flink(1),
    "flink-2": _flink(2),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=[*ENGINES])
    parser.add_argument("--parts", nargs="+", choices=["data", "scoring"], default=["data"])
    parser.add_argument("--files", type=int, default=4, help="the rows are spread over that many files")
    args = parser.parse_args()
    print(f"{os.cpu_count()} cores, files: {args.files}\n")
    print("Of CPU and memory the first is the driver's, then the workers' and the engine's.\n")
    print("| part | rows | engine | wall s | CPU s | peak GB | components, s |")
    print("|---|---|---|---|---|---|---|", flush=True)
    for part in args.parts:
        for rows in args.rows:
            with tempfile.TemporaryDirectory(prefix="bench-engines-") as scratch:
                data = Path(scratch, "data")
                data.mkdir()
                make_files(data, int(rows * _EVAL_SHARE) if part == "scoring" else rows, args.files)
                for name in args.engines:
                    print(
                        f"| {part} | {rows:,} | {name} | {_measure(name, part, data, Path(scratch, name))} |",
                        flush=True,
                    )


def _measure(name: str, part: str, data: Path, folder: Path) -> str:
    folder.mkdir()
    with ENGINES[name](folder) as engine:
        output = folder / "output"
        call = ["pipeline", "run", f"--output={output}", "--no-challenges", *_options(part, data)]
        call += [f"--set={override}" for override in engine.overrides]
        beside = {"workers": engine.workers, "service": engine.service}
        ended = run_module(call, counts_children=True, beside=beside)
    if ended.code:
        raise SystemExit(
            f"{name}: exit {ended.code}\n" + "\n".join((ended.printed + ended.log).splitlines()[-_LOG_LINES:])
        )
    parts = [Usage(ended.cpu, ended.peak_kib), ended.beside["workers"], ended.beside["service"]]
    components = read_run(output).components or {}
    seconds = [f"{component} {timing.seconds:.0f}" for component, timing in components.items() if timing.seconds >= 1]
    return " | ".join(
        [
            f"{ended.wall:.0f}",
            ", ".join(f"{usage.cpu:.0f}" for usage in parts),
            ", ".join(f"{usage.peak_kib / 2**20:.2f}" for usage in parts),
            " · ".join(seconds),
        ]
    )


def _options(part: str, data: Path) -> list[str]:
    if part == "data":
        return [f"--data={data}", "--to=DataGate"]
    return [
        "--preset=smoke",
        f"--data={_SAMPLE}",
        f"--eval-data={data}",
        "--set=data.limit_rows=null",
        "--set=gate.skew=warn",  # the sample's titles are written in another way
        "--to=ModelScorer",
    ]


if __name__ == "__main__":
    main()
