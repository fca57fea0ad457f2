"""An import hook that reports a module as soon as it has run, before its functions are called."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib.machinery import ModuleSpec
from types import FrameType, ModuleType
from typing import Any

_frame = sys._getframe
_FINDERS, _IMPORT = "_find_spec", "_find_and_load_unlocked"
"""The function of the import system that asks all finders, and its caller when importing."""


class _ReportingSpec(ModuleSpec):
    """A spec that reports when its module has run, and then becomes an ordinary spec.

    The import system sets ``_initializing`` on the spec while a module runs. Following this
    attribute instead of the loader adds no frame to the traceback of a module that fails.
    """

    @property
    def _initializing(self) -> bool:
        return bool(vars(self).get("_initializing", False))

    @_initializing.setter
    def _initializing(self, value: bool) -> None:
        vars(self)["_initializing"] = value
        if not value:
            self.__class__ = ModuleSpec  # type: ignore[assignment]
            _finder.imported(self.name)


class _Finder:
    """A finder that asks the other finders, and reports when a module has run.

    It is installed while a log watches functions, and acts only on modules that may hold these
    functions.
    """

    def __init__(self) -> None:
        self.concerns: Callable[[str], bool] = lambda module: False
        self.imported: Callable[[str], None] = lambda module: None
        self._looking = threading.local()

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec that the other finders find."""
        looking: set[str] = vars(self._looking).setdefault("names", set())
        # Other finders may ask all finders too. Callers that do not import, such as
        # `importlib.util.find_spec`, get the plain spec.
        if name in looking or not self.concerns(name) or not (target or _is_import()):
            return None
        looking.add(name)
        try:
            spec = self._found(name, path, target)
        finally:
            looking.discard(name)
        if spec is not None and target is not None:
            self._follow(spec.loader)
        elif spec is not None:
            report_run(spec)
        return spec

    def _found(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None
    ) -> ModuleSpec | None:
        for finder in list(sys.meta_path):
            find = getattr(finder, "find_spec", None)
            if finder is not self and find is not None:
                spec: ModuleSpec | None = find(name, path, target)
                if spec is not None:
                    return spec
        return None

    def _follow(self, loader: Any) -> None:
        """Follow the loader, because a reload does not set ``_initializing`` on the spec."""
        run = getattr(loader, "exec_module", None)
        if run is None or isinstance(loader, type):
            return  # shared by all modules; a sweep finds the modules that it loads

        def exec_module(module: ModuleType) -> None:
            __tracebackhide__ = True
            vars(loader).pop("exec_module", None)
            try:
                run(module)
            finally:
                self.imported(module.__name__)

        with suppress(AttributeError, TypeError):  # a loader written in C
            loader.exec_module = exec_module


def _is_import() -> bool:
    frame: FrameType | None = _frame(2)
    # Other finders may be in between.
    while frame is not None and frame.f_code.co_name != _FINDERS:
        frame = frame.f_back
    caller = None if frame is None else frame.f_back
    return caller is not None and caller.f_code.co_name == _IMPORT


_finder = _Finder()


def report_run(spec: object) -> None:
    """Report when the module of ``spec`` has run; it must be running or about to run."""
    if type(spec) is ModuleSpec:
        spec.__class__ = _ReportingSpec


def is_running(spec: object) -> bool:
    """Return whether the module of ``spec`` is running for its import."""
    return isinstance(spec, ModuleSpec) and bool(getattr(spec, "_initializing", False))


def follow(concerns: Callable[[str], bool], imported: Callable[[str], None]) -> None:
    """Call ``imported`` with the name of each module that ``concerns`` accepts, once it has run."""
    _finder.concerns, _finder.imported = concerns, imported
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)


def unfollow() -> None:
    """Undo `follow`."""
    # `sys.meta_path` is None when the interpreter shuts down.
    if _finder in (sys.meta_path or ()):
        sys.meta_path.remove(_finder)
