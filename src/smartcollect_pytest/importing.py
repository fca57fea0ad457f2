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
        if any(name in sys.modules for name in NAMES):
            self.imported()
        else:
            sys.meta_path.insert(0, self)

    def imported(self) -> None:
        """smartswitch is there."""
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
        if fullname not in NAMES or self not in sys.meta_path:
            return None
        # Out of the way while the others are asked, and for good once they have answered.
        position = sys.meta_path.index(self)
        self.remove()
        spec = find_spec(fullname)
        if spec is None or spec.loader is None:
            sys.meta_path.insert(position, self)
            return None
        spec.loader = _Loader(spec.loader, self)
        return spec


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
        self._loader.exec_module(module)
        self._waiting.imported()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)
