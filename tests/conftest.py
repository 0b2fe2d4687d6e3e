"""Shared by all tests: Keras's policy before anything imports TensorFlow, encoders and examples written once."""

import trainer.tensorflow_setup.keras_policy  # noqa: F401  isort: skip

import itertools
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.helpers.encoders import write_reusable_encoder

pytest_plugins = (
    "tests.helpers.cpu_by_folder",
    "tests.helpers.forked_workers",
    "tests.helpers.without_tensorflow",
)

ROOT = Path(__file__).parents[1]

SLOW_TIMEOUT = 900
"""Seconds within which a slow test must end, on a machine that is busy with other things too."""

# A shell ignores it on behalf of what it starts in the background, and so would everything that the tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests come first, so that at the end no worker waits for the other."""
    slow = [item for item in items if item.get_closest_marker("slow")]
    for item in slow:
        item.add_marker(pytest.mark.timeout(SLOW_TIMEOUT))
    first = {item.path for item in slow}
    items.sort(key=lambda item: item.path not in first)


@pytest.fixture(scope="session")
def embedded_encoder() -> Path:
    """The default encoder's SavedModel, built at the first use of the cache (`CLICKBAIT_CACHE`)."""
    from trainer.encoders.resolve import resolve_encoder

    return resolve_encoder("embedded").path


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory) -> Path:
    """A reusable SavedModel with one table of 64 rows of 16; it does not see casing."""
    return write_reusable_encoder(tmp_path_factory.mktemp("encoders") / "tiny")


@pytest.fixture(scope="session")
def clickbait(tmp_path_factory) -> Path:
    """The program `clickbait` without the seconds of its imports."""
    from tests.helpers.forked_program import write_forked_program

    return write_forked_program(tmp_path_factory.mktemp("bin") / "clickbait", "pipeline")


@pytest.fixture(scope="session")
def forked_python(tmp_path_factory) -> Path:
    """A program that takes `-c CODE`, as Python does, and has imported TensorFlow, TFX and this project."""
    from tests.helpers.forked_program import write_forked_python

    return write_forked_python(tmp_path_factory.mktemp("bin") / "python")


class Answer(NamedTuple):
    """What a command leaves in a terminal."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def answer(tmp_path, monkeypatch, capfd) -> Callable[..., Answer]:
    """Calls the command `clickbait` in this process, in an empty folder."""
    from pipeline.cli import main

    monkeypatch.chdir(tmp_path)

    def answer(*arguments: object) -> Answer:
        with pytest.raises(SystemExit) as ended:
            main([*map(str, arguments)])
        return Answer(ended.value.code, *capfd.readouterr())

    return answer


@pytest.fixture(scope="module")
def quick_server() -> Iterator[None]:
    """LocalInfraValidator starts the local server as a tensorflow_model_server, or what `TF_SERVING_BINARY` names."""
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        program = Path(folder, "tensorflow_model_server")
        program.write_text(
            f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m serving.server "$@"\n', encoding="utf-8"
        )
        program.chmod(0o755)
        patch.setenv("TF_MODEL_SERVER", os.environ.get("TF_SERVING_BINARY") or str(program))
        yield


@pytest.fixture(scope="session")
def examples(tmp_path_factory):
    """Returns a function that writes `(title, label)` rows as a gzipped TFRecord of tf.Examples and returns its path.

    Each file lies in a folder of its own, as the splits of an Examples artifact do.
    """
    import tensorflow as tf

    from tests.helpers.examples import serialized_example

    folder, numbers = tmp_path_factory.mktemp("examples"), itertools.count()

    def write(rows) -> str:
        path = folder / f"Split-{next(numbers)}" / "data_tfrecord-00000-of-00001.gz"
        path.parent.mkdir()
        with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
            for title, label in rows:
                writer.write(serialized_example(title, label))
        return str(path)

    return write
