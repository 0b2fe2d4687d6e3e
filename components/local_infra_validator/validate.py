"""Serves a model by a real server, sends the golden headlines, and judges the answers. Needs no TFX."""

from __future__ import annotations

import contextlib
import itertools
import shutil
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path

from components.local_infra_validator import expected_scores
from components.local_infra_validator.policy import InfraConfig, InfraVerdict, Server, write_verdict
from components.local_infra_validator.rules import SIGNATURES, Observed, judge
from components.local_infra_validator.running import RunningServer, free_port
from components.local_infra_validator.servers import ServerPlan, plan_server
from serving.client import Client, ServingError
from serving.versions import version_folder
from trainer import features, saved_model

LOG_FILE = "server.log"
_SERVED = "served"

_TIMED_CALLS = 100
_TIMED_SECONDS = 30.0
_CALL_SECONDS = 60.0
_POLL_SECONDS = 1.0


def validate_model(
    model_dir: str | Path, folder: Path, titles: Sequence[str], policy: InfraConfig, model_name: str
) -> InfraVerdict:
    """Serves a model with warm-up requests and judges it; writes these, `verdict.json` and `server.log`.

    Args:
      model_dir: the exported model.
      folder: for what is written, and while it is served for the version, by hard links.
      titles: the golden headlines.
      policy: the thresholds.
      model_name: what the server calls it.

    Returns:
      The verdict.

    Raises:
      ServerUnavailable: there is no server of the kind that the policy asks for.
    """
    expected_scores.write_warmup(folder, model_name)
    base_path = folder / _SERVED
    plan = plan_server(policy.server, base_path, model_name, port := free_port())
    version_folder.link_tree(model_dir, base_path / "1")
    version_folder.link_over(folder / version_folder.EXTRA, base_path / "1" / version_folder.EXTRA)
    digest = saved_model.digest(base_path / "1")
    with ThreadPoolExecutor(1) as beside:  # while the server starts
        expected = beside.submit(expected_scores.score_here, model_dir, titles)
        try:
            observed = _observe(plan, f"127.0.0.1:{port}", folder / LOG_FILE, titles, policy, model_name, expected)
        finally:
            shutil.rmtree(base_path)
    try:
        observed.expected = expected.result()
    except Exception as error:
        observed.model_fault = f"{type(error).__name__}: {_first_line(error)}"
    findings = judge(observed, policy)
    verdict = InfraVerdict(
        blessed=all(finding.kept is not False for finding in findings),
        digest=digest,
        server=Server(plan.kind, list(plan.command)),
        log=str(folder / LOG_FILE),
        golden_titles=len(titles),
        findings=findings,
    )
    write_verdict(folder, verdict)
    return verdict


def _observe(
    plan: ServerPlan,
    target: str,
    log: Path,
    titles: Sequence[str],
    policy: InfraConfig,
    model_name: str,
    beside: Future[dict[str, list[float]]],
) -> Observed:
    """Starts the server, sends the headlines, and times calls when nothing runs beside it any more."""
    observed = Observed()
    began = time.monotonic()
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(RunningServer(plan, log))
        clients = {
            signature: stack.enter_context(
                Client(target, model=model_name, signature=signature, timeout_s=_CALL_SECONDS)
            )
            for signature in SIGNATURES
        }
        observed.start_fault = _wait(server, clients[features.RAW_SIGNATURE], began + policy.cold_start_seconds)
        observed.start_seconds = time.monotonic() - began
        if observed.start_fault:
            return observed
        try:
            observed.served = {signature: client.predict(titles) for signature, client in clients.items()}
            wait([beside])
            observed.milliseconds = _time_calls(clients[features.RAW_SIGNATURE], titles)
        except ServingError as error:
            observed.call_fault = f"{error.finding} The server's log ends: {server.last_words}"
        observed.peak_bytes = server.peak_bytes()
    return observed


def _wait(server: RunningServer, client: Client, deadline: float) -> str:
    """Waits for the model, and returns why it is not there; an empty text when it is."""
    while True:
        left = deadline - time.monotonic()
        try:
            client.wait_until_ready(max(0.0, min(_POLL_SECONDS, left)))
            return ""
        except ServingError as error:
            if server.exit_code is not None:
                return f"it ended with exit code {server.exit_code}; its log ends: {server.last_words}"
            if left <= _POLL_SECONDS:
                return f"{error.finding} Its log ends: {server.last_words}"


def _time_calls(client: Client, titles: Sequence[str]) -> list[float]:
    milliseconds: list[float] = []
    began = time.monotonic()
    for title in itertools.islice(itertools.cycle(titles), _TIMED_CALLS):
        start = time.perf_counter()
        client.predict([title])
        milliseconds.append((time.perf_counter() - start) * 1000)
        if time.monotonic() - began > _TIMED_SECONDS:
            break
    return milliseconds


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or ["no reason given"])[0]
