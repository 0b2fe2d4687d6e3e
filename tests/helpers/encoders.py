"""Writes tiny SavedModels that are, or narrowly are not, encoders. TensorFlow is imported by the first call."""

from __future__ import annotations

import tarfile
from pathlib import Path

WORDS = ("budget", "cat", "election", "this", "what", "won't", "you")


def write_reusable_encoder(path: Path, dimension: int = 16) -> Path:
    """A reusable SavedModel: hashes words into a table of 64 rows and averages them."""
    call, variables = _mean_of_words(_table(64, dimension))
    return _save(path, call, variables, variables)


def write_nnlm_encoder(path: Path, dimension: int = 8) -> Path:
    """As nnlm-en-dim128 is made: a vocabulary file as an asset, out-of-vocabulary buckets, a sqrtn combiner."""
    import tensorflow as tf

    path.mkdir(parents=True, exist_ok=True)
    vocabulary = path.parent / f"{path.name}-tokens.txt"
    vocabulary.write_text("\n".join(WORDS) + "\n", encoding="utf-8")
    lookup = tf.lookup.StaticVocabularyTable(
        tf.lookup.TextFileInitializer(
            str(vocabulary),
            tf.string,
            tf.lookup.TextFileIndex.WHOLE_LINE,
            tf.int64,
            tf.lookup.TextFileIndex.LINE_NUMBER,
        ),
        num_oov_buckets=1,
    )
    table = _table(len(WORDS) + 1, dimension)

    def call(texts):
        ids = tf.ragged.map_flat_values(lookup.lookup, tf.strings.split(tf.strings.lower(texts)))
        return tf.nn.safe_embedding_lookup_sparse(table, ids.to_sparse(), combiner="sqrtn")

    _save(path, call, [table], [table], lookup=lookup)
    vocabulary.unlink()
    return path


def write_frozen_encoder(path: Path, dimension: int = 16) -> Path:
    """A bare `tf.Module` with `__call__`: TensorFlow stores no list of its variables."""
    import tensorflow as tf

    class Frozen(tf.Module):
        def __init__(self):
            super().__init__()
            self.table = _table(64, dimension)
            self.encode = _mean_of_words(self.table)[0]

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
        def __call__(self, texts):
            return self.encode(texts)

    tf.saved_model.save(Frozen(), str(path))
    return path


def write_no_gradient_encoder(path: Path) -> Path:
    """Lists a trainable variable that its output does not depend on."""
    call, variables = _mean_of_words(_table(64, 16))
    spare = _table(4, 16)
    return _save(path, call, [*variables, spare], trainable=[spare])


def write_rounding_encoder(path: Path) -> Path:
    """Depends on its variable, but only through integers, which no gradient passes."""
    import tensorflow as tf

    call, variables = _mean_of_words(_table(64, 16))
    return _save(path, lambda texts: tf.cast(tf.cast(call(texts) * 8, tf.int32), tf.float32), variables, variables)


def write_integer_encoder(path: Path) -> Path:
    """Returns word hashes instead of vectors."""
    import tensorflow as tf

    return _save(path, lambda texts: tf.strings.to_hash_bucket_fast(texts, 64)[:, tf.newaxis])


def write_dict_encoder(path: Path) -> Path:
    """Returns a dict, as BERT encoders do."""
    call, variables = _mean_of_words(_table(64, 16))
    return _save(path, lambda texts: {"pooled_output": call(texts)}, variables, variables)


def write_token_encoder(path: Path) -> Path:
    """Returns a vector for each character: [batch, length, dimension]."""
    call, variables = _mean_of_words(_table(64, 16))
    return _save(path, lambda texts: call(texts)[:, None, :], variables, variables)


def write_vector_encoder(path: Path) -> Path:
    """Returns one number a headline: [batch]."""
    call, variables = _mean_of_words(_table(64, 16))
    return _save(path, lambda texts: call(texts)[:, 0], variables, variables)


def write_mixing_encoder(path: Path) -> Path:
    """Returns one row, whatever the batch."""
    import tensorflow as tf

    call, variables = _mean_of_words(_table(64, 16))
    return _save(path, lambda texts: tf.reduce_mean(call(texts), 0, keepdims=True), variables, variables)


def write_nan_encoder(path: Path) -> Path:
    """Returns NaN."""
    call, variables = _mean_of_words(_table(64, 16))
    return _save(path, lambda texts: call(texts) * float("nan"), variables, variables)


def write_float_encoder(path: Path) -> Path:
    """Takes floats, as an image module does."""
    import tensorflow as tf

    return _save(path, lambda pixels: pixels * 2.0, spec=tf.TensorSpec([None, 4], tf.float32))


def write_fixed_batch_encoder(path: Path) -> Path:
    """Takes batches of two strings only."""
    import tensorflow as tf

    call, variables = _mean_of_words(_table(64, 16))
    return _save(
        path, lambda texts: tf.reshape(call(texts), [2, 16]), variables, variables, spec=tf.TensorSpec([2], tf.string)
    )


def write_signature_encoder(path: Path) -> Path:
    """Has a `serving_default` signature on strings and no `__call__`."""
    import tensorflow as tf

    call, variables = _mean_of_words(_table(64, 16))
    module = tf.train.Checkpoint(variables=variables)
    module.encode = tf.function(
        lambda text: {"vector": call(text)}, input_signature=[tf.TensorSpec([None], tf.string, name="text")]
    )
    tf.saved_model.save(module, str(path), signatures=module.encode)
    return path


def write_shell(path: Path, assets: tuple[str, ...] = ()) -> Path:
    """A folder that is framed as a SavedModel and that only TensorFlow can tell from one; needs no TensorFlow."""
    graph = b"".join(_field(6, _field(2, name.encode())) for name in assets) + _field(2, b"graph " * 50)
    (path / "variables").mkdir(parents=True)
    (path / "saved_model.pb").write_bytes(b"\x08\x01" + _field(2, graph))
    (path / "variables" / "variables.index").write_bytes(b"index")
    (path / "variables" / "variables.data-00000-of-00001").write_bytes(b"data" * 100)
    for name in assets:
        (path / "assets").mkdir(exist_ok=True)
        (path / "assets" / name).write_text("asset\n")
    return path


def pack(folder: Path, archive: Path, prefix: str = ".") -> Path:
    """Packs a folder into a tar, as `tar -C folder -czf archive .` does; `prefix` nests it."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive, "w" if archive.suffix == ".tar" else "w:gz") as members:
        members.add(folder, arcname=prefix)
    return archive


def _table(rows: int, dimension: int):
    import tensorflow as tf

    return tf.Variable(tf.random.stateless_uniform([rows, dimension], [1, 2], -1.0, 1.0), name="table")


def _mean_of_words(table):
    import tensorflow as tf

    def call(texts):
        words = tf.strings.split(tf.strings.lower(texts))
        rows = tf.ragged.map_flat_values(lambda flat: tf.strings.to_hash_bucket_fast(flat, table.shape[0]), words)
        return tf.reduce_mean(tf.ragged.map_flat_values(lambda flat: tf.gather(table, flat), rows), axis=1)

    return call, [table]


def _save(path: Path, call, variables=(), trainable=(), *, spec=None, **tracked) -> Path:
    """Saves `call` in the reusable SavedModel interface."""
    import tensorflow as tf

    module = tf.train.Checkpoint(**tracked)
    module.__call__ = tf.function(call, input_signature=[spec or tf.TensorSpec([None], tf.string)])
    module.variables = list(variables)
    module.trainable_variables = list(trainable)
    module.regularization_losses = []
    tf.saved_model.save(module, str(path))
    return path


def _field(number: int, content: bytes) -> bytes:
    """Encodes one length-delimited protobuf field of at most 16,383 bytes."""
    size = len(content)
    length = bytes([size]) if size < 128 else bytes([size & 0x7F | 0x80, size >> 7])
    return bytes([number << 3 | 2]) + length + content
