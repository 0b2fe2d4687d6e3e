"""The JSON schema of `verdict.json`, as it is committed: `python -m tests.docs.verdict_schema` writes it anew."""

from __future__ import annotations

import ast
import inspect
import itertools
import json
import sys
from pathlib import Path
from types import ModuleType

from pydantic import TypeAdapter

import components.challenges
import components.data_gate.policy
import components.evaluator.results
import components.local_infra_validator.policy
import pipeline.results.verdict
from pipeline.results.verdict import Verdict

SCHEMA = Path(__file__).parents[2] / "docs" / "verdict.schema.json"
UPDATE = "python -m tests.docs.verdict_schema"
DECLARED_IN = (
    components.challenges,
    components.data_gate.policy,
    components.evaluator.results,
    components.local_infra_validator.policy,
    pipeline.results.verdict,
)


def make_schema() -> str:
    """Makes it from the types, with the docstrings of their fields."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **TypeAdapter(Verdict).json_schema()}
    parts = {"Verdict": schema, **schema["$defs"]}
    for module in DECLARED_IN:
        for name, descriptions in _field_docstrings(module).items():
            part = parts.get(name) or parts.get(f"{module.__name__.replace('.', '__')}__{name}")
            for field, description in descriptions.items() if part else ():
                part["properties"][field]["description"] = description
    del schema["properties"]["folder"]  # it is not in the file
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _field_docstrings(module: ModuleType) -> dict[str, dict[str, str]]:
    """Of a module's classes, by their names and those of the fields; those that a class inherits, too."""
    own = _own_field_docstrings(module)
    for name in own:
        bases = [base for base in getattr(module, name).__mro__[:0:-1] if base.__module__.startswith("components.")]
        inherited = [_own_field_docstrings(sys.modules[base.__module__])[base.__name__] for base in bases]
        own[name] = {field: text for fields in [*inherited, own[name]] for field, text in fields.items()}
    return own


def _own_field_docstrings(module: ModuleType) -> dict[str, dict[str, str]]:
    classes = (node for node in ast.parse(inspect.getsource(module)).body if isinstance(node, ast.ClassDef))
    return {
        node.name: {
            field.target.id: " ".join(text.value.value.split())
            for field, text in itertools.pairwise(node.body)
            if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant)
        }
        for node in classes
    }


if __name__ == "__main__":
    SCHEMA.write_text(make_schema(), encoding="utf-8")
