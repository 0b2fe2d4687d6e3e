"""The life of versions: loaded when they appear, served while they are wanted, unloaded when nobody uses them.

Needs no TensorFlow: the caller gives the function that loads a version.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import grpc

from serving.server import versions
from serving.server.config import ModelConfig
from serving.server.errors import ServingError, StartError, failed_precondition, invalid_argument, not_found
from serving.server.states import State, VersionStatus

log = logging.getLogger("clickbait.server")


class Loaded(Protocol):
    """A loaded version, which can be closed."""

    def close(self) -> None:
        """Frees the version."""


_Loaded = TypeVar("_Loaded", bound=Loaded)


@dataclasses.dataclass
class _Version(Generic[_Loaded]):
    number: int
    state: State = State.START
    error: ServingError | None = None
    loaded: _Loaded | None = None
    calls: int = 0
    wanted: bool = True
    failures: int = 0
    next_try: float = 0.0
    failed_contents: versions.Contents | None = None


@dataclasses.dataclass(frozen=True)
class LoadRetry:
    """The number and interval of retries of a failed load."""

    times: int = 5
    seconds: float = 60.0


class VersionManager(Generic[_Loaded]):
    """A manager of the versions in a folder. `poll` changes what is served; any thread may call the other methods."""

    def __init__(self, config: ModelConfig, load: Callable[[int, Path], _Loaded], retry: LoadRetry = LoadRetry()):
        self._config = config
        self._load_version = load
        self._retry = retry
        self._versions: dict[int, _Version[_Loaded]] = {}
        self._serving: dict[int, _Version[_Loaded]] = {}
        self._labels: Mapping[str, int] = dict(config.labels)
        self._changed = threading.Condition()
        self._last_trouble = ""

    @property
    def config(self) -> ModelConfig:
        """The configuration that is followed."""
        return self._config

    def poll(self) -> None:
        """Lists the folder once: loads new versions that are wanted, then unloads those that are no longer wanted."""
        config = self._config
        try:
            present = versions.list_versions(config.base_path)
        except OSError as error:
            # Loaded versions stay: a share that is away for a moment must not take the model down.
            self._log_once(f"the folder of model {config.name} cannot be read: {error}; trying again")
            self._close_unused()
            return
        wanted = versions.choose_versions(config.policy, present)
        if not wanted:
            self._log_once(f"no version of model {config.name} in {config.base_path}; waiting for one")
        self._mark_wanted(wanted)
        self._close_unused()  # so that no third one is in memory while the next is loaded
        for number in sorted(wanted, reverse=True):
            self._load_if_due(self._versions[number], present[number])
        self._retire_unwanted(wanted)
        self._close_unused()

    def wait_until_available(self, stopping: threading.Event) -> bool:
        """Waits for the first version, as TF Serving does before it opens its ports.

        Returns:
          False when the server is stopped before.

        Raises:
          StartError: every wanted version failed for good.
        """
        with self._changed:
            while not stopping.is_set():
                if self._serving:
                    return True
                known = [version for version in self._versions.values() if version.wanted]
                if known and all(version.state is State.END for version in known):
                    reasons = "; ".join(f"version {version.number}: {version.error}" for version in known)
                    raise StartError(
                        f"A version of model {self._config.name} must load. Received: {reasons}. "
                        f"Put a whole SavedModel into {self._config.base_path}/<number>.",
                        exit_code=1,
                    )
                self._changed.wait(0.2)
        return False

    @contextlib.contextmanager
    def acquire(self, name: str, version: int | None = None, label: str | None = None) -> Iterator[_Loaded]:
        """Yields a loaded version, which is not unloaded inside.

        Args:
          name: the model's.
          version: None for the newest that serves.
          label: instead of a version.

        Raises:
          ServingError: no such model, version or label.
        """
        if not name:
            raise invalid_argument("ModelSpec has no name specified.")
        with self._changed:
            found = self._find(name, version, label)
            found.calls += 1
        assert found.loaded is not None  # it serves, and stays loaded while it has calls
        try:
            yield found.loaded
        finally:
            with self._changed:
                found.calls -= 1

    def statuses(self, name: str) -> list[VersionStatus]:
        """Returns the status of every version that was ever seen, newest first; none for another model."""
        if name != self._config.name:
            return []
        with self._changed:
            known = sorted(self._versions.values(), key=lambda version: version.number, reverse=True)
            return [VersionStatus(version.number, version.state, version.error) for version in known]

    def reconfigure(self, config: ModelConfig, *, unavailable_labels: bool = False) -> None:
        """Applies another policy and other labels, which take effect at the next poll.

        Args:
          config: of the same model.
          unavailable_labels: whether a new label may point to a version that is not loaded.

        Raises:
          ServingError: another model, or a label points to a version that is not served. Nothing has changed then.
        """
        if config.name != self._config.name:
            raise failed_precondition(
                f"The local server must keep its model. Received: {config.name!r} instead of {self._config.name!r}. "
                "Start another server for it."
            )
        with self._changed:
            for label, number in config.labels.items():
                may_wait = unavailable_labels and self._labels.get(label, number) == number
                if number not in self._serving and not may_wait:
                    raise failed_precondition(
                        f"Request to assign label to version {number} of model {config.name}, "
                        "which is not currently available for inference"
                    )
            if config.request_log != self._config.request_log:
                log.warning("the changed logging_config takes effect at the next start")
            self._config, self._labels = config, dict(config.labels)

    def _find(self, name: str, number: int | None, label: str | None) -> _Version[_Loaded]:
        if label is not None:
            if name != self._config.name or label not in self._labels:
                raise invalid_argument(f"Unrecognized servable version label: {label}")
            number = self._labels[label]
        if name == self._config.name:
            newest = max(self._serving, default=None) if number is None else number
            if newest in self._serving:
                return self._serving[newest]
        request = f"Latest({name})" if number is None else f"Specific({name}, {number})"
        raise not_found(f"Servable not found for request: {request}")

    def _mark_wanted(self, wanted: set[int]) -> None:
        with self._changed:
            for number in wanted:
                known = self._versions.get(number)
                # A version that was removed and came back is a new one.
                if known is None or (known.state is State.END and not known.wanted):
                    self._versions[number] = _Version(number)
            for version in self._versions.values():
                # A version that is wanted again while it is unloaded is loaded anew after that.
                version.wanted = version.number in wanted and version.state is not State.UNLOADING
                if not version.wanted and version.state in (State.START, State.LOADING):
                    version.state = State.END

    def _load_if_due(self, version: _Version[_Loaded], path: Path) -> None:
        if version.loaded is not None:
            return
        contents = versions.contents_of(path)
        if version.failures and contents != version.failed_contents:
            version.failures = 0
        elif version.failures > max(self._retry.times, 0) or time.monotonic() < version.next_try:
            return
        self._set(version, State.LOADING, version.error)
        started = time.monotonic()
        try:
            loaded = self._load_version(version.number, path)
        except Exception as error:
            self._note_failure(version, error, contents)
            return
        version.loaded, version.failures = loaded, 0
        self._set(version, State.AVAILABLE, None)
        self._last_trouble = ""
        log.info("version %d available, loaded in %.1f s from %s", version.number, time.monotonic() - started, path)

    def _note_failure(self, version: _Version[_Loaded], error: Exception, contents: versions.Contents | None) -> None:
        failure = error if isinstance(error, ServingError) else ServingError(grpc.StatusCode.INTERNAL, repr(error))
        if version.error is None or version.error.message != failure.message:
            log.error("version %d failed to load: %s", version.number, failure.status_text)
        version.failures += 1
        version.failed_contents = contents
        version.next_try = time.monotonic() + max(self._retry.seconds, 0.0)
        given_up = version.failures > max(self._retry.times, 0)
        self._set(version, State.END if given_up else State.LOADING, failure)

    def _retire_unwanted(self, wanted: set[int]) -> None:
        with self._changed:
            unwanted = sorted(number for number, version in self._serving.items() if not version.wanted)
            # As TF Serving's availability-preserving policy: the last one goes only when another serves instead.
            if wanted and len(unwanted) == len(self._serving):
                unwanted = unwanted[:-1]
            for number in unwanted:
                self._serving.pop(number).state = State.UNLOADING

    def _close_unused(self) -> None:
        with self._changed:
            unused = [v for v in self._versions.values() if v.state is State.UNLOADING and v.calls == 0]
        for version in unused:
            if version.loaded is not None:
                version.loaded.close()
            version.loaded = None
            self._set(version, State.END, None)
            log.info("version %d unloaded", version.number)

    def _set(self, version: _Version[_Loaded], state: State, error: ServingError | None) -> None:
        with self._changed:
            version.state, version.error = state, error
            if state is State.AVAILABLE:
                self._serving[version.number] = version
            self._changed.notify_all()

    def _log_once(self, trouble: str) -> None:
        if trouble != self._last_trouble:
            log.warning("%s", trouble)
            self._last_trouble = trouble
