"""What a run came to, as one page that needs nothing from elsewhere."""

from __future__ import annotations

from html import escape
from typing import Any

_PAGE = """<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><title>{status}</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2em; max-width: 60em }}
table {{ border-collapse: collapse; margin: 1em 0 }}
th, td {{ padding: .2em 1em .2em 0; text-align: left; vertical-align: top }}
td.number {{ text-align: right; font-variant-numeric: tabular-nums }}
.fail {{ color: #b3261e; font-weight: 600 }}
</style>
<h1>{status}</h1><p>{reason}</p>{tables}</html>
"""


def render_page(verdict: dict[str, Any]) -> str:
    """HTML of a verdict, or of as much of one as there is."""
    tables = [
        _table("Data", [(name, f"{count:,}") for name, count in _rows(verdict)]),
        _table(
            "Thresholds",
            [
                (
                    " ".join([one["split"], one["metric"], *one["slice"].values()]) + f", against the {one['against']}",
                    f"{one['direction']} {one['bound']:.4f}",
                    "" if one["observed"] is None else f"{one['observed']:.4f}",
                    {"broken": "not kept"}.get(one["outcome"], one["outcome"]),
                )
                for one in verdict.get("thresholds", [])
            ],
        ),
        *(
            _table(
                title,
                [
                    (one["rule"], one["where"], str(one["bound"]), str(one["observed"]), one["outcome"])
                    for one in (verdict.get(key) or {}).get("findings", [])
                ],
            )
            for title, key in (("Gate", "gate"), ("Infra validation", "infra"))
        ),
    ]
    return _PAGE.format(
        status=escape(verdict["status"]), reason=escape(verdict.get("reason", "")), tables="".join(tables)
    )


def _rows(verdict: dict[str, Any]) -> list[tuple[str, int]]:
    ingest = [(name, count) for name, count in verdict.get("ingest", {}).items() if isinstance(count, int)]
    return ingest + [(f"{split} rows", counts["rows"]) for split, counts in verdict.get("rows", {}).items()]


def _table(title: str, rows: list[tuple[str, ...]]) -> str:
    if not rows:
        return ""
    return f"<h2>{title}</h2><table>{''.join(map(_line, rows))}</table>"


def _line(row: tuple[str, ...]) -> str:
    first, *others = (escape(cell) for cell in row)
    failed = ' class="fail"' if others[-1] in ("not kept", "fail") else ""
    cells = "".join(f'<td class="number">{cell}</td>' for cell in others)
    return f"<tr{failed}><th>{first}</th>{cells}</tr>"
