"""Caches of what Beam computes again and again, which halve the fixed cost of a pipeline.

TFDV's statistics look 2,000 times at all methods of the same DoFns, parse the same flags 1,700 times, and go 900 times
through the names of all modules; and at each side input a worker goes through all modules to weigh it.
"""

from __future__ import annotations

import copy
import functools
import sys
from argparse import Namespace
from collections.abc import Callable, Iterable, Sequence
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any
from weakref import WeakSet

import objsize.traverse
from apache_beam.internal.cloudpickle import cloudpickle
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.transforms import userstate

Specs = tuple[set[userstate.StateSpec], set[userstate.TimerSpec]]


def remembered_specs(look: Callable[[Any], Specs]) -> Callable[[Any], Specs]:
    """Returns `look`, which is `userstate.get_dofn_specs`, with a cache of the methods without state and timers."""
    plain: WeakSet[FunctionType] = WeakSet()

    @functools.wraps(look)
    def specs_of(dofn: Any) -> Specs:
        methods = {name: found for name in dir(dofn) if isinstance(found := getattr(dofn, name, None), MethodType)}
        # `_inspect_NAME` decides the arguments of a method NAME.
        inspected = [name for name in methods if hasattr(dofn, f"_inspect_{name}")]
        functions = [method.__func__ for name, method in methods.items() if name not in inspected]
        if not inspected and all(isinstance(function, FunctionType) and function in plain for function in functions):
            return set(), set()
        states, timers = look(dofn)
        if not states and not timers:
            plain.update(function for function in functions if isinstance(function, FunctionType))
        return states, timers

    return specs_of


def remembered_options(build: Callable[..., None]) -> Callable[..., None]:
    """Returns `build`, which is `PipelineOptions.__init__`, with each class's flags parsed once, and copied."""
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


def imported_submodules(code: CodeType, dependencies: Iterable[Any]) -> list[ModuleType]:
    """Replaces `cloudpickle._find_imported_submodules`, which goes through all modules for each pickled function.

    Args:
      code: of the function.
      dependencies: what its globals are.

    Returns:
      The modules below a package among them whose names the code has.
    """
    packages = [item.__name__ for item in dependencies if isinstance(item, ModuleType) and item.__package__]
    below = (found for package in packages for found in _modules_below(package, len(sys.modules)))
    return [sys.modules[name] for name, parts in below if parts.issubset(code.co_names) and name in sys.modules]


@functools.lru_cache(maxsize=1024)
def _modules_below(package: str, modules: int) -> list[tuple[str, frozenset[str]]]:
    """Returns their names, and the parts after the package's; `modules`, their number, is for the cache alone."""
    prefix = f"{package}."
    return [(name, frozenset(name[len(prefix) :].split("."))) for name in [*sys.modules] if name.startswith(prefix)]


def remembered_globals(look: Callable[[], Iterable[dict[str, Any]]]) -> Callable[[], list[dict[str, Any]]]:
    """Returns `look`, which is objsize's at the globals of all modules, done anew where there are more modules."""

    @functools.lru_cache(maxsize=1)
    def globals_of(modules: int) -> list[dict[str, Any]]:
        return list(look())

    return lambda: globals_of(len(sys.modules))


cloudpickle._find_imported_submodules = imported_submodules
objsize.traverse._iter_modules_globals = remembered_globals(objsize.traverse._iter_modules_globals)
userstate.get_dofn_specs = remembered_specs(userstate.get_dofn_specs)
PipelineOptions.__init__ = remembered_options(PipelineOptions.__init__)
