"""The interface to smartswitch: all code that depends on its private parts.

smartswitch notifies a plugin only about handlers that are registered after the plugin. So hooks are
added to three methods of ``Switcher``: registration (to watch new handlers of a watched switcher),
``plug``, and attaching a child (so that one log sees the whole tree, built in any order).
"""

from __future__ import annotations

import gc
import warnings
import weakref
from collections.abc import Callable
from contextvars import Context
from dataclasses import dataclass
from typing import Any

from smartswitch import BasePlugin as BasePlugin
from smartswitch import MethodEntry as MethodEntry
from smartswitch import Switcher as Switcher

UNKNOWN = (
    "smartcollect does not know this smartswitch: handlers are recorded only if CollectPlugin is "
    "plugged before they are registered; install a supported version of smartswitch"
)


# -- switchers ------------------------------------------------------------------------------------


def entries(switcher: Switcher) -> list[MethodEntry]:
    """Return the handlers that are registered with ``switcher`` itself."""
    return list(switcher._methods.values())


def children(switcher: Switcher) -> list[Switcher]:
    """Return the children of ``switcher``."""
    return list(switcher._children.values())


def key_of(switcher: Switcher) -> str:
    """Return the name of a child in its parent."""
    for key, child in switcher.parent._children.items():
        if child is switcher:
            return str(key)
    return str(switcher.name or "child")


def local_plugins(switcher: Switcher) -> list[BasePlugin]:
    """Return the plugins that were plugged into ``switcher`` itself, the newest last."""
    return list(switcher._local_plugins)


def inherits_plugins(switcher: Switcher) -> bool:
    """Return whether ``switcher`` inherits the plugins of its parent."""
    return bool(switcher._inherit_plugins)


def all_switchers() -> list[Switcher]:
    """Return all switchers of this process. This is slow, because it looks at every object."""
    # `type(x)`, because `isinstance` may run code of lazy objects and proxies.
    return [
        candidate
        for candidate in gc.get_objects()
        if issubclass(type(candidate), Switcher) and "_methods" in candidate.__dict__
    ]


# -- handlers -------------------------------------------------------------------------------------


def dispatched(entry: MethodEntry) -> Any:
    """Return the callable that smartswitch calls for the handler."""
    return entry._wrapped


def dispatch(entry: MethodEntry, handler: Any) -> None:
    """Set the callable that smartswitch calls for the handler."""
    entry._wrapped = handler


def note_of(entry: MethodEntry) -> Any:
    """Return the value that `note` stored on the entry, or ``None``."""
    notes = entry.__dict__.get(_NOTES)
    return None if notes is None else notes.get(_copy)


def note(entry: MethodEntry, value: Any) -> None:
    """Store ``value`` on the entry, as long as the entry lives.

    This module may be imported again while the entry lives on, so each copy has a separate note.
    """
    notes = entry.__dict__.setdefault(_NOTES, weakref.WeakKeyDictionary())
    notes[_copy] = value


class _Copy:
    """The identity of this copy of the module."""


_NOTES = "_smartcollect"
_copy = _Copy()


# -- plugins --------------------------------------------------------------------------------------


def specification(factory: Callable[..., BasePlugin], name: str) -> Any:
    """Return the spec from which smartswitch creates a child's plugin: ``factory(name=name)``."""
    from smartswitch.core import _PluginSpec

    return _PluginSpec(factory, {}, name)


def respecify(switcher: Switcher) -> None:
    """Let children copy the newest plugin from its `to_spec` instead of its configuration."""
    switcher._local_plugin_specs[-1] = switcher._local_plugins[-1].to_spec()


def _find_switches() -> Callable[[], Any] | None:
    """Return a function that is true if plugins may be switched off for a caller, or ``None``.

    ``None`` if this version of smartswitch works differently, which a trial shows.
    """
    from smartswitch import core

    def works() -> bool:
        before = get()
        Switcher("smartcollect").set_plugin_enabled(None, "trial", "trial", False)
        return not before and bool(get())

    try:
        get: Callable[[], Any] = core._activation_ctx.get
        return get if Context().run(works) else None
    except Exception:
        return None


# -- hooks ----------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Hooks:
    """Functions to call after methods of smartswitch.

    Attributes:
        decorated: called before a handler is registered, when its layers can still be replaced.
        registered: called after a handler was registered.
        plugged: called after a plugin was plugged.
        adopted: called after a child was attached to a parent.
    """

    decorated: Callable[[Switcher, MethodEntry], None]
    registered: Callable[[Switcher, MethodEntry], None]
    plugged: Callable[[Switcher], None]
    adopted: Callable[[Switcher, Switcher], None]


_HOOKS = "_smartcollect_hooks"


def follow(hooks: Hooks) -> None:
    """Call ``hooks`` as long as they are referenced."""
    if _HOOKS in Switcher.__dict__:
        following = [weakref.ref(one) for one in (*_followers(), hooks)]
        setattr(Switcher, _HOOKS, following)


def _followers() -> list[Hooks]:
    """Return the hooks of each copy of this module that is in use, the oldest first."""
    following: list[weakref.ref[Hooks]] = getattr(Switcher, _HOOKS)
    return [hooks for one in following if (hooks := one()) is not None]


def _is_known() -> bool:
    """Return whether smartswitch works as this module expects, by a trial on a switcher."""
    try:
        trial = Switcher("smartcollect")
        handler = trial._decorate(lambda: None, alias="trial")
        entry = trial._methods["trial"]
        known = entry._wrapped is handler and entry.switch is trial and callable(entry.func)
        known = known and handler.__smartswitch_entry__ is entry
        Switcher("child", parent=trial).plug(BasePlugin())
        child = trial._children["child"]
        known = known and len(child._local_plugins) == len(child._local_plugin_specs) == 1
        # So that `all_switchers` finds no handler here until the garbage collector runs.
        trial._methods.clear()
        return bool(known and child._inherit_plugins is False)
    except Exception:
        return False


def _hook() -> bool:
    """Install the hooks in ``Switcher`` and return true; warn and return false if not possible.

    The hooks are installed once. This module may be imported again while smartswitch is not, such
    as when pytest runs inside pytest; then each copy of it follows the same hooks.
    """
    if _HOOKS in Switcher.__dict__:
        return True
    if not _is_known():
        warnings.warn(UNKNOWN, RuntimeWarning, stacklevel=2)
        return False
    decorate, plug, adopt = Switcher._decorate, Switcher.plug, Switcher._attach_child_switcher

    def _decorate(self: Switcher, *args: Any, **kwargs: Any) -> Any:
        # From the result, because other threads may register a newer entry meanwhile.
        entry = decorate(self, *args, **kwargs).__smartswitch_entry__
        hooks = _followers()
        for one in hooks:
            one.decorated(self, entry)
        handler = dispatched(entry)
        for one in hooks:
            one.registered(self, entry)
        return handler

    def _plug(self: Switcher, *args: Any, **kwargs: Any) -> Any:
        result = plug(self, *args, **kwargs)
        for one in _followers():
            one.plugged(self)
        return result

    def _attach_child_switcher(self: Switcher, child: Switcher, *args: Any, **kwargs: Any) -> Any:
        result = adopt(self, child, *args, **kwargs)
        for one in _followers():
            one.adopted(self, child)
        return result

    replacements: dict[str, Callable[..., Any]] = {
        "_decorate": _decorate,
        "plug": _plug,
        "_attach_child_switcher": _attach_child_switcher,
    }
    for name, replacement in replacements.items():
        original = getattr(Switcher, name)
        replacement.__doc__ = original.__doc__
        replacement.__name__, replacement.__qualname__ = original.__name__, original.__qualname__
        replacement.__wrapped__ = original  # type: ignore[attr-defined]
        setattr(Switcher, name, replacement)
    setattr(Switcher, _HOOKS, [])
    return True


hooked = _hook()
"""True if this version of smartswitch is known; otherwise switchers are not watched."""
switches = _find_switches()
"""A function that is true if a plugin may be switched off; ``None`` if that is unknown."""
