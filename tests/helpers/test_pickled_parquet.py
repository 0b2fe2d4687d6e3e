"""The file is as dangerous as it says, or the tests that read it would prove nothing."""

from __future__ import annotations

import warnings

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.helpers.pickled_parquet import write_pickled_parquet


@pytest.mark.skipif(not hasattr(pa, "PyExtensionType"), reason="this pyarrow cannot be made to trust such a file")
@pytest.mark.parametrize("column", ["title", "id", "tag"])
def test_a_reader_that_trusts_it_runs_its_code(tmp_path, column):
    path = write_pickled_parquet(tmp_path / "a.parquet", tmp_path / "ran", column)
    assert not (tmp_path / "ran").exists()
    pa.PyExtensionType.set_auto_load(True)
    try:
        with warnings.catch_warnings(action="ignore"), pytest.raises(Exception, match=""):
            pq.ParquetFile(path)
    finally:
        pa.PyExtensionType.set_auto_load(False)
    assert (tmp_path / "ran").is_dir()
