"""`clickbait kubeflow` as a person meets it."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from pipeline.cli import main


@pytest.mark.parametrize("command", ["compile", "notify", "rehearse", "status", "submit"])
def test_without_the_extra_every_command_says_what_to_install(command, monkeypatch):
    monkeypatch.setattr("kubeflow.cli.find_spec", lambda name: None)
    done = CliRunner().invoke(main, ["kubeflow", command])
    assert done.exit_code == 2
    assert "Received: an installation without kfp" in done.output
    assert "pip install 'clickbait-tfx[kubeflow]'" in done.output
