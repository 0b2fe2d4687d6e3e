"""The section `monitor` of the configuration. Light: too few logs are found without TensorFlow."""

from __future__ import annotations

from pydantic import Field

from components.data_gate.policy import Action
from trainer.section import Section


class MonitorConfig(Section):
    """The rules and thresholds of `clickbait monitor` for served texts and scores."""

    skew: Action = Field("fail", description="Served texts are like the train split (bounds: the schema's).")
    drift: Action = Field(
        "warn", description="The texts since --since are like those served before (bounds: the schema's)."
    )
    scores: Action = Field("fail", description="The scores are distributed as on the evaluation split.")
    max_score_divergence: float = Field(
        0.05,
        gt=0,
        le=1,
        description="Jensen-Shannon divergence of the scores from those on the evaluation split, from 0 to 1; 0.05 is "
        "some 25 points of the share of clickbait, from half.",
    )
    labels: Action = Field(
        "fail", description="With --labels, accuracy and area under the ROC curve reach min_accuracy and min_auc."
    )
    min_accuracy: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Least accuracy on texts with late labels, as a share from 0 to 1; failed where the whole 95 % "
        "interval lies below it. null: none.",
    )
    min_auc: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Least area under the ROC curve on texts with late labels, as a share from 0 to 1; failed where "
        "the whole 95 % interval lies below it. null: none.",
    )
    min_labelled_rows: int = Field(
        100, ge=1, description="Least served texts with late labels to judge by; fewer differ by chance."
    )
    min_compared_rows: int = Field(
        500, ge=1, description="Least rows on each side to judge by; fewer differ by chance."
    )
    max_compared_rows: int = Field(
        20_000, ge=1, description="At most so many rows are compared, drawn from all that were logged."
    )
    mask_examples: bool = Field(False, description="Show the words of findings as xxx and 000.")
