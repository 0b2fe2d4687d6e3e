"""Statuses, metadata and scores that a server returns, as plain Python."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from serving.client.errors import EXIT_UNFORESEEN, ServingError
from serving.client.options import ClientOptions
from serving.protocol import messages
from serving.protocol.tensors import decode_tensor, dtype_name

AVAILABLE = "AVAILABLE"


class VersionStatus(NamedTuple):
    """One version of a model on a server."""

    version: int
    state: str
    """START, LOADING, AVAILABLE, UNLOADING or END."""
    code: int
    """gRPC's number of the error that ended it, 0 where none did."""
    message: str


class TensorInfo(NamedTuple):
    """An input or an output of a signature."""

    dtype: str
    """E.g. `DT_STRING`."""
    shape: tuple[int, ...] | None
    """-1 for an axis of any size; None where not even their number is known."""

    def __str__(self) -> str:
        shape = "any shape" if self.shape is None else f"[{', '.join(map(str, self.shape))}]"
        return f"{self.dtype.removeprefix('DT_').lower()} {shape}"


class Signature(NamedTuple):
    """A signature of a model: its inputs, its outputs and its method."""

    inputs: Mapping[str, TensorInfo]
    outputs: Mapping[str, TensorInfo]
    method: str

    def describe_inputs(self) -> str:
        """E.g. `title: string [-1]`."""
        return ", ".join(f"{name}: {info}" for name, info in self.inputs.items()) or "nothing"


class Metadata(NamedTuple):
    """A model version and its signatures."""

    model: str
    version: int
    signatures: Mapping[str, Signature]


def read_status(response: messages.GetModelStatusResponse) -> list[VersionStatus]:
    """Reads a GetModelStatusResponse; returns the newest version first."""
    states = response.DESCRIPTOR.file.message_types_by_name["ModelVersionStatus"].enum_types_by_name["State"]
    statuses = [
        VersionStatus(
            version.version,
            states.values_by_number[version.state].name,
            version.status.error_code,
            version.status.error_message,
        )
        for version in response.model_version_status
    ]
    return sorted(statuses, reverse=True)


def read_metadata(response: messages.GetModelMetadataResponse) -> Metadata:
    """Reads a GetModelMetadataResponse."""
    signatures = messages.SignatureDefMap.FromString(response.metadata["signature_def"].value).signature_def
    return Metadata(
        response.model_spec.name,
        response.model_spec.version.value,
        {
            name: Signature(_infos(signature.inputs), _infos(signature.outputs), signature.method_name)
            for name, signature in sorted(signatures.items())
        },
    )


def read_scores(response: messages.PredictResponse, rows: int, options: ClientOptions) -> list[float]:
    """Returns the output's values in a PredictResponse, one for each row sent.

    Raises:
      ServingError: the output is missing, or is not one number a row.
    """
    outputs = response.outputs
    if options.output_name not in outputs:
        raise ServingError(
            f"The response must have the output {options.output_name!r}. "
            f"Received: {', '.join(sorted(outputs)) or 'none'}.",
            f"Check that {options.model!r} at {options.target} is the right model, or give --output-name.",
        )
    try:
        tensor = decode_tensor(outputs[options.output_name])
    except ValueError as error:
        raise ServingError(str(error), exit_code=EXIT_UNFORESEEN) from error
    if len(tensor.values) != rows or tensor.dtype not in ("DT_FLOAT", "DT_DOUBLE", "DT_HALF", "DT_BFLOAT16"):
        raise ServingError(
            f"The output {options.output_name!r} must be one floating-point number for each of the {rows} rows. "
            f"Received: {TensorInfo(tensor.dtype, tensor.shape)}. Check that {options.model!r} at {options.target} is "
            "the right model."
        )
    return [float(value) for value in tensor.values]


def count_no_numbers(scores: Sequence[float]) -> int:
    """Returns how many scores are NaN or infinite."""
    return sum(not math.isfinite(score) for score in scores)


def _infos(infos: Mapping[str, messages.TensorInfo]) -> dict[str, TensorInfo]:
    return {
        name: TensorInfo(
            dtype_name(info.dtype),
            None if info.tensor_shape.unknown_rank else tuple(dim.size for dim in info.tensor_shape.dim),
        )
        for name, info in sorted(infos.items())
    }
