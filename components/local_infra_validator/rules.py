"""The rules that a served model is judged by. Pure: takes the measurements."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence

from components.local_infra_validator.policy import MAX_DIFFERENCE, Finding, InfraConfig
from trainer.features import EXAMPLES_SIGNATURE, RAW_SIGNATURE

SIGNATURES = (RAW_SIGNATURE, EXAMPLES_SIGNATURE)
_GB = 1e9


@dataclasses.dataclass
class Observed:
    """The measurements of a server with the golden headlines."""

    start_seconds: float = 0.0
    start_fault: str = ""
    """Why it was not ready; empty when it was."""
    model_fault: str = ""
    """Why the exported model did not load and score in this process; empty when it did."""
    call_fault: str = ""
    """Why a call failed; empty when none did."""
    expected: Mapping[str, Sequence[float]] = dataclasses.field(default_factory=dict)
    """Scores of the exported model by signature."""
    served: Mapping[str, Sequence[float]] = dataclasses.field(default_factory=dict)
    """The server's, by signature."""
    milliseconds: Sequence[float] = ()
    """Of calls with one headline."""
    peak_bytes: int | None = None
    """None where the system does not report it."""


def judge(observed: Observed, policy: InfraConfig) -> list[Finding]:
    """Judges every rule for which there are measurements."""
    findings = [_starts(observed, policy), _loads(observed)]
    if observed.call_fault:
        findings.append(Finding("scores", "all calls", "answered", "failed", False, observed.call_fault))
    if not any((observed.start_fault, observed.call_fault)):
        findings += [*_scores(observed), *_range(observed.served), _latency(observed.milliseconds, policy)]
    if not observed.start_fault:
        findings.append(_memory(observed.peak_bytes, policy))
    return findings


def percentile(values: Sequence[float], share: float) -> float:
    """Returns the least of the values that at least that share of them does not exceed."""
    return sorted(values)[max(math.ceil(share * len(values)), 1) - 1]


def _starts(observed: Observed, policy: InfraConfig) -> Finding:
    seconds = f"{observed.start_seconds:.1f} s"
    return Finding(
        "starts",
        "server",
        f"ready within {policy.cold_start_seconds:g} s",
        f"not ready after {seconds}" if observed.start_fault else f"ready after {seconds}",
        not observed.start_fault and observed.start_seconds <= policy.cold_start_seconds,
        observed.start_fault,
    )


def _loads(observed: Observed) -> Finding:
    loaded = not observed.model_fault
    return Finding(
        "loads", "this process", "loads and scores", "does" if loaded else "does not", loaded, observed.model_fault
    )


def _scores(observed: Observed) -> Iterator[Finding]:
    served, expected = observed.served, {} if observed.model_fault else observed.expected
    for signature in expected:
        yield _equal("scores", signature, "the exported model's", served[signature], expected[signature])
    yield _equal("agreement", "both signatures", "equal scores", *(served[signature] for signature in SIGNATURES))


def _equal(rule: str, where: str, what: str, scores: Sequence[float], others: Sequence[float]) -> Finding:
    difference = _difference(scores, others)
    bound = f"{what} within {MAX_DIFFERENCE:g}"
    return Finding(rule, where, bound, f"{difference:.1e} apart", difference <= MAX_DIFFERENCE)


def _range(served: Mapping[str, Sequence[float]]) -> Iterator[Finding]:
    for signature, scores in served.items():
        wrong = [score for score in scores if not 0 <= score <= 1]
        observed = f"{len(wrong)} of {len(scores)} are not" if wrong else "all are"
        detail = f"e.g. {wrong[0]}" if wrong else ""
        yield Finding("range", signature, "numbers from 0 to 1", observed, not wrong, detail)


def _latency(milliseconds: Sequence[float], policy: InfraConfig) -> Finding:
    middle, high = percentile(milliseconds, 0.5), percentile(milliseconds, 0.99)
    return Finding(
        "latency",
        "calls with one headline",
        f"p99 at most {policy.max_p99_milliseconds:g} ms",
        f"{high:.1f} ms",
        high <= policy.max_p99_milliseconds,
        f"p50 {middle:.1f} ms, {len(milliseconds)} calls",
    )


def _memory(peak_bytes: int | None, policy: InfraConfig) -> Finding:
    bound = f"peak at most {policy.max_memory_gb:g} GB"
    if peak_bytes is None:
        return Finding("memory", "server", bound, "unknown", None, "this system does not report a process's peak")
    peak = peak_bytes / _GB
    return Finding("memory", "server", bound, f"{peak:.2f} GB", peak <= policy.max_memory_gb)


def _difference(scores: Sequence[float], others: Sequence[float]) -> float:
    """Returns the greatest difference; that of two NaN is 0, because `range` refuses them."""
    pairs = [(a, b) for a, b in zip(scores, others, strict=True) if not (math.isnan(a) and math.isnan(b)) and a != b]
    differences = [abs(a - b) for a, b in pairs]
    return math.inf if any(map(math.isnan, differences)) else max(differences, default=0.0)
