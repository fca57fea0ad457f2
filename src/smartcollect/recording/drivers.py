"""Wrappers that run a coroutine or generator step by step and time each step.

Used where `sys.monitoring` does not report the steps: in layers of a chain, and on Python 3.11.
"""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from inspect import CO_ITERABLE_COROUTINE
from types import CoroutineType, GeneratorType
from types import coroutine as as_coroutine
from typing import Any

from .deferred import DeferredCall
from .nesting import current, innermost


class _Unawaited:
    """Closes a coroutine that was never awaited, so that Python warns about it only once.

    The recording coroutine around it was not awaited either, and has the same name. Its warning is
    the one that the plain handler would give.
    """

    __slots__ = ("coroutine",)

    def __init__(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        self.coroutine = coroutine

    def __del__(self) -> None:
        self.coroutine.close()


def driver(call: DeferredCall, result: Any) -> Any:
    """Return an object of the same type that does what ``result`` does, recorded as ``call``."""
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


class _Stretch:
    """A stretch of a call; calls made meanwhile in the same context are nested in the call."""

    __slots__ = ("_before", "_call", "_token")

    def __init__(self, call: DeferredCall) -> None:
        self._call = call

    def __enter__(self) -> None:
        self._before = before = current.get()
        self._token = current.set(self._call.frame)
        self._call.enter(innermost(before))

    def __exit__(self, *_: object) -> None:
        self._call.leave()
        try:
            current.reset(self._token)
        except ValueError:  # the coroutine was finished or closed in another context
            if current.get() is self._call.frame:
                current.set(self._before)
            # It stays the current frame of the context where it began. Later calls there are not
            # made by this call.
            self._call.detach()


async def _coroutine(call: DeferredCall, held: _Unawaited) -> Any:
    # Timed until it finishes, waits included. Its frame stays current in its task while it waits;
    # other tasks have their own contexts.
    try:
        with _Stretch(call):
            result = await held.coroutine
    except BaseException as error:
        call.end(error=error)
        raise
    call.end(result)
    return result


def _generator(call: DeferredCall, generator: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
    # Like `yield from` (see PEP 380), but timed only between the yields.
    step: Callable[[Any], Any] = generator.send
    given: Any = None
    while True:
        try:
            with _Stretch(call):
                item = step(given)
        except StopIteration as stop:
            call.end(stop.value)
            return stop.value
        except BaseException as error:
            given = None  # do not keep an exception that was thrown in
            call.end(error=error)
            raise
        try:
            given = yield item
            step = generator.send
        except GeneratorExit:
            # The consumer stopped early, which is not an error of the handler.
            try:
                with _Stretch(call):
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
            with _Stretch(call):
                item = await step(given)
        except StopAsyncIteration:
            call.end()
            return
        except BaseException as error:
            # Thrown in at a yield, while the handler was suspended: the consumer was cancelled.
            left = error is given and isinstance(error, CancelledError)
            given = None
            call.end(error=None if left else error)
            raise
        try:
            given = yield item
            step = generator.asend
        except GeneratorExit:
            try:
                with _Stretch(call):
                    await generator.aclose()
            except BaseException as error:
                call.end(error=error)
                raise
            call.end()
            raise
        except BaseException as thrown:
            given, step = thrown, generator.athrow
