"""The compiled pipeline is what kfp and the API server take, with parameters, caching, retries and resources."""

from __future__ import annotations

import copy
import hashlib
import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from kubeflow.platform import STORE_TASKS
from kubeflow.spec.parameters import PARAMETERS, default_values
from kubeflow.spec.pipeline_spec import SpecError, load_platforms, load_spec, write_spec
from kubeflow.spec.values import challenge_settings
from pipeline.config.pipeline_config import load_config
from tests.kubeflow import golden

pytestmark = pytest.mark.slow  # imports TFX

CONTENT = "title,label\nOne,1\n"


@pytest.fixture(scope="module")
def compiled() -> dict:
    return golden.compile_default()


@pytest.fixture(scope="module")
def written(compiled, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("spec") / "clickbait.yaml"
    write_spec(compiled, path)
    return path


def compile_with(*overrides: str) -> dict:
    from kubeflow.compiler import compile_pipeline

    return compile_pipeline(load_config(overrides=overrides, environ={}))


def container(spec: dict, task: str) -> dict:
    return spec["deploymentSpec"]["executors"][spec["components"][task]["executorLabel"]]["container"]


def tasks(spec: dict) -> dict:
    return spec["root"]["dag"]["tasks"]


def test_it_is_the_committed_one(compiled):
    difference = golden.difference(compiled)
    assert not difference, f"the pipeline compiles to something else:\n{difference}\nMeant? Then: {golden.UPDATE}"


def test_the_golden_test_shows_a_difference_and_nothing_else(compiled):
    changed = copy.deepcopy(compiled)
    tasks(changed)["Trainer"]["retryPolicy"]["maxRetryCount"] = 7
    lines = golden.difference(changed).splitlines()
    assert [line.strip() for line in lines if line.startswith("+ ")] == ["+          maxRetryCount: 7"]
    assert [line.strip() for line in lines if line.startswith("- ")] == ["-          maxRetryCount: 2"]
    assert any("backoffDuration" in line for line in lines)  # with what stands around it


def test_kfp_loads_it_and_it_is_a_pipeline_spec(written, compiled):
    from google.protobuf import json_format
    from kfp import components
    from kfp.pipeline_spec import pipeline_spec_pb2

    loaded = components.load_component_from_file(str(written))
    assert {*loaded.component_spec.inputs} == {parameter.name for parameter in PARAMETERS if not parameter.optional}
    proto = json_format.ParseDict(compiled, pipeline_spec_pb2.PipelineSpec())
    deployment = json_format.ParseDict(compiled["deploymentSpec"], pipeline_spec_pb2.PipelineDeploymentConfig())
    assert len(proto.root.dag.tasks) == len(deployment.executors) == 16


def test_nothing_of_this_machine_is_in_it(compiled):
    text = golden.to_yaml(compiled)
    for place in (Path.cwd(), Path.home(), Path(sys.prefix), Path(sys.base_prefix)):
        assert str(place) not in text


def test_every_task_runs_by_our_entrypoint_and_none_is_a_resolver(compiled):
    for name in tasks(compiled):
        assert container(compiled, name)["command"] == ["python", "-m", "kubeflow.container.entrypoint"]
    assert not [one for one in compiled["deploymentSpec"]["executors"].values() if {*one} != {"container"}]


def test_the_arguments_say_what_the_component_declares(compiled):
    import yaml
    from tfx.utils import import_utils

    for name in tasks(compiled):
        arguments = container(compiled, name)["args"]
        for side in ("inputs", "outputs"):
            said = json.loads(arguments[1 + arguments.index(f"--json_serialized_{side}_spec_args")])
            assert said == compiled["components"][name].get(f"{side[:-1]}Definitions", {})
            for one in said.get("artifacts", {}).values():
                kind = one["artifactType"]
                title = kind.get("schemaTitle") or yaml.safe_load(kind["instanceSchema"])["title"]
                assert title.startswith(("tfx.", "system.")) or import_utils.import_class_by_path(title)


def test_settings_are_the_defaults_of_the_parameters_and_the_rest_has_to_be_said(compiled):
    definitions = compiled["root"]["inputDefinitions"]["parameters"]
    without = {name for name, one in definitions.items() if "defaultValue" not in one}
    assert without == {"data", "data_digest", "push_destination", "accepted_data"}
    assert definitions["epochs"]["defaultValue"] == load_config(environ={}).training.epochs
    assert definitions["min_eval_accuracy"]["defaultValue"] == 0.9846
    assert all(one["description"] for one in definitions.values())
    told = compile_with("data.path=s3://bucket/{SPAN}/*.csv", "training.epochs=3")
    definitions = told["root"]["inputDefinitions"]["parameters"]
    assert definitions["data"]["defaultValue"] == "s3://bucket/{SPAN}/*.csv"
    assert definitions["epochs"]["defaultValue"] == 3


def test_a_threshold_that_is_null_has_zero_for_its_default():
    values = default_values(load_config("own", environ={}))
    assert (values["min_eval_accuracy"], values["min_eval_auc"], values["min_train_accuracy"]) == (0.0, 0.0, 0.0)


def test_eval_data_is_a_parameter_of_the_ingest_where_it_is_given():
    compiled = compile_with("data.eval_data=s3://bucket/eval.csv")
    definition = compiled["root"]["inputDefinitions"]["parameters"]["eval_data"]
    assert (definition["parameterType"], definition["defaultValue"]) == ("STRING", "s3://bucket/eval.csv")
    ingest = tasks(compiled)["HeadlineExampleGen"]["inputs"]["parameters"]
    assert ingest["eval_location"] == {"componentInputParameter": "eval_data"}
    assert "train_share" not in tasks(compiled)["DataGate"]["inputs"]["parameters"]


def test_label_fixes_are_a_parameter_of_the_ingest_where_they_are_given():
    compiled = compile_with("data.label_fixes=s3://bucket/fixes.csv")
    definition = compiled["root"]["inputDefinitions"]["parameters"]["label_fixes"]
    assert (definition["parameterType"], definition["defaultValue"]) == ("STRING", "s3://bucket/fixes.csv")
    ingest = tasks(compiled)["HeadlineExampleGen"]["inputs"]["parameters"]
    assert ingest["label_fixes"] == {"componentInputParameter": "label_fixes"}
    assert "fixes.csv" not in ingest["settings"]["runtimeValue"]["constant"]


def test_every_parameter_reaches_a_task(compiled):
    used = {
        source["componentInputParameter"]
        for task in tasks(compiled).values()
        for source in task["inputs"].get("parameters", {}).values()
        if "componentInputParameter" in source
    }
    assert used == {parameter.name for parameter in PARAMETERS if not parameter.optional}


def test_changed_content_runs_again_and_what_looks_at_the_world_always_runs(compiled):
    cached = {name for name, task in tasks(compiled).items() if task.get("cachingOptions", {}).get("enableCache")}
    assert {*tasks(compiled)} - cached == {
        "NewestVersion",
        "LocalInfraValidator",
        "VersionedPusher",
        "RunReport",
        "Verdict",
    }
    digest = tasks(compiled)["HeadlineExampleGen"]["inputs"]["parameters"]["content_digest"]
    assert digest == {"componentInputParameter": "data_digest"}
    assert not any(task["cachingOptions"] for task in tasks(compile_with("cache=false")).values())


def test_retries_and_resources_are_those_of_the_configuration(compiled):
    tasks_set = "{default: {retries: 1, cpu_limit: 3, memory_request_gb: 2.5}, "
    spec = compile_with(
        f"kubeflow.tasks={tasks_set} Trainer: {{retries: 5, cpu_limit: 12, gpus: 2}}, Verdict: {{cpu_limit: null}}}}",
        "kubeflow.backoff_seconds=7",
        "kubeflow.backoff_factor=3",
    )
    assert tasks(spec)["Trainer"]["retryPolicy"] == {
        "maxRetryCount": 5,
        "backoffDuration": "7s",
        "backoffFactor": 3,
        "backoffMaxDuration": "31536000s",  # at which Argo would end a retry that trains
    }
    assert tasks(spec)["Evaluator"]["retryPolicy"]["maxRetryCount"] == 1
    assert tasks(spec)["DataGate"]["retryPolicy"]["maxRetryCount"] == 0
    trainer, gate, scorer = (container(spec, name)["resources"] for name in ("Trainer", "DataGate", "ModelScorer"))
    assert (trainer["cpuLimit"], gate["cpuLimit"], gate["memoryRequest"]) == (12, 3, 2.5)
    assert trainer["accelerator"] == {"type": "nvidia.com/gpu", "count": "2"}
    assert "accelerator" not in gate
    assert "accelerator" not in container(compiled, "Trainer")["resources"]
    assert scorer["memoryRequest"] > 2.0  # its largest process
    none = compile_with("kubeflow.tasks={default: {cpu_limit: null, memory_limit_gb: null, retries: null}}")
    assert {*container(none, "Verdict")["resources"]} == {"cpuRequest", "memoryRequest"}
    assert tasks(none)["Evaluator"]["retryPolicy"]["maxRetryCount"] == 0


def test_plain_variables_are_the_containers_and_no_value_of_a_secret_is_anywhere(compiled):
    assert "env" not in container(compiled, "Trainer")
    spec = compile_with("kubeflow.tasks={Trainer: {env: {A: 1}, secret_env: {B: {secret: s, key: k}}}}")
    assert container(spec, "Trainer")["env"] == [{"name": "A", "value": "1"}]
    assert "env" not in container(spec, "DataGate")


def test_an_engine_is_told_to_the_tasks_that_use_it_and_to_no_other(compiled):
    from pipeline.config.beam import BEAM_COMPONENTS

    spec = compile_with(
        "beam.runner=FlinkRunner",
        "beam.job_endpoint=clickbait-beam:8099",
        "beam.environment_type=EXTERNAL",
        "beam.environment_config=localhost:50000",
        "beam.options={parallelism: 8}",
        "beam.components={StatisticsGen: {parallelism: 16}, DataGate: {runner: DirectRunner}}",
    )
    told = {}
    for name in tasks(spec):
        before, now = container(compiled, name)["args"], container(spec, name)["args"]
        assert now[: len(before)] == before  # Beam's flags come last
        told[name] = now[len(before) :]
    there = [
        "--runner=FlinkRunner",
        "--job_endpoint=clickbait-beam:8099",
        "--environment_type=EXTERNAL",
        "--environment_config=localhost:50000",
    ]
    image = "--sdk_container_image=clickbait-tfx"
    expected = dict.fromkeys(BEAM_COMPONENTS[:-1], [*there, "--parallelism=8", image])
    expected["StatisticsGen"] = [*there, "--parallelism=16", image]
    expected["DataGate"] = []
    assert told == {name: expected.get(name, []) for name in tasks(spec)}


def test_an_override_is_no_part_of_a_compiled_pipeline_unless_that_is_allowed():
    anyway = "evaluation.bless_anyway=we must"
    with pytest.raises(SpecError, match=r"Received: 'we must'. Leave it out, or give --set"):
        compile_with(anyway)
    spec = compile_with(anyway, "kubeflow.allow_override=true")
    policy = tasks(spec)["Evaluator"]["inputs"]["parameters"]["policy"]["runtimeValue"]["constant"]
    assert json.loads(policy)["bless_anyway"] == "we must"


def test_cases_travel_in_the_spec_and_not_as_a_path(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("groups: [{group: mine, expected: news, titles: [Storm]}]")
    spec = compile_with(f"evaluation.behaviours={path}")
    given = tasks(spec)["ModelScorer"]["inputs"]["parameters"]["behaviours"]["runtimeValue"]["constant"]
    assert json.loads(given) == {"groups": [{"group": "mine", "expected": "news", "titles": ["Storm"]}]}
    assert str(path) not in json.dumps(spec)


def test_scoring_a_file_is_no_part_of_a_compiled_pipeline():
    with pytest.raises(SpecError, match=r"bulk.path must be unset .* Received: texts.csv. Leave it out"):
        compile_with("bulk.path=texts.csv")


def test_tuning_is_no_part_of_a_compiled_pipeline():
    with pytest.raises(SpecError, match=r"tuner.trials must be 0 .* Received: 4. Leave it out"):
        compile_with("tuner.trials=4")


def test_the_command_writes_what_is_loaded_and_says_what_is_left_to_be_said(tmp_path):
    from pipeline.cli import main

    spec = tmp_path / "folder" / "spec.yaml"
    config = tmp_path / "mine.yaml"
    config.write_text("kubeflow: {tasks: {Trainer: {node_selector: {gpu: a100}}}}")
    call = [
        *("kubeflow", "compile", "--spec", spec, "--gpu", "1", "--text-column", "text", "--image", "here/clickbait:7"),
        *("--data", "s3://b/d.csv", "--config", config),
        *("--set", "kubeflow.installation=standard", "--set", "kubeflow.service_account=runner"),
    ]
    done = CliRunner().invoke(main, list(map(str, call)), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert done.output.splitlines() == [
        f"{spec}: 16 tasks, image here/clickbait:7, Kubeflow Pipelines 2.14.0 or later",
        "tasks with secrets: 5",
        "required when a run starts: accepted_data, data_digest, push_destination",
        "retries: up to Kubeflow Pipelines 2.16.1 of tasks that fail; since 2.17.0, as it is installed, only of tasks "
        "whose pod is lost",
    ]
    loaded = load_spec(spec)
    assert container(loaded, "Trainer")["image"] == "here/clickbait:7"
    assert container(loaded, "Trainer")["resources"]["accelerator"]["count"] == "1"
    ingest = tasks(loaded)["HeadlineExampleGen"]["inputs"]["parameters"]
    assert json.loads(ingest["settings"]["runtimeValue"]["constant"])["text_column"] == "text"
    (platform,) = load_platforms(spec)
    kubernetes = platform["platforms"]["kubernetes"]
    assert kubernetes["config"] == {"serviceAccount": "runner", "release": "2.14.0"}
    assert kubernetes["deploymentSpec"]["executors"]["Trainer_executor"] == {
        "nodeSelector": {"labels": {"gpu": "a100"}}
    }
    assert {name for name in tasks(loaded) if "env" in container(loaded, name)} == {*STORE_TASKS} & {*tasks(loaded)}


def test_the_command_refuses_a_task_that_there_is_not(tmp_path):
    from pipeline.cli import main

    call = ["kubeflow", "compile", "--spec", str(tmp_path / "a.yaml"), "--set", "kubeflow.tasks={Trainr: {gpus: 1}}"]
    done = CliRunner().invoke(main, call)
    assert done.exit_code == 2
    assert "kubeflow.tasks must have tasks of the pipeline, or default. Received: Trainr. Its tasks: " in done.output
    assert not (tmp_path / "a.yaml").exists()


def test_a_pipeline_root_that_moves_to_another_bucket_changes_what_the_cache_goes_by():
    for root, store in (
        ("s3://bucket/a", "s3://bucket"),
        ("minio://mlpipeline", "minio://mlpipeline"),
        ("null", "default"),
    ):
        compiled = compile_with(f"kubeflow.pipeline_root={root}")
        for name in tasks(compiled):
            arguments = container(compiled, name)["args"]
            assert arguments[1 + arguments.index("--artifact_store")] == store


def test_a_challenge_is_a_task_with_a_url_and_a_digest(monkeypatch):
    from kubeflow import inputs

    monkeypatch.setattr(inputs, "download", lambda url, target: target.write_text(CONTENT))
    spec = compile_with("evaluation.challenges=[{name: tube, path: s3://bucket/tube.csv, min_auc: 0.7}]")
    definition = spec["root"]["inputDefinitions"]["parameters"]["challenges"]
    (source,) = json.loads(definition["defaultValue"])
    assert (source["name"], source["path"]) == ("tube", "s3://bucket/tube.csv")
    assert source["sha256"] == f"sha256:{hashlib.sha256(CONTENT.encode()).hexdigest()}"
    task = tasks(spec)["ChallengeExampleGen"]["inputs"]
    assert task["parameters"]["sources"] == {"componentInputParameter": "challenges"}
    taken = tasks(spec)["VariantExampleGen"]["inputs"]["artifacts"]["challenges"]["taskOutputArtifact"]
    assert taken == {"outputArtifactKey": "challenges", "producerTask": "ChallengeExampleGen"}
    assert [challenge.name for challenge in challenge_settings(spec)] == ["tube"]
    assert "slice_columns" not in task["parameters"]["settings"]["runtimeValue"]["constant"]
    assert '"min_auc":0.7' in tasks(spec)["Evaluator"]["inputs"]["parameters"]["policy"]["runtimeValue"]["constant"]


@pytest.mark.parametrize(
    ("path", "content", "message"),
    [
        ("tube.csv", "", "must be in an object store .* Received: tube=tube.csv. Upload it, and give its URL."),
        (
            "s3://bucket/a.csv",
            "headline,label\n",
            "s3://bucket/a.csv:1: the first line must have the columns 'title' and",
        ),
        ("s3://bucket/a", None, "must be one CSV file. Received: tube=s3://bucket/a, which is not one"),
    ],
)
def test_a_challenge_that_a_cluster_could_not_read_is_refused(monkeypatch, path, content, message):
    from components.errors import InputError
    from kubeflow import inputs

    def download(url, target):
        target.mkdir() if content is None else target.write_text(content)

    monkeypatch.setattr(inputs, "download", download)
    with pytest.raises(InputError, match=message):
        compile_with(f"evaluation.challenges=[{{name: tube, path: {path}}}]")


def test_a_challenge_of_a_cluster_has_the_columns_of_slices_of_its_file(monkeypatch):
    from kubeflow import inputs

    monkeypatch.setattr(inputs, "download", lambda url, target: target.write_text("title,label,source\nOne,1,bbc\n"))
    challenge = "{name: tube, path: s3://bucket/tube.csv}"
    spec = compile_with(f"evaluation.challenges=[{challenge}]", "data.slice_columns=[source, language]")
    assert [challenge.slice_columns for challenge in challenge_settings(spec)] == [["source"]]
    assert "slice_columns" not in tasks(spec)["Evaluator"]["inputs"]["parameters"]["policy"]["runtimeValue"]["constant"]
