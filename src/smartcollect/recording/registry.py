"""The registry of watched functions: their probes, their names, and how they are recorded.

An application may refer to a function from many places: modules, classes, switchers, its own
tables. So a watched function is never replaced. It stays the same object, and its calls are
recorded through events or through stand-in code. An unwatched function is untouched and costs
nothing.

There is one `Watched` for each function. A log may reach the function in several ways, such as two
entries of switchers. Each way is a `Handle`, which gives it a name. A call counts once in each
log: under the name of the handle that it went through or, if the function was called directly,
under the first name that the log has for it.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from threading import RLock
from types import FunctionType
from typing import Any, Protocol

from ..forks import at_fork
from ..names import HandlerName
from ..storage.store import Store
from ..values.functions import function_in
from . import events, observation, stand_in, tool
from .hot_path import layer
from .layers import bound_for
from .probe import Probe
from .proxy import proxy_for

lock = RLock()
"""Held while the set of watched functions changes."""
# A fork while another thread holds the lock would leave it locked in the child.
at_fork(before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release)
# By the ``id`` of the function, which may be reused: see `_watched_for`.
_watched: weakref.WeakValueDictionary[int, Watched] = weakref.WeakValueDictionary()

_Probes = dict[Store, Probe]


class Handle:
    """One way to reach a watched callable, with a probe for each log that watches it there.

    Args:
        original: the callable as it was registered.
        expose: a function that installs the object for callers. It receives ``original`` itself,
            or a proxy if calls through this handle need their own record or ``original`` is not a
            Python function.
        secondary: whether the name of another handle of the same callable wins within a log.

    Attributes:
        secondary: see above.
        probes: the probes of the logs that watch this handle, in the order in which they joined.
        recorded: a callable that calls ``original`` and records the call.
    """

    __slots__ = (
        *("__weakref__", "_expose", "_held", "_original", "probes", "recorded", "secondary"),
        "watched",
    )

    def __init__(
        self,
        original: Callable[..., Any],
        expose: Callable[[Any], None],
        secondary: bool = False,
    ) -> None:
        self.secondary = secondary
        # A secondary handle must not keep the function alive.
        self._held = None if secondary else original
        self._original = weakref.ref(original) if secondary else None
        self._expose = expose
        self.recorded = self._held
        self.probes: list[Probe] = []
        self.watched = _watched_for(original)
        self.watched.handles.append(weakref.ref(self))

    @property
    def original(self) -> Any:
        """The callable, or ``None`` once it is gone."""
        return self._held if self._original is None else self._original()

    def watch(self, probe: Probe) -> None:
        """Add ``probe``, which records from now on."""
        self.probes.append(probe)
        self.watched.update()

    def leave(self, probe: Probe) -> None:
        """Remove ``probe``; without probes the callable is as if it had never been watched."""
        self.probes.remove(probe)
        self.watched.update()

    def update(self, first: _Probes, entered: bool) -> None:
        """Install the recording of the current probes.

        Args:
            first: the probes that record direct calls of the callable.
            entered: whether its function already records these.
        """
        mine = first | {probe.store: probe for probe in reversed(self.probes)}
        # An object that is not callable, such as a bare classmethod, must still fail when called.
        if not mine or (entered and mine == first) or not callable(self.original):
            self._expose(self.original)
            return
        self.recorded = layer(bound_for(mine.values(), self.original))
        self._expose(proxy_for(self))


class Observer(Protocol):
    """Records the calls of one function."""

    def record(self, probes: Sequence[Probe], /) -> bool:
        """Let ``probes`` record the calls from now on; return whether that works."""

    def leave(self) -> None:
        """Stop recording."""


class Watched:
    """One watched callable. Only `update` changes it.

    Attributes:
        handles: weak references to the handles in use.
    """

    __slots__ = ("__weakref__", "_function", "_observer", "handles")

    def __init__(self, function: FunctionType | None) -> None:
        self.handles: list[weakref.ref[Handle]] = []
        # Weak: the handles that should keep the function alive do so.
        self._function = None if function is None else weakref.ref(function)
        self._observer: Observer | None = None

    @property
    def function(self) -> Any:
        """The watched function; ``None`` for any other callable, and once it is gone."""
        return None if self._function is None else self._function()

    def name_in(self, store: Store) -> HandlerName:
        """Return the name under which a log counts direct calls.

        Args:
            store: the store of the log, which watches at least one handle.
        """
        return _first(self._alive())[store].name

    def _alive(self) -> list[Handle]:
        return [handle for one in self.handles if (handle := one()) is not None]

    def update(self) -> None:
        """Install the recording of the current probes of all handles."""
        handles = self._alive()
        self.handles = [weakref.ref(handle) for handle in handles]
        first = _first(handles)
        for handle in filter(_is_secondary, handles):
            for probe in handle.probes:
                known = first[probe.store]
                if known is not probe:
                    # Another handle of the log already names the function.
                    probe.store.rename(probe.name, known.name)
        entered = False
        if not first:
            self._leave()
        elif (function := self.function) is not None:
            if self._observer is None:
                observer = (
                    observation.Observer if tool.acquire(events.CALLBACKS) else stand_in.StandIn
                )
                self._observer = observer(function)
            entered = self._observer.record(tuple(first.values()))
        for handle in handles:
            handle.update(first, entered)

    def _leave(self) -> None:
        observer, self._observer = self._observer, None
        if observer is not None:
            observer.leave()

    def __del__(self) -> None:
        # All handles are gone, for example with their switcher, but the function may live on.
        self._leave()


def _first(handles: Sequence[Handle]) -> _Probes:
    """Return the probe in each log that records direct calls, and so names the function."""
    first: _Probes = {}
    for handle in sorted(handles, key=_is_secondary):
        for probe in handle.probes:
            first.setdefault(probe.store, probe)
    return first


def _is_secondary(handle: Handle) -> bool:
    return handle.secondary


def _watched_for(original: Callable[..., Any]) -> Watched:
    function = function_in(original)
    watched = _watched.get(id(function))
    own = function if type(function) is FunctionType else None
    if watched is None or watched.function is not own:
        watched = Watched(own)
        _watched[id(function)] = watched
    return watched
