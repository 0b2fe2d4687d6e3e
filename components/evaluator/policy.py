"""The thresholds that a model must meet to be blessed."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, field_validator

from components.challenges import ChallengeConfig
from components.slices import NATURAL_SLICES, VARIANTS
from trainer.section import Section

#: Thresholds that are also runtime parameters, which cannot be null: there 0 stands for it.
BOUNDS = ("min_eval_accuracy", "min_eval_auc", "max_accuracy_drop", "min_train_accuracy")


class EvaluationConfig(Section):
    """The thresholds that a model must meet to be blessed; `docs/evaluation.md` has how the defaults were measured."""

    min_eval_accuracy: float | None = Field(
        0.9846, ge=0, le=1, description="Least accuracy on the evaluation rows, as a share from 0 to 1; null: none."
    )
    min_train_accuracy: float | None = Field(
        0.9962, ge=0, le=1, description="Least accuracy on the training rows, as a share from 0 to 1; null: none."
    )
    min_eval_auc: float | None = Field(
        0.99,
        ge=0,
        le=1,
        description="Least area under the ROC curve on the evaluation rows, as a share from 0 to 1; null: none.",
    )
    gate_chance: bool = Field(
        False,
        description="Refuse a model whose area under the ROC curve does not lie above one half with its whole 95 % "
        "interval.",
    )
    min_eval_precision: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Least precision on the evaluation rows, as a share from 0 to 1; null: none.",
    )
    min_eval_recall: float | None = Field(
        None, ge=0, le=1, description="Least recall on the evaluation rows, as a share from 0 to 1; null: none."
    )
    max_eval_ece: float | None = Field(
        0.02,
        ge=0,
        le=1,
        description="Most expected calibration error on the evaluation rows, as a share from 0 to 1; null: none.",
    )
    max_eval_brier: float | None = Field(
        0.02, ge=0, le=1, description="Most Brier score on the evaluation rows, from 0 to 1; null: none."
    )
    max_ece_over_chance: float | None = Field(
        None,
        ge=0,
        le=1,
        description="How far the expected calibration error may lie above what calibrated scores have by chance on so "
        "few rows (in 95 of 100 draws of their labels), as a share from 0 to 1; null: not judged.",
    )
    max_accuracy_drop: float = Field(
        0.0025,
        ge=0,
        le=1,
        description="How far evaluation accuracy may lie below the last blessed model's, as a share from 0 to 1. "
        "0.0025 is the 95 % half-width of an accuracy of 0.9846 on the article's 9,600 rows.",
    )
    judge_accuracy_drop: Literal["by_value", "by_interval"] = Field(
        "by_value",
        description="`by_value`: the observed drop may not exceed max_accuracy_drop; `by_interval`: the whole 95 % "
        "interval of the drop may not.",
    )
    max_variant_drop: dict[str, Annotated[float, Field(ge=0, le=1)]] = Field(
        {"default": 0.02},
        description="How far the accuracy on a variant of the evaluation rows may lie below that on the rows as they "
        "are, as a share from 0 to 1, by variant; `default` for those that are not named.",
        json_schema_extra={"examples": ["{default: 0.02, typo: 0.05}"]},
    )
    gated_variants: list[str] = Field(
        [*VARIANTS[1:]], description="Variants that a model is refused for; the others are only shown."
    )
    min_slice_accuracy: dict[str, Annotated[float, Field(ge=0, le=1)]] = Field(
        {},
        description="Least accuracy on slices of the evaluation rows, as a share from 0 to 1; a model is refused for "
        "those that are named: starts_with_digit, says_you (yes, no), length (see docs/evaluation.md), and values of "
        "data.slice_columns, such as source=bbc.",
        json_schema_extra={"examples": ["{says_you=yes: 0.95, length=1-5 words: 0.9}"]},
    )
    gate_baseline: bool = Field(
        True, description="Refuse a model that is worse than the linear ones of `baselines`, by the 95 % interval."
    )
    baselines: list[Literal["tfidf_lower", "tfidf_cased"]] = Field(
        ["tfidf_lower"],
        description="Linear models that it is compared with: `tfidf_lower` reads lower-cased text, `tfidf_cased` text "
        "as it is.",
    )
    judge_baseline: Literal["not_worse", "better"] = Field(
        "not_worse",
        description="`not_worse`: the 95 % interval of the accuracy less the linear model's may not lie below 0 as a "
        "whole; `better`: it must lie above 0 as a whole.",
    )
    behaviours: str | None = Field(
        "auto",
        min_length=1,
        description="YAML file of cases that a person can read, as data/behaviours.yaml, which are scored and shown by "
        "group; `english`: those of that file; `auto`: those where the data is Stop Clickbait; null: none.",
    )
    min_behaviours_passed: dict[str, Annotated[float, Field(ge=0, le=1)]] = Field(
        {},
        description="Least cases that pass, as a share from 0 to 1, by group of behaviours; a model is refused for "
        "those that are named.",
        json_schema_extra={"examples": ["{plain news: 1, plain clickbait: 0.9}"]},
    )
    min_slice_rows: int = Field(
        200, ge=1, description="Least rows of a variant or slice to judge by; fewer differ by chance."
    )
    wanted_precision: float | None = Field(
        None,
        gt=0,
        le=1,
        description="Find the least score from which on precision is that, as a share from 0 to 1; null: none.",
    )
    challenges: list[ChallengeConfig] | None = Field(
        None,
        description="Labelled texts from elsewhere that the model is measured on, without those it was trained on. "
        "null: those of `clickbait fetch --challenges` beside the fetched headlines, else none.",
        json_schema_extra={"examples": ["[{name: youtube, path: youtube.csv, min_auc: 0.8}]"]},
    )
    bless_anyway: str | None = Field(
        None,
        pattern=r"\S",
        description="Why this one run pushes its model although it fails rules; the reason stays with the version.",
    )
    batch_size: int = Field(
        256, ge=1, le=65536, description="Headlines scored at a time, after each epoch and for the verdict."
    )

    @field_validator("max_variant_drop")
    @classmethod
    def _known_variants(cls, by_variant: dict[str, float]) -> dict[str, float]:
        if "default" not in by_variant or {*by_variant} - {"default", *VARIANTS[1:]}:
            raise ValueError("must name a default, and variants")
        return by_variant

    @field_validator("gated_variants")
    @classmethod
    def _variants(cls, names: list[str]) -> list[str]:
        if {*names} - {*VARIANTS[1:]}:
            raise ValueError("must name variants")
        return names

    @field_validator("min_slice_accuracy")
    @classmethod
    def _slices(cls, by_slice: dict[str, float]) -> dict[str, float]:
        for name in by_slice:
            feature, _, value = name.partition("=")
            if not (feature and value) or value not in NATURAL_SLICES.get(feature, (value,)):
                raise ValueError("must name natural slices, or a value of a column")
        return by_slice

    @field_validator("challenges")
    @classmethod
    def _own_names(cls, challenges: list[ChallengeConfig] | None) -> list[ChallengeConfig] | None:
        names = [challenge.name for challenge in challenges or ()]
        if len({*names}) < len(names):
            raise ValueError("must each have a name of its own")
        return challenges

    def with_bounds(self, given: Mapping[str, float | None]) -> EvaluationConfig:
        """Returns the thresholds with those of `BOUNDS` that are given; None and, for one that is null, 0 are none."""
        update = {
            name: value for name, value in given.items() if value or (value == 0 and getattr(self, name) is not None)
        }
        return self.model_copy(update=update)

    def allowed_drop(self, variant: str) -> float:
        """Returns how far a variant's accuracy may lie below that of the rows as they are, a share from 0 to 1."""
        return self.max_variant_drop.get(variant, self.max_variant_drop["default"])


@dataclasses.dataclass(frozen=True)
class Slice:
    """The metrics of a slice."""

    split: str
    key: dict[str, str]
    """Empty: the rows as they are; else one feature, e.g. `{"variant": "lower"}`."""
    metrics: dict[str, float]
    """By the names of `measures`."""
