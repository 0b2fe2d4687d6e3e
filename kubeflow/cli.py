"""`clickbait kubeflow`: the commands. Every command imports what it needs when it runs, so that `--help` is instant."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.options import CONFIG_FILE, OUTPUT, OVERRIDES, PRESET

_SPEC = click.option(
    "--spec",
    type=click.Path(path_type=Path),
    default=Path("clickbait.yaml"),
    show_default=True,
    help="The pipeline spec.",
)


@click.group()
def kubeflow() -> None:
    """The same pipeline on Kubeflow Pipelines: compile it, rehearse it here, submit it."""


@kubeflow.command("compile")
@_SPEC
@click.option("--data", "data_path", help="Default of the parameter `data`: where the cluster finds the CSV.")
@click.option("--encoder", help="Default of the parameter `encoder`.  [default: embedded]")
@click.option("--push-destination", help="Default of that parameter: folder or URL that TF Serving watches.")
@click.option("--image", help="Container image, as the cluster pulls it.  [default: clickbait-tfx:latest]")
@click.option("--gpu", "gpus", type=int, help="GPUs of the Trainer.  [default: 0]")
@PRESET
@CONFIG_FILE
@OVERRIDES
def compile_command(
    spec: Path,
    data_path: str | None,
    encoder: str | None,
    push_destination: str | None,
    image: str | None,
    gpus: int | None,
    preset: str,
    config_file: Path | None,
    overrides: tuple[str, ...],
) -> None:
    """Compile the pipeline to YAML that open-source Kubeflow Pipelines takes (schema 2.1.0)."""
    from kubeflow.quiet import quiet_libraries
    from kubeflow.spec import check_name, write_spec
    from pipeline.config import load_config

    check_name(spec)
    flags = {
        "data.path": data_path,
        "encoder.source": encoder,
        "kubeflow.push_destination": push_destination,
        "kubeflow.image": image,
        "kubeflow.gpus": gpus,
    }
    config = load_config(preset, config_file, overrides, flags)
    with quiet_libraries():
        from kubeflow.compiler import compile_pipeline

        compiled = compile_pipeline(config)
    write_spec(compiled, spec)
    parameters = compiled["root"]["inputDefinitions"]["parameters"]
    told = [name for name, one in parameters.items() if "defaultValue" not in one]
    click.echo(f"{spec}: {len(compiled['root']['dag']['tasks'])} tasks, image {config.kubeflow.image}")
    if told:
        click.echo(f"to be said when a run starts: {', '.join(told)}")


@kubeflow.command()
@_SPEC
@click.option("--data", "data_path", help="As for run.")
@click.option("--parameter", "parameters", multiple=True, metavar="NAME=VALUE", help="Of the run, e.g. epochs=3.")
@click.option("--store", metavar="URL", help="Artifacts go there, e.g. s3://bucket/artifacts.  [default: plain files]")
@click.option("--endpoint", metavar="URL", help="Address of the store, where it is not the provider's own.")
@click.option("--parallel", type=click.IntRange(1, 32), default=1, show_default=True, help="Most tasks at a time.")
@click.option("--isolated", is_flag=True, help="Start each task anew, as a container is; forked, they share imports.")
@OUTPUT
@PRESET
@CONFIG_FILE
@OVERRIDES
@click.option("-v", "--verbose", is_flag=True, help="Show the libraries' log, too.")
@click.pass_context
def rehearse(
    ctx: click.Context,
    spec: Path,
    data_path: str | None,
    parameters: tuple[str, ...],
    store: str | None,
    endpoint: str | None,
    parallel: int,
    isolated: bool,
    output: str | None,
    preset: str,
    config_file: Path | None,
    overrides: tuple[str, ...],
    verbose: bool,
) -> None:
    """Run a compiled spec on this machine, as the driver and launcher of Kubeflow Pipelines would.

    Each task is a process of its own, with its inputs staged from an object store, the cache, retries and exit codes
    of the cluster. The spec says what runs; the configuration says where the output and the data are.

    Not emulated: pods, images and pulls; CPU, memory and GPU limits; service accounts and secrets; Argo's scheduling,
    timeouts and evictions; the UI, ML Metadata's server and the API server; loops and the workspace volume.

    Exit codes are those of run.
    """
    from kubeflow.parameters import parse_values
    from kubeflow.rehearsal.run import Options, rehearse
    from pipeline.config import load_config

    config = load_config(preset, config_file, overrides, {"data.path": data_path, "output": output})
    options = Options(parallel, isolated, store, endpoint, verbose)
    ctx.exit(rehearse(config, spec, parse_values(parameters), options))
