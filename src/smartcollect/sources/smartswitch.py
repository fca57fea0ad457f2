"""The one door to smartswitch: everything that is known of its private parts.

smartswitch tells a plugin of the handlers that are registered after it was plugged, and of nothing
else. Three methods of ``Switcher`` are therefore followed by one of ours: registration (so that a
watched switcher's new handlers are watched), ``plug`` and the attaching of a child (so that one
log sees the whole tree, in whichever order it was put together).
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
    "smartcollect does not know this smartswitch: handlers are recorded only where CollectPlugin "
    "is plugged before they are registered"
)


# -- what a switcher has --------------------------------------------------------------------------


def entries(switcher: Switcher) -> list[MethodEntry]:
    """Return the handlers that are registered with ``switcher`` itself."""
    return list(switcher._methods.values())


def children(switcher: Switcher) -> list[Switcher]:
    """Return the children of ``switcher``."""
    return list(switcher._children.values())


def key_of(switcher: Switcher) -> str:
    """Return what a child is called by its parent."""
    for key, child in switcher.parent._children.items():
        if child is switcher:
            return str(key)
    return str(switcher.name or "child")


def local_plugins(switcher: Switcher) -> list[BasePlugin]:
    """Return the plugins that were plugged into ``switcher`` itself, the last one last."""
    return list(switcher._local_plugins)


def inherits_plugins(switcher: Switcher) -> bool:
    """Tell whether ``switcher`` takes over the plugins of its parent."""
    return bool(switcher._inherit_plugins)


def all_switchers() -> list[Switcher]:
    """Return each switcher of this process. It looks at every object, which takes a while."""
    # `type(x)`, not `isinstance`, which would ask lazy objects and proxies for their class.
    return [
        candidate
        for candidate in gc.get_objects()
        if issubclass(type(candidate), Switcher) and "_methods" in candidate.__dict__
    ]


# -- what a handler has ---------------------------------------------------------------------------


def dispatched(entry: MethodEntry) -> Any:
    """Return what is called when the handler is dispatched."""
    return entry._wrapped


def dispatch(entry: MethodEntry, handler: Any) -> None:
    """Let ``handler`` be called when the handler is dispatched."""
    entry._wrapped = handler


def note_of(entry: MethodEntry) -> Any:
    """Return what `note` left on the entry, or ``None``."""
    notes = entry.__dict__.get(_NOTES)
    return None if notes is None else notes.get(_copy)


def note(entry: MethodEntry, value: Any) -> None:
    """Leave ``value`` on the entry, for as long as that lives.

    This module may be imported anew while the entry lives on: each copy has a note of its own.
    """
    notes = entry.__dict__.setdefault(_NOTES, weakref.WeakKeyDictionary())
    notes[_copy] = value


class _Copy:
    """Stands for this copy of the module."""


_NOTES = "_smartcollect"
_copy = _Copy()


# -- plugins --------------------------------------------------------------------------------------


def specification(factory: Callable[..., BasePlugin], name: str) -> Any:
    """Return what smartswitch makes a child's copy of a plugin from: ``factory(name=name)``."""
    from smartswitch.core import _PluginSpec

    return _PluginSpec(factory, {}, name)


def respecify(switcher: Switcher) -> None:
    """Let children get what the last plugin's `to_spec` says, not what its configuration says."""
    switcher._local_plugin_specs[-1] = switcher._local_plugins[-1].to_spec()


def _find_switches() -> Callable[[], Any] | None:
    """Return what tells whether any plugin may be switched off for the one who calls."""
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
    """What is called after smartswitch did its own.

    Attributes:
        decorated: a handler is about to be registered; its layers may still be exchanged.
        registered: a handler was registered.
        plugged: a plugin was plugged.
        adopted: a child was attached to a parent.
    """

    decorated: Callable[[Switcher, MethodEntry], None]
    registered: Callable[[Switcher, MethodEntry], None]
    plugged: Callable[[Switcher], None]
    adopted: Callable[[Switcher, Switcher], None]


_HOOKS = "_smartcollect_hooks"


def follow(hooks: Hooks) -> None:
    """Let ``hooks`` be called for as long as somebody holds them."""
    if _HOOKS in Switcher.__dict__:
        following = [weakref.ref(one) for one in (*_followers(), hooks)]
        setattr(Switcher, _HOOKS, following)


def _followers() -> list[Hooks]:
    """Return the hooks of each copy of this module that is in use, the first one first."""
    following: list[weakref.ref[Hooks]] = getattr(Switcher, _HOOKS)
    return [hooks for one in following if (hooks := one()) is not None]


def _is_known() -> bool:
    """Tell whether smartswitch works as this module relies on; a trial on a switcher shows it."""
    try:
        trial = Switcher("smartcollect")
        handler = trial._decorate(lambda: None, alias="trial")
        entry = trial._methods["trial"]
        known = entry._wrapped is handler and entry.switch is trial and callable(entry.func)
        known = known and handler.__smartswitch_entry__ is entry
        Switcher("child", parent=trial).plug(BasePlugin())
        child = trial._children["child"]
        known = known and len(child._local_plugins) == len(child._local_plugin_specs) == 1
        # Nobody is to find it while it waits for the garbage collector.
        trial._methods.clear()
        return bool(known and child._inherit_plugins is False)
    except Exception:
        return False


def _hook() -> bool:
    """Put the hooks into ``Switcher``; ``False``, and a warning, where it is not as it was.

    They are put there once: this module may be imported anew while smartswitch is not, as where
    pytest runs inside of pytest. Each copy follows the hooks, and none gets in another's way.
    """
    if _HOOKS in Switcher.__dict__:
        return True
    if not _is_known():
        warnings.warn(UNKNOWN, RuntimeWarning, stacklevel=2)
        return False
    decorate, plug, adopt = Switcher._decorate, Switcher.plug, Switcher._attach_child_switcher

    def _decorate(self: Switcher, *args: Any, **kwargs: Any) -> Any:
        # Other threads may register meanwhile: the last entry of the switcher may be another's.
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
"""Whether this smartswitch is one that is known: where not, nothing is watched."""
switches = _find_switches()
"""Returns something true where a plugin may be switched off; ``None`` where that is not known."""
