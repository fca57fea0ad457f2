"""Calls that work after they returned: coroutines, generators and asynchronous generators."""

from __future__ import annotations

from _thread import get_ident
from asyncio import CancelledError
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Sequence
from inspect import CO_ITERABLE_COROUTINE
from types import CoroutineType, GeneratorType
from types import coroutine as as_coroutine
from typing import Any, Protocol

from ..names import HandlerName
from ..storage.rows import Call, Details, Place, Row
from ..storage.store import Store
from ..values.capture import ValueCapture
from .nesting import (
    OUTER,
    SUSPENDED,
    Frame,
    Inner,
    current,
    inner_of,
    parent_of,
    reference_to,
    stopped,
    task_name,
)


class Recording(Protocol):
    """What a deferred call needs of its `Probe`."""

    store: Store
    name: HandlerName
    capture: ValueCapture

    def details(
        self,
        frame: Frame,
        elapsed: float,
        call_site: Place | None,
        parent: int | None,
        task: str | None,
        span: float | None = None,
    ) -> Row: ...

    def call_site(self) -> Place | None: ...


class DeferredCall:
    """A call that returned before it did its work, and now runs in one or more stretches.

    Args:
        probe: remembers the call when it ends.
        start: when it began, on the monotonic clock.
        spent: seconds that it ran before it returned, which count too.
        inner: what was called inside of it until then.
        args, kwargs: what is remembered of its arguments.
        objects: those of the arguments of which nothing but the type is remembered.
    """

    __slots__ = (
        "_args",
        "_call_site",
        "_frame",
        "_kwargs",
        "_objects",
        "_parent",
        "_parent_id",
        "_probe",
        "_resumed",
        "_spent",
        "_start",
        "_stopped",
        "_task",
        "_token",
        "_told",
    )

    def __init__(
        self,
        probe: Recording,
        start: float,
        spent: float,
        inner: Inner | None,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        objects: Sequence[Any],
    ) -> None:
        self._probe = probe
        self._objects = list(map(reference_to, objects))
        self._args = args
        self._kwargs = kwargs
        self._call_site = probe.call_site()
        self._start = start
        self._stopped = start + spent
        self._spent = spent
        self._frame: Frame = [probe.store, None, inner]
        self._parent_id: int | None = None
        self._task: str | None = None
        self._told = False

    def __enter__(self) -> None:
        outer = current.get()
        frame, probe = self._frame, self._probe
        frame[OUTER] = outer
        self._parent = None if outer is SUSPENDED else parent_of(outer, probe.store)
        if not self._told:
            self._task = task_name()
        self._token = current.set(frame)
        self._resumed = probe.store.clock.monotonic()
        if self._parent is not None:
            around = inner_of(self._parent)
            around.started(self._resumed)
            if not self._told:
                self._parent_id = around.id
                objects = [one() for one in self._objects]
                around.called(
                    probe.name, self._args, self._kwargs, probe.capture.serialize, objects
                )
        self._told = True

    def __exit__(self, *_: object) -> None:
        end = self._stopped = self._probe.store.clock.monotonic()
        self._spent += end - self._resumed
        outer = self._frame[OUTER]
        stopped(self._frame, self._parent, end)
        try:
            current.reset(self._token)
        except ValueError:  # the coroutine was finished or closed in another context
            if current.get() is self._frame:
                current.set(outer)
        self._parent = None

    def end(self, result: Any = None, error: BaseException | None = None) -> None:
        """Remember the call, which ended with ``result`` or ``error``."""
        probe = self._probe
        span = self._stopped - self._start
        details = Details._make(
            probe.details(
                self._frame, self._spent, self._call_site, self._parent_id, self._task, span
            )
        )
        if error is not None:
            details = details._replace(failure=probe.capture.failure(error))
        probe.store.add(
            Call(
                probe.name,
                self._start,
                self._spent,
                self._args,
                self._kwargs,
                None if error is not None else probe.capture.result(result),
                get_ident(),
                details,
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


def driver(call: DeferredCall, result: Any) -> Any:
    """Return something of the same type as ``result`` that does the same, recorded as ``call``."""
    made: Any
    if isinstance(result, CoroutineType):
        made = _coroutine(call, _Unawaited(result))
    elif isinstance(result, GeneratorType):
        awaitable = result.gi_code.co_flags & CO_ITERABLE_COROUTINE
        made = (as_coroutine(_generator) if awaitable else _generator)(call, result)
    else:
        made = _async_generator(call, result)
    made.__name__, made.__qualname__ = result.__name__, result.__qualname__
    return made


async def _coroutine(call: DeferredCall, held: _Unawaited) -> Any:
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


def _generator(call: DeferredCall, generator: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
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
    call: DeferredCall, generator: AsyncGenerator[Any, Any]
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
