"""Recording of handler calls while tests run."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from smartcollect import CallLog, HandlerName, HandlerStats, Profile
    from smartcollect.processor import ThreadTimes
    from smartcollect.profiles.parts import Waiting
    from smartcollect.sources.functions import Watch
    from smartcollect.storage.ranking import Ranking
    from smartcollect.storage.rows import Call
    from smartcollect.storage.tally import Summary

    from .trace import Tracer

PHASE_HISTORY = 1_000
"""Number of calls kept per phase, to show when a budget fails."""

_SOURCE = "smartcollect.sources.switchers"


class Capture:
    """A recorder of all handler calls in this process.

    Args:
        repeat_threshold: number of calls under one call from which repeated calls are noted. It
            can only lower the default of the log; 0 keeps the default.
        objects: how objects are shown; see `CollectPlugin`.
        patterns: patterns of functions to watch in addition to handlers.

    Attributes:
        refusal: reason why handlers cannot be watched, or ``""``.
        now: clock of the recorded times; it returns 0.0 until handlers are watched.
        tracer: receiver of the individual calls, if the run writes a trace.
    """

    def __init__(
        self, repeat_threshold: int = 0, objects: str = "type", patterns: Sequence[str] = ()
    ) -> None:
        self.refusal = ""
        self.now: Callable[[], float] = float
        self.tracer: Tracer | None = None
        self._objects = objects
        self._patterns = patterns
        self._functions: Watch | None = None
        self._modules = 0
        self._repeat_threshold = repeat_threshold
        self._log: CallLog | None = None
        self._watching = ExitStack()
        self._source: ModuleType | None = None
        # Handlers registered outside single tests; and the subset that is not yet in a profile.
        self._registered: set[HandlerName] = set()
        self._unreported: set[HandlerName] = set()
        self._read: tuple[float, ThreadTimes] | None = None

    @property
    def begun(self) -> bool:
        """True while handlers are watched, including handlers registered later.

        False after the library was removed from `sys.modules` and imported again. Tests of pytest
        plugins do that when they run pytest in the same process.
        """
        return self._log is not None and sys.modules.get(_SOURCE) is self._source

    def begin(self) -> None:
        """Start watching all handlers, including handlers already registered."""
        self.end()
        with warnings.catch_warnings():
            # With -W error, a warning at the import of smartswitch would break the run.
            warnings.simplefilter("ignore")
            try:
                # First, because it fails with a smartswitch that is not supported.
                import_module("smartcollect.plugin")
                from smartcollect.log import CallLog
                from smartcollect.profiles.parts import SLOWEST
                from smartcollect.recording.settings import LogSettings
                from smartcollect.sources import functions, smartswitch, switchers
                from smartcollect.storage.ranking import Ranking
            except ModuleNotFoundError as error:
                # Without smartswitch there are no handlers, which is not an error.
                self.refusal = "" if error.name == "smartswitch" else str(error)
                return
            except Exception as error:
                self.refusal = f"smartcollect does not know this smartswitch: {error}"
                return
        self.refusal = "" if smartswitch.hooked else smartswitch.UNKNOWN

        self._log = CallLog(LogSettings(max_history=0, objects=self._objects))
        store = self._log.recorder.store
        self.now = store.clock.monotonic
        self._sent: Ranking[None] = Ranking(SLOWEST)
        store.rank_after(self._sent)
        self._read = self._reading()
        usual = store.repeat_threshold
        store.repeat_threshold = min(usual, self._repeat_threshold or usual)
        if self.tracer is not None:
            self.tracer.begin(self._log.recorder)
        self._source = switchers
        self._watching.enter_context(switchers.everywhere(self._log.recorder))
        if self._patterns:
            watching = functions.watching(self._log.recorder, self._patterns)
            self._functions = self._watching.enter_context(watching)

    def end(self) -> None:
        """Stop watching."""
        self._watching.close()
        self._log = self._functions = None

    def discard(self) -> None:
        """Drop the calls made outside tests, because each xdist worker makes them again.

        Remember the handlers registered outside tests: they count as uncalled if no test calls
        them. Handlers registered by a test or a function-scoped fixture do not.
        """
        if self._log is not None:
            if self._functions is not None and len(sys.modules) != self._modules:
                self._modules = len(sys.modules)
                self._functions.sweep()
            summary = self._taken(wanted=False)
            self._register(() if summary is None else summary.handlers)

    def _taken(self, wanted: bool = True) -> Summary | None:
        """Return a summary of the calls since the last one.

        Args:
            wanted: whether a test made these calls, so that a trace shows them.
        """
        assert self._log is not None
        store = self._log.recorder.store
        return store.take() if self.tracer is None else self.tracer.take(store, wanted)

    def _register(self, names: Iterable[HandlerName]) -> None:
        new = {name for name in names if name not in self._registered}
        self._registered |= new
        self._unreported |= new

    def unmet(self) -> tuple[dict[str, str], list[str]]:
        """Return patterns that match nothing, with reasons, and modules never imported."""
        if self._functions is None:
            return {}, []
        self._functions.sweep()
        return dict(self._functions.unmet()), self._functions.unimported()

    @contextmanager
    def outside(self) -> Iterator[None]:
        """Treat handlers registered in the block as registered outside the running test."""
        store = None if self._log is None else self._log.recorder.store
        before = set() if store is None else store.names()
        try:
            yield
        finally:
            if store is not None:
                self._register(store.names() - before)

    def keep(self, wanted: bool) -> None:
        """Start or stop keeping single calls and the lines that made them."""
        if self._log is not None:
            self._log.recorder.locate(wanted)
            self._log.recorder.store.resize(PHASE_HISTORY if wanted else 0)

    def so_far(self) -> tuple[dict[HandlerName, HandlerStats], Iterable[Call]]:
        """Return the statistics of all handlers and the calls since the last `take`."""
        if self._log is None:
            return {}, []
        from smartcollect import HandlerStats

        handlers = {name: HandlerStats() for name in self._registered}
        recorder = self._log.recorder
        # Lazy: calls are only needed if a budget fails.
        calls = map(recorder.rules.named, recorder.store.calls())
        return {**handlers, **recorder.store.handlers()}, calls

    def take(self) -> Profile | None:
        """Return the profile of the calls since the last `take`, or ``None`` if it is empty."""
        if self._log is None:
            return None
        if self._functions is not None:
            # A module belongs to no single test, whichever test imports it first.
            self._register(self._functions.new_names())
        summary = self._taken()
        if summary is None and not self._unreported:
            return None
        from smartcollect import HandlerStats, Profile
        from smartcollect.storage.tally import NOTHING

        summary = summary or NOTHING
        handlers = {name: stats for name, stats in summary.handlers.items() if stats.calls}
        if not handlers and not self._unreported:
            return None
        unreported, self._unreported = self._unreported, set()
        idle = {name: HandlerStats() for name in unreported}
        slowest = [
            self._log.recorder.rules.named(call) for call in self._among_slowest(summary.slowest)
        ]
        profile = Profile.of(summary._replace(handlers={**idle, **handlers}, slowest=slowest))
        return replace(profile, waiting=self._waiting())

    def _reading(self) -> tuple[float, ThreadTimes] | None:
        """Return the time now and the processor times of this thread."""
        if self._log is None:
            return None
        now = self.now()
        return now, self._log.recorder.store.thread(now)

    def _waiting(self) -> Waiting:
        """Return how long this thread waited for a processor since the last reading."""
        from smartcollect.profiles.parts import NO_WAITING, Waiting

        before, now = self._read, self._reading()
        self._read = now
        if before is None or now is None:
            return NO_WAITING
        spent = now[1].since(before[1])
        if spent is None or spent.delayed is None:
            return NO_WAITING
        return Waiting(max(spent.delayed, 0.0), now[0] - before[0])

    def _among_slowest(self, calls: list[Call]) -> list[Call]:
        """Return the calls that can be among the slowest of the run, to keep profiles small."""
        if self._log is None:
            return []
        kept = [call for call in calls if self._sent.add(call.name, call.elapsed, None)]
        if kept:
            self._log.recorder.store.rank_after(self._sent)
        return kept
