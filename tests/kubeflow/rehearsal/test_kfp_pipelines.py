"""What kfp's own compiler writes is rehearsed where our pipeline needs it, and refused by name where it does not."""

import pytest
import yaml
from kfp import compiler, dsl

from kubeflow.spec.pipeline_spec import SpecError, require_rehearsable, require_sound

WRITE = 'mkdir -p "$(dirname "$0")" && '


@dsl.container_component
def toss(face: str, result: dsl.OutputPath(str)):
    return dsl.ContainerSpec(image="any", command=["sh", "-c", WRITE + 'printf %s "$1" > "$0"'], args=[result, face])


@dsl.container_component
def say(text: str):
    return dsl.ContainerSpec(image="any", command=["sh", "-c", 'echo "said $0"'], args=[text])


@dsl.container_component
def copy(text: str, thing: dsl.Output[dsl.Artifact]):
    return dsl.ContainerSpec(image="any", command=["sh", "-c", WRITE + 'echo "$1" > "$0"'], args=[thing.path, text])


@dsl.container_component
def read(thing: dsl.Input[dsl.Artifact]):
    return dsl.ContainerSpec(image="any", command=["sh", "-c", 'cat "$0"'], args=[thing.path])


@dsl.pipeline(name="plain")
def plain(face: str = "heads"):
    tossed = toss(face=face)
    read(thing=copy(text=tossed.outputs["result"]).output)


@dsl.pipeline(name="of-all-kinds")
def of_all_kinds(face: str = "heads"):
    with dsl.ExitHandler(say(text="good bye")):
        imported = dsl.importer(artifact_uri="minio://bucket/thing", artifact_class=dsl.Artifact, reimport=False)
        read(thing=imported.output)
        with dsl.If(toss(face=face).outputs["result"] == "heads"):
            say(text="heads")


@pytest.fixture
def compiled(tmp_path):
    """Compiles a pipeline with kfp, and returns the spec."""

    def compiled(pipeline) -> dict:
        compiler.Compiler().compile(pipeline, str(tmp_path / "pipeline.yaml"))
        return yaml.safe_load((tmp_path / "pipeline.yaml").read_text())

    return compiled


def test_a_pipeline_of_kfp(rehearse, statuses, compiled, tmp_path):
    run, _ = rehearse(compiled(plain), {"face": "tails"})
    assert statuses(run) == {"toss": "done", "copy": "done", "read": "done"}
    assert (tmp_path / "logs" / "read.txt").read_text() == "tails\n"


def test_what_only_other_pipelines_have_a_cluster_runs_and_the_rehearsal_refuses_by_name(compiled):
    spec = compiled(of_all_kinds)
    require_sound(spec)
    with pytest.raises(SpecError) as refused:
        require_rehearsable(spec, "pipeline.yaml")
    assert str(refused.value).splitlines()[1:-1] == [
        "  exec-importer: an importer",
        "  comp-condition-2: a DAG in the DAG",
        "  comp-exit-handler-1: a DAG in the DAG",
        "  say: triggerPolicy",
    ]
