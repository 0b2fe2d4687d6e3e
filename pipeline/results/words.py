"""A verdict in words: the headline of a report, names of rules and slices. Pure, and light: no TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from components.evaluator.results import BOUND, LEAST, METRIC_NAMES, NOT_JUDGED, PASSED, Challenge, Judgement
from components.slices import CHALLENGE, NATURAL_SLICES, VARIANT
from pipeline.results.verdict import Verdict
from serving.untrusted import visible

GOOD, BAD, WARN = "good", "bad", "warn"

METRICS = METRIC_NAMES | {"precision": "precision", "recall": "recall", "ece": "calibration error"}
VARIANTS = {
    "as_is": "as written",
    "lower": "lower case",
    "upper": "UPPER CASE",
    "title": "Title Case",
    "no_punctuation": "no punctuation",
    "typo": "one typo",
    "no_digits": "digits masked",
    "quotes": "other quotes, contractions",
    "white_space": "surrounding spaces",
    "emoji": "emoji added",
}
CONTENDERS = {
    "candidate": "this model",
    "tfidf_cased": "linear model, sees capitals",
    "tfidf_lower": "linear model, lower-cased",
    "last_blessed": "last blessed model",
}
FINE_TUNED, WARM_START, PUSHED, FROZEN = "fine_tuned", "warm_start", "pushed", "frozen"
RECIPES = {
    FINE_TUNED: "fine-tuned",
    WARM_START: "last pushed model, fine-tuned",
    PUSHED: "last pushed model as it is",
    FROZEN: "frozen encoder",
    "tfidf_cased": CONTENDERS["tfidf_cased"],
    "tfidf_lower": CONTENDERS["tfidf_lower"],
}
"""The models of a learning curve."""
SLICES = {
    ("starts_with_digit", "yes"): "starts with a number",
    ("starts_with_digit", "no"): "starts with no number",
    ("says_you", "yes"): "says \u201cyou\u201d",
    ("says_you", "no"): "does not say \u201cyou\u201d",
}
NARROW_CONTENDERS = {"tfidf_cased": "linear", "tfidf_lower": "linear,\nlower", "last_blessed": "last\nblessed"}
"""For a table on a terminal, as `NARROW_SLICES`."""
NARROW_SLICES = {
    ("starts_with_digit", "yes"): "digit first",
    ("starts_with_digit", "no"): "no digit first",
    ("says_you", "yes"): "you",
    ("says_you", "no"): "no you",
}
CASINGS = ("lower", "upper", "title")
OUTCOMES = {
    "kept": "passed",
    "warn": "failed, warning only",
    "fail": "failed",
    "broken": "failed",
    "not judged": "not judged",
    "off": "off",
}
"""How people are shown the outcomes that files hold."""
SPLITS = {"train": "training", "eval": "evaluation", "behaviours": "cases", "challenge": "challenge"}
AGAINST = {
    "as_is": "the rows as written",
    "tfidf_lower": "the lower-cased linear model",
    "tfidf_cased": "the linear model that sees capitals",
    "level of chance": "calibrated scores by chance",
}
"""What a value is compared with, in a sentence."""
_SHOWN_DIGITS = 12
_SHOWN_BY_VALUE = {VARIANT, CHALLENGE, *NATURAL_SLICES, "group"}


class Headline(NamedTuple):
    """The verdict at a glance."""

    tone: str
    """`good`, `bad` or `warn`."""
    title: str
    sentence: str


def headline(verdict: Verdict) -> Headline:
    """Returns one title and one plain sentence or two."""
    status, failed = verdict.status, verdict.failed_rules
    if status == "not blessed":
        sentences = [_refusal(verdict, failed), _cause(verdict)]
        return Headline(BAD, "Not blessed: the model is not good enough", " ".join(filter(None, sentences)))
    if status in ("pushed", "unchanged"):
        where = f"as version {verdict.pushed.version}" if verdict.pushed else "before"
        override = verdict.evaluation.override if verdict.evaluation else None
        if override and failed:
            sentence = (
                f"It fails {_count(len(failed), 'rule')}, which were overridden: \u201c{override.reason}\u201d. "
                f"{_refusal(verdict, failed)}"
            )
            return Headline(WARN, f"Overridden: pushed {where} although it fails rules", sentence)
        title = f"Blessed, and pushed {where}" if status == "pushed" else f"Blessed; this very model is served {where}"
        return Headline(GOOD, title, _praise(verdict))
    if status == "done":
        return Headline(WARN if failed else GOOD, "Done", f"{_sentence(verdict.reason)} Nothing was pushed.")
    titles = {
        "refused": "The data was refused; no model was trained",
        "infra not blessed": "The model passed the evaluation and failed infra validation",
        "rolled back": "Not pushed: this model was rolled back",
        "interrupted": "The run was interrupted",
        "running": "The run has not ended",
        "failed": "The run failed",
        "damaged": "The run's verdict cannot be read",
    }
    return Headline(
        WARN if status in ("running", "interrupted", "rolled back") else BAD,
        titles.get(status, status),
        " ".join(filter(None, [_sentence(verdict.reason), _cause(verdict)])),
    )


def rule_name(judged: Judgement) -> str:
    """Returns the name of what a rule of `Verdict.thresholds` measures."""
    name = METRICS.get(judged.metric, judged.metric)
    if challenge := judged.slice.get(CHALLENGE):
        name = f"{name} on {challenge}"
    if judged.rule == "variant_drop" and judged.variant:
        return f"{name}, {VARIANTS.get(judged.variant, judged.variant)}"
    if judged.against != BOUND:
        return f"{name}, less that of {AGAINST.get(judged.against, 'the ' + judged.against)}"
    return name


def elsewhere(challenges: Sequence[Challenge]) -> str:
    """Returns what a model is worth on texts from elsewhere in one line, the best challenge first."""
    areas = [(area, challenge.name) for challenge in challenges if (area := challenge.auc["model"].value) is not None]
    by_area = sorted(areas, key=lambda pair: (-pair[0], pair[1]))
    parts = [f"{name} {area:.2f}" for area, name in by_area]
    parts += [f"{challenge.name} none" for challenge in challenges if challenge.auc["model"].value is None]
    if not by_area:
        reasons = (": ".join([challenge.name, *challenge.findings[:1]]) for challenge in challenges)
        return f"on headlines from elsewhere: no AUC ({'; '.join(reasons)})"
    span = f"{by_area[-1][0]:.2f}" + (f" to {by_area[0][0]:.2f}" if len(by_area) > 1 else "")
    return f"on headlines from elsewhere: AUC {span} ({', '.join(parts)})"


def slice_name(key: Mapping[str, str]) -> str:
    """Returns the name of a `MeasuredSlice.slice`."""
    if not key:
        return VARIANTS["as_is"]
    ((feature, value),) = key.items()
    if feature not in _SHOWN_BY_VALUE:
        return visible(f"{feature}={value}")
    return VARIANTS.get(value, value) if feature == VARIANT else SLICES.get((feature, value), value)


def number(value: float | None, judged: Judgement) -> str:
    """Returns a rule's threshold or observed value as text."""
    if value is None:
        return "\u2013" if judged.outcome == NOT_JUDGED else "no number"
    if judged.metric == "non_finite":
        return f"{value:,.0f}"
    if judged.against != BOUND:
        return f"{100 * value:+.2f} points".replace("-", "\u2212")
    return f"{value:.4f}"


def percent(share: float | None, digits: int = 2) -> str:
    """Returns a share from 0 to 1 as `98.99 %`, None as a dash."""
    return "\u2013" if share is None else f"{100 * share:.{digits}f}\u00a0%"


def label_name(label: int) -> str:
    """Returns the name of a label, 0 or 1."""
    return "clickbait" if label == 1 else "news"


def short_digest(value: object) -> str:
    """Returns a digest's first digits; anything else unchanged."""
    text = "none" if value is None else str(value)
    head, colon, digits = text.partition("sha256:")
    return f"sha256:{digits[:_SHOWN_DIGITS]}" if colon and not head else text


def accuracy_of(verdict: Verdict, variant: str | None = None) -> float | None:
    """Returns the evaluation rows' accuracy as they are or as a variant."""
    key = {"variant": variant} if variant else {}
    return next((part.accuracy.value for part in verdict.evaluated if part.slice == key), None)


def worst_variant(verdict: Verdict) -> tuple[str, float] | None:
    """Returns the variant with the lowest accuracy, and that accuracy."""
    measured = [
        (part.variant, part.accuracy.value)
        for part in verdict.evaluated
        if part.variant is not None and part.accuracy.value is not None
    ]
    return min(measured, key=lambda pair: pair[1], default=None)


def _refusal(verdict: Verdict, failed: Sequence[Judgement]) -> str:
    as_is, variants = accuracy_of(verdict), [judged for judged in failed if judged.rule == "variant_drop"]
    if not failed:
        return _sentence(verdict.reason)
    if not variants or as_is is None:
        return f"It fails {_count(len(failed), 'rule')}: {_rules(failed)}."
    worst = max(variants, key=lambda judged: -(judged.observed or 0.0)).variant or ""
    cause = "It relies on capitals instead of words: its" if worst in CASINGS else "Its"
    story = (
        f"{cause} accuracy is {percent(as_is)} on unseen headlines as written, but only "
        f"{percent(accuracy_of(verdict, worst))} on the same headlines {_written(worst)}."
    )
    others = [judged for judged in failed if judged not in variants]
    return f"{story} It also fails {_count(len(others), 'other rule')}: {_rules(others)}." if others else story


def _cause(verdict: Verdict) -> str:
    if verdict.cause is None:
        return ""
    return f"Cause: {verdict.cause.name}, {verdict.cause.detail}. Next: {verdict.cause.step}."


def _rules(failed: Sequence[Judgement]) -> str:
    return "; ".join(
        dict.fromkeys(
            judged.detail
            or f"{rule_name(judged)}{_on_rows(judged)} is "
            f"{number(judged.observed, judged)}, and must be {'at least' if judged.direction == LEAST else 'at most'} "
            f"{number(judged.bound, judged)}"
            for judged in failed
        )
    )


def _on_rows(judged: Judgement) -> str:
    # The name of a challenge's rule says it.
    return "" if CHALLENGE in judged.slice else f" on the {SPLITS.get(judged.split, judged.split)} rows"


def _praise(verdict: Verdict) -> str:
    as_is, worst = accuracy_of(verdict), worst_variant(verdict)
    if as_is is None:
        return _sentence(verdict.reason)
    sentence = f"Its accuracy is {percent(as_is)} on headlines that training did not see"
    if worst:
        sentence += f", and {percent(worst[1])} on their worst variant ({VARIANTS.get(worst[0], worst[0])})"
    gating = [judged for judged in verdict.thresholds if judged.gates]
    passed = sum(judged.outcome == PASSED for judged in gating)
    rules = f"All {passed} rules that could be judged passed" if passed < len(gating) else f"All {passed} rules passed"
    return f"{sentence}. {rules}."


def _written(variant: str) -> str:
    return {"lower": "in lower case", "upper": "in capitals", "title": "in title case"}.get(
        variant, f"with {VARIANTS.get(variant, variant)}"
    )


def _sentence(text: str) -> str:
    text = text.strip()
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('.', '!', '?')) else '.'}" if text else ""


def _count(count: int, name: str) -> str:
    return f"{count} {name}{'' if count == 1 else 's'}"
