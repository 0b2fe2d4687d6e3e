"""The differences between two runs, and nothing else."""

import dataclasses
from dataclasses import replace

from components.evaluator.results import ChallengeFigures, ChallengeSlice, Metric
from pipeline.results.report.changes import describe_changes, flatten
from pipeline.results.verdict import SplitRows
from tests.helpers.reports import a_report_run


def test_equal_runs_differ_in_nothing():
    verdict, facts = a_report_run()
    assert describe_changes(verdict, facts.settings, verdict, facts.settings) == []


def test_data_settings_and_figures_that_changed_are_named_with_both_values():
    verdict, facts = a_report_run()
    other, other_facts = a_report_run(casing="as_is")
    data = replace(other.data, sha256="sha256:" + "99" * 32)
    other = replace(other, data=data, rows={**other.rows, "train": SplitRows(9000, 1)})
    found = {
        change.what: (change.before, change.now)
        for change in describe_changes(verdict, facts.settings, other, other_facts.settings)
    }
    assert found["data sha256"] == ("sha256:abababababab", "sha256:999999999999")
    assert found["train rows"] == ("2,400", "9,000")
    assert found["training.casing"] == ("augment", "as_is")
    assert "accuracy" not in found  # on the rows as they are, the two are equal


def test_where_things_lie_is_no_change():
    verdict = a_report_run()[0]
    assert describe_changes(verdict, {"output": "a", "cache": True}, verdict, {"output": "b", "cache": False}) == []


def test_nested_settings_get_dotted_names():
    assert flatten({"training": {"epochs": 2, "x": {}}, "seed": 1}) == {
        "training.epochs": 2,
        "training.x": {},
        "seed": 1,
    }


def test_figures_on_challenges_are_compared_by_name():
    verdict, facts = a_report_run(elsewhere=True)
    youtube, spanish, agency = verdict.challenges
    other = replace(verdict, challenges=[replace(youtube, rows=800, ece=youtube.lower.ece), spanish])
    found = {
        change.what: (change.before, change.now)
        for change in describe_changes(verdict, facts.settings, other, facts.settings)
    }
    figures = [f"{challenge.ece['model'].value:.4f}" for challenge in (youtube, youtube.lower)]
    assert found == {
        "youtube rows": ("900", "800"),
        "calibration error on youtube": tuple(figures),
        "agency": (f"{agency.rows} rows", "not measured"),
    }


def test_values_of_columns_that_both_runs_have_are_compared():
    verdict, facts = a_report_run(elsewhere=True)
    youtube = verdict.challenges[0]
    figures = {field.name: getattr(youtube, field.name) for field in dataclasses.fields(ChallengeFigures)}

    def run(**areas):
        slices = [
            ChallengeSlice(
                column="source",
                value=value,
                rows=9,
                clickbait_share=0.5,
                **figures | {"auc": {"model": Metric(area, None)}},
            )
            for value, area in areas.items()
        ]
        return replace(verdict, challenges=[replace(youtube, slices=slices)])

    changes = describe_changes(run(a=0.7, b=0.6), facts.settings, run(b=0.65, c=0.9), facts.settings)
    assert [(change.what, change.before, change.now) for change in changes] == [
        ("AUC on youtube, source=b", "0.6000", "0.6500")
    ]
