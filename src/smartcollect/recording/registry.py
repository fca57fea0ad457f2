"""The registry of watched functions: who records each, under which name, and how calls get there.

People hold a function in many places: by its name, as a method, in a switcher, in tables of their
own. So a watched function is not replaced; it is given other code for as long as somebody watches.
It stays the very object it was, and a function that nobody watches is untouched and costs nothing.

There is one `Watched` for each function, whoever asks for it. A log may reach the function in more
than one way, such as two entries of switchers: each way is a `Handle`, which gives it a name. A
call counts once for each log: under the name of the way that it took or, where the function was
called by its own name, under the first name that the log knows it by.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from threading import RLock
from types import FunctionType
from typing import Any, Protocol

from ..forks import at_fork
from ..storage.store import Store
from . import events, observation, stand_in, tool
from .hot_path import layer
from .layers import bound_for
from .probe import Probe
from .proxy import proxy_for

lock = RLock()
"""Held by whoever changes what is watched."""
# A fork while another thread attaches would leave a lock in the child that nobody opens.
at_fork(before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release)
# By the identity of a function, which lives as long as what watches it.
_watched: weakref.WeakValueDictionary[int, Watched] = weakref.WeakValueDictionary()

_Probes = dict[Store, Probe]


class Handle:
    """One way to reach a watched callable, and what each log calls it there.

    Args:
        original: the callable as it was registered.
        expose: is given what callers are to find there: ``original`` itself, unless its calls
            could not be told apart then, or it has no code that could be exchanged.
        secondary: whether another way to the same callable names it, where there is one for the
            same log.

    Attributes:
        secondary: see above.
        probes: those of the logs that watch it this way, the first one first.
        recorded: does what ``original`` does, and records that.
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
        # A function that is held elsewhere comes to its end as if nobody watched it.
        self._held = None if secondary else original
        self._original = weakref.ref(original) if secondary else None
        self._expose = expose
        self.recorded = self._held
        self.probes: list[Probe] = []
        self.watched = _watched_for(original)
        self.watched.handles.append(weakref.ref(self))

    @property
    def original(self) -> Any:
        """The callable; ``None`` where that is gone."""
        return self._held if self._original is None else self._original()

    def watch(self, probe: Probe) -> None:
        """Let ``probe`` record from now on."""
        self.probes.append(probe)
        self.watched.update()

    def leave(self, probe: Probe) -> None:
        """Let ``probe`` record no longer; the last one to leave leaves no trace."""
        self.probes.remove(probe)
        self.watched.update()

    def update(self, first: _Probes, entered: bool) -> None:
        """Let those record who watch now.

        Args:
            first: the probes of calls by the callable's own name.
            entered: whether the callable's own code records these.
        """
        mine = first | {probe.store: probe for probe in reversed(self.probes)}
        # What cannot be called is refused as it was: a bare classmethod, say.
        if not mine or (entered and mine == first) or not callable(self.original):
            self._expose(self.original)
            return
        self.recorded = layer(bound_for(mine.values(), self.original))
        self._expose(proxy_for(self))


class Observer(Protocol):
    """Watches one function."""

    def record(self, probes: Sequence[Probe], /) -> bool:
        """Let ``probes`` record the calls from now on; tell whether that works."""

    def leave(self) -> None:
        """Watch no longer."""


class Watched:
    """One callable under observation. Nothing changes it but `update`.

    Attributes:
        handles: the ways to reach it that are in use.
    """

    __slots__ = ("__weakref__", "_function", "_observer", "handles")

    def __init__(self, function: FunctionType | None) -> None:
        self.handles: list[weakref.ref[Handle]] = []
        # Those who watch it for its own sake hold it.
        self._function = None if function is None else weakref.ref(function)
        self._observer: Observer | None = None

    @property
    def function(self) -> Any:
        """The function whose code records; ``None`` for another callable, and once it is gone."""
        return None if self._function is None else self._function()

    def update(self) -> None:
        """Let those record who watch now."""
        handles = [handle for one in self.handles if (handle := one()) is not None]
        self.handles = [weakref.ref(handle) for handle in handles]
        first: _Probes = {}
        for handle in sorted(handles, key=_is_secondary):
            for probe in handle.probes:
                known = first.setdefault(probe.store, probe)
                if handle.secondary and known is not probe:
                    # One function, and one name: its own was registered for nothing.
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
        # All that reached it are gone, such as their switcher; the function may live on.
        self._leave()


def _is_secondary(handle: Handle) -> bool:
    return handle.secondary


def _watched_for(original: Callable[..., Any]) -> Watched:
    function = original.__func__ if type(original) is staticmethod else original
    watched = _watched.get(id(function))
    own = function if type(function) is FunctionType else None
    if watched is None or watched.function is not own:
        watched = Watched(own)
        _watched[id(function)] = watched
    return watched
