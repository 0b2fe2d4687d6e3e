"""A Flink of processes of its own: a job manager, task managers with a worker pool each, and Beam's job server."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from components.flink_rest import Flink
from tests.flink.downloads import Jars, find_java
from tests.helpers.beam_engine import free_port, start, stop, wait_for_port

_POOL_HOST = "workers"
_STARTED_SECONDS = 180

# What Flink's own scripts give Java 17.
_OPEN = ("lang", "net", "io", "nio", "lang.reflect", "text", "time", "util", "util.concurrent")
_OPEN += ("util.concurrent.atomic", "util.concurrent.locks")
_JAVA_FLAGS = (
    "--add-exports=java.base/sun.net.util=ALL-UNNAMED",
    "--add-exports=java.rmi/sun.rmi.registry=ALL-UNNAMED",
    "--add-exports=java.security.jgss/sun.security.krb5=ALL-UNNAMED",
    "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
    *(f"--add-opens=java.base/java.{package}=ALL-UNNAMED" for package in _OPEN),
    "-XX:+UseSerialGC",
)

#: As in kubeflow/flink/flink.yaml, but for what a machine of two cores needs.
SETTINGS = {
    "taskmanager.numberOfTaskSlots": "1",
    "taskmanager.network.sort-shuffle.min-buffers": "32",
    "classloader.resolve-order": "parent-first",
    "restart-strategy.type": "none",
    "slot.request.timeout": "60000",
    "pekko.ask.timeout": "120 s",
    "pekko.startup-timeout": "120 s",
}
# Flink's script computes these; without it each must be given.
_MEMORY = {
    "taskmanager.cpu.cores": "1.0",
    "taskmanager.memory.task.heap.size": "384m",
    "taskmanager.memory.task.off-heap.size": "64m",
    "taskmanager.memory.framework.heap.size": "128m",
    "taskmanager.memory.framework.off-heap.size": "128m",
    "taskmanager.memory.managed.size": "128m",
    "taskmanager.memory.network.min": "128m",
    "taskmanager.memory.network.max": "128m",
    "taskmanager.memory.jvm-metaspace.size": "128m",
    "taskmanager.memory.jvm-overhead.min": "128m",
    "taskmanager.memory.jvm-overhead.max": "128m",
}
_LOG4J = """rootLogger.level = INFO
rootLogger.appenderRef.out.ref = out
appender.out.name = out
appender.out.type = CONSOLE
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{HH:mm:ss,SSS} %-5p %c{1} - %m%n
"""


class Cluster(NamedTuple):
    """A running cluster, and its processes by name: job_manager, task_manager_1, worker_pool_1, job_server, ..."""

    flink: Flink
    job_endpoint: str
    pool: str
    processes: dict[str, subprocess.Popen]

    @property
    def overrides(self) -> list[str]:
        """The configuration that runs the data components there."""
        master = self.flink.address.removeprefix("http://")
        options = f"{{flink_master: '{master}', parallelism: 2, environment_cache_millis: 20000}}"
        return [
            "beam.runner=FlinkRunner",
            f"beam.job_endpoint={self.job_endpoint}",
            "beam.environment_type=EXTERNAL",
            f"beam.environment_config={self.pool}",
            f"beam.options={options}",
        ]


@contextlib.contextmanager
def running_cluster(
    jars: Jars,
    folder: Path,
    *,
    task_managers: int = 2,
    settings: Mapping[str, str] | None = None,
    worker_environ: Mapping[str, str] | None = None,
) -> Iterator[Cluster]:
    """Starts a cluster, and ends all of it, whatever happens.

    Args:
      jars: from `fetch_jars`.
      folder: gets a log for each process.
      task_managers: each with a worker pool of its own.
      settings: of Flink, over `SETTINGS`.
      worker_environ: variables for the worker pools.

    Raises:
      RuntimeError: a process ended, or does not listen.
    """
    processes: dict[str, subprocess.Popen] = {}
    ports = {name: free_port() for name in ("rpc", "rest", "jobs", "artifacts", "expansion", "pool")}
    host = "127.0.0.1"
    own = {
        "jobmanager.rpc.address": host,
        "jobmanager.rpc.port": str(ports["rpc"]),
        "rest.address": host,
        "rest.bind-address": host,
        "rest.port": str(ports["rest"]),
        "taskmanager.host": host,
        "io.tmp.dirs": str(folder / "tmp"),
        **_MEMORY,
        **SETTINGS,
        **(settings or {}),
    }
    (folder / "conf").mkdir(parents=True)
    (folder / "tmp").mkdir()
    lines = "".join(f"{key}: {value}\n" for key, value in own.items())
    (folder / "conf" / "flink-conf.yaml").write_text(lines, encoding="utf-8")
    (folder / "conf" / "log4j.properties").write_text(_LOG4J, encoding="utf-8")
    # Beam's jars lie in Flink's own class path, or each job loads its classes, and starts its workers, anew. Both sides
    # have them in one order, because some classes are in two of them.
    beam = sorted(jars.beam.glob("*.jar"))
    others = [path for path in beam if not path.name.startswith(("flink-", "slf4j-", "log4j-"))]
    classes = os.pathsep.join(str(path) for path in [*sorted(jars.flink.glob("*.jar")), *others])
    logging = f"-Dlog4j.configurationFile={folder}/conf/log4j.properties"
    flink_java = [*_JAVA_FLAGS, logging, "-cp", classes]

    def launch(name: str, call: list[str], environ: Mapping[str, str] | None = None) -> None:
        processes[name] = start(call, folder / f"{name}.txt", environ)

    try:
        configured = ["--configDir", str(folder / "conf")]
        entrypoint = "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint"
        launch("job_manager", [find_java(), "-Xmx384m", *flink_java, entrypoint, *configured])
        for number in range(1, task_managers + 1):
            # One name for all, which is another address to each: the configuration of a job names one pool.
            address = f"127.0.0.{number + 1}"
            hosts = folder / "conf" / f"hosts_{number}"
            hosts.write_text(f"127.0.0.1 localhost {socket.gethostname()}\n{address} {_POOL_HOST}\n", encoding="utf-8")
            pool = [sys.executable, "-m", "tests.flink.worker_pool", f"{address}:{ports['pool']}"]
            launch(f"worker_pool_{number}", pool, worker_environ)
            runner = ["org.apache.flink.runtime.taskexecutor.TaskManagerRunner", *configured]
            jvm = ["-Xmx512m", "-XX:MaxDirectMemorySize=320m", f"-Djdk.net.hosts.file={hosts}"]
            launch(f"task_manager_{number}", [find_java(), *jvm, *flink_java, *runner])
        server = [find_java(), "-Xmx384m", "-XX:+UseSerialGC", "-cp", os.pathsep.join(map(str, beam))]
        server += ["org.apache.beam.runners.flink.FlinkJobServerDriver", f"--flink-master={host}:{ports['rest']}"]
        server += [f"--job-port={ports['jobs']}", f"--artifact-port={ports['artifacts']}"]
        server += [f"--expansion-port={ports['expansion']}", f"--artifacts-dir={folder}/artifacts"]
        launch("job_server", server)
        wait_for_port(ports["jobs"], processes["job_server"])
        flink = Flink(f"http://{host}:{ports['rest']}")
        _await_slots(flink, task_managers, processes, folder)
        yield Cluster(flink, f"localhost:{ports['jobs']}", f"{_POOL_HOST}:{ports['pool']}", processes)
    finally:
        for process in processes.values():
            stop(process)


def _await_slots(flink: Flink, task_managers: int, processes: Mapping[str, subprocess.Popen], folder: Path) -> None:
    end = time.monotonic() + _STARTED_SECONDS
    while time.monotonic() < end:
        if ended := [name for name, process in processes.items() if process.poll() is not None]:
            log = (folder / f"{ended[0]}.txt").read_text(encoding="utf-8", errors="replace")
            code = processes[ended[0]].returncode
            raise RuntimeError(f"{ended[0]} must run. Received: its end with {code}, after\n{log[-2000:]}")
        if (overview := flink.overview()) and overview["slots-total"] >= task_managers:
            return
        time.sleep(0.5)
    raise RuntimeError(f"{task_managers} slots must register. Received: {flink.overview()}.")
