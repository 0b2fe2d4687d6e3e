"""docs/beam.md says what there is: settings that load, messages that are said, places that exist."""

from __future__ import annotations

import re
from pathlib import Path

from pipeline.config.beam import BEAM_COMPONENTS, BeamConfig, beam_flags
from pipeline.config.pipeline_config import load_config

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "beam.md").read_text(encoding="utf-8")


def test_the_settings_load(tmp_path):
    (yaml,) = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    file = tmp_path / "beam.yaml"
    file.write_text(yaml, encoding="utf-8")
    beam = load_config(file=file, environ={}).beam
    assert beam_flags(beam, "DataGate") == beam.pipeline_args
    assert "--parallelism=16" in beam_flags(beam, "StatisticsGen")
    settings = re.findall(r"--set '?(beam\.[^'\s]+=(?:\{.*?\}\}|[^\s`']+))", TEXT)
    assert {one.partition("=")[0] for one in settings} > {"beam.runner", "beam.components", "beam.direct_num_workers"}
    portable = [
        one for one in settings if one.endswith(("PortableRunner", "localhost:8099", "EXTERNAL", "localhost:50000"))
    ]
    assert len(portable) == 4
    assert load_config(overrides=portable, environ={}).beam.runner == "PortableRunner"


def test_the_components_and_runners_are_those_there_are():
    first = TEXT.split("\n\n")[1]
    for component in BEAM_COMPONENTS:
        assert component in first
    runners = BeamConfig.model_json_schema()["properties"]["runner"]["enum"]
    assert re.findall(r"^\| `(\w+Runner)` \|", TEXT, re.MULTILINE) == runners


def test_what_goes_wrong_is_said_in_these_words():
    places = ("components/beam_faults.py", "components/beam_jobs.py", "pipeline/config/beam.py")
    code = "".join((ROOT / place).read_text(encoding="utf-8") for place in places)
    table = TEXT.partition("## What goes wrong")[2].partition("\n\n#")[0]
    said = [one.partition(" Received:")[0] for one in re.findall(r"`([A-Z][^`]+)`", table)]
    assert len(said) == 8
    for message in said:
        assert message in code, message


def test_every_link_leads_somewhere():
    for link in re.findall(r"\]\(([^)#]+)", TEXT):
        assert (ROOT / "docs" / link).exists(), link
