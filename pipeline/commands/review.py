"""`clickbait review`: which labels are likely wrong, and which texts to label next."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.markup import escape

from pipeline.commands.options import CONFIG_FILE, LABEL_COLUMN, OUTPUT, OVERRIDES, PRESET
from pipeline.terminal import open_console, quiet, shorten

if TYPE_CHECKING:
    from pipeline.labelling.rows import LabelledTitles

_PIPE_WIDTH = 240
_CHUNK_ROWS = 10_000
_WEAK_AUC = 0.7


@click.command()
@click.option("--data", "data_path", metavar="FILE", help="Labelled rows, as for run.  [default: as for run]")
@click.option("--unlabelled", metavar="FILE", help="Choose texts of it to label next; as for predict --input.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default="review.csv",
    show_default=True,
    help="The file to answer.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    metavar="N",
    help="Write so many texts.  [default: all suspects, at least 100; with --unlabelled 100]",
)
@click.option("--force", is_flag=True, help="Replace --out, though it has answers.")
@click.option("--text-column", help="The column of texts.  [default: title]")
@LABEL_COLUMN
@click.option("--encoder", help="As for run.  [default: embedded]")
@click.option("--offline", is_flag=True, default=None, help="Never download.")
@OUTPUT
@PRESET
@CONFIG_FILE
@OVERRIDES
def review(
    data_path: str | None,
    unlabelled: str | None,
    out: Path,
    limit: int | None,
    force: bool,
    text_column: str | None,
    label_column: str | None,
    encoder: str | None,
    offline: bool | None,
    output: str | None,
    preset: str,
    config_file: Path | None,
    overrides: tuple[str, ...],
) -> None:
    """Write labels that are likely wrong, or texts to label next, into a CSV with a column for your answers.

    Without --unlabelled it ranks the labelled rows by how little the label fits what models of the other rows say. Your
    answers are applied by `run --set data.label_fixes=FILE`, and undone by leaving that out. With --unlabelled it
    chooses texts that the model is unsure of, unlike what is labelled and unlike each other.
    """
    from components.headline_example_gen.fixes import read_fixes
    from pipeline.config.pipeline_config import load_config
    from pipeline.inputs import choose_data
    from pipeline.labelling.review_file import check_target, write_review
    from pipeline.labelling.rows import read_labelled
    from serving.client.bulk.files import open_source
    from trainer.encoders.resolve import resolve_encoder

    flags = {
        "data.path": data_path,
        "data.text_column": text_column,
        "data.label_column": label_column,
        "encoder.source": encoder,
        "encoder.offline": offline,
        "output": output,
    }
    config = load_config(preset, config_file, overrides, flags)
    check_target(out, config.data, force=force)
    data = choose_data(config)
    answers = read_fixes(data.label_fixes.location if data.label_fixes else None, config.data).labels
    labelled = read_labelled(data.paths, config.data, answers)
    source = open_source(unlabelled, config.data.text_column, option="--unlabelled") if unlabelled else None
    texts = [text for chunk in source.chunks(_CHUNK_ROWS) for text in chunk.texts] if source else None
    console = open_console(pipe_width=_PIPE_WIDTH)
    _line(console, "data", data.description)
    _line(console, "read", _counts(labelled))
    with quiet():
        from pipeline.labelling.review import choose_texts, review_labels

        resolved = resolve_encoder(config.encoder.source, offline=config.encoder.offline, digest=config.encoder.digest)
        if texts is None:
            suspected = review_labels(labelled, resolved.path, config.data, answers, limit)
        else:
            chosen = choose_texts(labelled, texts, resolved.path, limit)
    file, rows = shlex.quote(shorten(out)), chosen.rows if texts is not None else suspected.rows
    write_review(out, rows, config.data)
    if texts is None:
        share = suspected.suspects / len(labelled.titles)
        both = f", {suspected.contradictions:,} titles have rows of both labels" if suspected.contradictions else ""
        is_weak = suspected.auc < _WEAK_AUC
        weak, likely = (": too weak to call a label wrong", "may be wrong") if is_weak else ("", "are likely wrong")
        _line(console, "models", f"AUC {suspected.auc:.4f} on titles that they did not see{weak}")
        _line(console, "suspects", f"{suspected.suspects:,} labels {likely} ({share:.1%}){both}")
        following = f"fill the column answer of {file}, then: clickbait run --set data.label_fixes={file}"
    else:
        _line(
            console,
            "texts",
            f"{len(texts):,} read · {chosen.known:,} are labelled already · {chosen.repeats:,} repeated or blank",
        )
        following = f"fill the column answer of {file}, and put it beside the data: --data takes a folder"
    _line(console, "file", f"{shorten(out)} · {len(rows):,} rows")
    _line(console, "next", following)


def _counts(labelled: LabelledTitles) -> str:
    counts = [f"{labelled.read:,} rows", f"{len(labelled.titles):,} titles"]
    if labelled.repeats:
        counts.append(f"{labelled.repeats:,} repeated")
    if labelled.rejected:
        counts.append(f"{labelled.rejected:,} rejected, which a run lists")
    return " · ".join(counts)


def _line(console: Console, name: str, text: str) -> None:
    console.print(f"[bold]{name:<9}[/]{escape(text)}", soft_wrap=True)
