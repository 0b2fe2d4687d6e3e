"""What in a folder is a version, and which of them a policy wants."""

from __future__ import annotations

import os

import pytest

from serving.server.config import Policy
from serving.server.versions import choose_versions, contents_of, list_versions


def test_a_version_is_a_child_whose_name_is_a_number(tmp_path):
    for name in ("1", "0002", "30", ".tmp-4", "5.tmp", "six", "-7", "1e3", str(2**63), "\u0667"):
        (tmp_path / name).mkdir()
    (tmp_path / "notes.txt").touch()
    assert {number: path.name for number, path in list_versions(tmp_path).items()} == {1: "1", 2: "0002", 30: "30"}


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        list_versions(tmp_path / "m")


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (Policy(), {9}),
        (Policy(latest=2), {5, 9}),
        (Policy(latest=7), {1, 5, 9}),
        (Policy(everything=True), {1, 5, 9}),
        (Policy(specific=(1, 4)), {1}),
        (Policy(specific=()), set()),
    ],
)
def test_policies(policy, expected, tmp_path):
    assert choose_versions(policy, {1: tmp_path, 9: tmp_path, 5: tmp_path}) == expected


def test_contents_change_with_any_write(tmp_path):
    seen = [contents_of(tmp_path)]
    (tmp_path / "variables").mkdir()
    (tmp_path / "variables" / "data").write_bytes(b"a")
    seen.append(contents_of(tmp_path))
    (tmp_path / "variables" / "data").write_bytes(b"ab")
    seen.append(contents_of(tmp_path))
    os.utime(tmp_path / "variables" / "data", ns=(1, 1))
    seen.append(contents_of(tmp_path))
    assert len(set(seen)) == len(seen)
    assert contents_of(tmp_path) == seen[-1]
