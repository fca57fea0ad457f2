"""Calls that go on working after they return: coroutines, generators and async generators."""

from __future__ import annotations

from _thread import get_ident
from typing import Any, Protocol

from ..names import HandlerName
from ..processor import Spent
from ..storage.rows import Call, Details, Place, Row
from ..storage.store import Store
from ..storage.times import Counted, Times
from ..values.capture import ValueCapture
from .nesting import (
    ARGS,
    AT,
    CODE,
    CONTEXT,
    GONE,
    KWARGS,
    OUTER,
    PARENT,
    READING,
    SIBLINGS,
    START,
    STORE,
    SUSPENDED,
    Frame,
    Made,
    called,
    inner_of,
    parent_of,
    stopped,
    task_name,
)
from .spending import LONG, Spending


class Recording(Protocol):
    """The part of a `Probe` that a deferred call uses."""

    store: Store
    name: HandlerName
    capture: ValueCapture
    times: Times
    alone: Counted
    reads: bool

    def took(self, elapsed: float) -> None: ...
    def read(self, elapsed: float, spent: Spent, readings: int = 2) -> None: ...
    def details(
        self,
        frame: Frame,
        elapsed: float,
        call_site: Place | None,
        made: Made | None,
        task: str | None,
        span: float | None = None,
    ) -> Row: ...


class DeferredCall:
    """A call that works in one or more stretches, each started by whoever drives it.

    A stretch is the time between two suspensions of a coroutine or generator.

    Args:
        frame: the frame of the call.
        probe: the probe that stores the call when it ends.
        returned: the time at which its function returned, on the monotonic clock. The time until
            then counts too. ``None`` if all of the work is in the stretches.
        call_site: the line that made the call.
        seen: whether `wait` and `resume` are called when the call awaits something.

    Attributes:
        frame, probe: see above.
    """

    __slots__ = (
        "_begun",
        "_call_site",
        "_made",
        "_resumed",
        "_spending",
        "_spent",
        "_stopped",
        "_task",
        "frame",
        "probe",
    )

    def __init__(
        self,
        frame: Frame,
        probe: Recording,
        returned: float | None,
        call_site: Place | None,
        seen: bool = True,
    ) -> None:
        self.frame = frame
        self.probe = probe
        frame[CODE] = frame[AT] = None
        self._call_site = call_site
        self._spent = 0.0
        # Readings must cover the whole call, so they begin with it or not at all.
        reading = frame[READING]
        self._spending: Spending | None = None
        if reading is not None or (frame[START] is None and probe.reads):
            self._spending = Spending(probe.store.thread, reading, seen)
        if returned is not None:
            frame[CONTEXT] = GONE
            stopped(frame, frame[PARENT], returned)
            self._spent = returned - frame[START]
            self._stopped = returned
            if self._spending is not None:
                self._spending.leave(returned)
        self._made: Made | None = None
        self._task: str | None = None
        self._begun = False

    @classmethod
    def running(cls, frame: Frame, probe: Recording, call_site: Place | None) -> DeferredCall:
        """Return the call of ``frame``, which is in its first stretch."""
        call = cls(frame, probe, None, call_site)
        call._resumed = frame[START]
        call._begin()
        return call

    def _begin(self) -> None:
        """Note the task and the parent call, during the first stretch."""
        self._begun, self._task = True, task_name()
        parent = self.frame[PARENT]
        if parent is not None:
            self._made = called(self.probe, self.frame, parent)

    def enter(self, outer: Frame | None) -> None:
        """Note that a stretch begins inside ``outer``."""
        frame = self.frame
        frame[STORE], frame[OUTER], frame[SIBLINGS] = self.probe.store, outer, None
        parent = None if outer is SUSPENDED else parent_of(outer, self.probe.store)
        frame[PARENT] = parent
        if not self._begun:
            self._begin()
        if self._spending is not None:
            self._spending.enter(self.probe.store.now())
        resumed = self._resumed = self.probe.store.now()
        if frame[START] is None:
            frame[START] = resumed
        if parent is not None:
            inner_of(parent).started(resumed)

    def wait(self) -> None:
        """Note that the call awaits something; its time goes on."""
        if self._spending is not None:
            self._spending.wait(self.probe.store.now())

    def resume(self) -> None:
        """Note that the call continues after it awaited something."""
        if self._spending is not None:
            self._spending.resume(self.probe.store.now())

    def leave(self) -> None:
        """Note that a stretch ends."""
        frame = self.frame
        end = self._stopped = self.probe.store.now()
        self._spent += end - self._resumed
        if self._spending is not None:
            self._spending.leave(end)
        stopped(frame, frame[PARENT], end)
        frame[PARENT] = None

    def detach(self) -> None:
        """Make the frame one that no call counts to, until the next stretch."""
        self.frame[STORE] = None

    def end(self, result: Any = None, error: BaseException | None = None) -> None:
        """Store the call, which ended with ``result`` or ``error``."""
        frame = self.frame
        probe, start = self.probe, frame[START]
        span = self._stopped - start
        spending = self._spending
        if spending is not None and spending.total is not None:
            probe.read(self._spent, spending.total, spending.readings)
        elif self._spent >= LONG:
            probe.took(self._spent)
        details = Details._make(
            probe.details(frame, self._spent, self._call_site, self._made, self._task, span)
        )
        if error is None and not probe.store.wants(probe.times, self._spent):
            counted = probe.alone if self._made is None else self._made[1]
            probe.store.count(counted, start, self._spent, details.self_time)
            return
        if error is not None:
            details = details._replace(failure=probe.capture.failure(error))
        taken = None if error is not None else probe.capture.result(result)
        probe.store.add(
            Call(
                probe.name,
                start,
                self._spent,
                frame[ARGS],
                frame[KWARGS],
                taken,
                get_ident(),
                details,
            )
        )
