"""``Recorder``: what one log shares with everything that feeds it and everybody who asks it."""

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
    """Something to close at the end."""

    def close(self) -> None: ...


class Recorder:
    """The one state of a log: sources feed it, and each copy of a plugin asks it.

    Args:
        settings: how it records.
        top: how many of the slowest calls are kept, whatever the history forgets.
        clock: what calls are timed with.

    Attributes:
        store: where calls go.
        rules: the settings in force.
        overrides: tells the settings that a handler has of its own.
        subscriptions: what is closed when the log ends.
    """

    def __init__(self, settings: LogSettings, top: int, clock: Clock) -> None:
        self.store = Store(settings.max_history, top, clock)
        self.rules = Rules(settings)
        self.overrides: Callable[[Probe], Mapping[str, Any]] = _none
        self.subscriptions: weakref.WeakSet[Closable] = weakref.WeakSet()
        self._probes: weakref.WeakSet[Probe] = weakref.WeakSet()
        self.store.call_sites = settings.call_sites

    def change(self, settings: LogSettings) -> None:
        """Put other settings in force."""
        self.rules.change(settings)
        self.store.resize(settings.max_history)
        self.store.call_sites = settings.call_sites
        for probe in list(self._probes):
            self.configure(probe)

    def locate(self, wanted: bool) -> None:
        """Note from now on which line made a call, or do so no longer."""
        self.rules.settings = replace(self.rules.settings, call_sites=wanted)
        self.store.call_sites = wanted

    def configure(self, probe: Probe) -> None:
        """Let ``probe`` record by the settings in force and those of its handler."""
        settings, own = self.rules.settings, self.overrides(probe)
        probe.configure(self.rules, replace(settings, **own) if own else settings)

    def probe(self, name: HandlerName, subject: Any) -> Probe:
        """Return a probe that records the calls of one handler.

        Args:
            name: what the handler is called here.
            subject: the function that was registered, for the names of its parameters.
        """
        self.store.register(name)
        probe = Probe(self.store, name, subject)
        self.configure(probe)
        self._probes.add(probe)
        self.rules.learn(name, subject)
        return probe

    def sample_rates(self) -> dict[HandlerName, float]:
        """Return the share of its calls that is recorded, of each handler that is watched now."""
        while True:
            try:
                return {probe.name: probe.share for probe in self._probes}
            except RuntimeError:  # another thread made a probe meanwhile
                continue

    def rename(self, probe: Probe, name: HandlerName) -> None:
        """Call the handler of ``probe`` ``name`` from now on."""
        self.store.rename(probe.name, name)
        probe.name = probe.times.name = name
        self.rules.learn(name, probe.subject())
        self.configure(probe)

    def close(self) -> None:
        """Give all subscribers what they are to have, and let them go."""
        for subscription in list(self.subscriptions):
            subscription.close()
