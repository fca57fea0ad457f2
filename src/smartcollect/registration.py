"""Registration of the plugin ``collect`` with smartswitch.

``import smartcollect`` must work without smartswitch, for example to read report files. So it
imports neither smartswitch nor the plugin. An import hook waits until the application imports
smartswitch, and then imports the plugin, which registers itself.
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
    """A loader that delegates to another one, and informs the finder when a module is loaded."""

    def __init__(self, loader: Loader, finder: _Finder) -> None:
        self._loader = loader
        self._finder = finder

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        # Modules ask their loader for source and resources, so they must see the real one.
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        with self._finder:
            self._loader.exec_module(module)


class _Finder(MetaPathFinder):
    """A finder that imports the plugin once smartswitch is imported.

    It also follows the imports of smartcollect's modules, because one of them may be importing
    smartswitch. The plugin is imported when none of these imports is in progress.
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
        # Stay in place after a failed import: the application may try it again.
        done = kind is None and self._depth == 0 and _is_imported()
        if done and self in sys.meta_path:
            sys.meta_path.remove(self)
            _import_plugin()


def register() -> None:
    """Register the plugin now if smartswitch is imported, otherwise as soon as it is."""
    # A reload of this module would add a second finder, and each would wait for the other.
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
        # The application imports smartswitch or reads reports; neither must fail because of this.
        why = f"smartcollect could not register its plugin with smartswitch: {error}"
        warnings.warn(why, RuntimeWarning, stacklevel=2)
