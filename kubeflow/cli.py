"""`clickbait kubeflow`: the commands. Every command imports what it needs when it runs, so that `--help` is instant."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.options import CONFIG_FILE, OVERRIDES, PRESET

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
