"""Records the calls of each handler while tests run."""

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
"""Calls that are kept of one phase, to be shown when a budget is broken."""

_SOURCE = "smartcollect.sources.switchers"


class Capture:
    """Records the calls of each handler in this process.

    Args:
        repeat_threshold: from how many calls under one call on repeats are noted, where that is
            less than usual; 0 for the usual.
        objects: how objects are shown, see `CollectPlugin`.
        patterns: of the functions that are watched beside handlers.

    Attributes:
        refusal: why handlers cannot be watched; ``""`` where they can.
        now: the clock that calls are timed with; it stands still until handlers are watched.
        tracer: takes the calls themselves, where somebody wants them.
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
        # The handlers that were registered outside of tests; those that no report told of yet.
        self._registered: set[HandlerName] = set()
        self._untold: set[HandlerName] = set()
        self._read: tuple[float, ThreadTimes] | None = None

    @property
    def begun(self) -> bool:
        """Whether handlers are watched, those that are registered from now on included.

        They are not where the library is dropped and imported anew, with smartswitch, as tests of
        plugins do that run pytest inside of pytest.
        """
        return self._log is not None and sys.modules.get(_SOURCE) is self._source

    def begin(self) -> None:
        """Watches all handlers from now on, those included that are registered already."""
        self.end()
        with warnings.catch_warnings():
            # What smartswitch warns of at its import is not the fault of the suite.
            warnings.simplefilter("ignore")
            try:
                # The plugin first: a smartswitch that cannot take it is not one that is known.
                import_module("smartcollect.plugin")
                from smartcollect.log import CallLog
                from smartcollect.profiles.parts import SLOWEST
                from smartcollect.recording.settings import LogSettings
                from smartcollect.sources import functions, smartswitch, switchers
                from smartcollect.storage.ranking import Ranking
            except ModuleNotFoundError as error:
                # Without smartswitch there is no handler to watch.
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
        """Watches no longer."""
        self._watching.close()
        self._log = self._functions = None

    def discard(self) -> None:
        """Forgets what was called outside of a test: xdist would count it once a worker.

        What was registered there is kept. Handlers that a test registers, or a fixture that it
        alone has, are its own affair, and nobody misses their calls.
        """
        if self._log is not None:
            if self._functions is not None and len(sys.modules) != self._modules:
                self._modules = len(sys.modules)
                self._functions.sweep()
            summary = self._taken(wanted=False)
            self._register(() if summary is None else summary.handlers)

    def _taken(self, wanted: bool = True) -> Summary | None:
        """Return what was called since the last time, by a test where it is ``wanted``."""
        assert self._log is not None
        store = self._log.recorder.store
        return store.take() if self.tracer is None else self.tracer.take(store, wanted)

    def _register(self, names: Iterable[HandlerName]) -> None:
        new = {name for name in names if name not in self._registered}
        self._registered |= new
        self._untold |= new

    def unmet(self) -> tuple[dict[str, str], list[str]]:
        """Why patterns watch nothing, by pattern, and which modules of theirs nobody imported."""
        if self._functions is None:
            return {}, []
        self._functions.sweep()
        return dict(self._functions.unmet()), self._functions.unimported()

    @contextmanager
    def outside(self) -> Iterator[None]:
        """What is registered meanwhile is no single test's affair, though a test runs."""
        store = None if self._log is None else self._log.recorder.store
        before = set() if store is None else store.names()
        try:
            yield
        finally:
            if store is not None:
                self._register(store.names() - before)

    def keep(self, wanted: bool) -> None:
        """Keeps the calls and the lines that made them from now on, or does so no longer."""
        if self._log is not None:
            self._log.recorder.locate(wanted)
            self._log.recorder.store.resize(PHASE_HISTORY if wanted else 0)

    def so_far(self) -> tuple[dict[HandlerName, HandlerStats], Iterable[Call]]:
        """What was called since the last `take`: statistics of all handlers, and the calls."""
        if self._log is None:
            return {}, []
        from smartcollect import HandlerStats

        handlers = {name: HandlerStats() for name in self._registered}
        recorder = self._log.recorder
        # One by one, as somebody takes them: most tests keep to their budgets.
        calls = map(recorder.rules.named, recorder.store.calls())
        return {**handlers, **recorder.store.handlers()}, calls

    def take(self) -> Profile | None:
        """Returns what was called since the last `take`, if anything was, and begins afresh."""
        if self._log is None:
            return None
        if self._functions is not None:
            # A module is nobody's own, whichever test imported it first.
            self._register(name for name, _ in self._functions.new_functions())
        summary = self._taken()
        if summary is None and not self._untold:
            return None
        from smartcollect import HandlerStats, Profile
        from smartcollect.storage.tally import NOTHING

        summary = summary or NOTHING
        handlers = {name: stats for name, stats in summary.handlers.items() if stats.calls}
        if not handlers and not self._untold:
            return None
        untold, self._untold = self._untold, set()
        idle = {name: HandlerStats() for name in untold}
        slowest = [
            self._log.recorder.rules.named(call) for call in self._among_slowest(summary.slowest)
        ]
        profile = Profile.of(summary._replace(handlers={**idle, **handlers}, slowest=slowest))
        return replace(profile, waiting=self._waiting())

    def _reading(self) -> tuple[float, ThreadTimes] | None:
        """The time now, and where that of this thread went."""
        if self._log is None:
            return None
        now = self.now()
        return now, self._log.recorder.store.thread(now)

    def _waiting(self) -> Waiting:
        """How long this process waited for a processor since the last time that it was asked."""
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
        """Those that can be among the slowest of the run: most phases of a long run have none."""
        if self._log is None:
            return []
        kept = [call for call in calls if self._sent.add(call.name, call.elapsed, None)]
        if kept:
            self._log.recorder.store.rank_after(self._sent)
        return kept
