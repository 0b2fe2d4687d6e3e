"""`clickbait versions` and `clickbait rollback`: the serving folder's versions, and the return to an earlier one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

import click
from rich.markup import escape
from rich.table import Table

from pipeline.commands.options import MODEL
from pipeline.config.paths import OutputPaths
from pipeline.terminal import open_console
from serving.versions import version_folder
from serving.versions.rollback import Rollback, restore_version
from serving.versions.version_folder import ChosenThreshold, VersionCard
from trainer import saved_model
from trainer.features import EVAL_SPLIT

if TYPE_CHECKING:
    from pipeline.config.pipeline_config import PipelineConfig

_SHOWN_DIGITS = 8
_SHOWN_TIME = len("2026-01-01T00:00")
_PIPE_WIDTH = 240
_CONFIRM_SECONDS = 60.0
_AVAILABLE = "AVAILABLE"


class VersionRow(NamedTuple):
    """A version, as `clickbait versions` lists it."""

    version: int
    state: str
    pushed_at: str | None
    run_id: str | None
    eval_accuracy: float | None
    digest: str | None
    notes: list[str]


def _with_output(command: Callable[..., None]) -> Callable[..., None]:
    """Adds the options that choose the serving folder; without them `CLICKBAIT__...` variables decide, as for run."""
    for option in (
        MODEL,
        click.option("--output", help="Folder that holds all that runs wrote.  [default: output]"),
    ):
        command = option(command)
    return command


@click.command()
@_with_output
@click.option("--serving", metavar="URL", help="The serving folder, where it is in an object store.")
@click.option("--target", metavar="HOST:PORT", help="A server whose state of each version is shown.")
def versions(output: str | None, model: str | None, serving: str | None, target: str | None) -> None:
    """List the versions in the serving folder, the newest last; TF Serving serves the newest."""
    paths = OutputPaths.of(_load_config(output, model))
    folder = serving or paths.serving_model
    states = _served(target, PurePosixPath(folder).name) if target else None
    rows = describe_versions(paths, states, serving)
    if rows:
        console = open_console(pipe_width=_PIPE_WIDTH)
        console.print(version_table(rows))
    else:
        click.echo(f"No versions in {folder}. Type `clickbait run`.")
    listed = {row.version for row in rows}
    for version in sorted(number for number, state in (states or {}).items() if state == _AVAILABLE):
        if version not in listed:
            click.echo(f"{target} serves version {version}, which is not in {folder}")


@click.command()
@_with_output
@click.option("--to", type=int, metavar="N", help="The version to go back to.  [default: the last with another model]")
@click.option("--target", metavar="HOST:PORT", help="A server that must serve it before this ends well.")
def rollback(output: str | None, model: str | None, to: int | None, target: str | None) -> None:
    """Put an earlier version back, under traffic.

    TF Serving serves the highest number, so the earlier model gets a new, higher one. The model that is replaced is
    not pushed again by a run, until a rollback names it with --to.
    """
    from components.versioned_pusher.confirm import confirm_version
    from pipeline.results.tracking import follow_rollback

    config = _load_config(output, model)
    paths = OutputPaths.of(config)
    folder = paths.serving_model
    done = restore_version(folder, to)
    for skipped in done.skipped:
        click.echo(f"skipped, because it is damaged: {skipped}")
    if done.changed:
        click.echo(
            f"version {done.version} is a copy of version {done.restored_from} and replaces version {done.rollback_of}"
        )
        _record(paths, done)
    elif done.restored_from == done.version:
        click.echo(f"version {done.version} is served already; nothing is changed")
    else:
        click.echo(
            f"version {done.version}, which is served, is a copy of version {done.restored_from}; nothing is changed"
        )
    if tracked := follow_rollback(folder, paths.runs.parent, config.tracking):
        click.echo(tracked)
    if target:
        confirm_version(target, folder.name, done.version, _CONFIRM_SECONDS)
        click.echo(f"{target} serves it")


def describe_versions(
    paths: OutputPaths, states: dict[int, str] | None = None, serving: str | None = None
) -> list[VersionRow]:
    """Describes each version, oldest first.

    Args:
      paths: of an output; the accuracies are those of its runs.
      states: a server's, by version; None where no server was asked: the newest is taken to be served.
      serving: the URL of the versions, where they are in an object store.

    Raises:
      StoreError: the store cannot be read.
    """
    from pipeline.results.run_folders import read_runs

    cards, faults = _read_versions(paths, serving)
    taken_back = version_folder.withdrawn(cards)
    reached = {run.run_id: run.accuracy_on(EVAL_SPLIT) for run in read_runs(paths.runs.parent)}
    rows = []
    for version, card in cards.items():
        notes = [f"not whole: {faults[version]}"] if faults[version] else []
        if card is None:
            notes.append("not pushed by clickbait")
        elif card.restored_from is not None:
            notes.append(f"copy of {card.restored_from}, replaces {card.rollback_of}")
        if card and card.override:
            notes.append(f"failed rules, overridden: {card.override}")
        if card and card.threshold:
            notes.append(_describe_threshold(card.threshold))
        if card and card.digest in taken_back:
            notes.append("rolled back")
        rows.append(
            VersionRow(
                version=version,
                state=_state(version, max(cards), states),
                pushed_at=card.pushed_at if card else None,
                run_id=card.run_id if card else None,
                eval_accuracy=reached.get(card.run_id) if card else None,
                digest=card.digest if card else None,
                notes=notes,
            )
        )
    return rows


def version_table(rows: list[VersionRow]) -> Table:
    """Returns a table with one line per version."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("version", "", "pushed (UTC)", "run", "eval", "digest", "note"):
        table.add_column(title, justify="right" if title == "eval" else "left", no_wrap=title != "note")
    for row in rows:
        table.add_row(
            str(row.version),
            row.state,
            (row.pushed_at or "")[:_SHOWN_TIME].replace("T", " "),
            row.run_id or "",
            f"{row.eval_accuracy:.4f}" if row.eval_accuracy is not None else "",
            (row.digest or "").removeprefix("sha256:")[:_SHOWN_DIGITS],
            escape(", ".join(row.notes)),
        )
    return table


def _read_versions(
    paths: OutputPaths, serving: str | None
) -> tuple[dict[int, VersionCard | None], dict[int, str | None]]:
    if serving:
        from serving.versions.object_store import read_versions  # with fsspec

        return read_versions(serving)
    cards = version_folder.read_cards(paths.serving_model)
    return cards, {version: saved_model.fault(paths.serving_model / str(version)) for version in cards}


def _served(target: str, model: str) -> dict[int, str]:
    from serving.client import Client, ServingError

    try:
        with Client(target, model=model) as client:
            return {status.version: status.state for status in client.status()}
    except ServingError as error:
        way = "Give the --target of a running server, or none to list the folder."
        raise ServingError(error.finding, way, exit_code=error.exit_code, code=error.code) from error


def _state(version: int, newest: int, states: dict[int, str] | None) -> str:
    if states is None:
        return "serving" if version == newest else ""
    state = states.get(version, "")
    return "serving" if state == _AVAILABLE else state.lower().replace("_", " ")


def _load_config(output: str | None, model: str | None) -> PipelineConfig:
    from pipeline.config.pipeline_config import load_config

    return load_config(flags={"output": output, "model_name": model})


def _describe_threshold(chosen: ChosenThreshold) -> str:
    wanted = ", ".join(f"{name} {share:g}" for name, share in chosen.wanted.items())
    low, high = chosen.unsure
    return f"threshold {chosen.threshold:.4g}, unsure {low:.4g} to {high:.4g} ({wanted})"


def _record(paths: OutputPaths, done: Rollback) -> None:
    """Records a rollback in ML Metadata; a failure only warns, because the version's card holds the same."""
    if not paths.metadata.is_file():
        return
    from components.versioned_pusher.lineage import record_rollback

    try:
        card = version_folder.read_card(paths.serving_model, done.version)
        if card is None:
            raise ValueError(f"version {done.version} must have a card")
        record_rollback(paths.metadata, paths.serving_model, done, card.digest)
    except Exception as error:
        click.echo(f"warning: not recorded in {paths.metadata}, only in the version's card: {error}", err=True)
