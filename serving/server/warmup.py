"""Loads a version: its SavedModel, and the warm-up requests in its folder."""

from __future__ import annotations

import logging
from pathlib import Path

import grpc
from google.protobuf.message import DecodeError

from serving.protocol.messages import PredictionLog
from serving.protocol.records import RecordError, read_records
from serving.server.errors import ServingError, invalid_argument
from serving.server.predict import DEFAULT_SIGNATURE, predict
from serving.server.servable import LoadOptions, Servable

log = logging.getLogger("clickbait.server")

WARMUP_FILE = Path("assets.extra") / "tf_serving_warmup_requests"
_MAX_RECORDS = 1000
_ROWS_TO_LEARN_FROM = 4
#: What TF Serving replays and this server has no method for. A model must not fail to load for it.
_LEFT_OUT = {"classify_log", "regress_log", "multi_inference_log"}


def load_servable(name: str, version: int, path: Path, options: LoadOptions, warmup_rounds: int) -> Servable:
    """Loads a version and replays its warm-up requests.

    Args:
      name: the model's.
      version: its number.
      path: its folder.
      options: for TensorFlow.
      warmup_rounds: how often each request is replayed; 0 for no warm-up.

    Raises:
      ServingError: it does not load, or a warm-up request fails.
    """
    servable = Servable(name, version, path, options)
    try:
        if warmup_rounds and (path / WARMUP_FILE).is_file():
            _warm_up(servable, path / WARMUP_FILE, warmup_rounds)
    except BaseException:
        servable.close()
        raise
    return servable


def _warm_up(servable: Servable, file: Path, rounds: int) -> None:
    try:
        with file.open("rb") as stream:
            for number, record in enumerate(read_records(stream), start=1):
                if number > _MAX_RECORDS:
                    raise invalid_argument(f"Number of warmup records exceeds the maximum ({_MAX_RECORDS}) at {file}")
                request = _read_record(record, file)
                for _ in range(rounds):
                    _replay(servable, request)
    except RecordError as error:
        raise ServingError(grpc.StatusCode.DATA_LOSS, f"{error} in {file}") from error


def _read_record(record: bytes, file: Path) -> PredictionLog:
    try:
        return PredictionLog.FromString(record)
    except DecodeError as error:
        raise invalid_argument(f"Failed to parse warmup record: {record!r} from {file}") from error


def _replay(servable: Servable, record: PredictionLog) -> None:
    kind = record.WhichOneof("log_type")
    if kind == "predict_log":
        request = record.predict_log.request
        predict(servable, request)
        signature = servable.signatures[request.model_spec.signature_name or DEFAULT_SIGNATURE]
        for tensor in request.inputs.values():
            servable.learn_rows(signature, tensor.string_val[:_ROWS_TO_LEARN_FROM])
    elif kind in _LEFT_OUT:
        log.info("a warm-up request of version %d is left out, as its method is: %s", servable.version, kind)
    elif kind is not None:
        raise ServingError(grpc.StatusCode.UNIMPLEMENTED, f"Unsupported log_type for warmup: {kind}")
