"""`Recorder`: the shared state of a log."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Protocol

from ..clock import Clock
from ..names import HandlerName
from ..storage.store import Store
from .probe import Probe
from .rules import Rules
from .settings import LogSettings


def _none(_: Probe) -> Mapping[str, Any]:
    return {}


class Closable(Protocol):
    """An object with a ``close`` method."""

    def close(self) -> None: ...


class Recorder:
    """The state of a log. Sources add calls to it, and all copies of a plugin share it.

    Args:
        settings: the settings of the log.
        top: the number of slowest calls to keep, independent of the history.
        clock: the clock that times the calls.

    Attributes:
        store: the store for calls.
        rules: the current settings.
        overrides: a function that returns the settings of a single handler.
        subscriptions: the subscriptions to close at the end of the log.
    """

    def __init__(self, settings: LogSettings, top: int, clock: Clock) -> None:
        self.store = Store(settings.max_history, top, clock)
        self.rules = Rules(settings)
        self.overrides: Callable[[Probe], Mapping[str, Any]] = _none
        self.subscriptions: weakref.WeakSet[Closable] = weakref.WeakSet()
        self._probes: weakref.WeakSet[Probe] = weakref.WeakSet()
        self.store.call_sites = settings.call_sites

    def change(self, settings: LogSettings) -> None:
        """Apply new settings."""
        self.rules.change(settings)
        self.store.resize(settings.max_history)
        self.store.call_sites = settings.call_sites
        for probe in list(self._probes):
            self.configure(probe)

    def locate(self, wanted: bool) -> None:
        """Turn the recording of call sites on or off."""
        self.rules.settings = replace(self.rules.settings, call_sites=wanted)
        self.store.call_sites = wanted

    def configure(self, probe: Probe) -> None:
        """Configure ``probe`` by the current settings and those of its handler."""
        settings, own = self.rules.settings, self.overrides(probe)
        probe.configure(self.rules, replace(settings, **own) if own else settings)

    def probe(self, name: HandlerName, subject: Any) -> Probe:
        """Return a probe that records the calls of one handler.

        Args:
            name: the name of the handler in this log.
            subject: the registered function, for the names of its parameters.
        """
        self.store.register(name)
        probe = Probe(self.store, name, subject)
        self.configure(probe)
        self._probes.add(probe)
        self.rules.learn(name, subject)
        return probe

    def sample_rates(self) -> dict[HandlerName, float]:
        """Return the share of recorded calls for each handler that is being watched."""
        while True:
            try:
                return {probe.name: probe.share for probe in self._probes}
            except RuntimeError:  # another thread has just added a probe
                continue

    def rename(self, probe: Probe, name: HandlerName) -> None:
        """Rename the handler of ``probe`` to ``name``."""
        self.store.rename(probe.name, name)
        probe.name = probe.times.name = name
        self.rules.learn(name, probe.subject())
        self.configure(probe)

    def close(self) -> None:
        """Close all subscriptions, which flushes them."""
        for subscription in list(self.subscriptions):
            subscription.close()
