"""What kfp's own compiler writes is rehearsed: conditions, exit handlers, importers, retries, output parameters."""

import pytest
import yaml
from kfp import compiler, dsl

WRITE = 'mkdir -p "$(dirname "$0")" && '


@dsl.container_component
def toss(face: str, result: dsl.OutputPath(str)):
    return dsl.ContainerSpec(image="any", command=["sh", "-c", WRITE + 'printf %s "$1" > "$0"'], args=[result, face])


@dsl.container_component
def say(text: str):
    return dsl.ContainerSpec(image="any", command=["sh", "-c", 'echo "said $0"'], args=[text])


@dsl.container_component
def read(thing: dsl.Input[dsl.Artifact], copy: dsl.Output[dsl.Artifact]):
    script = 'mkdir -p "$(dirname "$1")" && cat "$0" && cp "$0" "$1"'
    return dsl.ContainerSpec(image="any", command=["sh", "-c", script], args=[thing.path, copy.path])


@dsl.container_component
def shaky(counter: str):
    script = 'echo x >> "$0" && [ $(wc -l < "$0") -gt 2 ]'
    return dsl.ContainerSpec(image="any", command=["sh", "-c", script], args=[counter])


@dsl.pipeline(name="kfp-pipeline")
def pipeline(face: str = "heads", counter: str = "", thing: str = "minio://bucket/thing"):
    with dsl.ExitHandler(say(text="good bye")):
        tossed = toss(face=face)
        with dsl.If(tossed.outputs["result"] == "heads"):
            say(text=tossed.outputs["result"])
        with dsl.If(tossed.outputs["result"] != "heads"):
            say(text="never with heads")
        imported = dsl.importer(artifact_uri=thing, artifact_class=dsl.Artifact, reimport=False)
        first = read(thing=imported.output)
        read(thing=first.outputs["copy"])
        shaky(counter=counter).set_retry(num_retries=2, backoff_duration="0s").set_caching_options(False)


@pytest.fixture(scope="module")
def spec(tmp_path_factory):
    path = tmp_path_factory.mktemp("kfp") / "pipeline.yaml"
    compiler.Compiler().compile(pipeline, str(path))
    return yaml.safe_load(path.read_text())


@pytest.fixture
def counter(tmp_path):
    place = tmp_path / "store" / "minio" / "bucket" / "thing"
    place.parent.mkdir(parents=True)
    place.write_text("from elsewhere\n")
    return str(tmp_path / "count")


@pytest.mark.parametrize(("face", "said"), [("heads", "said heads\n"), ("tails", "said never with heads\n")])
def test_a_pipeline_of_kfp(rehearse, statuses, spec, counter, tmp_path, face, said):
    run, _ = rehearse(spec, {"face": face, "counter": counter})
    assert run.failure is None
    found = {name.removeprefix("exit-handler-1/"): status for name, status in statuses(run).items()}
    assert [*found][-1] == "say"  # the handler is the last
    assert {found[name] for name in ("toss", "importer", "read", "read-2", "shaky")} == {"done"}
    assert [status for name, status in found.items() if "condition" in name].count("skipped") == 1
    assert (tmp_path / "count").read_text().count("x") == 3
    logs = {log.stem.removeprefix("exit-handler-1-"): log.read_text() for log in (tmp_path / "logs").iterdir()}
    assert logs["read-2"] == "from elsewhere\n"
    assert sorted(text for name, text in logs.items() if "say" in name) == sorted(["said good bye\n", said])


def test_the_exit_handler_says_good_bye_to_a_failure_too(rehearse, statuses, spec, counter, tmp_path):
    run, _ = rehearse(spec, {"counter": str(tmp_path / "no" / "such" / "folder")})
    assert run.failure.task.endswith("/shaky")
    assert statuses(run)["say"] == "done"
    assert (tmp_path / "logs" / "say.txt").read_text() == "said good bye\n"
