"""`clickbait encoder`: digests of encoders, and a stand-in for one."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.terminal import quiet


@click.group()
def encoder() -> None:
    """Look at text encoders, or make one."""


@encoder.command()
@click.argument("source")
@click.option("--offline", is_flag=True, help="Never download.")
def digest(source: str, offline: bool) -> None:
    """Print the digest of the encoder SOURCE, which is fetched and not loaded.

    An encoder is a program. `--set encoder.digest=DIGEST` lets a run load no other.
    """
    from trainer.encoders.resolve import resolve_encoder

    click.echo(resolve_encoder(source, offline=offline).digest)


@encoder.command("stand-in")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--rows", type=click.IntRange(2), help="Rows of the table.  [default: USE 4's 800,010]")
def stand_in(folder: Path, rows: int | None) -> None:
    """Write a module of USE 4's signature and size, with random weights, into FOLDER (1.03 GB).

    It shows what fine-tuning USE 4 costs where that cannot be downloaded; its vectors mean nothing.
    """
    with quiet() as terminal:
        from trainer.encoders.stand_in import TABLE_ROWS, save_stand_in

        written = save_stand_in(folder, rows or TABLE_ROWS)
        terminal.out.print(str(written), markup=False, soft_wrap=True)
