"""What Beam works out anew at each look is remembered, which takes two fifths of the fixed cost of a pipeline.

TFDV's statistics ask 60,000 times for the arguments of some hundred functions, and parse the same flags 1,700 times.
"""

from __future__ import annotations

import copy
import functools
from argparse import Namespace
from collections.abc import Callable, Sequence
from types import FunctionType, MethodType
from typing import Any
from weakref import WeakKeyDictionary

from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.transforms import core

Arguments = tuple[list[str], list[Any]]


def remembered_arguments(inspect: Callable[[Any], Arguments]) -> Callable[[Any], Arguments]:
    """`inspect`, which is `core.get_function_args_defaults` or does as it does, once for a function.

    A method is known by its function; whatever else is called is inspected each time.
    """
    known: WeakKeyDictionary[FunctionType, dict[bool, Arguments]] = WeakKeyDictionary()

    @functools.wraps(inspect)
    def arguments_of(called: Any) -> Arguments:
        is_bound = isinstance(called, MethodType)
        function = called.__func__ if is_bound else called
        if not isinstance(function, FunctionType):
            return inspect(called)
        found = known.setdefault(function, {})
        if is_bound not in found:
            found[is_bound] = inspect(called)
        names, defaults = found[is_bound]
        return [*names], [*defaults]

    return arguments_of


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


core.get_function_args_defaults = remembered_arguments(core.get_function_args_defaults)
PipelineOptions.__init__ = remembered_options(PipelineOptions.__init__)
