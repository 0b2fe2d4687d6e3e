"""`python -m bench.serving_soak`: clients at full load while versions are pushed, rolled back and deleted.

Three models that differ in the bias of their head take turns in a serving folder, by the project's own push, rollback
and deletion. Each answer is compared with what the version that gave it must say. A poller lists the folder a thousand
times a second and looks whether each version that it sees is whole, and is the model that its card names. Prints what
happened and ends with 1 where anything was wrong.
"""

from __future__ import annotations

import argparse
import itertools
import json
import multiprocessing
import queue
import statistics
import tempfile
import threading
import time
from collections.abc import Sequence
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import NamedTuple, TypedDict

import grpc

from bench.servers import MODEL, Server, newest_version, running_server
from serving.client import ClientOptions
from serving.client.answers import read_scores
from serving.client.calls import predict_request
from serving.protocol.methods import PREDICT
from serving.versions import version_folder
from serving.versions.lock import claim_folder
from serving.versions.push import PUSHED, push_model
from serving.versions.rollback import restore_version
from trainer import saved_model

_BIASES = {"a": 0.0, "b": 0.5, "x": -0.5}
_TEXTS = 64
_TOLERANCE = 1e-5
_KEPT = 6
_PROCESSES = multiprocessing.get_context("spawn")


class Answer(NamedTuple):
    """A server's answer to a client."""

    version: int
    text: int
    score: float
    seconds: float


class Watched(TypedDict):
    """The observations of the folder's poller."""

    listings: int
    listings_per_s: int
    versions_seen: int
    compared: int
    gone_before_compared: int
    not_whole: list[str]


class Soak(Watched):
    """The result of a soak."""

    seconds: int
    changes: dict[str, int]
    clients: int
    answers: int
    versions_that_answered: int
    failed: list[str]
    wrong: list[Answer]
    p50_ms: float
    p99_ms: float
    longest_ms: int
    memory_before_mb: int
    memory_after_mb: int
    memory_ratio: float
    loads: int
    failed_loads: int


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the soak; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model_base_path", type=Path, default=Path("output/serving") / MODEL)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--changes", type=int, default=200, help="pushes, rollbacks and deletions in that time")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--settle_seconds", type=float, default=15.0, help="load before memory is read")
    parser.add_argument("--json", type=Path, help="a file for the result")
    args = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="soak-", dir=args.model_base_path.parent) as scratch:
        found = soak(newest_version(args.model_base_path), Path(scratch), args)
    print(json.dumps(found, indent=2))
    if args.json:
        args.json.write_text(json.dumps(found, indent=2), encoding="utf-8")
    return 1 if found["failed"] or found["wrong"] or found["not_whole"] else 0


def soak(model: Path, scratch: Path, args: argparse.Namespace) -> Soak:
    """Does it all in `scratch` and says what happened."""
    from bench.soak_models import distinct_texts, write_variant  # TensorFlow, which the clients' processes do without

    models = {name: write_variant(model, scratch / "models" / name, bias) for name, bias in _BIASES.items()}
    texts = distinct_texts(models, _TEXTS, 100 * _TOLERANCE)
    folder = scratch / MODEL
    script = _Script(folder, models)
    script.begin()
    stop = _PROCESSES.Event()
    answers: Queue[tuple[list[str], list[Answer]]] = _PROCESSES.Queue()
    seen: Queue[Watched] = _PROCESSES.Queue()
    with running_server(folder, scratch / "server.log") as server:
        others = [
            _PROCESSES.Process(target=_ask, args=(server.target, texts.sent, args.clients, stop, answers)),
            _PROCESSES.Process(target=_watch, args=(str(folder), stop, seen)),
        ]
        for other in others:
            other.start()
        try:
            for _ in range(6):  # the warm steady state is that after a swap
                script.step()
            before = _memory(server, args.settle_seconds)
            script.counts.clear()
            began = time.monotonic()
            for number in range(args.changes):
                script.step()
                time.sleep(max(0.0, began + (number + 1) * 60 * args.minutes / args.changes - time.monotonic()))
            seconds = time.monotonic() - began
            after = _memory(server, args.settle_seconds)
        finally:
            stop.set()
            (failures, given), watched = answers.get(timeout=120), seen.get(timeout=120)
            for other in others:
                other.join()
        log = (scratch / "server.log").read_text(encoding="utf-8", errors="replace")
    spent = sorted(answer.seconds for answer in given)
    return {
        "seconds": round(seconds),
        "changes": dict(script.counts),
        "clients": args.clients,
        "answers": len(given),
        "versions_that_answered": len({answer.version for answer in given}),
        "failed": failures,
        "wrong": [answer for answer in given if not is_right(answer, script.models_of, texts.scores)][:5],
        "p50_ms": round(1e3 * spent[len(spent) // 2], 1),
        "p99_ms": round(1e3 * spent[int(0.99 * len(spent))], 1),
        "longest_ms": round(1e3 * spent[-1]),
        "memory_before_mb": round(before / 1e6),
        "memory_after_mb": round(after / 1e6),
        "memory_ratio": round(after / before, 3),
        "loads": log.count(" available, loaded in "),
        "failed_loads": log.count(" failed to load: "),
        **watched,
    }


class _Script:
    """Pushes, rollbacks and deletions in turn, such that the three models are never all withdrawn."""

    def __init__(self, folder: Path, models: dict[str, Path]):
        self._folder, self._models = folder, models
        self._runs = itertools.count()
        self._steps = itertools.cycle(
            [
                lambda: self._push("a"),
                lambda: self._push("b"),
                lambda: self._roll_back("x"),
                self._delete,
                lambda: self._roll_back("b"),
                self._delete,
            ]
        )
        self.models_of: dict[int, str] = {}
        self.counts: dict[str, int] = {}

    def begin(self) -> None:
        """A folder in which `x` has been taken out of service."""
        for name in ("b", "x"):
            self._push(name)
        self._roll_back("b")

    def step(self) -> None:
        """The next change."""
        next(self._steps)()

    def _push(self, name: str) -> None:
        done = push_model(
            self._models[name],
            self._folder,
            run_id=f"soak-{next(self._runs)}",
            fingerprint=name,
            keep_versions=_KEPT,
        )
        assert done.outcome == PUSHED and done.version is not None, (name, done)
        self._note("pushes", done.version, name)

    def _roll_back(self, name: str) -> None:
        known = version_folder.list_versions(self._folder)
        to = max(version for version in known if self.models_of[version] == name)
        done = restore_version(self._folder, to)
        assert done.changed, (name, done)
        self._note("rollbacks", done.version, name)

    def _delete(self) -> None:
        """The oldest of the versions whose model a later one has, too; `_push` prunes what else is old."""
        known = version_folder.list_versions(self._folder)
        doomed = next(
            version
            for place, version in enumerate(known[:-2])
            if self.models_of[version] in [self.models_of[later] for later in known[place + 1 :]]
        )
        with claim_folder(self._folder):
            version_folder.remove_version(self._folder, doomed)
        self._count("deletions")

    def _note(self, what: str, version: int, name: str) -> None:
        self.models_of[version] = name
        self._count(what)

    def _count(self, what: str) -> None:
        self.counts[what] = self.counts.get(what, 0) + 1


def is_right(answer: Answer, models_of: dict[int, str], scores: dict[str, list[float]]) -> bool:
    """Whether the version that answered is known, and its model gives the text this score.

    Args:
      answer: as a client had it.
      models_of: the name of a version's model.
      scores: of each text, by model.
    """
    name = models_of.get(answer.version)
    return name is not None and abs(answer.score - scores[name][answer.text]) < _TOLERANCE


def _memory(server: Server, seconds: float) -> int:
    """The median of the second half of that time, under load."""
    samples = []
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        samples.append(server.memory)
        time.sleep(0.1)
    return int(statistics.median(samples[len(samples) // 2 :]))


def _ask(
    target: str, texts: list[str], clients: int, stop: Event, answers: Queue[tuple[list[str], list[Answer]]]
) -> None:
    options = ClientOptions(target=target, model=MODEL)
    requests = [predict_request([text.encode()], options) for text in texts]
    failures: list[str] = []
    given: list[Answer] = []

    def ask(first: int) -> None:
        # A channel without retries and of its own: what fails here fails.
        channel_options = [("grpc.enable_retries", 0), ("grpc.use_local_subchannel_pool", 1)]
        with grpc.insecure_channel(target, channel_options) as channel:
            call = channel.unary_unary(PREDICT.path, PREDICT.request.SerializeToString, PREDICT.response.FromString)
            for number in itertools.count(first):
                if stop.is_set():
                    return
                text = number % len(texts)
                began = time.perf_counter()
                try:
                    response = call(requests[text], timeout=60)
                    (score,) = read_scores(response, 1, options)
                except Exception as error:
                    failures.append(repr(error))
                    continue
                given.append(Answer(response.model_spec.version.value, text, score, time.perf_counter() - began))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    answers.put((failures, given))


def _watch(folder: str, stop: Event, seen: Queue[Watched]) -> None:
    fresh: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    watched: Watched = {
        "listings": 0,
        "listings_per_s": 0,
        "versions_seen": 0,
        "compared": 0,
        "gone_before_compared": 0,
        "not_whole": [],
    }

    def check() -> None:
        while (version := fresh.get()) is not None:
            place = Path(folder, version)
            try:
                card = version_folder.read_card(folder, int(version))
                whole = card is not None and saved_model.digest(place) == card.digest
            except OSError:
                whole = False
            if whole:
                watched["compared"] += 1
            elif place.exists():
                watched["not_whole"].append(f"{version}: not the model of its card")
            else:
                watched["gone_before_compared"] += 1

    checker = threading.Thread(target=check)
    checker.start()
    known: set[str] = set()
    began = time.monotonic()
    while not stop.is_set():
        names = {child.name for child in Path(folder).iterdir() if child.name.isdecimal()}
        for version in names - known:
            watched["versions_seen"] += 1
            try:
                fault = saved_model.fault(Path(folder, version))
            except OSError as error:
                fault = repr(error)
            if fault and Path(folder, version).exists():
                watched["not_whole"].append(f"{version}: {fault}")
            fresh.put(version)
        known |= names
        watched["listings"] += 1
        time.sleep(max(0.0, began + watched["listings"] / 1000 - time.monotonic()))
    seconds = time.monotonic() - began
    fresh.put(None)
    checker.join()
    watched["listings_per_s"] = round(watched["listings"] / seconds)
    seen.put(watched)


if __name__ == "__main__":
    raise SystemExit(main())
