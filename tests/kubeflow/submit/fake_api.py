"""An API server of Kubeflow Pipelines on loopback: the paths and fields of api/v2beta1's OpenAPI, and its moods.

What it takes and gives goes through the models that kfp's client was generated with from that OpenAPI, so that a field
which the API has not is an error here, too. As the real one (2.17.0), it sends snake_case names, leaves `error` and
`pod_name` of a task empty, gives Argo's nodes for tasks, ends a run one look before its tasks, calls a canceled run
FAILED after CANCELING, answers 200 for a log that is not there, parses specs by their proto, and ends a run with the
recurring run that it belongs to, unless that is deleted by ORPHAN.
"""

from __future__ import annotations

import base64
import json
import re
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote_plus, urlsplit

import kfp_server_api as kfp
import yaml
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

from kubeflow.submit.tasks import node_id

Json = dict[str, Any]
NOW = "2026-01-02T03:04:05Z"
UNKNOWN = "1970-01-01T00:00:00Z"
"""A time that the server does not know."""
WORKFLOW = "clickbait-x7k2p"


class RefusalError(Exception):
    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status = status


def check_fields(model: type, body: Json) -> Json:
    """Raises unless the API's message has all these fields."""
    unknown = {*body} - {*model.attribute_map.values()}
    if unknown:
        raise RefusalError(400, f"unknown fields {sorted(unknown)} of {model.__name__}")
    return body


class FakeApi:
    """The server.

    Attributes:
      states: what a run's state is at each look, the last for ever.
      tasks: its task details one look after its end.
      history: the states that a run has been in.
      without_workflow: the recurring runs whose ScheduledWorkflow somebody deleted.
      artifacts, logs: by node and by pod: a task's log.
      mood: called before each answer with the handler; True says that it has answered.
      calls: `METHOD path` of everything that was asked.
      tokens: the Authorization of each.
    """

    def __init__(self):
        self.multi_user = False
        self.release = "2.17.0"
        self.token: str | None = None
        self.states = ["PENDING", "RUNNING", "SUCCEEDED"]
        self.tasks = succeeded("HeadlineExampleGen", "DataGate", "Verdict")
        self.history: list[str] = []
        self.without_workflow: set[str] = set()
        self.artifacts: dict[str, str] = {}
        self.logs: dict[str, str] = {}
        self.mood: Callable[[BaseHTTPRequestHandler], bool] = lambda handler: False
        self.calls: list[str] = []
        self.tokens: list[str | None] = []
        self.platforms: list[Json] = []
        self.things: dict[str, list[Json]] = {
            name: [] for name in ("pipelines", "pipeline_versions", "experiments", "runs", "recurringRuns")
        }
        self.looks = 0
        self._scheme = "http"
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._server.block_on_close = False
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self._server.server_port}"

    def encrypt(self, certificate: Path, key: Path) -> None:
        """From now on it speaks TLS."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._scheme = "https"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def called(self, method: str, path: str) -> int:
        return sum(one.startswith(f"{method} {path}") for one in self.calls)

    def fail(self, *tasks: str, log: str = "", archived: bool = True, attempts: int = 1, stock: bool = True) -> None:
        """Lets the run end with failed tasks, as KFP's Argo workflow has it: no message anywhere but in their logs.

        Args:
          tasks: that fail, the first first; what comes after them is omitted.
          log: of each, of its newest attempt; none where it is empty.
          archived: the log is in the artifacts, not in a pod.
          attempts: how often each was tried.
          stock: Argo has KFP's own configuration of 2.17.0, by which every node may be retried.
        """
        self.states = ["RUNNING", "FAILED"]
        nodes = Nodes(stock)
        nodes.add("ImportSchemaGen", "SUCCEEDED")
        for number, task in enumerate(tasks):
            pod = nodes.add(task, "FAILED", attempts, ended=f"2026-01-02T03:05:{17 + number}Z")
            if archived and log:
                self.artifacts[pod] = log
            elif log:
                template = "retry-system-container-impl" if stock or attempts > 1 else "system-container-impl"
                self.logs[f"{WORKFLOW}-{template}-{pod.rpartition('-')[2]}"] = log
        nodes.add("Omitted", None)
        self.tasks = nodes.details()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # an answer is one packet, else each waits for an acknowledgement

            def answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length)
                api.calls.append(f"{self.command} {self.path}")
                api.tokens.append(self.headers.get("Authorization"))
                if api.mood(self):
                    return
                try:
                    if api.token and self.headers.get("Authorization") != f"Bearer {api.token}":
                        raise RefusalError(401, "Request header error: there is no user identity header.")
                    self.send(200, api.answer(self.command, self.path, body, self.headers))
                except RefusalError as error:
                    self.send(error.status, {"error": str(error), "code": 3, "message": str(error), "details": []})

            def send(self, status: int, answer: Json | str) -> None:
                text = answer if isinstance(answer, str) else json.dumps(answer)
                data = text.encode()
                self.send_response(status)
                self.send_header("Content-Type", "text/html" if text.startswith("<") else "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_DELETE = answer  # noqa: N815

            def log_message(self, *_: Any) -> None:
                pass

        return Handler

    def answer(self, method: str, path: str, body: bytes, headers: Any) -> Json | str:
        parts = urlsplit(path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        for (wanted, pattern), name in _ROUTES.items():
            if wanted == method and (found := re.fullmatch(pattern, parts.path)):
                if name == "_upload":
                    return self._upload(query, body, headers)
                return getattr(self, name)(*found.groups(), query, json.loads(body or b"{}"))
        raise RefusalError(404, f"Not Found: {method} {parts.path}")

    def _healthz(self, query: Json, body: Json) -> Json:
        return {"commit_sha": "5da4", "tag_name": self.release, "multi_user": self.multi_user}

    def _list(self, collection: str, query: Json, namespaced: bool = True) -> Json:
        if self.multi_user and namespaced and not ({"namespace", "experiment_id"} & {*query}):
            raise RefusalError(400, "Invalid input error: In multi-user mode, a namespace is needed")
        found = self.things[collection]
        for one in json.loads(unquote_plus(query.get("filter", '{"predicates": []}')))["predicates"]:
            assert one["operation"] == "EQUALS"
            found = [thing for thing in found if thing[one["key"]] == one["stringValue"]]
        for key in ("namespace", "experiment_id"):
            found = [thing for thing in found if key not in query or thing.get(key) == query[key]]
        key, _, order = query.get("sort_by", "created_at").partition(" ")
        if key == "finished_at":
            found = sorted(found, key=lambda thing: thing.get(key, UNKNOWN))
        found = found[::-1] if order == "desc" else found
        first, most = int(query.get("page_token", 0)), int(query.get("page_size", 10))
        more = {"next_page_token": str(first + most)} if len(found) > first + most else {}
        page = found[first : first + most]
        return {collection: page, "total_size": len(found)} | more if page else {}

    def _make(self, collection: str, key: str, body: Json, *, unique: bool = True) -> Json:
        if unique and any(one["display_name"] == body["display_name"] for one in self.things[collection]):
            raise RefusalError(409, f"Already exist error: the name {body['display_name']} already exists")
        made = {**body, key: f"{key.removesuffix('_id')}-{len(self.calls)}", "created_at": NOW}
        self.things[collection].append(made)
        return made

    def _list_pipelines(self, query: Json, body: Json) -> Json:
        return self._list("pipelines", query)

    def _create_pipeline(self, query: Json, body: Json) -> Json:
        return self._make("pipelines", "pipeline_id", check_fields(kfp.V2beta1Pipeline, body))

    def _list_versions(self, pipeline: str, query: Json, body: Json) -> Json:
        self._one("pipelines", "pipeline_id", pipeline)
        return self._list("pipeline_versions", query, namespaced=False)

    def _get_version(self, pipeline: str, version: str, query: Json, body: Json) -> Json:
        found = self._one("pipeline_versions", "pipeline_version_id", version)
        assert found["pipeline_id"] == pipeline
        if not self.platforms:
            return found
        return found | {"pipeline_spec": {"pipeline_spec": found["pipeline_spec"], "platform_spec": self.platforms[-1]}}

    def _upload(self, query: Json, body: bytes, headers: Any) -> Json:
        self._one("pipelines", "pipeline_id", query["pipelineid"])
        head = f"Content-Type: {headers['Content-Type']}\r\n\r\n".encode()
        (part,) = BytesParser(policy=HTTP).parsebytes(head + body).iter_parts()
        assert part.get_param("name", header="content-disposition") == "uploadfile"
        assert part.get_filename().endswith(".yaml")
        spec, *platforms = yaml.safe_load_all(part.get_payload(decode=True))
        try:
            json_format.ParseDict(spec, pipeline_spec_pb2.PipelineSpec())
        except json_format.ParseError as error:
            raise RefusalError(400, "pipeline spec is invalid: unknown template format") from error
        if spec["schemaVersion"] != "2.1.0":
            raise RefusalError(400, f"KFP only supports schema version 2.1.0, but the spec has {spec['schemaVersion']}")
        made = {"display_name": query["name"], "pipeline_id": query["pipelineid"], "pipeline_spec": spec}
        self.platforms += platforms
        return self._make("pipeline_versions", "pipeline_version_id", made | {"description": query["description"]})

    def _list_experiments(self, query: Json, body: Json) -> Json:
        return self._list("experiments", query)

    def _create_experiment(self, query: Json, body: Json) -> Json:
        return self._make("experiments", "experiment_id", check_fields(kfp.V2beta1Experiment, body))

    def _create_run(self, query: Json, body: Json) -> Json:
        check_fields(kfp.V2beta1Run, body)
        self._check_source(body)
        return self._make("runs", "run_id", body | {"state": "PENDING"}, unique=False)

    def _get_run(self, run_id: str, query: Json, body: Json) -> Json:
        run = self._one("runs", "run_id", run_id)
        if "run_details" in run:  # as it is, whatever `states` and `tasks` say
            return run
        settled = run["state"] in ("SUCCEEDED", "FAILED", "CANCELED")
        if run.get("deleted"):
            run["state"] = "RUNNING"
        elif not settled and run["state"] != "CANCELING":
            run["state"] = self.states[min(self.looks, len(self.states) - 1)]
        elif run["state"] == "CANCELING":
            run["state"] = "FAILED"
        self.looks += 1
        history = {"state_history": [{"state": state, "update_time": NOW} for state in self.history]}
        tasks = [task | {"state": "RUNNING"} if not settled and "state" in task else task for task in self.tasks]
        return run | history | {"run_details": {"task_details": tasks}}

    def _list_runs(self, query: Json, body: Json) -> Json:
        return self._list("runs", query)

    def _get_experiment(self, experiment: str, query: Json, body: Json) -> Json:
        return self._one("experiments", "experiment_id", experiment)

    def _terminate(self, run_id: str, query: Json, body: Json) -> Json:
        self._one("runs", "run_id", run_id)["state"] = "CANCELING"
        self.history = ["RUNNING", "CANCELING", "FAILED"]
        return {}

    def _artifact(self, run_id: str, node: str, query: Json, body: Json) -> Json:
        if node not in self.artifacts:
            raise RefusalError(404, "artifact not found")
        return {"data": base64.b64encode(self.artifacts[node].encode()).decode()}

    def _log(self, run_id: str, pod: str, query: Json, body: Json) -> Json | str:
        # The real one has sent its 200 when it finds that there is no such pod.
        return self.logs.get(pod, {"error_message": f"Failed to read logs from pod {pod}"})

    def _list_recurring(self, query: Json, body: Json) -> Json:
        return self._list("recurringRuns", query)

    def _create_recurring(self, query: Json, body: Json) -> Json:
        check_fields(kfp.V2beta1RecurringRun, body)
        self._check_source(body)
        made = {"service_account": "pipeline-runner", **body, "status": "ENABLED"}
        return self._make("recurringRuns", "recurring_run_id", made, unique=False)

    def _delete_recurring(self, recurring_id: str, query: Json, body: Json) -> Json:
        self.things["recurringRuns"].remove(self._one("recurringRuns", "recurring_run_id", recurring_id))
        orphan = query.get("propagation_policy") == "ORPHAN" and self.release >= "2.16"
        for run in self.things["runs"]:
            # Kubernetes deletes the workflow, of which the API never hears again.
            run["deleted"] = run.get("recurring_run_id") == recurring_id and not orphan
        return {}

    def _switch(self, recurring_id: str, verb: str, query: Json, body: Json) -> Json:
        if recurring_id in self.without_workflow:
            raise RefusalError(500, "scheduledworkflows.kubeflow.org not found")
        self._one("recurringRuns", "recurring_run_id", recurring_id)["status"] = f"{verb.upper()}D"
        return {}

    def _check_source(self, body: Json) -> None:
        reference = check_fields(kfp.V2beta1PipelineVersionReference, body["pipeline_version_reference"])
        version = self._one("pipeline_versions", "pipeline_version_id", reference["pipeline_version_id"])
        known = version["pipeline_spec"]["root"]["inputDefinitions"]["parameters"]
        given = check_fields(kfp.V2beta1RuntimeConfig, body["runtime_config"]).get("parameters", {})
        if wrong := {*given} - {*known} | {one for one in {*known} - {*given} if "defaultValue" not in known[one]}:
            raise RefusalError(400, f"invalid pipeline job inputs: {sorted(wrong)}")

    def _one(self, collection: str, key: str, value: str) -> Json:
        for one in self.things[collection]:
            if one[key] == value:
                return one
        raise RefusalError(404, f"{key} {value} not found")


_API = "/apis/v2beta1"
_ROUTES = {
    ("GET", f"{_API}/healthz"): "_healthz",
    ("GET", f"{_API}/pipelines"): "_list_pipelines",
    ("POST", f"{_API}/pipelines"): "_create_pipeline",
    ("POST", f"{_API}/pipelines/upload_version"): "_upload",
    ("GET", f"{_API}/pipelines/([^/]+)/versions"): "_list_versions",
    ("GET", f"{_API}/pipelines/([^/]+)/versions/([^/]+)"): "_get_version",
    ("GET", f"{_API}/experiments/([^/]+)"): "_get_experiment",
    ("GET", f"{_API}/experiments"): "_list_experiments",
    ("POST", f"{_API}/experiments"): "_create_experiment",
    ("POST", f"{_API}/runs"): "_create_run",
    ("GET", f"{_API}/runs"): "_list_runs",
    ("GET", f"{_API}/runs/([^/:]+)"): "_get_run",
    ("POST", f"{_API}/runs/([^/:]+):terminate"): "_terminate",
    ("GET", f"{_API}/runs/([^/]+)/nodes/([^/]+)/artifacts/main-logs:read"): "_artifact",
    ("GET", "/apis/v1alpha1/runs/([^/]+)/nodes/([^/]+)/log"): "_log",
    ("GET", f"{_API}/recurringruns"): "_list_recurring",
    ("POST", f"{_API}/recurringruns"): "_create_recurring",
    ("DELETE", f"{_API}/recurringruns/([^/:]+)"): "_delete_recurring",
    ("POST", f"{_API}/recurringruns/([^/:]+):(enable|disable)"): "_switch",
}


class Nodes:
    """Argo's nodes of a run, one for each of a task's parts; with `stock`, each of them twice."""

    def __init__(self, stock: bool = True):
        self._retried = "(0)" if stock else ""
        self._root = f"{WORKFLOW}{self._retried}.root{self._retried}"
        self._details: list[Json] = []
        self._in_root: list[str] = []
        self._failed = False

    def add(self, task: str, state: str | None, attempts: int = 1, ended: str = "2026-01-02T03:05:17Z") -> str:
        """Adds a task, and returns the id of its newest pod's node; that of its driver where it was omitted.

        Without an attempt it was taken from the cache.
        """
        again = self._retried
        self._failed = self._failed or state == "FAILED"
        name, driver = f"{self._root}.{task}", f"{self._root}.{task}-driver"
        self._in_root.append(driver)
        driver_state = "SUCCEEDED" if state else None
        self._node(f"{task}-driver", driver_state, [name], [f"{driver}(0)"] if again and state else [])
        if not state:
            self._node(task, None)
            return node_id(WORKFLOW, driver)
        if again:
            self._node(f"{task}-driver(0)", driver_state, [name])
            self._node(task, state, [f"{name}(0)"], ended=ended)
        executor = f"{name}{again}.executor"
        self._node(f"{task}{again}", state, [executor], ended=ended)
        if attempts == 0:
            self._node("executor", "SKIPPED")
            return node_id(WORKFLOW, executor)
        if not again and attempts == 1:
            self._node("executor", state, ended=ended)
            return node_id(WORKFLOW, executor)
        tries = [f"{executor}({number})" for number in range(attempts)]
        self._node("executor", state, tries, ended=ended)
        for number in range(attempts):
            self._node(f"executor({number})", state if number == attempts - 1 else "FAILED", ended=ended)
        return node_id(WORKFLOW, tries[-1])

    def details(self) -> list[Json]:
        """Returns all nodes, with those around the tasks, as the API gives them."""
        state, again = "FAILED" if self._failed else "SUCCEEDED", self._retried
        top = f"{WORKFLOW}{again}"
        if again:
            self._node(WORKFLOW, state, [top])
            self._node("root", state, [self._root])
        self._node(top, state, [f"{top}.root-driver"])
        self._node("root-driver", "SUCCEEDED", [f"{top}.root"])
        self._node(f"root{again}", state, self._in_root)
        return self._details

    def _node(self, name: str, state: str | None, *children: Sequence[str], ended: str = NOW) -> None:
        ids = [node_id(WORKFLOW, child) for group in children for child in group]
        self._details.append(detail(name, state, ids, ended))


def succeeded(*tasks: str) -> list[Json]:
    """The nodes of a run whose tasks have all succeeded."""
    nodes = Nodes()
    for task in tasks:
        nodes.add(task, "SUCCEEDED")
    return nodes.details()


def detail(name: str, state: str | None, children: Sequence[str] = (), ended: str = "2026-01-02T03:05:17Z") -> Json:
    """A task as the API gives it."""
    fields = {
        "task_id": f"id-of-{name}",
        "display_name": name,
        "state": state,
        "start_time": "2026-01-02T03:04:05Z",
        "end_time": ended,
        "child_tasks": [{"pod_name": one} for one in children],
    }
    # What is omitted has no state at all.
    return check_fields(
        kfp.V2beta1PipelineTaskDetail, {key: value for key, value in fields.items() if value is not None}
    )


def hang(seconds: float) -> Callable[[BaseHTTPRequestHandler], bool]:
    """A mood: takes the call and says nothing for a while."""

    def mood(handler: BaseHTTPRequestHandler) -> bool:
        time.sleep(seconds)
        handler.close_connection = True
        return True

    return mood


def say(status: int, answer: Json | str, path: str = "/", times: int = 10**9, method: str = "") -> Callable[..., bool]:
    """A mood: answers whatever has `path` so, that many times; where a method is given, that alone."""
    left = [times]

    def mood(handler: Any) -> bool:
        if path not in handler.path or not left[0] or method not in ("", handler.command):
            return False
        left[0] -= 1
        handler.send(status, answer)
        return True

    return mood
