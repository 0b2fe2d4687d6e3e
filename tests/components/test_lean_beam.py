"""A pipeline is the same with what Beam remembers, and is built with less."""

from __future__ import annotations

import concurrent.futures
import importlib.util
import os
import subprocess
import sys
import types
import xml

import pytest

import components  # noqa: F401  isort: skip
import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.worker import statecache
from apache_beam.transforms import core, userstate

from components.lean_beam import imported_submodules, remembered_options, remembered_specs

FORGETFUL_SPECS = userstate.get_dofn_specs.__wrapped__
FORGETFUL_INIT = PipelineOptions.__init__.__wrapped__
FLAGS = ["--runner=PortableRunner", "--direct_num_workers=2", "--experiments=one", "--environment_option=a=b"]


class Doubling(beam.DoFn):
    def process(self, element, timestamp=beam.DoFn.TimestampParam, *, factor=2):
        yield element * factor

    @staticmethod
    def plain(a, b=[]):  # noqa: B006
        return a, b


COUNT = userstate.CombiningValueStateSpec("count", sum)
END = userstate.TimerSpec("end", userstate.TimeDomain.WATERMARK)
COUNTED, ENDED = beam.DoFn.StateParam(COUNT), beam.DoFn.TimerParam(END)


class Counting(Doubling):
    def process(self, element, count=COUNTED, end=ENDED):
        yield element

    @userstate.on_timer(END)
    def finish(self, count=COUNTED):
        yield 0


class Twice(Doubling):
    def process(self, element, one=beam.DoFn.TimestampParam, other=beam.DoFn.TimestampParam):
        yield element


class Told(Doubling):
    def _inspect_process(self):
        return ["element", "count", "end"], [COUNTED, ENDED]


def test_states_and_timers_are_those_that_beam_finds_at_the_first_look_and_after_it():
    looked = []
    specs_of = remembered_specs(lambda dofn: looked.append(dofn) or FORGETFUL_SPECS(dofn))
    wrapped = [core.CallableWrapperDoFn(function) for function in (str.upper, lambda x: x, Doubling().process)]
    for _ in range(3):
        for dofn in (Doubling(), *wrapped):
            assert specs_of(dofn) == FORGETFUL_SPECS(dofn) == (set(), set())
        for dofn in (Counting(), Told()):
            assert specs_of(dofn) == FORGETFUL_SPECS(dofn) == ({COUNT}, {END})
        with pytest.raises(ValueError, match="has duplicate process method parameters"):
            specs_of(Twice())
    kinds = [type(dofn) for dofn in looked]
    assert (kinds.count(Doubling), kinds.count(Counting)) == (1, 3)


@pytest.mark.parametrize("flags", [[], FLAGS], ids=["none", "some"])
def test_options_of_all_classes_are_those_that_beam_parses(flags, monkeypatch):
    classes = [PipelineOptions, *PipelineOptions.__subclasses__()]

    def read() -> list[dict]:
        options = PipelineOptions(flags)
        return [options.view_as(kind).get_all_options() for kind in classes for _ in range(2)]

    monkeypatch.setattr(PipelineOptions, "__init__", FORGETFUL_INIT)
    expected = read()
    monkeypatch.setattr(PipelineOptions, "__init__", remembered_options(FORGETFUL_INIT))
    assert read() == expected


def test_no_two_options_share_what_one_changes():
    class Many(PipelineOptions):
        @classmethod
        def _add_argparse_args(cls, parser):
            parser.add_argument("--many", action="append", default=["first"])

    for _ in range(3):
        many = PipelineOptions([]).view_as(Many)
        assert many.many == ["first"]
        many.many.append("second")
    options = PipelineOptions([])
    options.view_as(Many).many.append("third")
    assert options.view_as(Many).many == ["first", "third"]  # all views of one are one


def uses_submodules():
    return concurrent.futures.ThreadPoolExecutor, os.path.join, xml


@pytest.mark.parametrize("dependencies", [[concurrent], [os, concurrent, xml, 7], [], [beam]])
@pytest.mark.parametrize("function", [uses_submodules, beam.io.ReadFromText.expand, beam.Map])
def test_the_submodules_of_a_function_are_those_that_cloudpickle_finds(function, dependencies):
    spec = importlib.util.find_spec("apache_beam.internal.cloudpickle.cloudpickle")
    as_it_came = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(as_it_came)
    found = imported_submodules(function.__code__, dependencies)
    assert found == as_it_came._find_imported_submodules(function.__code__, dependencies)
    assert (concurrent.futures in found) == (function is uses_submodules and concurrent in dependencies)


def test_a_side_input_weighs_what_it_weighs_without_the_modules_of_the_process(monkeypatch):
    module = types.ModuleType("a_module_that_came_later")
    module.titles = ["a title"] * 1000
    value = {"titles": ["another title"] * 10, "globals": vars(module)}
    outside = statecache.get_deep_size(value)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    assert statecache.get_deep_size(value) < outside


@pytest.mark.parametrize("first", ["components", "apache_beam"])
def test_beam_is_lean_whichever_is_imported_first(first):
    code = f"import {first}, apache_beam, components\nprint(apache_beam.pipeline.PipelineOptions.__init__.__wrapped__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "PipelineOptions.__init__" in done.stdout
