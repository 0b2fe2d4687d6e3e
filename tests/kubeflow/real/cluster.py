"""A cluster of one machine: its services in a network of their own, and its pods in that and in a root of their own.

A pod's process has no other root than a folder with what its image and the kubelet would give it, by mounts in a
namespace of its own (so it needs root), and is the user of the image, 65532.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kubeflow.spec.platform import release_key
from tests.helpers.certificates import make_authority, make_certificate
from tests.kubeflow.image.dockerfile import DOCKERFILE, ROOT, assignments, read_stages

#: As Kubeflow Pipelines installs them; the store refuses any other key.
ACCESS_KEY, SECRET_KEY = "minio", "minio123"
METADATA_PORT, CACHE_PORT, KUBERNETES_PORT, STORE_PORT = 8080, 8887, 6443, 9000

NAMESPACE = "kubeflow"
SECRET = "mlpipeline-minio-artifact"
BUCKET, OTHER_BUCKET = "mlpipeline", "artifacts"
SECRETS = {
    SECRET: {"accesskey": ACCESS_KEY, "secretkey": SECRET_KEY},
    "wrong-keys": {"accesskey": "somebody", "secretkey": "else"},
}
"""The Secrets of the namespace, in plain text."""

#: In a pod: where what its process was called with is kept.
RECORD = "record"

_LAUNCHER_CONFIG = "kfp-launcher"
_ACCOUNT = "var/run/secrets/kubernetes.io/serviceaccount"
_SCRATCH = ("tmp", "minio", "s3", "gcs", ".local", ".cache", ".config", "dev/shm", RECORD)
_DEVICES = ("null", "zero", "full", "random", "urandom")
_SHIM = """#!/bin/sh
if [ ! -e /{record}/argv ]; then printf '%s\\0' "$@" > /{record}/argv; env -0 > /{record}/env; fi
exec {python} "$@"
"""


class Cluster:
    """Kubeflow Pipelines of a release, without Argo.

    Args:
      folder: its services' files and its pods' roots.
      release: which decides what the object store is called.
      driver: KFP's binary.
      launcher: likewise.
    """

    def __init__(self, folder: Path, release: str, driver: Path, launcher: Path) -> None:
        self.folder, self.release = folder, release
        self._driver, self._launcher = driver, launcher
        self._store = "seaweedfs" if release_key(release) >= release_key("2.16.0") else "minio-service"
        self._services: subprocess.Popen[str] | None = None

    @contextlib.contextmanager
    def serving(self, store: Mapping[str, bytes]) -> Iterator[None]:
        """Runs the services; `store` has by `BUCKET/KEY` what there is at first."""
        account = self.folder / "account"
        account.mkdir(parents=True)
        authority = make_authority(self.folder, "authority")
        certificate = make_certificate(self.folder, authority, "127.0.0.1")
        shutil.copy(certificate.cert, self.folder / "tls.pem")
        shutil.copy(certificate.key, self.folder / "tls.key")
        shutil.copy(authority.cert, account / "ca.crt")
        (account / "namespace").write_text(NAMESPACE)
        (account / "token").write_text("token")
        (self.folder / "objects.json").write_text(json.dumps(_objects(self._store)))
        (self.folder / "hosts").write_text(self._hosts())
        (self.folder / "python").write_text(_SHIM.format(record=RECORD, python=Path(sys.prefix, "bin", "python")))
        (self.folder / "python").chmod(0o755)
        for bucket in (BUCKET, OTHER_BUCKET):
            (self.folder / "store" / bucket).mkdir(parents=True)
        for key, content in store.items():
            path = self.folder / "store" / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        with (self.folder / "services.log").open("w") as log:
            command = ["unshare", "-n", sys.executable, "-m", "tests.kubeflow.real.services", str(self.folder)]
            environment = {**os.environ, "PYTHONPATH": str(ROOT), "S3_IGNORE_SUBDOMAIN_BUCKETNAME": "true"}
            pipe = subprocess.PIPE
            self._services = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdin=pipe, stdout=pipe, stderr=log, text=True
            )
        with self._services as process:
            try:
                if process.stdout.readline() != "ready\n":
                    raise RuntimeError((self.folder / "services.log").read_text())
                yield
            finally:
                process.terminate()

    def keys(self, prefix: str) -> list[str]:
        """Returns the store's keys that begin so; the first part of `prefix` is the bucket."""
        self._services.stdin.write(f"{prefix}\n")
        self._services.stdin.flush()
        return json.loads(self._services.stdout.readline())

    def run_driver(self, root: Path, arguments: Sequence[str], environment: Mapping[str, str], log: Path) -> int:
        """Runs a driver in a new root and returns its exit code."""
        mounts = {"kfp/driver": self._driver}
        return self._run(root, ["/kfp/driver", *arguments], {"PATH": "/usr/bin", **environment}, mounts, log)

    def run_task(self, root: Path, command: Sequence[str], environment: Mapping[str, str], log: Path) -> int:
        """Runs a task's command, which is the launcher's, in a new root that is like our image."""
        mounts = {"kfp-launcher/launch": self._launcher, "shim/python": self.folder / "python", str(ROOT): ROOT}
        for prefix in (Path(sys.prefix).resolve(), Path(sys.base_prefix).resolve()):
            mounts[str(prefix)] = prefix
        image = {**image_environment(), "PATH": "/shim:/usr/local/bin:/usr/bin:/bin", "PYTHONPATH": str(ROOT)}
        return self._run(root, command, {**image, **environment}, mounts, log)

    def _run(
        self, root: Path, command: Sequence[str], environment: Mapping[str, str], mounts: Mapping[str, Path], log: Path
    ) -> int:
        for name in _SCRATCH:
            (root / name).mkdir(parents=True)
            (root / name).chmod(0o1777)
        for name in ("bin", "lib", "lib64", "sbin"):
            (root / name).symlink_to(f"usr/{name}")
        (root / "dev/fd").symlink_to("/proc/self/fd")
        (root / "dev/termination-log").touch()
        (root / "dev/termination-log").chmod(0o666)
        everywhere = {
            **{name: Path("/", name) for name in ("usr", "etc", "proc", *(f"dev/{name}" for name in _DEVICES))},
            "etc/hosts": self.folder / "hosts",
            _ACCOUNT: self.folder / "account",
        }
        script = ["set -e"]
        for name, source in sorted({**everywhere, **mounts}.items()):
            target = root / name.lstrip("/")
            if not stat.S_ISDIR(source.stat().st_mode):
                target.parent.mkdir(parents=True, exist_ok=True)
                target.touch()
            else:
                target.mkdir(parents=True, exist_ok=True)
            script.append(f"mount --rbind '{source}' '{target}'")
        script.append(f"exec chroot --userspec=65532:0 '{root}' /usr/bin/env -i -C /tmp \"$@\"")
        variables = {
            "KUBERNETES_SERVICE_HOST": "127.0.0.1",
            "KUBERNETES_SERVICE_PORT": str(KUBERNETES_PORT),
            "HOSTNAME": "pod",
            **environment,
        }
        network = ["nsenter", f"--net=/proc/{self._services.pid}/ns/net"]
        own_mounts = ["unshare", "-m", "--propagation", "private", "sh", "-c", "\n".join(script), "sh"]
        assigned = [f"{name}={value}" for name, value in variables.items()]
        with log.open("wb") as output:
            process = subprocess.run(
                [*network, *own_mounts, *assigned, *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
            )
        return process.returncode

    def _hosts(self) -> str:
        lines = ["127.0.0.1 localhost"]
        for service in ("metadata-grpc-service", "ml-pipeline", self._store):
            lines.append(f"127.0.0.1 {service}.{NAMESPACE} {service}.{NAMESPACE}.svc.cluster.local {service}")
        return "\n".join(lines) + "\n"


def image_environment() -> dict[str, str]:
    """Returns what the last stage of the Dockerfile sets."""
    (step,) = read_stages(DOCKERFILE.read_text(encoding="utf-8"))[-1].of("ENV")
    return assignments(step.value)


def secret_value(reference: Mapping[str, str]) -> str:
    """Returns what a `secretKeyRef` is."""
    return SECRETS[reference["name"]][reference["key"]]


def metadata_variables() -> dict[str, str]:
    """Returns the variables of the ConfigMap metadata-grpc-configmap."""
    return {
        "METADATA_GRPC_SERVICE_HOST": f"metadata-grpc-service.{NAMESPACE}",
        "METADATA_GRPC_SERVICE_PORT": str(METADATA_PORT),
    }


def _objects(store: str) -> dict[str, dict[str, Any]]:
    """Returns by path what Kubernetes has; `providers` is for a pipeline root that begins with s3://."""
    s3 = {
        "endpoint": f"{store}.{NAMESPACE}:{STORE_PORT}",
        "region": "us-east-1",
        "disableSSL": True,
        "forcePathStyle": True,
        "credentials": {
            "fromEnv": False,
            "secretRef": {"secretName": SECRET, "accessKeyKey": "accesskey", "secretKeyKey": "secretkey"},
        },
    }
    settings = {"defaultPipelineRoot": "", "providers": json.dumps({"s3": {"default": s3}})}
    objects = {f"configmaps/{_LAUNCHER_CONFIG}": {"kind": "ConfigMap", "data": settings}}
    for name, values in SECRETS.items():
        data = {key: base64.b64encode(text.encode()).decode() for key, text in values.items()}
        objects[f"secrets/{name}"] = {"kind": "Secret", "data": data}
    return {
        f"/api/v1/namespaces/{NAMESPACE}/{path}": {
            "apiVersion": "v1",
            "metadata": {"name": path.rpartition("/")[2], "namespace": NAMESPACE},
            **item,
        }
        for path, item in objects.items()
    }
