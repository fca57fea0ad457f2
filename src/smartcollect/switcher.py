"""All that is known about smartswitch: naming a handler, attach and detach, the registration hook.

smartswitch tells a plugin of the handlers that are registered after it was plugged, and of nothing
else. Three methods of ``Switcher`` are therefore followed by one of ours: registration (so that a
watched switcher's new handlers are watched), ``plug`` and the attaching of a child (so that one
log sees the whole tree, in whichever order it was put together).
"""

from __future__ import annotations

import gc
import os
import warnings
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import Context
from threading import RLock
from typing import Any, Protocol

from smartswitch import BasePlugin, MethodEntry
from smartswitch import Switcher as Switcher

from .instrument import Instrument
from .names import HandlerName
from .recorder import Bound, Probe
from .standin import switched_layer
from .store import Store

UNKNOWN = (
    "smartcollect does not know this smartswitch: handlers are recorded only where CollectPlugin "
    "is plugged before they are registered"
)


class Log(Protocol):
    """What watches switchers."""

    @property
    def store(self) -> Store:
        """Where its calls go; what it is known by."""

    def probe(self, name: HandlerName, subject: Any) -> Probe:
        """A probe for a handler, registered under ``name``."""

    def rename(self, probe: Probe, name: HandlerName) -> None:
        """The handler of ``probe`` is called ``name`` from now on."""


class WatchingPlugin(BasePlugin):  # type: ignore[misc]
    """A plugin that is told where it was plugged."""

    log: Log


class Watch:
    """One log's subscription to a switcher and its children.

    Attributes:
        log: what is fed.
        plugged: whether it follows plugin inheritance, as a plugged log does.
    """

    def __init__(self, log: Log, root: Switcher | None, plugged: bool = False) -> None:
        self.log = log
        self.plugged = plugged
        self._root = None if root is None else weakref.ref(root)

    def has_root(self, switcher: Switcher) -> bool:
        """Whether selectors start from ``switcher``."""
        return self._root is not None and self._root() is switcher

    def name(self, entry: MethodEntry) -> HandlerName:
        """What a handler is called from the root of this watch, or else of its tree."""
        root = None if self._root is None else self._root()
        keys = [entry.name]
        *below, top = _upwards(entry.switch, root)
        keys += [_key(node) for node in below]
        return HandlerName(_switcher_name(top), ".".join(reversed(keys)))

    def covers(self, switcher: Switcher) -> bool:
        """Whether ``switcher``, a child of one that is watched, is watched too."""
        if not self.plugged:
            return True
        own = any(
            isinstance(plugin, WatchingPlugin) and plugin.log.store is not self.log.store
            for plugin in switcher._local_plugins
        )
        return bool(switcher._inherit_plugins) and not own


class _Observed:
    """What is known of one registered handler; it lives on the handler's entry."""

    __slots__ = ("attached", "chained", "instrument", "shortcut")

    def __init__(self) -> None:
        self.instrument: Instrument | None = None
        # The plugin wrapped last, and what `layer` needs, until the handler is registered.
        self.shortcut: tuple[WatchingPlugin, Bound] | None = None
        # Probes that are layers of smartswitch's own chain, and probes of the instrument.
        self.chained: list[tuple[Watch, Probe]] = []
        self.attached: list[tuple[Watch, Probe]] = []


_lock = RLock()
if hasattr(os, "register_at_fork"):
    # A fork while another thread attaches would leave a lock in the child that nobody opens.
    os.register_at_fork(
        before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release
    )
_watches: weakref.WeakKeyDictionary[Switcher, list[Watch]] = weakref.WeakKeyDictionary()
# Those with handlers, in the order in which they got their first: a set that is ordered.
_known: weakref.WeakKeyDictionary[Switcher, None] = weakref.WeakKeyDictionary()
_everywhere: list[Watch] = []
_searched = False


def attach(log: Log, switcher: Switcher) -> None:
    """Feeds ``log`` with the calls of the handlers of ``switcher`` and its children.

    Raises:
        TypeError: ``switcher`` is no ``Switcher``.
    """
    _check(switcher)
    with _lock:
        if not hooked:
            return
        if not any(
            watch.log.store is log.store and watch.has_root(switcher) and not watch.plugged
            for watch in _watches.get(switcher, ())
        ):
            _subscribe(switcher, Watch(log, switcher))


def detach(log: Log, switcher: Switcher) -> None:
    """Undoes `attach`.

    Raises:
        TypeError: ``switcher`` is no ``Switcher``.
        ValueError: ``log`` is not attached to it.
    """
    _check(switcher)
    with _lock:
        watch = next(
            (
                watch
                for watch in _watches.get(switcher, ())
                if watch.log.store is log.store and watch.has_root(switcher) and not watch.plugged
            ),
            None,
        )
        if not hooked:
            return
        if watch is None:
            raise ValueError(
                f"switcher: {_switcher_name(switcher)!r} is not attached; accepted: one that was "
                "given to attach()"
            )
        for node in [*_known, *_watches]:
            _unsubscribe(node, watch)


@contextmanager
def everywhere(log: Log) -> Iterator[None]:
    """Feeds ``log`` with the calls of each handler of each switcher."""
    watch = Watch(log, None)
    _begin_everywhere(watch)
    try:
        yield
    finally:
        _end_everywhere(watch)


# Functions of their own: a suspended generator would keep the last switcher alive in its locals.


def _begin_everywhere(watch: Watch) -> None:
    with _lock:
        if not hooked:
            return
        _everywhere.append(watch)
        for switcher in _all_switchers():
            for entry in switcher._methods.values():
                _observe(entry, watch)


def _end_everywhere(watch: Watch) -> None:
    with _lock:
        if watch not in _everywhere:
            return
        _everywhere.remove(watch)
        for switcher in _all_switchers():
            _unsubscribe(switcher, watch)


def chain(plugin: WatchingPlugin, entry: MethodEntry) -> Probe | None:
    """The probe for a layer of smartswitch's chain; ``None`` where another log took over."""
    with _lock:
        found = (
            watch
            for node in _upwards(entry.switch)
            for watch in _watches.get(node, ())
            if watch.log.store is plugin.log.store
        )
        watch = next(found, None) or Watch(plugin.log, None)
        here = _watches.get(entry.switch, ())
        if watch not in here and any(other.plugged for other in here):
            return None
        probe = plugin.log.probe(watch.name(entry), entry.func)
        _observed(entry).chained.append((watch, probe))
        return probe


def shorten(plugin: WatchingPlugin, entry: MethodEntry, bound: Bound) -> None:
    """Lets the handler be called without smartswitch's own layer around that of ``plugin``.

    That layer asks two questions before each call, which take as long as to record it: whether
    the plugin is enabled, which the probe knows, and whether it is switched off for a caller.
    """
    _observed(entry).shortcut = (plugin, bound)


def _take_shortcut(switcher: Switcher, entry: MethodEntry) -> None:
    observed = entry.__dict__.get("_smartcollect")
    if observed is None or observed.shortcut is None:
        return
    (plugin, bound), observed.shortcut = observed.shortcut, None
    own = type(switcher).is_plugin_enabled is not Switcher.is_plugin_enabled
    # Those inside of another plugin's layer are called by that one.
    if _switches is None or own or switcher.iter_plugins()[0] is not plugin:
        return
    handler, name = entry.name, plugin.name

    def off(args: tuple[Any, ...]) -> bool:
        return not switcher.is_plugin_enabled(args[0] if args else None, handler, name)

    made, theirs = switched_layer(bound, _switches, off), entry._wrapped
    made.__dict__.update(theirs.__dict__)
    made.__name__, made.__qualname__ = theirs.__name__, theirs.__qualname__
    made.__module__ = theirs.__module__
    entry._wrapped = made


def specification(factory: Callable[..., BasePlugin], name: str) -> Any:
    """What smartswitch makes a child's copy of a plugin from: it calls ``factory(name=name)``."""
    from smartswitch.core import _PluginSpec

    return _PluginSpec(factory, {}, name)


def _check(switcher: object) -> None:
    if not isinstance(switcher, Switcher):
        raise TypeError(f"switcher: {switcher!r} is no Switcher; accepted: a smartswitch.Switcher")


def _observed(entry: MethodEntry) -> _Observed:
    found = entry.__dict__.get("_smartcollect")
    if found is None:
        found = entry._smartcollect = _Observed()
    assert isinstance(found, _Observed)
    return found


def _observe(entry: MethodEntry, watch: Watch) -> None:
    observed = _observed(entry)
    if any(other.log.store is watch.log.store for other, _ in observed.chained + observed.attached):
        return
    probe = watch.log.probe(watch.name(entry), entry.func)
    observed.attached.append((watch, probe))
    _update(entry, observed)


def _update(entry: MethodEntry, observed: _Observed) -> None:
    if observed.instrument is None:
        observed.instrument = Instrument(entry._wrapped)
    entry._wrapped = observed.instrument.watch(tuple(probe for _, probe in observed.attached))


def _subscribe(switcher: Switcher, watch: Watch) -> None:
    for node in _tree(switcher, watch.covers):
        watches = _watches.setdefault(node, [])
        if watch not in watches:
            watches.append(watch)
        for entry in node._methods.values():
            _observe(entry, watch)


def _unsubscribe(switcher: Switcher, watch: Watch) -> None:
    watches = _watches.get(switcher)
    if watches is not None and watch in watches:
        watches.remove(watch)
        if not watches:
            del _watches[switcher]
    for entry in switcher._methods.values():
        observed = entry.__dict__.get("_smartcollect")
        if observed is None or not any(other is watch for other, _ in observed.attached):
            continue
        observed.attached = [pair for pair in observed.attached if pair[0] is not watch]
        for other in (*_watches.get(switcher, ()), *_everywhere):
            _observe(entry, other)
        _update(entry, observed)


def _upwards(switcher: Switcher, root: Switcher | None = None) -> list[Switcher]:
    """``switcher``, its parent and so on, to ``root`` or to the top.

    Each is there once: smartswitch lets a switcher become the child of its own child.
    """
    found = [switcher]
    while found[-1] is not root and found[-1].parent not in (None, *found):
        found.append(found[-1].parent)
    return found


def _tree(
    switcher: Switcher, covers: Callable[[Switcher], bool] = lambda child: True
) -> Iterator[Switcher]:
    """``switcher`` and its children, those left out that ``covers`` refuses, with theirs."""
    waiting, seen = [switcher], {switcher}
    while waiting:
        node = waiting.pop(0)
        yield node
        for child in node._children.values():
            if child not in seen and covers(child):
                seen.add(child)
                waiting.append(child)


def _all_switchers() -> list[Switcher]:
    """Each switcher that has handlers, those included that were made before this module."""
    global _searched
    if not _searched:
        _searched = True
        # `type(x)`, not `isinstance`, which would ask lazy objects and proxies for their class.
        for candidate in gc.get_objects():
            if issubclass(type(candidate), Switcher) and "_methods" in candidate.__dict__:
                _known[candidate] = None
    return list(_known)


def _key(switcher: Switcher) -> str:
    """What ``switcher`` is called by its parent."""
    for key, child in switcher.parent._children.items():
        if child is switcher:
            return str(key)
    return str(switcher.name or "child")


def _switcher_name(switcher: Switcher) -> str:
    """The name of ``switcher``, or of the class or the module that its handlers live in."""
    if switcher.name:
        return str(switcher.name)
    for node in _tree(switcher):
        for entry in node._methods.values():
            containers = str(getattr(entry.func, "__qualname__", "")).split(".")[:-1]
            if containers and containers[-1] != "<locals>":
                return containers[-1]
            return str(getattr(entry.func, "__module__", None) or "switcher")
    return "switcher"


def _rename(switcher: Switcher) -> None:
    """Gives the handlers of ``switcher`` and its children the names that they have now."""
    for node in _tree(switcher):
        for entry in node._methods.values():
            observed = entry.__dict__.get("_smartcollect")
            if observed is not None:
                for watch, probe in observed.chained + observed.attached:
                    name = watch.name(entry)
                    if name != probe.name:
                        watch.log.rename(probe, name)


# ---------------------------------------------------------------------------------------------
# The hooks. What each does beyond what smartswitch does:
# ---------------------------------------------------------------------------------------------


def _registered(switcher: Switcher, entry: MethodEntry) -> Any:
    """A handler was registered; returns what calls it."""
    with _lock:
        _take_shortcut(switcher, entry)
        handler = entry._wrapped
        _known[switcher] = None
        for watch in (*_watches.get(switcher, ()), *_everywhere):
            _observe(entry, watch)
        if len(switcher._methods) == 1 and _root(switcher).name is None:
            _rename(_root(switcher))
    return handler


def _root(switcher: Switcher) -> Switcher:
    return _upwards(switcher)[-1]


def _plugged(switcher: Switcher) -> None:
    """A plugin was plugged."""
    plugin = switcher._local_plugins[-1]
    if not isinstance(plugin, WatchingPlugin):
        return
    # Children get copies that feed the same log, not ones made anew from the configuration.
    switcher._local_plugin_specs[-1] = plugin.to_spec()
    with _lock:
        watch = Watch(plugin.log, switcher, plugged=True)
        for node in _tree(switcher, watch.covers):
            watches = _watches.get(node, [])
            watches[:] = [
                other
                for other in watches
                if not other.plugged or other.has_root(node) or other.log.store is watch.log.store
            ]
        _subscribe(switcher, watch)


def _adopted(parent: Switcher, child: Switcher) -> None:
    """A child was attached."""
    with _lock:
        for watch in list(_watches.get(parent, ())):
            if watch.covers(child):
                _subscribe(child, watch)
        _rename(child)


def _hook() -> bool:
    """Puts the hooks into ``Switcher``; ``False``, and a warning, where it is not as it was."""
    try:
        # Registering a handler on a switcher of our own shows all that is relied on.
        trial = Switcher("smartcollect")
        handler = trial._decorate(lambda: None, alias="trial")
        entry = trial._methods["trial"]
        known = entry._wrapped is handler and entry.switch is trial and callable(entry.func)
        known = known and handler.__smartswitch_entry__ is entry
        Switcher("child", parent=trial).plug(BasePlugin())
        child = trial._children["child"]
        known = known and len(child._local_plugins) == len(child._local_plugin_specs) == 1
        known = known and child._inherit_plugins is False
        # Nobody is to find it while it waits for the garbage collector.
        trial._methods.clear()
    except Exception:
        known = False
    if not known:
        warnings.warn(UNKNOWN, RuntimeWarning, stacklevel=2)
        return False
    decorate, plug, adopt = Switcher._decorate, Switcher.plug, Switcher._attach_child_switcher

    def _decorate(self: Switcher, *args: Any, **kwargs: Any) -> Any:
        # Other threads may register meanwhile: the last entry of the switcher may be another's.
        return _registered(self, decorate(self, *args, **kwargs).__smartswitch_entry__)

    def _plug(self: Switcher, *args: Any, **kwargs: Any) -> Any:
        result = plug(self, *args, **kwargs)
        _plugged(self)
        return result

    def _attach_child_switcher(self: Switcher, child: Switcher, *args: Any, **kwargs: Any) -> Any:
        result = adopt(self, child, *args, **kwargs)
        _adopted(self, child)
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
    return True


def _find_switches() -> Callable[[], Any] | None:
    """What returns something true where a plugin may be switched off for the one who calls."""
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


hooked = _hook()
"""Whether this smartswitch is one that is known: where not, nothing is watched."""
_switches = _find_switches()
