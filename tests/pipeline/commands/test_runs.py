"""`clickbait runs --plot`: accuracy, AUC elsewhere and time over the runs, as a picture or a page."""

import re

import pytest
from click.testing import CliRunner
from matplotlib.image import imread

from pipeline.cli import main
from pipeline.results.report import charts
from pipeline.results.report.charts import RunPoint
from tests.helpers.reports import a_report_run
from tests.helpers.verdicts import a_challenge, a_verdict, write_run


def clickbait(*arguments):
    return CliRunner().invoke(main, ["runs", *map(str, arguments)])


@pytest.fixture
def output(tmp_path):
    """An output with a run that was measured elsewhere, one that was not blessed, and one that failed."""
    first, _ = a_report_run(run_id="20260101-081500-aaaa", challenges=[a_challenge("youtube", 0.81)])
    second, _ = a_report_run(run_id="20260102-091500-bbbb", casing="as_is")
    failed = a_verdict(run_id="renamed", status="failed", exit_code=1, thresholds=[], pushed=None, seconds=None)
    for verdict in (first, second, failed):
        write_run(tmp_path / "output", verdict)
    return tmp_path / "output"


def test_a_picture_has_the_page_s_light_colours(output, tmp_path):
    drawn = clickbait("--output", output, "--plot", tmp_path / "runs.png")
    assert (drawn.exit_code, drawn.output) == (0, f"{tmp_path / 'runs.png'}\n")
    picture = (255 * imread(tmp_path / "runs.png")).round().astype(int)
    colours = {tuple(pixel) for row in picture[:, :, :3] for pixel in row}
    assert {(0x1F, 0x5F, 0xBF), (0x59, 0x61, 0x6B), (255, 255, 255)} <= colours
    assert not {tuple(bytes.fromhex(placeholder[1:])) for placeholder in charts._VARIABLES} & colours


def test_a_page_has_chart_and_numbers_and_loads_nothing(output, tmp_path):
    assert clickbait("--output", output, "--plot", tmp_path / "runs.html").exit_code == 0
    page = (tmp_path / "runs.html").read_text(encoding="utf-8")
    assert page.count("<svg") == 1
    assert all(text in page for text in ("AUC elsewhere", "AUC on youtube", "0.8100", "01-01 08:15", "not blessed"))
    assert not re.search(r"""(src|href)=["'](?!#|data:)""", page)
    assert "<script" not in page


def test_many_runs_keep_their_names_apart_and_none_has_to_be_measured():
    points = [RunPoint(f"run {number}", None, None, {}, None, pushed=False) for number in range(100)]
    chart = charts.runs(points)
    assert "AUC elsewhere" not in chart
    assert 10 <= len(re.findall(r">run \d+<", chart)) <= 12


def test_without_runs_there_is_no_picture(tmp_path):
    empty = clickbait("--output", tmp_path, "--plot", tmp_path / "runs.png")
    assert empty.exit_code == 0
    assert "No runs in" in empty.output
    assert not (tmp_path / "runs.png").exists()


@pytest.mark.parametrize(
    ("name", "problem"), [("runs.pdf", "must end with .png or .html"), ("none/runs.png", "must be writable")]
)
def test_a_file_that_cannot_be_written_is_refused(output, tmp_path, name, problem):
    refused = clickbait("--output", output, "--plot", tmp_path / name)
    assert refused.exit_code == 2
    assert problem in refused.output
