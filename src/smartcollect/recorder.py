"""What the hot path leaves to others: values, nesting, and calls that work after they returned."""

from __future__ import annotations

import random as _random
import sys
from asyncio import CancelledError
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from inspect import CO_ITERABLE_COROUTINE
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from types import coroutine as as_coroutine
from typing import Any

from . import nesting
from .functions import plain_code
from .names import HandlerName
from .nesting import (
    INNER,
    OUTER,
    STORE,
    SUSPENDED,
    Frame,
    Inner,
    current,
    ended,
    inner_of,
    parent_of,
)
from .ring import Place, Rest
from .settings import Settings
from .snapshot import Snapshot
from .standin import FILE
from .store import Store
from .taking import Taking

# Not the application's own generator: a suite that seeds `random` must draw the same numbers.
_draw = _random.Random().random
_OWN_FILES = frozenset({__file__, nesting.__file__, FILE})
# Packages whose frames only pass a call on to a handler.
_BETWEEN = frozenset({"asyncio", "concurrent", "smartcollect", "smartswitch", "threading"})

Bound = tuple[Any, ...]
"""What the hot path begins with: probe, store, target, clock, and two ways to the pending calls."""


class Probe:
    """One handler as one log records it.

    Attributes:
        store: where its calls go.
        name: what they are called there.
        share: of the calls, those that are recorded, from 0.0 to 1.0; it may change at any time.
        sampled: whether not all are.
        draw: a number from 0.0 to 1.0, by which it is decided.
        taking: how values are taken; it may change at any time.
    """

    __slots__ = (
        "__weakref__",
        "draw",
        "name",
        "sampled",
        "share",
        "store",
        "subject",
        "taking",
    )

    def __init__(
        self,
        store: Store,
        name: HandlerName,
        subject: Any,
    ) -> None:
        self.store = store
        self.name = name
        self.subject = subject
        self.draw = _draw

    def bound(self, target: Callable[..., Any]) -> Bound:
        """What `standin` needs to record the calls of ``target``."""
        store = self.store
        pending = store.pending
        return self, store, target, store.clock.monotonic, pending.extend, pending

    def configure(
        self, snapshot: Snapshot, redactor: Callable[[str], bool], settings: Settings
    ) -> None:
        """Sets which calls are recorded, and how values are taken."""
        self.share = settings.sample_rate if settings.enabled else 0.0
        self.sampled = self.share < 1.0
        self.taking = Taking(snapshot, redactor, settings.serialize, self.subject, _OWN_FILES)

    def returned(self, result: Any) -> Any:
        """What is remembered of a result; the probe itself where that is still to do its work.

        Whether a handler is a coroutine, a generator or an asynchronous generator is decided by
        what it returns, so that decorated ones and those bridged between sync and async are timed
        as what they are.
        """
        kind = type(result)
        if kind is CoroutineType or kind is GeneratorType or kind is AsyncGeneratorType:
            return self
        return self.taking.result(result)

    def parent(self, outer: Frame) -> Frame | None:
        """The frame of the call that a call in ``outer`` counts to."""
        return outer if outer[STORE] is self.store else parent_of(outer, self.store)

    def started(self, parent: Frame, at: float) -> None:
        """A call inside of that of ``parent`` began."""
        inner_of(parent).started(at)

    def left(
        self,
        frame: Frame,
        parent: Frame | None,
        at: float,
        elapsed: float,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Rest | None:
        """The call of ``frame`` is over, which took ``elapsed``; returns what it has of its own."""
        _stopped(frame, parent, at)
        if parent is not None:
            inner_of(parent).called(self.name, args, kwargs, self.taking.serialize)
        if frame[INNER] is None and not self.store.locates:
            return None
        return Rest(self.self_time(frame, elapsed), where=self.place())

    def failed(
        self,
        frame: Frame,
        parent: Frame | None,
        start: float,
        end: float,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        error: BaseException,
    ) -> None:
        """The call of ``frame`` raised ``error``."""
        elapsed = end - start
        left = self.left(frame, parent, end, elapsed, args, kwargs) or Rest(elapsed)
        rest = left._replace(failure=self.taking.failure(error))
        self.store.add((self.name, start, elapsed, args, kwargs, None, rest))

    def deferred(
        self,
        frame: Frame,
        parent: Frame | None,
        start: float,
        end: float,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        result: Any,
    ) -> Any:
        """The call of ``frame`` returned ``result``, and has still to do its work.

        Returns:
            Something of the same type as ``result`` that does the same, and is recorded.
        """
        _stopped(frame, parent, end)
        call = _Deferred(self, start, end - start, frame[INNER], args, kwargs)
        return _driver(call, result)

    def place(self) -> Place | None:
        """The line that made the call which is running now, where that is asked for."""
        return _place() if self.store.locates else None

    def self_time(self, frame: Frame, elapsed: float) -> float:
        """Of ``elapsed`` seconds, those that the call of ``frame`` spent in no other handler."""
        inner: Inner | None = frame[INNER]
        if inner is None:
            return elapsed
        self.store.note_children(self.name, inner.children)
        return max(0.0, elapsed - inner.spent)


def _place() -> Place | None:
    # The nearest outside of all machinery.
    frame = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        package = str(frame.f_globals.get("__name__")).partition(".")[0]
        # The stand-in of a watched function has the names of that one.
        if package not in _BETWEEN and plain_code(code) is code:
            return code.co_filename, frame.f_lineno
        frame = frame.f_back  # type: ignore[assignment]
    return None


def _stopped(frame: Frame, parent: Frame | None, at: float) -> None:
    """The call of ``frame`` does not run any more: it is over, or waits."""
    ended(frame, at)
    if parent is not None:
        inner_of(parent).stopped(at)


class _Deferred:
    """A call that returned before it did its work, and now runs in one or more stretches."""

    __slots__ = (
        "_args",
        "_began",
        "_frame",
        "_kwargs",
        "_parent",
        "_probe",
        "_spent",
        "_start",
        "_token",
        "_told",
        "_where",
    )

    def __init__(
        self,
        probe: Probe,
        began: float,
        spent: float,
        inner: Inner | None,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> None:
        self._probe = probe
        self._args = args
        self._kwargs = kwargs
        self._where = probe.place()
        # What it did before it returned counts too.
        self._began = began
        self._spent = spent
        self._frame: Frame = [probe.store, None, inner]
        self._told = False

    def __enter__(self) -> None:
        outer = current.get()
        frame, probe = self._frame, self._probe
        frame[OUTER] = outer
        self._parent = None if outer is SUSPENDED else parent_of(outer, probe.store)
        self._token = current.set(frame)
        self._start = probe.store.clock.monotonic()
        if self._parent is not None:
            around = inner_of(self._parent)
            around.started(self._start)
            if not self._told:
                around.called(probe.name, self._args, self._kwargs, probe.taking.serialize)
        self._told = True

    def __exit__(self, *_: object) -> None:
        end = self._probe.store.clock.monotonic()
        self._spent += end - self._start
        outer = self._frame[OUTER]
        _stopped(self._frame, self._parent, end)
        try:
            current.reset(self._token)
        except ValueError:  # the coroutine was finished or closed in another context
            if current.get() is self._frame:
                current.set(outer)
        self._parent = None

    def end(self, result: Any = None, error: BaseException | None = None) -> None:
        """Remembers the call, which ended with ``result`` or ``error``."""
        probe = self._probe
        probe.store.add(
            (
                probe.name,
                self._began,
                self._spent,
                self._args,
                self._kwargs,
                None if error is not None else probe.taking.result(result),
                Rest(
                    probe.self_time(self._frame, self._spent),
                    None if error is None else probe.taking.failure(error),
                    self._where,
                ),
            )
        )


class _Unawaited:
    """Closes a coroutine that nobody awaited.

    The recording coroutine around it is unawaited too then and says so, under the same name; a
    second warning would be news that the plain handler does not make.
    """

    __slots__ = ("coroutine",)

    def __init__(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        self.coroutine = coroutine

    def __del__(self) -> None:
        self.coroutine.close()


def _driver(call: _Deferred, result: Any) -> Any:
    driver: Any
    if isinstance(result, CoroutineType):
        driver = _coroutine(call, _Unawaited(result))
    elif isinstance(result, GeneratorType):
        awaitable = result.gi_code.co_flags & CO_ITERABLE_COROUTINE
        driver = (as_coroutine(_generator) if awaitable else _generator)(call, result)
    else:
        driver = _async_generator(call, result)
    driver.__name__, driver.__qualname__ = result.__name__, result.__qualname__
    return driver


async def _coroutine(call: _Deferred, held: _Unawaited) -> Any:
    # Timed until it finishes, its waits included. The frame stays the current one of its task
    # while it waits; other tasks have contexts of their own.
    try:
        with call:
            result = await held.coroutine
    except BaseException as error:
        call.end(error=error)
        raise
    call.end(result)
    return result


def _generator(call: _Deferred, generator: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
    # `yield from`, as PEP 380 spells it out, but timed between the yields only.
    step: Callable[[Any], Any] = generator.send
    given: Any = None
    while True:
        try:
            with call:
                item = step(given)
        except StopIteration as stop:
            call.end(stop.value)
            return stop.value
        except BaseException as error:
            given = None  # an exception that was thrown here is kept by nobody
            call.end(error=error)
            raise
        try:
            given = yield item
            step = generator.send
        except GeneratorExit:
            # The consumer had enough: that is no error of the handler.
            try:
                with call:
                    generator.close()
            except BaseException as error:
                call.end(error=error)
                raise
            call.end()
            raise
        except BaseException as thrown:
            given, step = thrown, generator.throw


async def _async_generator(
    call: _Deferred, generator: AsyncGenerator[Any, Any]
) -> AsyncGenerator[Any, Any]:
    step: Callable[[Any], Any] = generator.asend
    given: Any = None
    while True:
        try:
            with call:
                item = await step(given)
        except StopAsyncIteration:
            call.end()
            return
        except BaseException as error:
            # Thrown at a yield, where the handler did nothing: the consumer's loop ended.
            left = error is given and isinstance(error, CancelledError)
            given = None
            call.end(error=None if left else error)
            raise
        try:
            given = yield item
            step = generator.asend
        except GeneratorExit:
            try:
                with call:
                    await generator.aclose()
            except BaseException as error:
                call.end(error=error)
                raise
            call.end()
            raise
        except BaseException as thrown:
            given, step = thrown, generator.athrow


UNWATCHED = Probe(Store(0), HandlerName("", ""), None)
"""Records nothing."""
UNWATCHED.share, UNWATCHED.sampled = 0.0, True
