"""The component finds the models, and says of the errors what it found."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tfx.types.standard_artifacts import Examples, Model

from components.behaviours import BEHAVIOURS_FILE, BehaviourGroup, Behaviours, ScoredBehaviours
from components.model_scorer.component import ModelScorer
from components.model_scorer.explanations import Explanations
from tests.helpers.serving import write_model
from tests.helpers.variants import read_rows, splits_of, write_variant_splits

TRAIN = [("Storm", 0), ("You", 1)]
EVAL = [("Cats", 1), ("Budget is", 0)]


@pytest.mark.parametrize("has_baseline", [False, True])
def test_both_models_score_and_the_errors_are_explained(tmp_path, has_baseline):
    write_variant_splits(tmp_path, TRAIN, EVAL, ("as_is", "upper"))
    write_model(tmp_path / "model" / "Format-Serving", 0.0625)
    (tmp_path / "baseline").mkdir()
    if has_baseline:
        write_model(tmp_path / "baseline" / "Format-Serving", 0.03125)
    kinds = {"model": Model, "baseline_model": Model, "predictions": Examples, "explanations": Explanations}
    made = {name: kind() for name, kind in {"examples": Examples, **kinds}.items()}
    folders = {"examples": "variants", "baseline_model": "baseline"}
    for name, artifact in made.items():
        artifact.uri = str(tmp_path / folders.get(name, name))
    made["examples"].split_names = '["train", "eval"]'
    group = BehaviourGroup(group="news", expected="news", titles=["Storm", "Rain on it"])
    behaviours = Behaviours(groups=[group]).model_dump_json(exclude_defaults=True) if has_baseline else ""
    ModelScorer.EXECUTOR_SPEC.executor_class._FUNCTION(**made, batch_rows=2, explained_errors=50, behaviours=behaviours)

    assert made["predictions"].split_names == '["train", "eval"]'
    for folder in splits_of(tmp_path / "predictions").values():
        for row in read_rows(folder):
            assert row["probability"] == len(row["title"]) * 0.0625
            assert row.get("last_blessed") == (len(row["title"]) * 0.03125 if has_baseline else None)
    scored = tmp_path / "predictions" / BEHAVIOURS_FILE
    assert scored.is_file() == has_baseline
    if has_baseline:
        found = ScoredBehaviours.model_validate_json(scored.read_bytes())
        assert (found.behaviours.groups, found.scores) == ([group], {"Storm": 0.3125, "Rain on it": 0.625})
    told = json.loads(Path(made["explanations"].uri, "explanations.json").read_text(encoding="utf-8"))
    assert [(error["title"], error["label"], error["probability"]) for error in told["errors"]] == [
        ("Cats", 1, 0.25),
        ("Budget is", 0, 0.5625),
    ]
    assert [word["effect"] for word in told["errors"][1]["words"]] == [0.4375, 0.1875]
    assert told["errors"][0]["others"] == ({"last_blessed": 0.125} if has_baseline else {})
