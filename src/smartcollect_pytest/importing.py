"""Runs a function right after smartswitch is imported, and imports nothing itself."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any

# smartcollect imports smartswitch; to be told in the middle of that would be too early.
NAMES = ("smartcollect", "smartswitch")


class AfterImport(MetaPathFinder):
    """Calls ``then`` as soon as smartswitch is there: now, or after its import.

    Args:
        then: called once, without an argument.
    """

    def __init__(self, then: Callable[[], object]) -> None:
        self._then: Callable[[], object] | None = then
        self._asking = False
        # How many of the modules are being executed, the one inside of the other.
        self._executing = 0
        if any(name in sys.modules for name in NAMES):
            self._imported()
        else:
            sys.meta_path.insert(0, self)

    def _imported(self) -> None:
        then, self._then = self._then, None
        self.remove()
        if then is not None:
            then()

    def remove(self) -> None:
        """Stops to wait."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec that the other finders have, with a loader that calls back."""
        if fullname not in NAMES or self._asking:
            return None
        self._asking = True
        try:
            spec = find_spec(fullname)
        finally:
            self._asking = False
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader, self)
        return spec

    def execute(self, loader: Any, module: ModuleType) -> None:
        """Executes a module, and calls back after the outermost one."""
        self._executing += 1
        try:
            loader.exec_module(module)
        finally:
            self._executing -= 1
        if self._executing == 0:
            self._imported()


class _Loader(Loader):
    """A loader that tells when its module was executed, and leaves no trace in it."""

    def __init__(self, loader: Any, waiting: AfterImport) -> None:
        self._loader = loader
        self._waiting = waiting

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        created: ModuleType | None = self._loader.create_module(spec)
        return created

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._waiting.execute(self._loader, module)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)
