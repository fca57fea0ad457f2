"""`Probe`: records the calls of one handler in one log."""

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
from ..values.functions import function_in
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
# A separate generator, so that suites which seed `random` draw the same numbers.
_draw = _random.Random().random

Bound = tuple[Any, ...]
"""Values for the hot path: probe, store, target, clock, ``pending.extend`` and ``pending``."""


_MOST = 100
"""The largest credit, in readings: after a few long calls some short ones are read too."""
_CALLERS = 1_000


class Observed(Protocol):
    """The observation of a function, from the point of view of its probes."""

    def settle(self) -> None: ...


class Probe:
    """Records the calls of one handler in one log.

    Args:
        store: the store of the log.
        name: the name of the handler in the log.
        subject: the registered function, for the names of its parameters.

    Attributes:
        store, name: see above; the name may change at any time.
        share: the share of calls to record, from 0.0 to 1.0; it may change at any time.
        sampled: whether ``share`` is below 1.0.
        draw: a function that returns a random number from 0.0 to 1.0, to compare with ``share``.
        capture: the capture of arguments and results; it may be replaced at any time.
        times: the times of the handler's calls.
        alone: the `Counted` for calls without a recorded caller of which only the time is kept.
        inside: the `Counted` for each caller, by the caller's times; ``alone`` is under ``None``.
        reads: whether the next call reads the clocks of its thread, while that is cheap enough.
        subject: a function that returns the registered function; ``None`` once that is gone.
        observed: a function that returns the observation to settle when ``reads`` changes.
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
        # Weak, so that the probe does not keep a watched function alive. A static method, which
        # takes no weak reference, would keep the switcher that it is registered with alive.
        subject = function_in(subject)
        own = type(subject) is FunctionType
        self.subject: Callable[[], Any] = weakref.ref(subject) if own else lambda: subject

    def bound(self, target: Callable[..., Any]) -> Bound:
        """Return the values that `hot_path.RECORD` needs to record calls of ``target``."""
        store = self.store
        pending = store.pending
        return self, store, target, store.clock.monotonic, pending.extend, pending

    def configure(self, rules: Rules, settings: LogSettings) -> None:
        """Apply ``settings``: sampling, and the capture of values."""
        self.share = settings.sample_rate if settings.enabled else 0.0
        self.sampled = self.share < 1.0
        self.capture = ValueCapture(
            rules.snapshot, rules.redactor, settings.serialize, self.subject
        )

    # -- called by the hot path -----------------------------------------------------------------

    def returned(self, result: Any) -> Any:
        """Return the captured result, or the probe itself if the call goes on.

        A call goes on if it returned a coroutine, a generator or an async generator. The type of
        the result decides, not the type of the function, so that decorated functions and bridges
        between sync and async code are timed correctly.
        """
        kind = type(result)
        if kind is CoroutineType or kind is GeneratorType or kind is AsyncGeneratorType:
            return self
        return self.capture.result(result)

    def parent(self, outer: Frame) -> Frame | None:
        """Return the parent, in this log, of a call made in ``outer``."""
        return outer if outer[STORE] is self.store else parent_of(outer, self.store)

    def made_inside(self, caller: Times) -> Counted:
        """Return the `Counted` for calls that are made by the handler of ``caller``."""
        if len(self.inside) >= _CALLERS:
            # Handlers may come and go. The store still has the old `Counted` and folds them.
            self.inside = {None: self.alone}
        return self.inside.setdefault(caller, Counted(self.times, caller))

    def started(self, parent: Frame, at: float) -> None:
        """Note that a call inside ``parent`` began."""
        inner_of(parent).started(at)

    def left(self, frame: Frame, at: float, call_site: Place | None, task: str | None) -> Row:
        """Note that the call of ``frame`` ended, and return its `Details`.

        Args:
            frame: the frame of the call.
            at: the end of the call, on the monotonic clock.
            call_site: the line that made the call.
            task: the name of the asyncio task.
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
        """Store the call of ``frame``, which raised ``error``; see `left`."""
        details = Details._make(self.left(frame, at, call_site, task))
        details = details._replace(failure=self.capture.failure(error))
        start, kept, keywords = frame[START], frame[ARGS], frame[KWARGS]
        self.store.add(
            Call(self.name, start, at - start, kept, keywords, None, get_ident(), details)
        )

    def deferred(self, frame: Frame, at: float, result: Any) -> Any:
        """Return a wrapper of ``result`` that records its steps in the call of ``frame``."""
        seen = type(result) is GeneratorType
        return driver(DeferredCall(frame, self, at, self.call_site(), seen), result)

    # -- the details of a call ------------------------------------------------------------------

    def details(
        self,
        frame: Frame,
        elapsed: float,
        call_site: Place | None,
        made: Made | None,
        task: str | None,
        span: float | None = None,
    ) -> Row:
        """Return the `Details` of the call of ``frame``, and note repeated calls inside it."""
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

    # -- readings of the thread's clocks --------------------------------------------------------

    def took(self, elapsed: float) -> None:
        """Decide, after a call of ``elapsed`` seconds, whether the next call reads the clocks."""
        self._credit = min(self._credit + COST_SHARE * elapsed, _MOST * A_READING)
        self._let_read(self._credit > 0.0)

    def read(self, elapsed: float, spent: Spent, readings: int = 2) -> None:
        """Note the processor and waiting time of a call.

        Args:
            elapsed: seconds of the call.
            spent: the processor and waiting time.
            readings: the number of readings that this took.
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
        """Return the line that made the running call, if the log records call sites."""
        return call_site(_frame(1)) if self.store.call_sites else None


UNWATCHED = Probe(Store(0), HandlerName("", ""), None)
"""A probe that records no calls."""
UNWATCHED.share, UNWATCHED.sampled = 0.0, True
