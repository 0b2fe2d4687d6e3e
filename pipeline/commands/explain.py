"""`clickbait explain`: the effect of each word of a headline on its score."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.commands.options import MODEL
from pipeline.config.paths import OutputPaths
from pipeline.terminal import open_console, quiet
from serving.client.bulk.text_files import LinesSource
from serving.client.view import score_lines
from serving.untrusted import visible
from serving.versions import version_folder
from serving.word_effects import Explanation, Word, explain_texts
from trainer import saved_model

if TYPE_CHECKING:
    from pydantic import JsonValue

    Scorer = Callable[[Sequence[str]], Iterable[float]]

_BATCH_ROWS = 128
_CHUNK_TEXTS = 64
_SHOWN_WORDS = 10
_BAR_CELLS = 12
_PIPE_WIDTH = 240
_FULL_BAR = 0.1
_STRONG, _NOTICEABLE = 0.1, 0.01


class ExplainError(Exception):
    """There is no model that can explain."""

    exit_code = 2


@click.command()
@click.argument("texts", nargs=-1, metavar="[TEXT]...")
@click.option("--output", help="Folder that holds all that runs wrote.  [default: output]")
@MODEL
@click.option("--version", type=int, help="The model's version.  [default: the newest, which is served]")
@click.option("--target", metavar="HOST:PORT", help="Score on that server over gRPC instead of loading the model here.")
@click.option("--timeout", "timeout_s", type=float, default=60.0, show_default=True, help="Seconds, of each call.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object a line and nothing else.")
def explain(
    texts: tuple[str, ...],
    output: str | None,
    model: str | None,
    version: int | None,
    target: str | None,
    timeout_s: float,
    as_json: bool,
) -> None:
    """Show the effect of each word of a headline on its score: the TEXTs given, or the lines of stdin.

    The effect of a word is the probability of clickbait less that of the headline without the word. The scores
    are those of the newest pushed model, loaded from the serving folder; with --target those of a server, which needs
    no TensorFlow here.
    """
    console = open_console(pipe_width=_PIPE_WIDTH)
    chunks = _chunks(texts)
    with _scorer(output, model, version, target, timeout_s) as (score, model_of):
        for chunk in chunks:
            for explanation in explain_texts(chunk, score):
                if as_json:
                    click.echo(visible(json.dumps(model_of | as_dict(explanation), ensure_ascii=False)))
                else:
                    print_explanation(console, explanation)


def as_dict(explanation: Explanation) -> dict[str, JsonValue]:
    """Returns an explanation as JSON values; None for a number that is not finite."""
    return {
        "text": explanation.text,
        "probability": _finite(explanation.score),
        "words": [{"word": word.text, "effect": _finite(word.effect)} for word in explanation.words],
        "words_left": explanation.words_left,
    }


def print_explanation(console: Console, explanation: Explanation) -> None:
    """Prints the score, the headline with coloured words, and a table of the strongest words."""
    head = next(score_lines([""], [explanation.score])).rstrip()
    click.echo(f"{head}  ", nl=False)
    console.print(coloured(explanation), soft_wrap=True)
    console.print(effect_table(explanation.words))
    for note in _notes(explanation):
        console.print(f"  {note}", soft_wrap=True)
    console.print()


def coloured(explanation: Explanation) -> Text:
    """Returns the headline with coloured words: yellow for clickbait, green for news, bold where strong."""
    shown = Text(" ").join(Text(visible(word.text), style=_style(word.effect)) for word in explanation.words)
    if explanation.words_left:
        shown.append(" ...")
    return shown


def effect_table(words: Sequence[Word]) -> Table:
    """Returns a table of the strongest words, the strongest first."""
    full_bar = max(_FULL_BAR, _strongest(words))
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    for _ in range(3):
        table.add_column(no_wrap=True)
    known = sorted((word for word in words if math.isfinite(word.effect)), key=lambda word: -abs(word.effect))
    for word in known[:_SHOWN_WORDS]:
        style, cells = _style(word.effect), round(_BAR_CELLS * abs(word.effect) / full_bar)
        table.add_row(Text(f"  {word.effect:+.4f}", style), Text("\u2588" * cells, style), Text(visible(word.text)))
    return table


def _chunks(texts: tuple[str, ...]) -> Iterator[list[str]]:
    if not texts:
        if sys.stdin is None or sys.stdin.isatty():
            raise click.UsageError("There must be a text to explain. Received: none. Give TEXT or lines on stdin.")
        return (chunk.texts for chunk in LinesSource("stdin", "text", sys.stdin.buffer).chunks(_CHUNK_TEXTS))
    for text in texts:
        try:
            text.encode()
        except UnicodeEncodeError:
            raise click.UsageError(f"A text must be UTF-8. Received: {text!a}.") from None
    return iter([list(texts)])


@contextmanager
def _scorer(
    output: str | None, model: str | None, version: int | None, target: str | None, timeout_s: float
) -> Iterator[tuple[Scorer, dict[str, JsonValue]]]:
    """Yields a function that scores texts, and the keys that name its model."""
    if target:
        # Else gRPC's own log lines stand beside the message.
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")
        from serving.client import Client

        with Client(target, model=model or "clickbait", version=version, timeout_s=timeout_s) as client:
            yield client.predict, {"target": target}
        return
    folder = _version_folder(output, model, version)
    yield _load(folder), {"version": int(folder.name)}


def _version_folder(output: str | None, model: str | None, version: int | None) -> Path:
    from pipeline.config.pipeline_config import load_config

    serving_model = OutputPaths.of(load_config(flags={"output": output, "model_name": model})).serving_model
    known = version_folder.list_versions(serving_model)
    if not known:
        raise ExplainError(
            f"There must be a pushed model to explain. Received: {serving_model}, which holds no version. "
            "Type `clickbait run`, or give --output, or --target HOST:PORT of a server."
        )
    if version is not None and version not in known:
        raise ExplainError(
            f"--version must be in {serving_model}. Received: {version}. Give one of {', '.join(map(str, known))}."
        )
    folder = serving_model / str(known[-1] if version is None else version)
    if fault := saved_model.fault(folder):
        raise ExplainError(
            f"The model must be whole to be explained. Received: {folder}: {fault}. Give another --version."
        )
    return folder


def _load(folder: Path) -> Scorer:
    with quiet():
        from components.text_scorer import TextScorer

        scorer = TextScorer(folder, _BATCH_ROWS)

    def score(texts: Sequence[str]) -> Iterable[float]:
        with quiet():
            return scorer(texts)

    return score


def _style(effect: float) -> str:
    if not math.isfinite(effect):
        return "red"
    if abs(effect) < _NOTICEABLE:
        return ""
    colour = "yellow" if effect > 0 else "green"
    return f"bold {colour}" if abs(effect) >= _STRONG else colour


def _strongest(words: Sequence[Word]) -> float:
    return max((abs(word.effect) for word in words if math.isfinite(word.effect)), default=0.0)


def _notes(explanation: Explanation) -> Iterator[str]:
    if not math.isfinite(explanation.score):
        yield "the model has no score for it" + ("" if explanation.words else ": there is no word in it")
    if math.isfinite(explanation.score) and explanation.words and _strongest(explanation.words) < _NOTICEABLE:
        yield f"no single word decides: without any one of them the score moves by less than {_NOTICEABLE}"
    if len(explanation.words) > _SHOWN_WORDS:
        yield f"{len(explanation.words) - _SHOWN_WORDS} weaker words are not shown"
    if explanation.words_left:
        yield f"{explanation.words_left} words after the first {len(explanation.words)} were not left out"


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
