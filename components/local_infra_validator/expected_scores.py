"""The golden headlines, their scores by the exported model, and the requests that warm a server up."""

from __future__ import annotations

import gzip
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

from components.local_infra_validator.rules import SIGNATURES
from serving.client import ClientOptions
from serving.client.calls import predict_request
from serving.protocol.messages import Example, PredictionLog
from serving.protocol.records import frame, read_records
from trainer import features

ARTICLE_TITLES = ("21 Pictures That Will Make You Feel Like You're 99 Years Old", "Google announces TensorFlow 2.0")
WARMUP_FILE = Path("assets.extra") / "tf_serving_warmup_requests"
_WARMUP_ROWS = (1, 2, 16)


def read_titles(split: str | Path, count: int) -> list[str]:
    """Reads the first titles of a split, after the article's two.

    Args:
      split: folder of gzipped TFRecords of tf.Examples.
      count: of rows at most.
    """
    records = itertools.chain.from_iterable(_records(file) for file in sorted(Path(split).glob("*.gz")))
    titles = (
        Example.FromString(record).features.feature[features.TITLE].bytes_list.value[0].decode()
        for record in itertools.islice(records, count)
    )
    return [*ARTICLE_TITLES, *titles]


def score_here(model_dir: str | Path, titles: Sequence[str]) -> dict[str, list[float]]:
    """Returns the probabilities by signature, of a SavedModel that is loaded in this process.

    On the CPU, where the server runs: a GPU multiplies less exactly than the scores are compared.

    Raises:
      SignatureError: the model has no signature that maps titles to probabilities.
      Exception: TensorFlow's.
    """
    from components.text_scorer import TextScorer

    scorer = TextScorer(model_dir, batch_rows=len(titles), device="/CPU:0")
    scores = scorer(titles), scorer.score_examples([_example(title.encode()) for title in titles])
    return {name: values.tolist() for name, values in zip(SIGNATURES, scores, strict=True)}


def write_warmup(folder: Path, model_name: str) -> None:
    """Writes requests, which TF Serving replays before a version serves that has them in its `assets.extra`.

    They are in both signatures and of one and more titles, and only the article's: rows of the data do not belong
    into a pushed model.

    Args:
      folder: they go below it.
      model_name: as the server calls it.
    """
    file = folder / WARMUP_FILE
    file.parent.mkdir(exist_ok=True)
    with file.open("wb") as stream:
        for signature, rows in itertools.product(SIGNATURES, _WARMUP_ROWS):
            titles = itertools.islice(itertools.cycle(ARTICLE_TITLES), rows)
            options = ClientOptions(model=model_name, signature=signature)
            log = PredictionLog()
            log.predict_log.request.CopyFrom(predict_request((title.encode() for title in titles), options))
            stream.write(frame(log.SerializeToString()))


def _records(file: Path) -> Iterator[bytes]:
    with gzip.open(file) as stream:  # TensorFlow's reader would read on ahead through the whole file
        yield from read_records(stream)


def _example(text: bytes) -> bytes:
    example = Example()
    example.features.feature[features.TITLE].bytes_list.value.append(text)
    return example.SerializeToString()
