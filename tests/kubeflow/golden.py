"""The compiled default pipeline, as it is committed: `python -m tests.kubeflow.golden` writes it anew."""

from __future__ import annotations

from pathlib import Path

from kubeflow.spec.pipeline_spec import to_yaml, write_spec
from pipeline.config.pipeline_config import load_config

GOLDEN = Path(__file__).parent / "golden.yaml"
UPDATE = "python -m tests.kubeflow.golden"


def compile_default() -> dict:
    """Of the default configuration, whatever the environment says."""
    from kubeflow.compiler import compile_pipeline

    return compile_pipeline(load_config(environ={}))


def difference(compiled: dict) -> str:
    """What is new (+) and what is gone (-), for a person; empty where there is no difference."""
    import difflib

    committed = GOLDEN.read_text(encoding="utf-8")
    lines = difflib.unified_diff(committed.splitlines(), to_yaml(compiled).splitlines(), "golden.yaml", "now", n=6)
    return "\n".join(line[:200] for line in lines)


if __name__ == "__main__":
    write_spec(compile_default(), GOLDEN)
