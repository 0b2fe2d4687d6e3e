"""The metadata and the status of the model: GetModelMetadata and GetModelStatus."""

from __future__ import annotations

from collections.abc import Iterable

from serving.protocol.messages import (
    GetModelMetadataRequest,
    GetModelMetadataResponse,
    GetModelStatusResponse,
    SignatureDefMap,
)
from serving.server.errors import invalid_argument, not_found
from serving.server.servable import Servable
from serving.server.states import VersionStatus

SIGNATURE_DEF = "signature_def"


def check_metadata_fields(request: GetModelMetadataRequest) -> None:
    """Checks the fields that a request names.

    Raises:
      ServingError: it names none, or another than `signature_def`.
    """
    if not request.metadata_field:
        raise invalid_argument("GetModelMetadataRequest must specify at least one metadata_field")
    for field in request.metadata_field:
        if field != SIGNATURE_DEF:
            raise invalid_argument(f"Metadata field {field} is not supported")


def model_metadata(servable: Servable) -> GetModelMetadataResponse:
    """Returns the metadata of a version: its signatures."""
    response = GetModelMetadataResponse()
    response.model_spec.name = servable.name
    response.model_spec.version.value = servable.version
    response.metadata[SIGNATURE_DEF].Pack(signature_def_map(servable))
    return response


def signature_def_map(servable: Servable) -> SignatureDefMap:
    """Returns the signatures by name."""
    return SignatureDefMap(signature_def=servable.signatures)


def model_status(statuses: Iterable[VersionStatus], name: str, version: int | None) -> GetModelStatusResponse:
    """Returns the states of one version or of all.

    Args:
      statuses: of the model's versions, newest first.
      name: as requested, for the message.
      version: None for all.

    Raises:
      ServingError: NOT_FOUND, there is no such version.
    """
    wanted = [status for status in statuses if version in (None, status.version)]
    if not wanted:
        raise not_found(
            f"Could not find any versions of model {name}"
            if version is None
            else f"Could not find version {version} of model {name}"
        )
    response = GetModelStatusResponse()
    for status in wanted:
        added = response.model_version_status.add(version=status.version, state=status.state.value)
        added.status.error_code = 0 if status.error is None else status.error.code.value[0]
        added.status.error_message = "" if status.error is None else status.error.message
    return response
