"""`make test-flink`: from a CSV to a pushed model with the data components on a real Flink, and in memory, compared.

python -m tests.flink [--faults]
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from components.flink_rest import Flink
from pipeline.config.beam import BEAM_COMPONENTS
from tests.flink import faults
from tests.flink.cluster import Cluster, running_cluster
from tests.flink.compare import compare_outputs
from tests.flink.downloads import fetch_jars, missing_tools

ROOT = Path(__file__).parents[2]
_RUN_SECONDS = 900


def main() -> int:
    """Runs it, prints what came of it, and returns the exit code."""
    parser = argparse.ArgumentParser(prog="make test-flink")
    parser.add_argument("--faults", action="store_true", help="Provoke faults instead, and show what a person sees.")
    options = parser.parse_args()
    if missing := missing_tools():
        print(f"A Flink must have its tools. Received: no {'; no '.join(missing)}. Install them.", file=sys.stderr)
        return 2
    jars = fetch_jars()
    with tempfile.TemporaryDirectory(prefix="clickbait-flink-") as scratch:
        folder = Path(scratch)
        if options.faults:
            return faults.provoke_all(jars, folder)
        began = time.monotonic()
        write_data(folder / "data")
        with running_cluster(jars, folder / "flink") as cluster:
            overview, seconds = cluster.flink.overview() or {}, time.monotonic() - began
            managers = f"{overview['taskmanagers']} task managers with a worker pool each"
            print(f"Flink {overview['flink-version']}: {managers}, up in {seconds:.0f} s", flush=True)
            jobs = run_there(cluster, folder)
        if jobs is None:
            return 1
        print("the same in memory", flush=True)
        if run(folder / "memory", folder / "data"):
            return 1
        differences = compare_outputs(folder / "memory", folder / "there")
        absent = {name for name in BEAM_COMPONENTS if not any(f"-{name}-" in job for job in jobs)}
        for problem in [*differences, *(f"no job of {name} in Flink's list" for name in sorted(absent))]:
            print(f"differs: {problem}", file=sys.stderr)
        return 1 if differences or absent else 0


def write_data(folder: Path) -> None:
    """Writes the bundled sample as two files, and a file of texts to score."""
    folder.mkdir()
    with (ROOT / "data" / "sample" / "headlines.csv").open(encoding="utf-8", newline="") as stream:
        head, *rows = csv.reader(stream)
    for name, part in (("a.csv", rows[::2]), ("b.csv", rows[1::2])):
        with (folder / name).open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows([head, *part])
    texts = [row[head.index("title")] for row in rows[:50]]
    (folder.parent / "texts.txt").write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")


def run_there(cluster: Cluster, folder: Path) -> list[str] | None:
    """Runs the pipeline on a cluster, and returns the names of its finished jobs; None where the run failed."""
    if run(folder / "there", folder / "data", *cluster.overrides):
        return None
    return show_jobs(cluster.flink)


def show_jobs(flink: Flink) -> list[str]:
    """Prints Flink's job list, the oldest first, and returns the names of the finished jobs."""
    jobs = flink.jobs()[::-1]
    for job in jobs:
        details = flink.get(f"/jobs/{job.id}") or {}
        vertices = details.get("vertices", [])
        print(f"  {job.state:<9} {details.get('duration', 0) / 1000:5.1f} s  {len(vertices):3} vertices  {job.name}")
    return [job.name for job in jobs if job.state == "FINISHED"]


def run(output: Path, data: Path, *overrides: str) -> int:
    """Runs `clickbait run --preset smoke` to the push, and returns its exit code."""
    began = time.monotonic()
    call = [sys.executable, "-m", "pipeline", "run", "--preset=smoke", f"--data={data}", f"--output={output}"]
    call += [f"--bulk={data.parent / 'texts.txt'}", *(f"--set={override}" for override in overrides)]
    done = subprocess.run(call, cwd=ROOT, timeout=_RUN_SECONDS)
    print(f"clickbait run ended with {done.returncode} after {time.monotonic() - began:.0f} s", flush=True)
    if done.returncode:
        (verdict,) = output.glob("runs/*/verdict.json")
        print(json.loads(verdict.read_text(encoding="utf-8")).get("reason"), file=sys.stderr)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
