"""The article's notebook runs offline from first to last, and its committed outputs are those of its cells."""

import copy
import json
import re
from io import StringIO

import nbformat
import pandas as pd
import pytest

from notebooks.__main__ import FILE, NOT_COMMITTED, execute, find_stale, keep

COMMITTED = nbformat.read(FILE, as_version=4)


def cell_with(notebook, source):
    """The one cell whose source has this text."""
    (cell,) = (cell for cell in notebook.cells if source in cell.source)
    return cell


def printed(cell):
    """What a cell wrote to stdout, without colours."""
    text = "".join(output.text for output in cell.outputs if output.get("name") == "stdout")
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def table(cell):
    """The table that a cell shows."""
    return pd.read_html(StringIO(cell.outputs[-1].data["text/html"]), index_col=0)[0]


def scores(cell):
    return [float(line.split()[0]) for line in printed(cell).splitlines()]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The notebook, run anew."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLICKBAIT__OUTPUT", str(tmp_path_factory.mktemp("notebook") / "output"))
        notebook = copy.deepcopy(COMMITTED)
        for cell in notebook.cells:
            cell.pop("outputs", None) if cell.cell_type != "code" else cell.outputs.clear()
        execute(notebook)
    return notebook


@pytest.mark.slow
def test_it_shows_what_the_article_showed_and_what_the_pipeline_adds(run):
    assert printed(cell_with(run, "read_csv")).startswith("2,000 headlines, 50.0% clickbait")
    assert printed(cell_with(run, "Hello World")).startswith("(1, 512) [")
    assert "probability (Dense)" in printed(cell_with(run, "model.summary"))
    accuracies = re.findall(r"val_accuracy: ([\d.]+)", printed(cell_with(run, "model.fit")))
    assert len(accuracies) == 2 and float(accuracies[-1]) > 0.95
    for source in ("axes.hist", "axes.plot"):
        assert "image/png" in cell_with(run, source).outputs[-1].data
    pushed = printed(cell_with(run, '"--limit"'))
    assert "\npushed: all rules passed\n" in pushed and "on headlines from elsewhere: AUC " in pushed
    rules = table(cell_with(run, "verdict.thresholds"))
    assert rules.query("rule == 'accuracy' and split == 'eval'").bound.item() == 0.9846
    assert rules.passed.all()
    assert {*table(cell_with(run, "facts.challenges")).columns} == {"label", "score", "title, the surest error first"}
    assert "facets-overview" in cell_with(run, "visualize_statistics").outputs[-1].data["text/html"]
    assert "  believe" in printed(cell_with(run, '"explain"'))
    for source in ("model.predict", "client.predict"):  # the article's example of clickbait, then of news
        clickbait, news = scores(cell_with(run, source))
        assert clickbait > 0.5 > news
    written = [output for cell in run.cells for output in cell.get("outputs", ()) if output.get("name") == "stderr"]
    assert not written


def test_what_is_committed_is_short_and_of_these_cells():
    assert len(COMMITTED.cells) <= 25
    assert find_stale(COMMITTED) is None
    kinds = [
        {*output.get("data", {output.output_type: None})}
        for cell in COMMITTED.cells
        for output in cell.get("outputs", ())
    ]
    assert set().union(*kinds) == {"image/png", "stream", "text/html", "text/plain"}
    assert not re.search(r'"/\w+/|(?<![\w.])/(home|root|tmp|work)/', json.dumps(COMMITTED))
    assert FILE.stat().st_size < 150_000


def test_outputs_of_other_cells_or_of_another_order_are_stale():
    changed, reordered = copy.deepcopy(COMMITTED), copy.deepcopy(COMMITTED)
    cell_with(changed, "read_csv").source += "\n"
    assert find_stale(changed) == "its cells changed after they were run"
    cell_with(reordered, "read_csv").execution_count = 40
    assert find_stale(reordered) == "its cells were not run in their order"


def test_an_output_that_is_not_committed_is_left_out():
    notebook = copy.deepcopy(COMMITTED)
    cell = cell_with(notebook, "visualize_statistics")
    assert NOT_COMMITTED in cell.metadata.tags
    cell.outputs = [nbformat.v4.new_output("stream", text="large")]
    keep(notebook)
    assert cell.outputs == []
    assert find_stale(notebook) is None
