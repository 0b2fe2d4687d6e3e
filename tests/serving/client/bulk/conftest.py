"""A file of texts, and a place for its scores."""

from __future__ import annotations

import csv

import pytest


@pytest.fixture
def source(request, tmp_path):
    """A CSV of the rows that the module has in `ROWS`."""
    path = tmp_path / "in.csv"
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([("id", "title"), *request.module.ROWS])
    return path


@pytest.fixture
def output(tmp_path):
    return tmp_path / "out.csv"
