"""`clickbait embed`: the article's first look at an encoder."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from pipeline.terminal import captured_output
from trainer.encoders.resolve import resolve_encoder

_SHOWN_VALUES = 8


def embed_texts(texts: Sequence[str], source: str, *, offline: bool, whole: bool) -> None:
    """Prints shape, norm and values of each text's vector: the first eight, or the whole.

    Raises:
      EncoderError: the encoder cannot be had, or does not map texts to vectors.
    """
    with tempfile.TemporaryDirectory() as folder, captured_output(Path(folder, "log.txt"), verbose=False) as terminal:
        encoder = resolve_encoder(source, offline=offline)
        from trainer.encoders.check import check_encoder

        check_encoder(encoder.path, source=source, fine_tune=False)

        import numpy as np
        import tensorflow as tf
        import tensorflow_hub as hub

        vectors = hub.load(str(encoder.path))(
            tf.constant([text.encode(errors="surrogateescape") for text in texts])
        ).numpy()
        for text, vector in zip(texts, vectors, strict=True):
            count = vector.size if whole else min(vector.size, _SHOWN_VALUES)
            shown = ", ".join(f"{value:+.4f}" for value in vector[:count])
            more = f", ... {vector.size - count} more" if vector.size > count else ""
            terminal.out.print(text, markup=False, style="bold", soft_wrap=True)
            norm = float(np.linalg.norm(vector))
            terminal.out.print(
                f"  shape {vector.shape}  norm {norm:.4f}  [{shown}{more}]", markup=False, soft_wrap=True
            )
