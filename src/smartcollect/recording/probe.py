"""``Probe``: what the hot path leaves to others."""

from __future__ import annotations

import random as _random
import sys
import weakref
from _thread import get_ident
from collections.abc import Callable
from types import AsyncGeneratorType, CoroutineType, FunctionType, GeneratorType
from typing import Any, Protocol

from ..names import HandlerName
from ..processor import Spent
from ..storage.rows import Call, Details, Place, Row
from ..storage.store import Store
from ..storage.times import Counted, Times
from ..values.capture import ValueCapture
from .call_sites import call_site
from .deferred import DeferredCall
from .drivers import driver
from .nesting import (
    ARGS,
    INNER,
    KWARGS,
    PARENT,
    READING,
    START,
    STORE,
    Frame,
    Inner,
    Made,
    called,
    inner_of,
    parent_of,
    stopped,
)
from .rules import Rules
from .settings import LogSettings
from .spending import A_READING, COST_SHARE, LONG

_frame = sys._getframe
# Not the application's own generator: a suite that seeds `random` must draw the same numbers.
_draw = _random.Random().random

Bound = tuple[Any, ...]
"""What the hot path begins with: probe, store, target, clock, and two ways to the pending calls."""


_MOST = 100
"""Readings that may be made up for: after a few long calls some short ones are read too."""
_CALLERS = 1_000


class Observed(Protocol):
    """What sees the calls of a function."""

    def settle(self) -> None: ...


class Probe:
    """One handler as one log records it.

    Args:
        store: where its calls go.
        name: what they are called there.
        subject: the function that was registered, for the names of its parameters.

    Attributes:
        store, name: see above; the name may change at any time.
        share: of the calls, those that are recorded, from 0.0 to 1.0; it may change at any time.
        sampled: whether not all are.
        draw: a number from 0.0 to 1.0, by which it is decided.
        capture: what is remembered of values; it may change at any time.
        times: what is known of the times of its calls.
        alone: counts the calls of which nothing but the time is kept, and that no recorded call
            made.
        inside: the same by caller, by the times of its handler; ``alone`` is that of ``None``.
        reads: whether the next call reads where its time goes, as long as that is cheap.
        subject: returns the function that was registered; ``None`` once it is gone.
        observed: returns what is to be told when that changes, if anything is.
    """

    __slots__ = (
        "__weakref__",
        "_credit",
        "alone",
        "capture",
        "draw",
        "inside",
        "name",
        "observed",
        "reads",
        "sampled",
        "share",
        "store",
        "subject",
        "times",
    )

    def __init__(self, store: Store, name: HandlerName, subject: Any) -> None:
        self.store = store
        self.name = name
        self.draw = _draw
        self.times = Times(name)
        self.alone = Counted(self.times, None)
        self.inside: dict[Times | None, Counted] = {None: self.alone}
        self.reads = False
        self.observed: Callable[[], Observed | None] = lambda: None
        self._credit = 0.0
        # What is watched may come to its end meanwhile.
        own = type(subject) is FunctionType
        self.subject: Callable[[], Any] = weakref.ref(subject) if own else lambda: subject

    def bound(self, target: Callable[..., Any]) -> Bound:
        """Return what `hot_path.RECORD` needs to record the calls of ``target``."""
        store = self.store
        pending = store.pending
        return self, store, target, store.clock.monotonic, pending.extend, pending

    def configure(self, rules: Rules, settings: LogSettings) -> None:
        """Set which calls are recorded, and what is remembered of values."""
        self.share = settings.sample_rate if settings.enabled else 0.0
        self.sampled = self.share < 1.0
        self.capture = ValueCapture(
            rules.snapshot, rules.redactor, settings.serialize, self.subject
        )

    # -- what the hot path asks -----------------------------------------------------------------

    def returned(self, result: Any) -> Any:
        """Return what is remembered of a result; the probe where that is still to do its work.

        Whether a handler is a coroutine, a generator or an asynchronous generator is decided by
        what it returns, so that decorated ones and those bridged between sync and async are timed
        as what they are.
        """
        kind = type(result)
        if kind is CoroutineType or kind is GeneratorType or kind is AsyncGeneratorType:
            return self
        return self.capture.result(result)

    def parent(self, outer: Frame) -> Frame | None:
        """Return the frame of the call that a call in ``outer`` counts to."""
        return outer if outer[STORE] is self.store else parent_of(outer, self.store)

    def made_inside(self, caller: Times) -> Counted:
        """Return where the calls are counted that calls of another handler make."""
        if len(self.inside) >= _CALLERS:
            # Handlers may come and go. What is counted there is known to the store.
            self.inside = {None: self.alone}
        return self.inside.setdefault(caller, Counted(self.times, caller))

    def started(self, parent: Frame, at: float) -> None:
        """Note that a call inside of that of ``parent`` began."""
        inner_of(parent).started(at)

    def left(self, frame: Frame, at: float, call_site: Place | None, task: str | None) -> Row:
        """Return the `Details` of the call of ``frame``, which is over.

        Args:
            frame: the call.
            at: when, on the monotonic clock.
            call_site: the line that made it.
            task: name of the asyncio task.
        """
        parent, reading = frame[PARENT], frame[READING]
        elapsed = at - frame[START]
        spent = None if reading is None else self.store.thread(at).since(reading)
        if spent is not None:
            self.read(elapsed, spent)
        elif elapsed >= LONG:
            self.took(elapsed)
        stopped(frame, parent, at)
        made = None if parent is None else called(self, frame, parent)
        return self.details(frame, elapsed, call_site, made, task)

    def failed(
        self,
        frame: Frame,
        at: float,
        error: BaseException,
        call_site: Place | None,
        task: str | None,
    ) -> None:
        """Remember the call of ``frame``, which raised ``error``; see `left`."""
        details = Details._make(self.left(frame, at, call_site, task))
        details = details._replace(failure=self.capture.failure(error))
        start, kept, keywords = frame[START], frame[ARGS], frame[KWARGS]
        self.store.add(
            Call(self.name, start, at - start, kept, keywords, None, get_ident(), details)
        )

    def deferred(self, frame: Frame, at: float, result: Any) -> Any:
        """Return what does the same as ``result``, the rest of the call of ``frame``, recorded."""
        seen = type(result) is GeneratorType
        return driver(DeferredCall(frame, self, at, self.call_site(), seen), result)

    # -- what a call leaves ---------------------------------------------------------------------

    def details(
        self,
        frame: Frame,
        elapsed: float,
        call_site: Place | None,
        made: Made | None,
        task: str | None,
        span: float | None = None,
    ) -> Row:
        """Return the `Details` of the call of ``frame``, and note what it repeated."""
        inner: Inner | None = frame[INNER]
        self_time, number = elapsed, None
        if inner is not None:
            threshold = self.store.repeat_threshold
            if inner.calls >= threshold:
                self.store.note_repeats(inner.repeats(self.name, threshold))
            self_time, number = max(0.0, elapsed - inner.spent), inner.id
        if made is None:
            return self_time, None, call_site, None, number, task, span, None
        parent, counted = made
        caller = None if counted.caller is None else counted.caller.name
        return self_time, None, call_site, parent, number, task, span, caller

    # -- where the time of its thread went ------------------------------------------------------

    def took(self, elapsed: float) -> None:
        """Decide whether the next call reads, after one that took ``elapsed`` seconds."""
        self._credit = min(self._credit + COST_SHARE * elapsed, _MOST * A_READING)
        self._let_read(self._credit > 0.0)

    def read(self, elapsed: float, spent: Spent, readings: int = 2) -> None:
        """Note where the time of a call went, whose thread spent it so.

        Args:
            elapsed: its seconds.
            spent: where they went.
            readings: how many that took.
        """
        self.store.note_reading(self.alone, elapsed, spent)
        self._credit -= readings * A_READING
        self.took(elapsed)

    def _let_read(self, reads: bool) -> None:
        if reads is not self.reads:
            self.reads = reads
            observed = self.observed()
            if observed is not None:
                observed.settle()

    def call_site(self) -> Place | None:
        """Return the line that made the call which runs now, where the log asks for that."""
        return call_site(_frame(1)) if self.store.call_sites else None


UNWATCHED = Probe(Store(0), HandlerName("", ""), None)
"""Records nothing."""
UNWATCHED.share, UNWATCHED.sampled = 0.0, True
