"""Switchers as a source of calls: watched through ``plug``, ``attach`` or all of them."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from ..names import HandlerName
from ..recording.probe import Bound, Probe
from ..recording.recorder import Recorder
from ..recording.registry import Handle, lock
from . import smartswitch
from .naming import name_of, switcher_name, tree, upwards
from .shortcut import shorten
from .smartswitch import (
    BasePlugin,
    Hooks,
    MethodEntry,
    Switcher,
    all_switchers,
    dispatch,
    dispatched,
    entries,
    inherits_plugins,
    local_plugins,
    note,
    note_of,
    respecify,
)


class WatchingPlugin(BasePlugin):  # type: ignore[misc]
    """A plugin that feeds a log."""

    recorder: Recorder


class Watch:
    """A log that watches a switcher with its children, or all switchers.

    Attributes:
        recorder: the recorder of the log.
        plugged: true if plugin inheritance decides about children, as for a plugged log.
    """

    def __init__(self, recorder: Recorder, root: Switcher | None, plugged: bool = False) -> None:
        self.recorder = recorder
        self.plugged = plugged
        self._root = None if root is None else weakref.ref(root)

    def has_root(self, switcher: Switcher) -> bool:
        """Return whether names are relative to ``switcher``."""
        return self._root is not None and self._root() is switcher

    def name(self, entry: MethodEntry) -> HandlerName:
        """Return the name of a handler, relative to the root of this watch or else of its tree."""
        return name_of(entry, None if self._root is None else self._root())

    def covers(self, switcher: Switcher) -> bool:
        """Return whether ``switcher``, a child of a watched switcher, is watched too."""
        if not self.plugged:
            return True
        own = any(
            isinstance(plugin, WatchingPlugin) and plugin.recorder is not self.recorder
            for plugin in local_plugins(switcher)
        )
        return inherits_plugins(switcher) and not own


class _Observed:
    """The state of a registered handler, stored on its entry."""

    __slots__ = ("attached", "chained", "handle", "shortcut")

    def __init__(self) -> None:
        self.handle: Handle | None = None
        # The last wrapping plugin and the start of its layer, until the handler is registered.
        self.shortcut: tuple[WatchingPlugin, Bound] | None = None
        # Probes of layers in the chain of smartswitch, and probes in the registry.
        self.chained: list[tuple[Watch, Probe]] = []
        self.attached: list[tuple[Watch, Probe]] = []


_watches: weakref.WeakKeyDictionary[Switcher, list[Watch]] = weakref.WeakKeyDictionary()
# Switchers with handlers, in the order of their first handler, with the number of logs that have
# begun to watch everywhere since then.
_known: weakref.WeakKeyDictionary[Switcher, int] = weakref.WeakKeyDictionary()
_GROWN_UP = 2
_everywhere: list[Watch] = []
_searched = False


# -- for logs -------------------------------------------------------------------------------------


KIND = "Switcher"


def accepts(target: object) -> bool:
    """Return whether ``target`` is a switcher."""
    return isinstance(target, Switcher)


def attach(recorder: Recorder, switcher: Switcher) -> None:
    """Record the calls of the handlers of ``switcher`` and its children."""
    with lock:
        if smartswitch.hooked and _attached(recorder, switcher) is None:
            _subscribe(switcher, Watch(recorder, switcher))


def detach(recorder: Recorder, switcher: Switcher) -> None:
    """Undo `attach`.

    Raises:
        ValueError: the switcher is not attached.
    """
    with lock:
        if not smartswitch.hooked:
            return
        watch = _attached(recorder, switcher)
        if watch is None:
            raise ValueError(
                f"switcher {switcher_name(switcher)!r} is not attached; pass a switcher that was "
                "passed to attach()"
            )
        for one in [*_known, *_watches]:
            _unsubscribe(one, watch)


def _attached(recorder: Recorder, switcher: Switcher) -> Watch | None:
    for watch in _watches.get(switcher, ()):
        if watch.recorder is recorder and watch.has_root(switcher) and not watch.plugged:
            return watch
    return None


@contextmanager
def everywhere(recorder: Recorder) -> Iterator[None]:
    """Record the calls of all handlers of all switchers until the end of the block."""
    watch = Watch(recorder, None)
    _forget_garbage()
    _begin_everywhere(watch)
    try:
        yield
    finally:
        _end_everywhere(watch)


# Separate functions, because the suspended generator would keep the last switcher alive.


def _begin_everywhere(watch: Watch) -> None:
    with lock:
        if not smartswitch.hooked:
            return
        _everywhere.append(watch)
        for switcher in _all_known():
            for entry in entries(switcher):
                _observe(entry, watch)


def _end_everywhere(watch: Watch) -> None:
    with lock:
        if watch not in _everywhere:
            return
        _everywhere.remove(watch)
        for switcher in _all_known():
            _unsubscribe(switcher, watch)


def _all_known() -> list[Switcher]:
    """Return all switchers with handlers, also those created before this module was imported."""
    global _searched
    if not _searched:
        _searched = True
        for switcher in all_switchers():
            _known.setdefault(switcher, 0)
    return list(_known)


def _forget_garbage() -> None:
    """Collect switchers that are no longer referenced.

    Until the garbage collector runs, a log that watches everywhere would include their handlers,
    and names could become ambiguous. Most switchers live as long as the process, so the collector
    runs only while there are young switchers.
    """
    with lock:
        young = any(age < _GROWN_UP for age in list(_known.values()))
    if young:
        gc.collect()  # without the lock: destructors may do anything
        with lock:
            for switcher, age in list(_known.items()):
                _known[switcher] = age + 1


# -- for plugins ----------------------------------------------------------------------------------


def chain(plugin: WatchingPlugin, entry: MethodEntry) -> Probe | None:
    """Return the probe for a layer of the chain, or ``None`` if another log took over."""
    with lock:
        found = (
            watch
            for switcher in upwards(entry.switch)
            for watch in _watches.get(switcher, ())
            if watch.recorder is plugin.recorder
        )
        watch = next(found, None) or Watch(plugin.recorder, None)
        here = _watches.get(entry.switch, ())
        if watch not in here and any(other.plugged for other in here):
            return None
        probe = plugin.recorder.probe(watch.name(entry), entry.func)
        _observed(entry).chained.append((watch, probe))
        return probe


def may_shorten(plugin: WatchingPlugin, entry: MethodEntry, bound: Bound) -> None:
    """Note that `shortcut.shorten` may be applied when the handler is registered."""
    _observed(entry).shortcut = (plugin, bound)


# -- subscriptions --------------------------------------------------------------------------------


def _observed(entry: MethodEntry) -> _Observed:
    found = note_of(entry)
    if found is None:
        found = _Observed()
        note(entry, found)
    observed: _Observed = found
    return observed


def _observe(entry: MethodEntry, watch: Watch) -> None:
    observed = _observed(entry)
    recorder = watch.recorder
    if any(other.recorder is recorder for other, _ in observed.chained + observed.attached):
        return
    if observed.handle is None:
        observed.handle = Handle(dispatched(entry), partial(dispatch, entry))
    probe = recorder.probe(watch.name(entry), entry.func)
    observed.attached.append((watch, probe))
    observed.handle.watch(probe)


def _subscribe(switcher: Switcher, watch: Watch) -> None:
    for one in tree(switcher, watch.covers):
        watches = _watches.setdefault(one, [])
        if watch not in watches:
            watches.append(watch)
        for entry in entries(one):
            _observe(entry, watch)


def _unsubscribe(switcher: Switcher, watch: Watch) -> None:
    watches = _watches.get(switcher)
    if watches is not None and watch in watches:
        watches.remove(watch)
        if not watches:
            del _watches[switcher]
    for entry in entries(switcher):
        observed = note_of(entry)
        if observed is None:
            continue
        for pair in [pair for pair in observed.attached if pair[0] is watch]:
            observed.attached.remove(pair)
            observed.handle.leave(pair[1])
            for other in (*_watches.get(switcher, ()), *_everywhere):
                _observe(entry, other)


def _rename(switcher: Switcher) -> None:
    """Update the names of the handlers of ``switcher`` and its children."""
    for one in tree(switcher):
        for entry in entries(one):
            observed = note_of(entry)
            if observed is not None:
                for watch, probe in observed.chained + observed.attached:
                    name = watch.name(entry)
                    if name != probe.name:
                        watch.recorder.rename(probe, name)


# -- hooks ----------------------------------------------------------------------------------------


def _decorated(switcher: Switcher, entry: MethodEntry) -> None:
    """Apply a noted shortcut to a handler that is about to be registered."""
    with lock:
        observed = note_of(entry)
        if observed is not None and observed.shortcut is not None:
            (plugin, bound), observed.shortcut = observed.shortcut, None
            shorten(switcher, entry, plugin, bound)


def _registered(switcher: Switcher, entry: MethodEntry) -> None:
    """Watch a handler that was registered."""
    with lock:
        _known.setdefault(switcher, 0)
        for watch in (*_watches.get(switcher, ()), *_everywhere):
            _observe(entry, watch)
        if len(entries(switcher)) == 1 and upwards(switcher)[-1].name is None:
            _rename(upwards(switcher)[-1])


def _plugged(switcher: Switcher) -> None:
    """Watch a switcher into which a plugin was plugged."""
    plugin = local_plugins(switcher)[-1]
    if not isinstance(plugin, WatchingPlugin):
        return
    # So that the copies for children feed the same log.
    respecify(switcher)
    with lock:
        watch = Watch(plugin.recorder, switcher, plugged=True)
        for one in tree(switcher, watch.covers):
            watches = _watches.get(one, [])
            watches[:] = [
                other
                for other in watches
                if not other.plugged or other.has_root(one) or other.recorder is watch.recorder
            ]
        _subscribe(switcher, watch)


def _adopted(parent: Switcher, child: Switcher) -> None:
    """Watch a child that was attached to a watched parent."""
    with lock:
        for watch in list(_watches.get(parent, ())):
            if watch.covers(child):
                _subscribe(child, watch)
        _rename(child)


_hooks = Hooks(_decorated, _registered, _plugged, _adopted)
smartswitch.follow(_hooks)
