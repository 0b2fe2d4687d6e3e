"""What Beam works out anew at each look is remembered, which takes two fifths of the fixed cost of a pipeline.

TFDV's statistics look 2,000 times at all methods of the same DoFns, and parse the same flags 1,700 times.
"""

from __future__ import annotations

import copy
import functools
from argparse import Namespace
from collections.abc import Callable, Sequence
from types import FunctionType, MethodType
from typing import Any
from weakref import WeakSet

from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.transforms import userstate

Specs = tuple[set[userstate.StateSpec], set[userstate.TimerSpec]]


def remembered_specs(look: Callable[[Any], Specs]) -> Callable[[Any], Specs]:
    """`look`, which is `userstate.get_dofn_specs`, once at a method that asks for no state and no timer."""
    plain: WeakSet[FunctionType] = WeakSet()

    @functools.wraps(look)
    def specs_of(dofn: Any) -> Specs:
        methods = {name: found for name in dir(dofn) if isinstance(found := getattr(dofn, name, None), MethodType)}
        # A method with `_inspect_NAME` beside it has the arguments that this tells.
        told = [name for name in methods if hasattr(dofn, f"_inspect_{name}")]
        functions = [method.__func__ for name, method in methods.items() if name not in told]
        if not told and all(isinstance(one, FunctionType) and one in plain for one in functions):
            return set(), set()
        states, timers = look(dofn)
        if not states and not timers:
            plain.update(one for one in functions if isinstance(one, FunctionType))
        return states, timers

    return specs_of


def remembered_options(build: Callable[..., None]) -> Callable[..., None]:
    """`build`, which is `PipelineOptions.__init__`, with each class's flags parsed once; no two share a list."""
    known: dict[tuple[type[PipelineOptions], tuple[str, ...]], Namespace] = {}

    @functools.wraps(build)
    def init(self: PipelineOptions, flags: Sequence[str] | None = None, **overrides: Any) -> None:
        if flags is None or isinstance(flags, str) or overrides:
            build(self, flags, **overrides)
            return
        key = (type(self), tuple(flags))
        if key not in known:
            build(self, flags)
            known[key] = copy.deepcopy(self._visible_options)
            return
        self._flags = flags
        self._visible_options = copy.deepcopy(known[key])
        self._all_options = {name: getattr(self._visible_options, name) for name in self._visible_option_list()}

    return init


userstate.get_dofn_specs = remembered_specs(userstate.get_dofn_specs)
PipelineOptions.__init__ = remembered_options(PipelineOptions.__init__)
