"""What is said of a run: one JSON object, whose `text` Slack, Mattermost, Teams and the like show."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Literal, NamedTuple

from components.data_gate.policy import mask
from kubeflow.container.exit_codes import MEANINGS
from kubeflow.spec.messages import Json, Spec
from kubeflow.status.status import log_url
from kubeflow.submit.api import ApiRun
from kubeflow.submit.outcome import Outcome, is_canceled
from kubeflow.submit.server import run_page, shorten
from kubeflow.submit.tasks import SUCCEEDED, read_tasks
from serving.untrusted import visible

#: Reasons of the cluster's and of signals, and the gate's and the Verdict's, which are masked or hold figures alone.
_WITHOUT_DATA = re.compile(r"failed to |KFP driver|the run ")
_CODES_WITHOUT_DATA = (0, 3, 4, 5, 130, 143)
#: The rule of a message, or the name of an exception: what comes behind may quote the data.
_RULE = re.compile(r"\w+: |.*?\bReceived:", re.DOTALL)
_MENTION = re.compile(r"@(?=(?:channel|here|everyone|all)\b)", re.IGNORECASE)


_State = Literal["succeeded", "failed", "canceled", "overdue"]


class Source(NamedTuple):
    """Where runs are."""

    host: str
    """URL of the API server."""
    ui: str
    """URL of the UI."""
    pipeline: str | None = None
    """The name of their pipeline; None takes that of the spec."""


class Notice(NamedTuple):
    """What is said of a run; the fields of the JSON object. Times are ISO 8601, in UTC."""

    text: str
    """For people, with Slack's three entities; of a long reason the beginning and the end."""
    state: _State
    run_id: str
    run_name: str
    pipeline: str | None
    task: str | None
    also_failed: list[str]
    exit_code: int | None
    """As `clickbait run` has it; None of a run that has not ended."""
    meaning: str
    """Of the exit code."""
    reason: str
    """Whole; masked where the gate masks its examples."""
    page: str
    """URL of the run in the UI."""
    log: str | None
    """URL of the task's log in the API."""
    started: str | None
    ended: str | None
    host: str
    """URL of the API server."""

    def as_dict(self, *, text_only: bool = False) -> dict[str, Json]:
        """Returns it as JSON has it."""
        return {"text": self.text} if text_only else dict(self._asdict())


def notice_of(run: ApiRun, outcome: Outcome, spec: Spec | None, source: Source) -> Notice:
    """Returns the notice of a run that has ended.

    Args:
      run: with its tasks.
      outcome: of the run.
      spec: of the run; None where the server has it no more.
      source: where it is.
    """
    state: _State = "succeeded" if run.state == SUCCEEDED else "canceled" if is_canceled(run) else "failed"
    meaning = MEANINGS.get(outcome.exit_code, MEANINGS[1])
    reason = mask_reason(outcome) if masks_examples(spec) else outcome.reason
    task = next((task for task in read_tasks(run) if task.name == outcome.task), None)
    return _notice(
        run,
        spec,
        state=state,
        task=outcome.task or None,
        also_failed=[*outcome.also_failed],
        exit_code=outcome.exit_code,
        meaning=meaning,
        reason="" if reason == meaning else reason,
        log=log_url(source.host, run.run_id, task) if task else None,
        source=source,
    )


def overdue_notice(run: ApiRun, hours: float, reason: str, spec: Spec | None, source: Source) -> Notice:
    """Returns the notice of a run that has not ended in time."""
    return _notice(
        run,
        spec,
        state="overdue",
        task=None,
        also_failed=[],
        exit_code=None,
        meaning=f"it has not ended {hours:g} h after it was created",
        reason=reason,
        log=None,
        source=source,
    )


def masks_examples(spec: Spec | None) -> bool:
    """Tells whether the gate of a spec masks its examples (`gate.mask_examples`); of an unknown spec it is supposed."""
    if spec is None:
        return True
    tasks = spec.get("root", {}).get("dag", {}).get("tasks", {})  # of another compiler's, perhaps none
    if "DataGate" not in tasks:
        return False
    try:
        policy = tasks["DataGate"]["inputs"]["parameters"]["policy"]["runtimeValue"]["constant"]
        return bool(json.loads(str(policy))["mask_examples"])
    except (KeyError, TypeError, ValueError):
        return True


def mask_reason(outcome: Outcome) -> str:
    """Returns a reason with its rule, and without the words of what was received.

    Example:
        >>> mask_reason(Outcome(2, "a.csv:1: a column must be `text`. Received: 10 Cats."))
        'a.csv:1: a column must be `text`. Received: 00 Xxxx.'
    """
    if outcome.exit_code in _CODES_WITHOUT_DATA or _WITHOUT_DATA.match(outcome.reason):
        return outcome.reason
    rule = _RULE.match(outcome.reason)
    end = rule.end() if rule else 0
    return outcome.reason[:end] + mask(outcome.reason[end:])


def _notice(
    run: ApiRun,
    spec: Spec | None,
    *,
    state: _State,
    task: str | None,
    also_failed: list[str],
    exit_code: int | None,
    meaning: str,
    reason: str,
    log: str | None,
    source: Source,
) -> Notice:
    pipeline = source.pipeline or (spec.get("pipelineInfo", {}).get("name") if spec else None)
    page = run_page(source.ui, run.run_id)
    first = f'{pipeline or "a pipeline"}: the run "{run.display_name}" {_end_of(state, task)}'
    if state in ("failed", "overdue"):
        first += f": {meaning}" + ("" if exit_code is None else f" (exit code {exit_code})")
    lines = [first, shorten(reason) if reason and state != "canceled" else ""]
    lines += [f"failed, too: {', '.join(also_failed)}" if also_failed else "", page]
    return Notice(
        text=_plain("\n".join(line for line in lines if line)),
        state=state,
        run_id=run.run_id,
        run_name=run.display_name,
        pipeline=pipeline,
        task=task,
        also_failed=also_failed,
        exit_code=exit_code,
        meaning=meaning,
        reason=reason,
        page=page,
        log=log,
        started=_iso(run.created_at),
        ended=_iso(run.finished_at),
        host=source.host,
    )


def _end_of(state: _State, task: str | None) -> str:
    if state == "failed":
        return f"failed in {task}" if task else "failed"
    return {"overdue": "is overdue", "canceled": "was canceled", "succeeded": "succeeded"}[state]


def _plain(text: str) -> str:
    """Returns text that notifies nobody by itself and links to nothing hidden: reasons may quote the data."""
    for sign, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(sign, entity)
    return visible(_MENTION.sub("@\N{ZERO WIDTH SPACE}", text))


def _iso(time: datetime | None) -> str | None:
    # The API writes times that it does not know as the epoch.
    return time.isoformat() if time and time.year > 1970 else None
