"""Registers the plugin ``collect`` with smartswitch as soon as that is imported, and no earlier.

``import smartcollect`` is also how report files are read, on machines that have no use for
smartswitch. So it imports neither smartswitch nor the plugin, and waits for somebody who does.
"""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

_SMARTSWITCH = "smartswitch"
_OURS = f"{__package__}."


class _Watchful(Loader):
    """Does what another loader does, and tells when it is done."""

    def __init__(self, loader: Loader, finder: _Finder) -> None:
        self._loader = loader
        self._finder = finder

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        # The module is not to know: it may ask its loader for source and resources.
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        with self._finder:
            self._loader.exec_module(module)


class _Finder(MetaPathFinder):
    """Sees smartswitch imported, and our own modules, which may be what imports it.

    The plugin is imported once none of these is in the middle of its import.
    """

    def __init__(self) -> None:
        self._depth = 0

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != _SMARTSWITCH and not name.startswith(_OURS):
            return None
        for finder in sys.meta_path:
            find = None if finder is self else getattr(finder, "find_spec", None)
            spec: ModuleSpec | None = None if find is None else find(name, path, target)
            if spec is not None:
                if spec.loader is not None:
                    spec.loader = _Watchful(spec.loader, self)
                return spec
        return None

    def __enter__(self) -> None:
        self._depth += 1

    def __exit__(self, kind: type | None, *_: object) -> None:
        self._depth -= 1
        # An import that failed may be tried again.
        done = kind is None and self._depth == 0 and _is_imported()
        if done and self in sys.meta_path:
            sys.meta_path.remove(self)
            _import_plugin()


def register() -> None:
    """Register the plugin now, or once smartswitch is imported."""
    # This module may be imported anew: one finder is to wait, not each for the other.
    sys.meta_path[:] = [finder for finder in sys.meta_path if not _is_ours(finder)]
    if _is_imported():
        _import_plugin()
    else:
        sys.meta_path.insert(0, _Finder())


def _is_imported() -> bool:
    return sys.modules.get(_SMARTSWITCH) is not None


def _is_ours(finder: object) -> bool:
    kind = type(finder)
    return (kind.__module__, kind.__name__) == (__name__, _Finder.__name__)


def _import_plugin() -> None:
    try:
        importlib.import_module(f"{_OURS}plugin")
    except Exception as error:
        # What is imported is smartswitch or a reader of reports: neither is to fail for this.
        why = f"smartcollect could not register its plugin with smartswitch: {error}"
        warnings.warn(why, RuntimeWarning, stacklevel=2)
