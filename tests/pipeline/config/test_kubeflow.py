"""The settings of tasks on Kubeflow Pipelines: how they lie over each other, and what is refused in which words."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.config.kubeflow_tasks import TaskConfig
from pipeline.config.pipeline_config import ConfigError, load_config


def tasks_of(*overrides: str, **layers):
    return load_config(overrides=[f"kubeflow.tasks={text}" for text in overrides], environ={}, **layers).kubeflow


def refused(override: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_config(overrides=[override], environ={})
    return [line.strip() for line in str(caught.value).splitlines()[1:]]


def test_a_task_has_its_own_fields_and_the_defaults_others():
    kubeflow = tasks_of("{default: {cpu_limit: 3}, Trainer: {retries: 5}}")
    trainer, gate, scorer = (kubeflow.task(name) for name in ("Trainer", "DataGate", "ModelScorer"))
    assert (trainer.retries, trainer.cpu_limit, trainer.memory_limit_gb) == (5, 8, 8)
    assert (gate.retries, gate.cpu_limit, gate.memory_limit_gb, gate.gpus) == (0, 3, 4, 0)
    assert scorer.memory_request_gb == 2.5
    assert kubeflow.task("Evaluator") == kubeflow.tasks["default"]


def test_mappings_are_merged_lists_added_and_node_affinity_replaced():
    zone = "[{match_expressions: [{key: zone, operator: In, values: [%s]}]}]"
    trainer = tasks_of(
        "{default: {env: {A: 1, B: 1}, image_pull_secrets: [r], tolerations: [{key: a}], node_selector: {x: y}, "
        f"node_affinity: {zone % 'a'}}}, Trainer: {{env: {{B: 2}}, image_pull_secrets: [r, s], "
        f"tolerations: [{{key: b}}], node_affinity: {zone % 'b'}}}}}"
    ).task("Trainer")
    assert trainer.env == {"A": "1", "B": "2"}
    assert trainer.image_pull_secrets == ["r", "s"]
    assert [toleration.key for toleration in trainer.tolerations] == ["a", "b"]
    assert trainer.node_selector == {"x": "y"}
    assert [term.match_expressions[0].values for term in trainer.node_affinity] == [["b"]]


def test_a_variable_or_a_mount_takes_the_place_of_the_defaults_whatever_it_comes_from():
    trainer = tasks_of(
        "{default: {secret_env: {A: {secret: s, key: k}, B: {secret: s, key: b}}, volumes: {/data: {claim: c}}}, "
        "Trainer: {env: {A: plain}, empty_dirs: {/data: {}}}}"
    ).task("Trainer")
    assert trainer.env == {"A": "plain"}
    assert {*trainer.secret_env} == {"B"}
    assert trainer.volumes == {}
    assert {*trainer.empty_dirs} == {"/data"}


def test_layers_are_merged_field_by_field_and_the_later_wins(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("kubeflow: {tasks: {Trainer: {gpus: 1, retries: 7}, Evaluator: {retries: 1}}}")
    kubeflow = tasks_of(
        "{Trainer: {gpus: 2}}",
        "{Verdict: {retries: 1}}",
        file=file,
        flags={"kubeflow.tasks": {"Trainer": {"gpus": 3}}},
    )
    assert (kubeflow.task("Trainer").gpus, kubeflow.task("Trainer").retries) == (3, 7)
    assert (kubeflow.task("Evaluator").retries, kubeflow.task("Verdict").retries) == (1, 1)


def test_null_is_the_defaults_and_of_the_default_none(tmp_path):
    config = load_config(
        overrides=["kubeflow.tasks={default: {cpu_limit: null}, Trainer: {memory_limit_gb: null}}"], environ={}
    )
    assert config.kubeflow.task("DataGate").cpu_limit is None
    assert config.kubeflow.task("Trainer").memory_limit_gb == 4
    Path(tmp_path / "again.yaml").write_text(config.to_yaml())
    assert load_config(file=tmp_path / "again.yaml", environ={}) == config


@pytest.mark.parametrize(
    "name",
    ["AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "HF_TOKEN", "password", "DB_PASSWORDS", "APIKEY", "MY_SECRET"],
)
def test_a_secret_is_no_plain_variable_and_is_not_shown(name):
    (line,) = refused(f"kubeflow.tasks={{Trainer: {{env: {{{name}: hunter2}}}}}}")
    assert line.startswith(f"kubeflow.tasks.Trainer.env (--set): {name} must not be a plain variable")
    assert f"secret_env: {{{name}: {{secret: NAME, key: KEY}}}}" in line
    assert "hunter2" not in line


def test_a_url_with_a_password_is_no_plain_variable():
    (line,) = refused("kubeflow.tasks={default: {env: {PROXY: 'http://me:hunter2@proxy'}}}")
    assert "PROXY must not be a plain variable" in line
    assert "hunter2" not in line


@pytest.mark.parametrize(
    "name", ["GOOGLE_APPLICATION_CREDENTIALS", "AWS_WEB_IDENTITY_TOKEN_FILE", "TOKENIZERS_PARALLELISM", "KEYBOARD"]
)
def test_a_path_or_a_word_is_one(name):
    assert TaskConfig(env={name: "/path"}).env == {name: "/path"}


@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        ("3", "kubeflow.tasks (--set): must be a mapping such as {Trainer: {gpus: 1}}. Received: 3."),
        ("{A: {gpu: 2}}", "kubeflow.tasks.A.gpu (--set): must be an existing field. Received: 2. Did you mean gpus?"),
        (
            "{A: {volumes: {/a: {claim: c, zz: 1}}}}",
            "kubeflow.tasks.A.volumes./a.zz (--set): must be an existing field. Received: 1. "
            "Its fields: claim, sub_path.",
        ),
        (
            "{A: {cpu_limit: x}}",
            'kubeflow.tasks.A.cpu_limit (--set): must be a number, at least 0 or null. Received: "x".',
        ),
        (
            "{A: {secret_env: {X: {secret: s}}}}",
            "kubeflow.tasks.A.secret_env.X.key (--set): must be given. Received: nothing.",
        ),
        (
            "{A: {volumes: {data: {claim: c}}}}",
            'kubeflow.tasks.A.volumes.data (--set): must be a name that matches ^/[^:]+$. Received: "data".',
        ),
        (
            "{A: {empty_dirs: {/x: {medium: Disk}}}}",
            'kubeflow.tasks.A.empty_dirs./x.medium (--set): must be Memory or null. Received: "Disk".',
        ),
        (
            "{A: {volumes: {/a: {claim: my.claim}}}}",
            "kubeflow.tasks.A.volumes./a.claim (--set): must be a name of at most 63 of a-z, 0-9 and -. Received: "
            '"my.claim".',
        ),
        (
            "{A: {empty_dirs: {/x: {size_limit: much}}}}",
            "kubeflow.tasks.A.empty_dirs./x.size_limit (--set): must be a quantity such as 512Mi or 2Gi or null. "
            'Received: "much".',
        ),
        (
            "{A: {env: {X: a}, config_env: {X: {config_map: c, key: k}}}}",
            "kubeflow.tasks.A (--set): X must be given once in env, secret_env, config_env. Keep one of them.",
        ),
        (
            "{A: {empty_dirs: {/s3/: {}}}}",
            "kubeflow.tasks.A (--set): a mount must not be Kubeflow Pipelines's own: /s3/. Give another path.",
        ),
        (
            "{A: {tolerations: [{operator: Exists, value: v}]}}",
            "kubeflow.tasks.A.tolerations.0 (--set): a toleration with the operator Exists must have no value. Leave "
            "it out, or set Equal.",
        ),
        (
            "{A: {tolerations: [{}]}}",
            "kubeflow.tasks.A.tolerations.0 (--set): a toleration with the operator Equal must have a key. Give it, or "
            "set Exists.",
        ),
        (
            "{A: {tolerations: [{key: k, toleration_seconds: 3}]}}",
            "kubeflow.tasks.A.tolerations.0 (--set): toleration_seconds must be used with the effect NoExecute alone. "
            "Leave it out.",
        ),
        (
            "{A: {node_affinity: [{weight: 1}]}}",
            "kubeflow.tasks.A.node_affinity.0 (--set): a term of node_affinity must have match_expressions or "
            "match_fields. Give one of them.",
        ),
    ],
)
def test_what_no_pod_can_have_is_refused_by_its_path(tasks, message):
    assert refused(f"kubeflow.tasks={tasks}") == [message]


@pytest.mark.parametrize(
    "field", ["cpu_request", "cpu_limit", "memory_request_gb", "memory_limit_gb", "gpus", "gpu_resource", "retries"]
)
def test_a_setting_that_tasks_have_now_is_named_with_its_place(field):
    (line,) = refused(f"kubeflow.{field}=1")
    assert line.endswith(f"Give kubeflow.tasks={{NAME: {{{field}: ...}}}}.")
    (line,) = refused(f"kubeflow.tasks.Trainer.{field}=1")
    assert line.endswith(f"Give kubeflow.tasks={{Trainer: {{{field}: ...}}}}.")


@pytest.mark.parametrize("release", ["2.13.0", "2.5.0", "3.0.0", "2.14", "v2.14.0"])
def test_a_release_that_cannot_run_it_is_refused(release):
    (line,) = refused(f"kubeflow.release={release}")
    rule = "must be a release such as 2.16.0, at least 2.14.0"
    assert line == f'kubeflow.release (--set): {rule}. Received: "{release}".'
