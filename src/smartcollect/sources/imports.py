"""Notice what is imported, as soon as it is: before anybody calls it."""

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
"""What asks all finders in the import system, and what does so in order to run a module."""


class _Told(ModuleSpec):
    """A specification that tells when its module has run, and is an ordinary one from then on.

    The import system notes on a specification whether its module is being initialized. That is
    followed, and not the loader's work, so that no frame is seen in the traceback of a module that
    fails.
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
    """Finds nothing of its own: it lets the others find, and tells when a module has run.

    It is there while somebody watches functions, and only for the modules that these may be in.
    """

    def __init__(self) -> None:
        self.concerns: Callable[[str], bool] = lambda module: False
        self.imported: Callable[[str], None] = lambda module: None
        self._looking = threading.local()

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return what the other finders find."""
        looking: set[str] = vars(self._looking).setdefault("names", set())
        # Others may ask all finders too. Who only wants to know, as `importlib.util.find_spec`
        # does, gets what there is without us.
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
            tell(spec)
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
        """Follow the loader itself: a reload notes nothing on the specification."""
        run = getattr(loader, "exec_module", None)
        if run is None or isinstance(loader, type):
            return  # shared by all modules: a sweep finds what it loads

        def exec_module(module: ModuleType) -> None:
            __tracebackhide__ = True
            vars(loader).pop("exec_module", None)
            try:
                run(module)
            finally:
                self.imported(module.__name__)

        with suppress(AttributeError, TypeError):  # one of C code
            loader.exec_module = exec_module


def _is_import() -> bool:
    frame: FrameType | None = _frame(2)
    # Another finder may be between.
    while frame is not None and frame.f_code.co_name != _FINDERS:
        frame = frame.f_back
    caller = None if frame is None else frame.f_back
    return caller is not None and caller.f_code.co_name == _IMPORT


_finder = _Finder()


def tell(spec: object) -> None:
    """Learn when the module of ``spec`` has run, which is about to run, or does so now."""
    if type(spec) is ModuleSpec:
        spec.__class__ = _Told


def is_running(spec: object) -> bool:
    """Tell whether the module of ``spec`` is being run for its import."""
    return isinstance(spec, ModuleSpec) and bool(getattr(spec, "_initializing", False))


def follow(concerns: Callable[[str], bool], imported: Callable[[str], None]) -> None:
    """Call ``imported`` with the name of each module that is of concern, once it has run."""
    _finder.concerns, _finder.imported = concerns, imported
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)


def unfollow() -> None:
    """Undo `follow`."""
    # There are no finders any more where the interpreter comes to its end.
    if _finder in (sys.meta_path or ()):
        sys.meta_path.remove(_finder)
