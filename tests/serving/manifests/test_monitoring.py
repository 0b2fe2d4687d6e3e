"""Alerts, dashboard, autoscaler: PromQL that parses, on metrics and labels that TF Serving 2.16.1 really exports."""

from __future__ import annotations

import json
import re

import grpc
import promql_parser
import pytest

from tests.serving.manifests.files import MANIFESTS, MONITORING, documents, resource

#: The metrics' own labels, by name. `_bucket`, `_sum` and `_count` are a histogram's; Prometheus adds the rest.
METRICS = {
    ":tensorflow:serving:request_count": {"model_name", "status"},
    ":tensorflow:serving:request_latency_bucket": {"model_name", "API", "entrypoint", "le"},
    ":tensorflow:serving:request_latency_sum": {"model_name", "API", "entrypoint"},
    ":tensorflow:serving:request_latency_count": {"model_name", "API", "entrypoint"},
    ":tensorflow:serving:batching_session:processed_batch_size_sum": set(),
    ":tensorflow:serving:batching_session:processed_batch_size_count": set(),
    ":tensorflow:serving:batching_session:input_batch_size_sum": set(),
    ":tensorflow:serving:batching_session:input_batch_size_count": set(),
    ":tensorflow:serving:batching_session:queuing_latency_bucket": {"thread_pool_name", "le"},
    ":tensorflow:cc:saved_model:load_attempt_count": {"model_path", "status"},
    "up": set(),
}
TARGET_LABELS = {"namespace", "pod", "job"}

#: The statuses of requests: TensorFlow's codes, which are gRPC's.
CODES = {code.name for code in grpc.StatusCode}

MONITOR, RULE = documents(MONITORING / "prometheus.yaml")
ALERTS = [rule for group in RULE["spec"]["groups"] for rule in group["rules"]]
DASHBOARD = json.loads((MONITORING / "dashboard.json").read_text(encoding="utf-8"))
TARGETS = [target for panel in DASHBOARD["panels"] for target in panel["targets"]]
EXPRESSIONS = [
    *(alert["expr"] for alert in ALERTS),
    *(target["expr"].replace("$__rate_interval", "5m") for target in TARGETS),
]


def check(expression: str) -> None:
    """Raises where an expression is none, or is on what TF Serving does not export."""
    promql_parser.parse(expression)
    found = re.findall(r"(:[\w:]+|\bup)\b(?:\s*\{([^}]*)\})?", re.sub(r'"[^"]*"', '""', expression))
    assert found, expression
    for metric, matchers in found:
        used = set(re.findall(r"(\w+)\s*[=!]", matchers))
        assert metric in METRICS, metric
        assert used <= METRICS[metric] | TARGET_LABELS, used
    grouped = {label for labels in re.findall(r"\bby \(([^)]*)\)", expression) for label in labels.split(", ")}
    assert grouped <= set().union(*(METRICS[metric] for metric, _ in found)) | TARGET_LABELS, grouped
    for statuses in re.findall(r'status[=!]~"([^"]*)"', expression):
        assert set(statuses.split("|")) <= CODES, statuses


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression_is_on_what_is_exported(expression):
    check(expression)


def test_the_autoscalers_metric_is_made_of_what_is_exported():
    (adapter,) = documents(MONITORING / "adapter.yaml")
    assert set(adapter) == {"rules"} and set(adapter["rules"]) == {"default", "custom"}
    (rule,) = adapter["rules"]["custom"]
    assert set(rule) == {"seriesQuery", "resources", "name", "metricsQuery"}
    promql_parser.parse(rule["seriesQuery"])
    (series,) = re.findall(r'__name__="([^"]+)"', rule["seriesQuery"])
    by = rule["resources"]["overrides"]
    assert by == {name: {"resource": name} for name in ("namespace", "pod")}
    assert all(f'{name}!=""' in rule["seriesQuery"] for name in by)
    query = rule["metricsQuery"]
    for placeholder, value in {"Series": series, "GroupBy": "pod", "LabelMatchers": 'namespace="a",pod="b"'}.items():
        assert f"<<.{placeholder}>>" in query
        query = query.replace(f"<<.{placeholder}>>", value)
    check(query)
    (window,) = re.findall(r"\[(\d+)m\]", query)
    assert int(window) * 60 >= 4 * int(MONITOR["spec"]["podMetricsEndpoints"][0]["interval"].rstrip("s"))


@pytest.mark.parametrize(
    "typo",
    [("sum by", "sun by"), ("request_count", "requests_count"), ("status", "code"), ("NOT_FOUND", "MISSING")],
    ids=lambda typo: typo[1],
)
def test_a_typo_is_seen(typo):
    (errors,) = (alert["expr"] for alert in ALERTS if alert["alert"] == "ClickbaitErrors")
    check(errors)
    with pytest.raises((AssertionError, ValueError)):
        check(errors.replace(*typo))


def test_alerts_are_whole_and_explained():
    headings = set(re.findall(r"^### (\w+)$", (MANIFESTS / "README.md").read_text(encoding="utf-8"), re.MULTILINE))
    assert {alert["alert"] for alert in ALERTS} == headings
    for alert in ALERTS:
        assert set(alert) <= {"alert", "expr", "for", "labels", "annotations"}
        assert alert["labels"]["severity"] in ("critical", "warning")
        assert re.fullmatch(r"\d+m", alert.get("for", "0m"))
        assert alert["annotations"]["summary"].endswith(".")
        assert alert["annotations"]["runbook"] == f"serving/manifests/README.md#{alert['alert'].lower()}"


def test_the_monitor_finds_the_servers():
    assert (MONITOR["apiVersion"], MONITOR["kind"]) == ("monitoring.coreos.com/v1", "PodMonitor")
    assert (RULE["apiVersion"], RULE["kind"]) == ("monitoring.coreos.com/v1", "PrometheusRule")
    assert set(MONITOR["spec"]) == {"selector", "jobLabel", "podMetricsEndpoints"}
    labels = resource("Deployment")["spec"]["template"]["metadata"]["labels"]
    assert MONITOR["spec"]["selector"]["matchLabels"] == labels
    jobs = {job for expression in EXPRESSIONS for job in re.findall(r'job="(\w+)"', expression)}
    assert jobs == {labels[MONITOR["spec"]["jobLabel"]]}


def test_the_dashboard_can_be_imported_anywhere():
    variables = {variable["name"]: variable for variable in DASHBOARD["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource" and variables["datasource"]["query"] == "prometheus"
    assert "id" not in DASHBOARD and DASHBOARD["uid"] and DASHBOARD["schemaVersion"] and DASHBOARD["title"]
    for source in [*DASHBOARD["panels"], *TARGETS, variables["namespace"]]:
        assert source["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    used = {name for target in TARGETS for name in re.findall(r"\$(\w+)", target["expr"])}
    assert used - {"__rate_interval"} == {"namespace"} <= set(variables)


def test_no_two_panels_lie_on_one_another():
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    places = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & places and at["x"] + at["w"] <= 24
        places |= cells
