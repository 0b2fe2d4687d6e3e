"""Carries out a Dockerfile where no engine runs: each stage is a folder that becomes `/` for the stage's commands.

The base is a Debian that debootstrap made. Of this machine there are its kernel's /dev and /proc, and its way to the
network.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from docker.utils.build import exclude_paths

from tests.kubeflow.image import debian
from tests.kubeflow.image.dockerfile import Stage, Step, assignments, expand, ignore_rules

#: Build arguments that an engine takes from where it is called.
_PROXIES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")

_PATH = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
_LOG_CHARACTERS = 4000
_ROOMY = 10 * 2**30


class CleanRoot:
    """A stage under construction."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.environment = {"PATH": _PATH}
        self.arguments = {name: os.environ[name] for name in _PROXIES if name in os.environ}
        self.workdir = "/"
        self.user = "0:0"
        self.entrypoint: list[str] = []

    def path(self, inside: str) -> Path:
        """Where a path of the stage lies on this machine."""
        return self.folder / (Path("/") / self.workdir / inside).relative_to("/")

    def run(self, command: str, *, caches: dict[str, Path] | None = None, frozen: bool = False) -> str:
        """Runs a shell command in the stage and returns what it printed.

        Args:
          command: for `sh -c`.
          caches: folders of this machine to mount, by their place in the stage.
          frozen: all but /tmp is read-only and there is no network, as a strict cluster has it.

        Raises:
          AssertionError: the command failed; with its output.
        """
        mounts = ["mount --rbind /dev ./dev", "mount --rbind /proc ./proc"]
        for target, source in (caches or {}).items():
            self.path(target).mkdir(parents=True, exist_ok=True)
            mounts += [f"mount --bind {shlex.quote(str(source))} .{shlex.quote(target)}"]
        if frozen:
            mounts += ["mount -t tmpfs -o mode=1777 tmpfs ./tmp", "mount -o remount,bind,ro ."]
        settings = [f"{name}={value}" for name, value in {**self.arguments, **self.environment}.items()]
        inside = ["sh", "-c", f"cd {shlex.quote(self.workdir)} && {command}"]
        changed = ["env", "-i", *settings, "/usr/sbin/chroot", f"--userspec={self.user}", "--groups=0", ".", *inside]
        # The first makes the folder a mount of its own; `cd` goes into it.
        script = ["set -e", "mount --bind . .", 'cd "$PWD"', *mounts, f"exec {shlex.join(changed)}"]
        new_namespaces = ["unshare", "--mount", *(["--net"] if frozen else [])]
        done = subprocess.run(
            [*new_namespaces, "sh", "-c", "\n".join(script)],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"`{command}` ended with {done.returncode}:\n{done.stdout[-_LOG_CHARACTERS:]}"
        return done.stdout


def lacking() -> str | None:
    """What this process needs to make a root, or None: programs, and to be root, or what looks like root."""
    missing = [name for name in ("debootstrap", "tar", "unshare", "mount", "chroot") if not shutil.which(name)]
    if missing:
        return f"needs {', '.join(missing)} on the PATH; on Debian and Ubuntu `make test-tools` installs debootstrap"
    tried = subprocess.run(["unshare", "--mount", "--net", "true"], capture_output=True, text=True, check=False)
    return f"needs root's right to mount. Received: {tried.stderr.strip()}" if tried.returncode else None


@contextlib.contextmanager
def short_lived(folder: Path) -> Iterator[Path]:
    """Empties a folder afterwards; it is in memory where that has room, which spares a disk 3 GB of small files."""
    available = re.search(r"MemAvailable: *(\d+) kB", Path("/proc/meminfo").read_text())
    roomy = available is not None and int(available[1]) * 1024 > _ROOMY
    if roomy:
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder] if roomy else ["rm", "-rf", folder], check=True)


def build(stages: list[Stage], context: Path, ignore_file: Path, folder: Path) -> CleanRoot:
    """Carries out all stages and returns the last one.

    Raises:
      AssertionError: a step failed, or is of a kind that this does not know.
      NoDebianError: the base cannot be made here.
    """
    built: dict[str, CleanRoot] = {}
    for number, stage in enumerate(stages):
        root = _begin(stage.base, built, folder / f"{number}-{stage.name}")
        for step in stage.steps:
            _carry_out(step, root, built, context, ignore_file)
        built[stage.name] = root
        root.arguments.clear()  # of the build, not of what runs
    return root


def _begin(base: str, built: dict[str, CleanRoot], folder: Path) -> CleanRoot:
    if base not in built:
        debian.unpack(base, folder)
        return CleanRoot(folder)
    _lay_over(built[base].folder, folder)
    root = CleanRoot(folder)
    root.environment, root.workdir, root.user = dict(built[base].environment), built[base].workdir, built[base].user
    return root


def _carry_out(step: Step, root: CleanRoot, built: dict[str, CleanRoot], context: Path, ignore_file: Path) -> None:
    value = expand(step.value, {**root.arguments, **root.environment})
    match step.instruction:
        case "ARG":
            root.arguments.update(assignments(value))
        case "ENV":
            root.environment.update(assignments(value))
        case "WORKDIR":
            root.workdir = value
            root.path(".").mkdir(parents=True, exist_ok=True)
        case "USER":
            root.user = value
        case "ENTRYPOINT":
            root.entrypoint = [part.strip('"') for part in value.strip("[]").split(", ")]
        case "RUN":
            root.run(step.value, caches=_caches(step))
        case "COPY" if "from" in step.flags:
            source, target = value.split()
            _lay_over(built[step.flags["from"]].path(source), root.path(target))
        case "COPY":
            *sources, target = value.split()
            _copy_context(context, ignore_file, sources, root.path(target))
        case "STOPSIGNAL" | "LABEL":
            pass
        case unknown:
            raise AssertionError(f"The clean root knows no {unknown}. Teach it, or do without.")


def _caches(step: Step) -> dict[str, Path]:
    """Kept from build to build, as an engine does, and apart from this user's own caches.

    uv keeps what it compiled of source packages, too, and this machine would be given what needs the newer Debian.
    """
    if "mount" not in step.flags:
        return {}
    mount = assignments(step.flags["mount"].replace(",", " "))
    assert mount["type"] == "cache", f"The clean root mounts caches only. Received: {step.flags['mount']}."
    folder = debian.cache_folder() / "clickbait-tfx" / "image" / Path(mount["target"]).name
    folder.mkdir(parents=True, exist_ok=True)
    return {mount["target"]: folder}


def _copy_context(context: Path, ignore_file: Path, sources: list[str], target: Path) -> None:
    sent = exclude_paths(str(context), ignore_rules(ignore_file))
    for source in sources:
        wanted = [path for path in sent if source in (".", path, path.split("/")[0])]
        assert wanted, f"COPY needs what is there and is not ignored. Received: {source}."
        for path in filter(lambda path: (context / path).is_file(), wanted):
            (target / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(context / path, target / path)


def _lay_over(source: Path, target: Path) -> None:
    """Copies a tree over another by hard links: but for logs, no step changes a file in its place."""
    target.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(["cp", "-alf", f"{source}/.", str(target)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
