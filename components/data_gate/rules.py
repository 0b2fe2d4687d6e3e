"""The rules that need no comparison of statistics: each turns facts into findings."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tensorflow_metadata.proto.v0 import anomalies_pb2

from components.data_gate.policy import Finding, GateConfig, shown
from trainer import features

SplitCounts = Mapping[str, Mapping[str, int]]
"""By split: `rows` and `clickbait`."""
_SHOWN_EXAMPLES = 5
_CHANCE = 4  # standard errors: what a hash split of so many rows misses by chance


def judge_rejects(ingest: Mapping[str, Any], policy: GateConfig) -> Iterator[Finding]:
    """Judges that at most a share of the rows was rejected.

    A rejected row counts as often as it has lines: a stray quote makes one row of many.
    """
    rows = ingest["rows"]
    lines = rows["rejected_lines"]
    every = rows["read"] - rows["rejected"] + lines
    share = lines / every if every else 0.0
    over = f" over {lines:,} lines" if lines > rows["rejected"] else ""
    by_rule = ", ".join(f"{count:,} {rule}" for rule, count in ingest["rejected_by_rule"].items())
    yield Finding(
        rule="rejects",
        where="all files",
        bound=f"<= {policy.max_rejected_share:.2%} of the rows",
        observed=f"{share:.2%}" if rows["read"] else "no rows",
        kept=share <= policy.max_rejected_share,
        detail=f"{rows['rejected']:,} of {rows['read']:,} rows{over}" + (f": {by_rule}" if by_rule else ""),
        # A reason may quote a label, and where columns are swapped that is a title.
        examples=[
            f"{fault['file']}:{fault['line']}: {fault['rule' if policy.mask_examples else 'reason']}"
            for fault in ingest["faults"][:_SHOWN_EXAMPLES]
        ],
    )


def judge_rows(counts: SplitCounts, policy: GateConfig, split_by: str = "") -> Iterator[Finding]:
    """Judges that each split has enough rows.

    Args:
      counts: of the splits.
      policy: the bound.
      split_by: what decides the split, where it is not the hash of the title.
    """
    for split, count in counts.items():
        yield Finding(
            rule="rows",
            where=split,
            bound=f">= {policy.min_split_rows:,} rows",
            observed=count["rows"],
            kept=count["rows"] >= policy.min_split_rows,
            detail=f"split by {split_by}" if split_by else "",
        )


def judge_classes(counts: SplitCounts, policy: GateConfig) -> Iterator[Finding]:
    """Judges that each split has both classes, and enough rows of the smaller one."""
    for split, count in counts.items():
        positive, rows = count["clickbait"], count["rows"]
        if not rows:
            continue  # the rule `rows` fails
        minority = min(positive, rows - positive)
        share = minority / rows
        yield Finding(
            rule="classes",
            where=split,
            bound=f"both classes, the smaller >= {policy.min_minority_share:.1%}",
            observed=f"{share:.1%}",
            kept=minority > 0 and share >= policy.min_minority_share,
            detail=f"{positive:,} of {rows:,} rows are labelled 1",
        )


def judge_split(
    counts: SplitCounts, aim: float | None, policy: GateConfig, split: Mapping[str, Any] = {}
) -> Iterator[Finding]:
    """Judges that the split train has the configured share, within the tolerance and chance.

    Args:
      counts: of the splits.
      aim: the share; None where the data gives the splits.
      policy: the tolerance.
      split: `split` of the ingest's report: groups of rows that stay together differ more by chance.
    """
    rows = sum(count["rows"] for count in counts.values())
    if not rows:
        return
    share = counts[features.TRAIN_SPLIT]["rows"] / rows
    if aim is None:
        yield Finding("split", features.TRAIN_SPLIT, "as given", f"{share:.1%}", None, f"split by {split['by']}")
        return
    units = min(split.get("units", rows), rows)
    chance = _CHANCE * math.sqrt(aim * (1 - aim) / units)
    allowed = policy.split_tolerance + chance
    groups = f" of {split['groups']:,} groups, as {units:,.0f} of equal size," if "groups" in split else ""
    yield Finding(
        rule="split",
        where=features.TRAIN_SPLIT,
        bound=f"{aim:.1%} of the rows, +- {allowed:.1%}",
        observed=f"{share:.1%}",
        kept=abs(share - aim) <= allowed,
        detail=f"tolerance {policy.split_tolerance:.1%} and {chance:.1%} for chance{groups} in {rows:,} rows",
    )


def judge_leakage(
    leaks: int, titles: list[str], policy: GateConfig, left_out: int = 0, pairs: Sequence[str] = ()
) -> Iterator[Finding]:
    """Judges that no title is in both splits, whatever its casing, white space and Unicode form.

    Args:
      leaks: how many titles are.
      titles: some of them.
      policy: whether titles are masked.
      left_out: rows of train that the ingest left out, because their title is in eval, too.
      pairs: some of them, each with the row of eval.
    """
    detail = "titles compared without casing, white space and Unicode form"
    if left_out:
        more = "; ..." if left_out > len(pairs) else ""
        detail += f"; {left_out:,} rows of train are left out, whose title is in eval, too: {'; '.join(pairs)}{more}"
    yield Finding(
        rule="leakage",
        where="train and eval",
        bound="no title in both",
        observed=leaks,
        kept=leaks == 0,
        detail=detail,
        examples=[shown(title, policy) for title in titles],
    )


def judge_label_fixes(fixes: Mapping[str, Any] | None, policy: GateConfig) -> Iterator[Finding]:
    """Judges that the data has each title that `data.label_fixes` has an answer for.

    Args:
      fixes: `label_fixes` of the ingest's report; None where there are none.
      policy: whether titles are masked.
    """
    if fixes is None:
        return
    yield Finding(
        rule="label_fixes",
        where="data.label_fixes",
        bound="each title is in the data",
        observed=fixes["absent"],
        kept=fixes["absent"] == 0,
        detail=f"{fixes['answers']:,} answers: {fixes['relabelled']:,} rows have another label by them, and "
        f"{fixes['absent']:,} titles are no row's exactly",
        examples=[f"{answer['place']}: {shown(answer['title'], policy)}" for answer in fixes["shown"]],
    )


def judge_anomalies(anomalies: Mapping[str, anomalies_pb2.Anomalies], policy: GateConfig) -> Iterator[Finding]:
    """Yields ExampleValidator's anomalies as findings, by their severity."""
    rules = {anomalies_pb2.AnomalyInfo.ERROR: "schema_errors", anomalies_pb2.AnomalyInfo.WARNING: "schema_warnings"}
    found = dict.fromkeys(rules.values(), 0)
    for split, proto in anomalies.items():
        infos = dict(proto.anomaly_info)
        if proto.HasField("dataset_anomaly_info"):
            infos["data set"] = proto.dataset_anomaly_info
        for name, info in sorted(infos.items()):
            rule = rules.get(info.severity, "schema_errors")
            found[rule] += 1
            yield Finding(
                rule=rule,
                where=f"{split} {name}",
                bound="as the schema says",
                observed=info.short_description,
                kept=False,
                detail="" if policy.mask_examples else info.description,  # TFDV quotes the values
            )
    for rule, number in found.items():
        if not number:
            yield Finding(rule, "train and eval", "as the schema says", "no anomaly", kept=True)
