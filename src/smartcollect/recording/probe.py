"""``Probe``: what the hot path leaves to others."""

from __future__ import annotations

import random as _random
from _thread import get_ident
from collections.abc import Callable
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import Any

from ..names import HandlerName
from ..storage.rows import Call, Details, Place, Row
from ..storage.store import Store
from ..values.capture import ValueCapture
from . import deferred, nesting
from .call_sites import call_site
from .deferred import DeferredCall, driver
from .hot_path import FILE
from .nesting import INNER, STORE, Frame, Inner, inner_of, parent_of, stopped
from .rules import Rules
from .settings import LogSettings

# Not the application's own generator: a suite that seeds `random` must draw the same numbers.
_draw = _random.Random().random
_OWN_FILES = frozenset({__file__, deferred.__file__, nesting.__file__, FILE})

Bound = tuple[Any, ...]
"""What the hot path begins with: probe, store, target, clock, and two ways to the pending calls."""


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
    """

    __slots__ = (
        "__weakref__",
        "_subject",
        "capture",
        "draw",
        "name",
        "sampled",
        "share",
        "store",
    )

    def __init__(self, store: Store, name: HandlerName, subject: Any) -> None:
        self.store = store
        self.name = name
        self.draw = _draw
        self._subject = subject

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
            rules.snapshot, rules.redactor, settings.serialize, self._subject, _OWN_FILES
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

    def started(self, parent: Frame, at: float) -> None:
        """Note that a call inside of that of ``parent`` began."""
        inner_of(parent).started(at)

    def left(
        self,
        frame: Frame,
        parent: Frame | None,
        at: float,
        elapsed: float,
        kept: tuple[Any, ...],
        keywords: dict[str, Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        task: str | None,
    ) -> Row:
        """Return the `Details` of the call of ``frame``, which is over.

        Args:
            frame, parent: the call, and the one around it.
            at: when, on the monotonic clock.
            elapsed: seconds.
            kept, keywords: what is remembered of its arguments.
            args, kwargs: its arguments.
            task: name of the asyncio task.
        """
        stopped(frame, parent, at)
        caller = None
        if parent is not None:
            around = inner_of(parent)
            capture = self.capture
            objects = capture.objects(args, kwargs, kept)
            around.called(self.name, kept, keywords, capture.serialize, objects)
            caller = around.id
        return self.details(frame, elapsed, self.call_site(), caller, task)

    def failed(
        self,
        frame: Frame,
        parent: Frame | None,
        start: float,
        end: float,
        kept: tuple[Any, ...],
        keywords: dict[str, Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        error: BaseException,
        task: str | None,
    ) -> None:
        """Remember the call of ``frame``, which raised ``error``."""
        elapsed = end - start
        details = self.left(frame, parent, end, elapsed, kept, keywords, args, kwargs, task)
        details = Details._make(details)._replace(failure=self.capture.failure(error))
        self.store.add(Call(self.name, start, elapsed, kept, keywords, None, get_ident(), details))

    def deferred(
        self,
        frame: Frame,
        parent: Frame | None,
        start: float,
        end: float,
        kept: tuple[Any, ...],
        keywords: dict[str, Any],
        objects: list[Any],
        result: Any,
    ) -> Any:
        """Return what does the same as ``result``, the rest of the call of ``frame``, recorded."""
        stopped(frame, parent, end)
        call = DeferredCall(self, start, end - start, frame[INNER], kept, keywords, objects)
        return driver(call, result)

    # -- what a call leaves ---------------------------------------------------------------------

    def details(
        self,
        frame: Frame,
        elapsed: float,
        call_site: Place | None,
        parent: int | None,
        task: str | None,
        span: float | None = None,
    ) -> Row:
        """Return the `Details` of the call of ``frame``, and note what it repeated."""
        inner: Inner | None = frame[INNER]
        self_time, number = elapsed, None
        if inner is not None:
            self.store.note_repeats(inner.repeats(self.name, self.store.repeat_threshold))
            self_time, number = max(0.0, elapsed - inner.spent), inner.id
        return self_time, None, call_site, parent, number, task, span

    def call_site(self) -> Place | None:
        """Return the line that made the call which runs now, where the log asks for that."""
        return call_site() if self.store.call_sites else None


UNWATCHED = Probe(Store(0), HandlerName("", ""), None)
"""Records nothing."""
UNWATCHED.share, UNWATCHED.sampled = 0.0, True
