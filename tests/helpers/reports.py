"""Runs for reports: what is measured on made-up headlines by the evaluation's own code, in verdicts and facts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from components.data_gate.policy import Finding
from components.evaluator.compose import compose_verdict
from components.evaluator.intervals import Estimate, area_under_roc, calibration_error, mean, proportion
from components.evaluator.measures import measure
from components.evaluator.policy import Slice
from components.evaluator.results import Challenge
from components.local_infra_validator.policy import Finding as InfraFinding
from components.slices import AS_IS, NATURAL_SLICES, VARIANTS
from pipeline.results.report.artifacts import CANDIDATE, likely_label_errors
from pipeline.results.report.curves import describe_scores
from pipeline.results.report.facts import ChallengeFacts, ExplainedError, Facts
from pipeline.results.verdict import Verdict
from tests.helpers.evaluations import a_policy
from tests.helpers.verdicts import a_verdict, an_infra_verdict

ROWS = 1000
HOSTILE = '<script>document.title = "hacked"</script><img src=x onerror="document.title = 1">'
"""What a headline may be."""

SCORED = {"model": CANDIDATE, "linear_lower": "tfidf_lower", "last_blessed": "last_blessed"}
"""The models of a challenge's figures, by the names of its curves."""

_BASELINES = {"tfidf_cased": 0.006, "tfidf_lower": 0.02}


def a_report_run(*, casing: str = "augment", **changes: Any) -> tuple[Verdict, Facts]:
    """Verdict and facts of a run that was evaluated.

    Args:
      casing: by `as_is`, the model relies on capitals, and is refused.
      changes: of the verdict; `bless_anyway` is one of the policy, and with `elsewhere` it is measured there, too.
    """
    policy = a_policy(bless_anyway=changes.pop("bless_anyway", None))
    slices, scores, labels = _measured(casing)
    judged = compose_verdict(slices, list(_BASELINES), policy)
    refused = not judged.blessed
    challenges, challenge_facts = _elsewhere() if changes.pop("elsewhere", False) else ([], None)
    outcome: dict[str, Any] = {}
    if refused and not policy.bless_anyway:
        outcome = {
            "status": "not blessed",
            "exit_code": 4,
            "blessed": False,
            "pushed": None,
            "reason": "failed rules: ...",
        }
    verdict: dict[str, Any] = dict(
        schema_version=2,
        started_at="2026-01-01T00:00:00+00:00",
        run_id=f"20260101-000000-{casing[:4]}1",
        data={
            "origin": "given",
            "description": "headlines.csv · by --data",
            "files": ["headlines.csv"],
            "sha256": "sha256:" + "ab" * 32,
            "schema_sha256": "sha256:" + "cd" * 32,
        },
        encoder={"source": "embedded", "fine_tuned": True, "digest": "sha256:" + "ef" * 32, "parameters": 68_927_232},
        ingest={
            "read": 3405,
            "accepted": 3400,
            "duplicates": 0,
            "rejected": 5,
            "left_out": 0,
            "rejected_by_rule": {"label": 3, "title": 2},
        },
        rows={"train": {"rows": 2400, "clickbait": 1210}, "eval": {"rows": ROWS, "clickbait": ROWS // 2}},
        gate={"accepted": True, "findings": [a_finding("drift", "label", outcome="warn"), a_finding("rows", "train")]},
        training={
            "settings": {"casing": casing, "epochs": 2, "learning_rate": 0.0004},
            "train_rows": 2400,
            "steps": 76,
            "trainable_parameters": 513,
            "fit_seconds": 30.5,
            "epochs": {name: [0.5, 0.75] for name in ("loss", "accuracy", "val_loss", "val_accuracy")},
        },
        infra=an_infra_verdict(
            findings=[
                InfraFinding("latency", "calls with one headline", "at most 0.1", "5.0 ms", True, detail="p50 1.7 ms")
            ]
        ),
        components={
            "HeadlineExampleGen": {"status": "cached", "seconds": 0.5},
            "Trainer": {"status": "done", "seconds": 30.5},
        },
        thresholds=judged.thresholds,
        evaluation=judged.evaluation,
        challenges=challenges,
        **outcome,
    )
    return a_verdict(**{**verdict, **changes}), replace(_facts(scores, labels, casing), challenges=challenge_facts)


def a_challenge(name: str, labels: np.ndarray, scores: dict[str, np.ndarray], **changes: Any) -> Challenge:
    """A challenge of these rows, without AUC where they are of one class, with `changes`.

    Args:
      name: of it.
      labels: 0 or 1, [rows].
      scores: by the models of `ChallengeFigures`, [rows].
      changes: of its fields.
    """
    counts = {
        "name": name,
        "path": f"{name}.csv",
        "sha256": "sha256:" + "56" * 32,
        "read": len(labels) + 18,
        "rejected": 3,
        "rejected_by_rule": {"label": 2, "text": 1},
        "repeats": 4,
        "trained_on": 11,
        "trained_on_exactly": 7,
        "rows": len(labels),
        "clickbait": int(labels.sum()),
        "clickbait_share": float(labels.mean()),
        "findings": [],
    }
    figures = _figures(labels, scores)
    lower = _figures(labels, {model: values * 0.9 for model, values in scores.items()})
    return Challenge.from_dict({**counts, **figures, "lower": lower, **changes})


def _figures(labels: np.ndarray, scores: dict[str, np.ndarray]) -> dict[str, Any]:
    both = 0 < labels.sum() < len(labels)
    right = {model: int(np.sum((values > 0.5) == labels)) for model, values in scores.items()}
    share = {"value": 0.625, "interval": [0.5, 0.75]}
    at_share = {"threshold": 0.75, "accuracy": share, "precision": share, "recall": share} if both else None
    return {
        "auc": {model: _metric(area_under_roc(labels, values)) for model, values in scores.items()},
        "accuracy": {model: _metric(proportion(count, len(labels))) for model, count in right.items()},
        "accuracy_at_share": dict.fromkeys(scores, at_share),
        "ece": {model: {"value": calibration_error(labels, scores[model]).value, "interval": None} for model in scores},
        "brier": {model: _metric(mean((values - labels) ** 2)) for model, values in scores.items()},
        "non_finite": dict.fromkeys(scores, 0),
    }


def _metric(estimate: Estimate) -> dict[str, Any]:
    value, *interval = (float(number) if np.isfinite(number) else None for number in estimate)
    return {"value": value, "interval": interval if value is not None else None}


def _elsewhere() -> tuple[list[Challenge], list[ChallengeFacts]]:
    """A challenge with all models, one on which the linear one is the better, and one of news alone."""
    random = np.random.default_rng(3)
    challenges, facts = [], []
    for name, rows, own, linear in (
        ("youtube", 900, 0.16, 0.1),
        ("spanish_teasers", 300, 0.05, 0.12),
        ("agency", 40, 0, 0),
    ):
        labels = np.arange(rows) % 3 // 2 if own else np.zeros(rows, int)
        scores = {
            model: np.clip(random.beta(0.7, 0.7, rows) + shift * (2 * labels - 1), 0.001, 0.999)
            for model, shift in (("model", own), ("linear_lower", linear), ("last_blessed", own))
        }
        if name == "spanish_teasers":
            del scores["last_blessed"]
        findings = [] if own else [f"all {rows} rows are news: there is no AUC"]
        challenges.append(a_challenge(name, labels, scores, findings=findings))
        drawn = describe_scores(labels, {SCORED[model]: values for model, values in scores.items()}, CANDIDATE)
        errors = [
            ExplainedError(title=title, label=0, probability=0.99, others={"tfidf_lower": 0.25}, words=[], words_left=0)
            for title in (HOSTILE, "A title from elsewhere")
        ]
        facts.append(ChallengeFacts(name, drawn.roc, drawn.reliability, errors))
    return challenges, facts


def a_finding(rule: str, where: str, *, outcome: str = "kept", observed: str = "0.01", detail: str = "") -> Finding:
    """Of the gate."""
    return Finding(rule, where, "at most 0.1", observed, outcome == "kept", detail, [], outcome)


def _measured(casing: str) -> tuple[list[Slice], dict[str, np.ndarray], np.ndarray]:
    labels = np.arange(ROWS) % 2
    random = np.random.default_rng(1)
    others = {name: _scores(labels, share, random) for name, share in _BASELINES.items()}
    own = _scores(labels, 0.005, random)
    slices = [Slice("train", {}, measure(labels, _scores(labels, 0.001, random), others))]
    for variant in VARIANTS:
        wrong = 0.35 if casing == AS_IS and variant in ("lower", "upper", "title") else 0.008
        scores = own if variant == AS_IS else _scores(labels, wrong, random)
        key = {} if variant == AS_IS else {"variant": variant}
        slices.append(Slice("eval", key, measure(labels, scores, {AS_IS: own, **others})))
    for name, values in NATURAL_SLICES.items():
        for number, value in enumerate(values):
            part = np.arange(ROWS) % len(values) == number if len(values) > 2 else np.arange(ROWS) // 2 % 2 == number
            some = {key: scores[part] for key, scores in others.items()}
            slices.append(Slice("eval", {name: value}, measure(labels[part], own[part], some)))
    return slices, {CANDIDATE: own, **others}, labels


def _scores(labels: np.ndarray, wrong: float, random: np.random.Generator) -> np.ndarray:
    sure = random.beta(20, 0.3, len(labels)) * 0.49 + 0.5
    scores = np.where(labels == 1, sure, 1 - sure)
    scores[: int(wrong * len(labels))] = 1 - scores[: int(wrong * len(labels))]
    return scores


def _facts(scores: dict[str, np.ndarray], labels: np.ndarray, casing: str) -> Facts:
    titles = [HOSTILE, *(f"Headline number {number}" for number in range(1, len(labels)))]
    doubtful = {name: np.where(np.arange(ROWS) == 0, 1.0 - labels[0], values) for name, values in scores.items()}
    lengths = {
        "mean": 52.0,
        "median": 51.0,
        "min": 5.0,
        "max": 130.0,
        "histogram": [[5.0, 40.0, 0.25], [40.0, 75.0, 0.5], [75.0, 130.0, 0.25]],
    }
    statistics = {"rows": ROWS, "labels": {"0": 0.5, "1": 0.5}, "casings": {"Title": 0.7, "lower": 0.3}}
    words = [{"word": word, "effect": effect} for word, effect in ((HOSTILE, 0.3), ("you", -0.2), ("so", 0.001))]
    return Facts.from_dict(
        {
            "settings": {"training.casing": casing, "training.epochs": 2},
            "cpu_seconds": 61.5,
            "model_bytes": 270_000_000,
            "lineage": {
                "code": {"package": "clickbait-tfx 0.1.0", "commit": "0123456789ab"},
                "config_sha256": "sha256:" + "34" * 32,
                "artifacts": [{"node": "Trainer", "output": "model", "uri": "/tfx/model/7", "id": 7, "type": "Model"}],
            },
            "previous": {
                "run_id": "20251231-000000-0000",
                "changes": [{"what": "AUC", "before": "0.98", "now": "0.99"}],
            },
            "statistics": {split: {**statistics, "title_characters": lengths} for split in ("train", "eval")},
            "curves": describe_scores(labels, scores, CANDIDATE),
            "label_errors": likely_label_errors(titles, labels, doubtful),
            "errors": [
                {
                    "row": 0,
                    "title": HOSTILE,
                    "label": 0,
                    "probability": 0.998,
                    "others": {"tfidf_cased": 0.2, "tfidf_lower": None},
                    "words": words,
                    "words_left": 2,
                }
            ],
        }
    )
