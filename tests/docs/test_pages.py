"""What the pages name is there: files, headings, commands with their options, targets of make, settings."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from pipeline.cli import main
from pipeline.config.pipeline_config import setting_schemas

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    ROOT / name
    for name in subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True).stdout.split()
    if not name.startswith("tests/")
)


def ids(path: Path) -> str:
    return str(path.relative_to(ROOT))


def anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_links_lead_somewhere(page):
    text = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(encoding="utf-8"), flags=re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{ids(page)} links to {target}"
        if anchor and file.suffix == ".md":
            assert anchor in anchors(file), f"{ids(page)} links to {target}"


def called(page: Path) -> Iterator[list[str]]:
    """The calls of `clickbait` in the page's blocks, as words; those that go on over lines are one."""
    for block in re.findall(r"```(?:console|sh|bash)\n(.*?)```", page.read_text(encoding="utf-8"), re.S):
        for line in block.replace("\\\n", " ").splitlines():
            for call in re.split(r"\s(?:\|\|?|&&?|>)\s|;\s", line):
                if found := re.match(r"\s*(?:\$ )?clickbait (.*)", call):
                    yield shlex.split(found[1].replace("...", ""), comments=True)


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_commands_and_their_options_are_there(page):
    for words in called(page):
        command: click.Command | None = main
        with click.Context(main) as context:
            while isinstance(command, click.Group) and words and not words[0].startswith("-"):
                name = words.pop(0)
                command = command.get_command(context, name)
                assert command is not None, f"{ids(page)} calls `clickbait {name}`"
        assert command is not None
        if command.context_settings.get("ignore_unknown_options"):
            continue  # takes another program's
        known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        for word in words:
            if word.startswith("--"):
                assert word.partition("=")[0] in {*known, "--help", "--version"}, (
                    f"{ids(page)}: {word} of {command.name}"
                )


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_settings_are_there(page):
    for words in called(page):
        for option, value in zip(words, words[1:], strict=False):
            if option == "--set":
                assert value.partition("=")[0] in setting_schemas(), f"{ids(page)}: --set {value}"


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "CHANGELOG.md"], ids=ids)
def test_targets_of_make_are_there(page):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"(?:`|\$ )make ([a-z][a-z-]*)", text):
        assert target in targets, f"{ids(page)}: make {target}"


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 120


def test_the_index_has_every_page():
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    assert {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md"} <= set(
        re.findall(r"\((\w[\w-]*\.md)\)", index)
    )
