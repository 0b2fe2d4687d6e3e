"""Calls the API server of Kubeflow Pipelines by kfp's generated client; its errors become messages for a person.

`kfp.Client` does not take its place: it sets no limit for a call, deletes a recurring run with the run at work, uploads
a spec without looking whether it is there, and keeps a file of its own in the home folder.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeVar
from urllib.parse import quote

import kfp_server_api as kfp
import urllib3
from packaging.version import InvalidVersion, Version

from kubeflow.submit.address import FORWARD, NO_CLUSTER, TOKEN, Address
from kubeflow.submit.api import ApiRun, RunPage

#: Earlier ones name the pod of a task that may be retried after the task, where Kubernetes refuses capitals.
LEAST_RELEASE = "2.14.0"
_SHOWN = 2000
_PAGE_RUNS = 50
_PAUSE_SECONDS = 0.5  # the first new try comes at once, the second after twice that, and so on

_Answer = TypeVar("_Answer")


class ServerError(Exception):
    """A call of the server failed.

    Attributes:
      status: of its HTTP answer; 0 where it gave none.
      passing: whether the same call may work in a while.
    """

    exit_code = 2

    def __init__(self, message: str, status: int = 0, passing: bool = False):
        super().__init__(message)
        self.status = status
        self.passing = passing


class Health(NamedTuple):
    """The release of a server, and whether it has several users."""

    several_users: bool
    """It separates its users by namespaces."""
    release: str
    """Its tag, as `2.17.0`; anything for a build of one's own."""

    def older_than(self, release: str) -> bool:
        """Tells whether the server is of an earlier release; a build without a release's tag is of none."""
        try:
            return Version(self.release) < Version(release)
        except InvalidVersion:
            return False


class Server:
    """A client of the API server.

    Args:
      address: where it is.

    Attributes:
      runs, pipelines, uploads, experiments, recurring: the generated APIs, for `call`.
    """

    def __init__(self, address: Address):
        self._address = address
        self._client = kfp.ApiClient(_configuration(address))
        self._health = kfp.HealthzServiceApi(self._client)
        self.runs = kfp.RunServiceApi(self._client)
        self.pipelines = kfp.PipelineServiceApi(self._client)
        self.uploads = kfp.PipelineUploadServiceApi(self._client)
        self.experiments = kfp.ExperimentServiceApi(self._client)
        self.recurring = kfp.RecurringRunServiceApi(self._client)

    @property
    def host(self) -> str:
        """Its URL."""
        return self._address.host

    def call(self, method: Callable[..., _Answer], *args: object, **kwargs: object) -> _Answer:
        """Calls a method of a generated API.

        Raises:
          ServerError: the server is not there, refuses, or is something else.
        """
        # kfp's client forgets a limit that is one float.
        kwargs["_request_timeout"] = (min(self._address.seconds, 10.0), self._address.seconds)
        try:
            answer = method(*args, **kwargs)
        except kfp.ApiException as error:
            raise self._refusal(error) from error
        except urllib3.exceptions.HTTPError as error:
            raise self._no_answer(error) from error
        except ConnectionError as error:  # while the answer is read
            raise self._no_answer(urllib3.exceptions.ProtocolError(str(error))) from error
        except ValueError as error:  # of a generated model: an answer that is not one of this API's
            raise self._not_ours(str(error).splitlines()[0]) from error
        if kwargs.get("_preload_content", True) and not self._client.last_response.data.lstrip().startswith("{"):
            # Of a page the client would make an empty model.
            kind = self._client.last_response.getheader("content-type")
            raise self._not_ours(f"an answer of the type {kind}, which is no JSON,")
        return answer

    def check(self) -> Health:
        """Returns the server's release, and whether it separates its users.

        Raises:
          ServerError: nobody answers, or not the API that is needed.
        """
        try:
            several = bool(self.call(self._health.healthz_service_get_healthz).multi_user)
            # The generated model leaves it out.
            return Health(several, json.loads(self._client.last_response.data).get("tag_name") or "")
        except ServerError as error:
            if error.status != 404:
                raise
        old = False
        try:
            self.call(self._client.call_api, "/apis/v1beta1/healthz", "GET", response_type="object")
            old = True
        except ServerError as error:
            if error.status != 404:
                raise
        if old:
            raise old_backend(f"{self.host}, which has the API v1beta1 only")
        raise ServerError(
            f"--host must be the URL of Kubeflow Pipelines. Received: {self.host}, which has no /apis/v2beta1. "
            f"Behind Kubeflow's gateway the URL ends in /pipeline; {FORWARD}."
        )

    def find(self, method: Callable[..., object], field: str, name: str, *args: object, **kwargs: object) -> Any | None:
        """Returns the item of a listing method with a display name: the newest of several, None where there is none."""
        predicate = {"operation": "EQUALS", "key": "display_name", "stringValue": name}
        # The server decodes the filter once more than it decodes the query.
        kwargs |= {"filter": quote(json.dumps({"predicates": [predicate]})), "sort_by": "created_at desc"}
        items = getattr(self.call(method, *args, **kwargs), field) or []
        return next((item for item in items if item.display_name == name), None)

    def list_runs(self, sort_by: str, **where: str) -> Iterator[ApiRun]:
        """Yields runs, page by page as they are read.

        Args:
          sort_by: the order, as `created_at desc`.
          where: `namespace` or `experiment_id`.

        Raises:
          ServerError: see `call`.
        """
        token = ""
        while True:
            more = {"page_token": token} if token else {}
            page: RunPage = self.call(
                self.runs.run_service_list_runs, page_size=_PAGE_RUNS, sort_by=sort_by, **where, **more
            )
            yield from page.runs or []
            token = page.next_page_token or ""
            if not token:
                return

    def read(self, path: str) -> bytes | None:
        """Returns the body of a GET; None where the server has none or refuses."""
        try:
            answer = self.call(
                self._client.call_api,
                path,
                "GET",
                auth_settings=["Bearer"],
                _preload_content=False,
                _return_http_data_only=True,
            )
        except ServerError as error:
            if error.status in (400, 403, 404, 500, 501):
                return None
            raise
        body: bytes = answer.data
        return body

    def _refusal(self, error: kfp.ApiException) -> ServerError:
        received = f"Received: {error.status} from {self.host}: {_message(error)}"
        if error.status == 401:
            return ServerError(
                f"The caller must have a valid token. {received} Give one that has not expired. {TOKEN}", 401
            )
        if error.status == 403:
            return ServerError(
                f"The caller must have permission in the namespace. {received} Ask for the role kubeflow-edit there, "
                f"or give another --namespace or token. {TOKEN}",
                403,
            )
        if error.status >= 500 or error.status == 429:
            return ServerError(
                f"The server must answer without an error. {received} Look at the log of the deployment ml-pipeline, "
                "and try again.",
                error.status,
                passing=True,
            )
        return ServerError(f"The request must be one that the server accepts. {received} Correct that.", error.status)

    def _no_answer(self, error: urllib3.exceptions.HTTPError) -> ServerError:
        reason = getattr(error, "reason", None) or error
        if "CERTIFICATE_VERIFY_FAILED" in str(reason):
            return ServerError(
                f"The server's certificate must be trusted. Received: {self.host}: {_sentence(reason)} "
                "Give its authority by --tls-ca FILE."
            )
        if isinstance(reason, urllib3.exceptions.ProtocolError):
            return ServerError(
                f"The server at --host must speak HTTP. Received: {self.host}, which ended the connection without an "
                "answer in HTTP. Is it the port of ml-pipeline for gRPC, 8887? Give that for HTTP, 8888, or the UI's: "
                f"{FORWARD}. If it did answer before, the forward of its port or its pod has ended: try again.",
                passing=True,
            )
        if isinstance(reason, urllib3.exceptions.ReadTimeoutError):
            cause = f"no answer within {self._address.seconds:g} s."
        else:
            cause = _sentence(str(reason).rpartition(">: ")[2])
        return ServerError(
            f"A server must answer at --host. Received: {self.host}: {cause} Is the cluster up, and the port "
            f"forwarded? {FORWARD}. {NO_CLUSTER}",
            passing=True,
        )

    def _not_ours(self, received: str) -> ServerError:
        return ServerError(
            f"The server must answer by Kubeflow Pipelines' API. Received: {received} from {self.host}. A page is a "
            f"login of Dex or of a proxy: give a token. {TOKEN} Or go past it: {FORWARD}."
        )


def run_page(ui: str, run_id: str) -> str:
    """Returns the address of a run's page in the UI."""
    return f"{ui}/#/runs/details/{quote(run_id)}"


def old_backend(received: str, release: str = LEAST_RELEASE) -> ServerError:
    """Returns the error of a server that cannot run what is compiled."""
    return ServerError(
        f"The server must be of Kubeflow Pipelines {release} or later. Received: {received}. Upgrade the backend."
    )


def _configuration(address: Address) -> kfp.Configuration:
    configuration = kfp.Configuration(host=address.host.rstrip("/"))
    configuration.retries = urllib3.Retry(
        total=3,
        connect=1,
        read=1,
        other=0,
        backoff_factor=_PAUSE_SECONDS,
        status_forcelist=(429, 500, 502, 503, 504),
        allowed_methods=("GET",),  # what is created twice is there twice
        raise_on_status=False,
    )
    if address.tls_ca:
        configuration.ssl_ca_cert = str(address.tls_ca)
    if token := address.read_token():
        configuration.api_key_prefix["authorization"] = "Bearer"
        configuration.api_key["authorization"] = token
        configuration.refresh_api_key_hook = lambda client: client.api_key.update(authorization=address.read_token())
    return configuration


def _message(error: kfp.ApiException) -> str:
    body = error.body.decode(errors="replace") if isinstance(error.body, bytes) else error.body or ""
    try:
        answer = json.loads(body)
        body = answer.get("message") or answer.get("error_message") or answer.get("error") or body
    except (ValueError, AttributeError):
        pass  # plain text, as Istio's, or a page
    return _sentence(error.reason if not body.strip() or body.lstrip().startswith("<") else body)


def shorten(text: str) -> str:
    """Returns a text with its beginning and its end, where reasons stand, if it is longer than a person reads."""
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN // 2]} ... {text[-_SHOWN // 2 :]}"


def _sentence(text: object) -> str:
    line = shorten(" ".join(str(text).split()))
    return line if line.endswith(".") else f"{line}."
