"""Notice what is imported, as soon as it is: before anybody calls it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


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

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return what the other finders find."""
        if not self.concerns(name):
            return None
        for finder in list(sys.meta_path):
            find = getattr(finder, "find_spec", None)
            if finder is self or find is None:
                continue
            spec: ModuleSpec | None = find(name, path, target)
            if spec is not None:
                if target is None and type(spec) is ModuleSpec:
                    spec.__class__ = _Told
                else:
                    self._follow(spec.loader)
                return spec
        return None

    def _follow(self, loader: Any) -> None:
        """Follow the loader itself: a reload notes nothing on the specification."""
        run = getattr(loader, "exec_module", None)

        def exec_module(module: ModuleType) -> None:
            __tracebackhide__ = True
            vars(loader).pop("exec_module", None)
            try:
                run(module)  # type: ignore[misc]
            finally:
                self.imported(module.__name__)

        if run is not None:
            with suppress(AttributeError, TypeError):  # one of C code
                loader.exec_module = exec_module


_finder = _Finder()


def follow(concerns: Callable[[str], bool], imported: Callable[[str], None]) -> None:
    """Call ``imported`` with the name of each module that is of concern, once it has run."""
    _finder.concerns, _finder.imported = concerns, imported
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)


def unfollow() -> None:
    """Undo `follow`."""
    if _finder in sys.meta_path:
        sys.meta_path.remove(_finder)
