"""Notice what is imported, as soon as it is: before anybody calls it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


class _Finder:
    """Finds nothing of its own: it lets the others find, and tells when a module has run.

    It is there while somebody watches functions, and for the modules that these may be in.
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
        for finder in sys.meta_path:
            find = getattr(finder, "find_spec", None)
            if finder is self or find is None:
                continue
            spec: ModuleSpec | None = find(name, path, target)
            if spec is not None:
                self._follow(name, spec.loader)
                return spec
        return None

    def _follow(self, name: str, loader: Any) -> None:
        # An attribute of the loader and not a loader of ours: what asks a module for its loader
        # gets the one that it would get without us.
        run = getattr(loader, "exec_module", None)
        if run is None:
            return

        def exec_module(module: ModuleType) -> None:
            vars(loader).pop("exec_module", None)
            try:
                run(module)
            finally:
                self.imported(name)

        with suppress(AttributeError, TypeError):  # a loader of C code: a sweep finds what it loads
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
