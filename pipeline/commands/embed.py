"""`clickbait embed`: prints an encoder's vectors."""

from __future__ import annotations

import click

from pipeline.terminal import quiet

_SHOWN_VALUES = 8


@click.command()
@click.argument("texts", nargs=-1, required=True)
@click.option("--encoder", "source", default="embedded", show_default=True, help="As for run.")
@click.option("--offline", is_flag=True, help="Never download.")
@click.option("--all", "whole", is_flag=True, help="Print all values, not the first eight.")
def embed(texts: tuple[str, ...], source: str, offline: bool, whole: bool) -> None:
    """Print the encoder's vector for each text: shape, norm and values."""
    with quiet() as terminal:
        from trainer.encoders.check import check_encoder
        from trainer.encoders.resolve import resolve_encoder
        from trainer.encoders.vectors import encode

        encoder = resolve_encoder(source, offline=offline)

        check_encoder(encoder.path, source=source, fine_tune=False)

        import numpy as np

        vectors = encode(encoder.path, texts)
        for text, vector in zip(texts, vectors, strict=True):
            count = vector.size if whole else min(vector.size, _SHOWN_VALUES)
            shown = ", ".join(f"{value:+.4f}" for value in vector[:count])
            more = f", ... {vector.size - count} more" if vector.size > count else ""
            terminal.out.print(text, markup=False, style="bold", soft_wrap=True)
            norm = float(np.linalg.norm(vector))
            terminal.out.print(
                f"  shape {vector.shape}  norm {norm:.4f}  [{shown}{more}]", markup=False, soft_wrap=True
            )
