"""The columns of `data.slice_columns`: read beside the text, kept with its row, and nothing else."""

from __future__ import annotations

import trainer.tensorflow_setup.keras_policy  # noqa: F401  isort: skip

import json

import pydantic
import pytest

from components.errors import InputError
from components.headline_example_gen.labelled import read_labelled
from components.headline_example_gen.settings import DataConfig
from components.labelled_csv.rows import Fault, Row, read_header, read_rows
from tests.components.headline_example_gen.ingests import account, run_executor, write_csv

HEADER = ("title", "label", "источник", "language")
SETTINGS = DataConfig(slice_columns=["language", "источник"])


def test_a_row_has_its_cells_in_the_order_of_the_setting_and_so_has_a_rejected_one(tmp_path):
    path = write_csv(tmp_path / "a.csv", [("Uno", 1, " BBC ", "es"), ("Dos", 2, "", "es"), ("Tres",)], HEADER)
    whole, rejected, broken = read_rows(path, SETTINGS)
    assert whole == Row(2, "Uno", 1, slices=("es", " BBC "))
    assert (rejected.rule, rejected.slices) == ("unknown_label", ("es", ""))
    assert (broken.rule, broken.slices) == ("field_count", ())
    (split, *_) = read_rows(path, SETTINGS.model_copy(update={"split_column": "language"}))
    assert isinstance(split, Fault) and split.slices == ("es", " BBC ")
    assert next(read_rows(path, DataConfig())) == Row(2, "Uno", 1)


def test_a_file_without_the_column_is_refused(tmp_path):
    path = write_csv(tmp_path / "a.csv", [("Uno", 1, "es")], ("title", "label", "language"))
    rule = "must have the columns 'title', 'label', 'language' and 'источник'. Received: title, label, language. Name"
    with pytest.raises(InputError, match=rf"a.csv:1: the first line {rule} the right column with data.slice_columns\["):
        read_header(path, SETTINGS)


def test_a_column_may_decide_the_split_or_group_rows_too(tmp_path):
    settings = DataConfig(split_column="fold", group_column="site", slice_columns=["site", "fold", "language"])
    assert [*settings.columns.values()] == ["title", "label", "fold", "site", "language"]
    path = write_csv(
        tmp_path / "a.csv", [("Uno", 1, "es", "dev", "a.com")], ("title", "label", *HEADER[3:], "fold", "site")
    )
    assert [*read_rows(path, settings)] == [Row(2, "Uno", 1, "eval", "a.com", ("a.com", "dev", "es"))]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (["source", "title"], "'title', which is the text or the label"),
        (["label"], "'label', which is the text"),
        (["length"], "'length', which names slices of the evaluation's own, as length, says_you, "),
        (["variant"], "'variant', which names"),
        (["a=b"], "'a=b', which has a ="),
        (["source", "source"], "'source', twice. Leave it out"),
    ],
)
def test_a_column_must_be_one_of_slices(columns, message):
    with pytest.raises(pydantic.ValidationError, match="slice_columns must name columns of slices, each once") as e:
        DataConfig(slice_columns=columns)
    assert message in str(e.value)


def test_labels_from_elsewhere_need_no_such_column(tmp_path):
    path = write_csv(tmp_path / "a.csv", [("Uno", 1)])
    assert read_labelled([path], SETTINGS).rows == 1


def test_of_a_repeated_title_the_cells_are_those_of_the_row_that_is_kept(tmp_path):
    rows = [("Uno", 1, "bbc", "es"), ("Uno", 1, "cnn", "en"), ("Dos", 0, "cnn", ""), ("Dos", 1, "bbc", "")]
    found = account([write_csv(tmp_path / "a.csv", rows, HEADER)], SETTINGS)
    (kept,) = [resolution.kept for resolution in found.resolutions if resolution.kept]
    assert (kept.line, kept.slices) == (2, ("es", "bbc"))
    assert [fault.slices for _, fault in found.faults] == [("", "cnn"), ("", "bbc")]


def test_the_component_s_parameter_is_as_before_without_columns():
    assert "slice_columns" not in DataConfig(path="a.csv").to_json()
    assert DataConfig.model_validate_json(DataConfig().to_json()) == DataConfig()
    assert json.loads(SETTINGS.to_json())["slice_columns"] == ["language", "источник"]
    assert "path" not in json.loads(SETTINGS.to_json())


@pytest.mark.slow
def test_examples_have_the_values_and_rejects_can_be_read_again(tmp_path):
    rows = [(f"Título {n}", n % 2, ("BBC\n News ", "")[n % 3 == 0], "x" * 120) for n in range(20)]
    path = write_csv(tmp_path / "a.csv", [*rows, ("Otra", "?", "=cmd", "es")], HEADER)
    left = run_executor(path, tmp_path / "out", slice_columns=["language", "источник"], group_column="источник")
    records = [example.features.feature for split in ("train", "eval") for example in left.records(split)]
    values = [feature["slice:источник"].bytes_list.value[0].decode() for feature in records]
    assert sorted(values) == ["(none)"] * 7 + ["BBC News"] * 13
    assert {feature["slice:language"].bytes_list.value[0] for feature in records} == {b"x" * 100}
    assert {*records[0]} == {"title", "label", "slice:источник", "slice:language"}
    (reject,) = left.rejects
    assert [*reject.items()][-2:] == [("источник", "'=cmd"), ("language", "es")]
    again = DataConfig(slice_columns=["источник"])
    (row,) = read_rows(write_csv(tmp_path / "b.csv", [{**reject, "label": 1}.values()], header=reject), again)
    assert row == Row(2, "Otra", 1, slices=("=cmd",))
