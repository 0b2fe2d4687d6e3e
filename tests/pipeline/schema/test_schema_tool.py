"""`clickbait schema`: what differs, what is written, and what is never loosened."""

from __future__ import annotations

import csv
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.cli import main
from pipeline.config.paths import SAMPLE_FILE, SCHEMA_FILE
from pipeline.schema import schema_tool
from pipeline.schema.schema_text import parse_schema

ROOT = Path(__file__).parents[3]


@pytest.fixture
def narrow(tmp_path) -> Path:
    """A schema of shorter titles and fewer casings than the sample has."""
    text = SCHEMA_FILE.read_text(encoding="utf-8")
    path = tmp_path / "schema.pbtxt"
    path.write_text(text.replace("max: 10000", "max: 60").replace('    value: "UPPER"\n', ""), encoding="utf-8")
    return path


@pytest.fixture
def write_csv(tmp_path):
    def write(rows) -> Path:
        path = tmp_path / "rows.csv"
        with path.open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows([("title", "label"), *rows])
        return path

    return write


def schema_command(command: str, *arguments, data: Path = SAMPLE_FILE, **options):
    """Runs it in this process."""
    return CliRunner().invoke(main, ["schema", command, "--data", str(data), *map(str, arguments)], **options)


@pytest.mark.parametrize("command", [[], ["infer"], ["diff"], ["update"]])
def test_every_command_has_help(command):
    shown = CliRunner().invoke(main, ["schema", *command, "--help"])
    assert shown.exit_code == 0
    assert shown.output.startswith("Usage:")


def test_importing_the_tool_imports_no_tensorflow():
    probe = "import sys, pipeline.schema.schema_tool; print('tensorflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_file_is_written_whole_with_its_permissions_and_through_a_link(tmp_path):
    target = tmp_path / "schema.pbtxt"
    target.write_text("old")
    target.chmod(0o640)
    link = tmp_path / "link.pbtxt"
    link.symlink_to(target)
    schema_tool.write_schema(link, "new")
    assert link.is_symlink()
    assert target.read_text() == "new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert {path.name for path in tmp_path.iterdir()} == {"schema.pbtxt", "link.pbtxt"}


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "no" / "schema.pbtxt", tmp_path / "folder"):
        with pytest.raises(schema_tool.SchemaError, match=f"Received: {path}") as caught:
            schema_tool.write_schema(path, "new")
        assert caught.value.exit_code == 2
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


@pytest.mark.slow
def test_the_sample_fits_the_committed_schema(clickbait):
    """In a process of its own: what libraries print never shows."""
    call = [clickbait, "schema", "diff", "--data", SAMPLE_FILE]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert done.stdout.splitlines()[1:] == ["the data fits the schema"]
    assert "2,000 rows" in done.stdout


@pytest.mark.slow
def test_diff_says_what_does_not_fit_and_what_would(narrow):
    before = narrow.read_text(encoding="utf-8")
    shown = schema_command("diff", "--schema", narrow)
    assert shown.exit_code == 3
    assert "title_length: Out-of-range values. Unexpectedly large value: 111." in shown.output
    assert "title_casing: Unexpected string values." in shown.output
    changes = [line for line in shown.output.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    assert changes == ["-    max: 60", "+    max: 111", '+    value: "UPPER"']
    assert narrow.read_text(encoding="utf-8") == before


@pytest.mark.slow
def test_update_makes_it_fit_and_keeps_the_comments(narrow):
    before = narrow.read_text(encoding="utf-8")
    asked = schema_command("update", "--schema", narrow)
    assert asked.exit_code == 2
    assert "Give --yes" in asked.output
    assert narrow.read_text(encoding="utf-8") == before

    done = schema_command("update", "--schema", narrow, "--yes")
    assert done.exit_code == 0, done.output
    after = narrow.read_text(encoding="utf-8")
    assert [line for line in after.splitlines() if "#" in line] == [line for line in before.splitlines() if "#" in line]
    assert schema_command("diff", "--schema", narrow).exit_code == 0
    assert "wrote" not in schema_command("update", "--schema", narrow).output  # nothing to ask about


@pytest.mark.slow
def test_update_never_loosens_what_the_model_reads(narrow, write_csv):
    before = parse_schema(narrow.read_text(encoding="utf-8"))
    data = write_csv(
        [(f"Storm number {number} hits the coast of a small country in the north", 1) for number in range(20)]
    )
    shown = schema_command("update", "--schema", narrow, "--yes", data=data)
    assert shown.exit_code == 3
    assert "an update does not allow what the model cannot read" in shown.output
    assert "label: Low number of unique values" in shown.output.split("an update does not allow")[1]
    after = parse_schema(narrow.read_text(encoding="utf-8"))
    assert after.feature[:2] == before.feature[:2]
    assert after.feature[2].int_domain.max > 60


@pytest.mark.slow
def test_a_third_class_stays_a_finding():
    from pipeline.schema import statistics as tfdv_says
    from tests.helpers.statistics import compute_statistics

    schema = parse_schema(SCHEMA_FILE.read_text(encoding="utf-8"))
    statistics = compute_statistics([("Storm hits coast", label) for label in (0, 1, 2)], schema)
    updated = tfdv_says.updated(schema, statistics)
    assert updated == schema
    assert {finding.feature for finding in tfdv_says.find(statistics, updated)} == {"label"}


@pytest.mark.slow
def test_infer_prints_the_domains_of_the_data_and_keeps_the_rest(tmp_path):
    target = tmp_path / "inferred.pbtxt"
    printed = schema_command("infer")
    written = schema_command("infer", "--output-file", target)
    assert (printed.exit_code, written.exit_code) == (0, 0)
    assert printed.output == target.read_text(encoding="utf-8")

    committed, inferred = parse_schema(SCHEMA_FILE.read_text(encoding="utf-8")), parse_schema(printed.output)
    domains = {feature.name: feature for feature in inferred.feature}
    assert (domains["title_length"].int_domain.min, domains["title_length"].int_domain.max) == (33, 111)
    assert list(domains["title_casing"].string_domain.value) == ["lower", "UPPER", "Title", "Sentence"]
    assert (domains["label"].int_domain.min, domains["label"].int_domain.max) == (0, 1)
    for old, new in zip(committed.feature, inferred.feature, strict=True):
        for field in ("name", "type", "lifecycle_stage", "drift_comparator", "skew_comparator", "shape", "presence"):
            assert getattr(old, field) == getattr(new, field)
    assert schema_command("diff", "--schema", target).exit_code == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("content", "message"), [(b"feature {", "as text"), (b"\xff\xfe", "as text"), (None, "no-such.pbtxt")]
)
def test_what_is_no_schema_is_one_message(content, message, tmp_path):
    path = tmp_path / "no-such.pbtxt"
    if content is not None:
        path.write_bytes(content)
    shown = schema_command("diff", "--schema", path)
    assert shown.exit_code == 2
    assert message in shown.output
    assert str(path) in shown.output.replace("\n", "")


@pytest.mark.slow
def test_data_without_a_row_is_refused(write_csv):
    shown = schema_command("diff", data=write_csv([("", 0)]))
    assert shown.exit_code == 3
    assert "which has none" in shown.output
