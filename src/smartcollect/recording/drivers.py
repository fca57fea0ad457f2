"""Objects that stand in for a coroutine or generator, and time it step by step.

Used where nothing tells of its steps: by the layers of a chain, and before Python 3.12.
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


class _Stretch:
    """A stretch of a call, which what runs meanwhile in the same context is inside of."""

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


async def _coroutine(call: DeferredCall, held: _Unawaited) -> Any:
    # Timed until it finishes, its waits included. The frame stays the current one of its task
    # while it waits; other tasks have contexts of their own.
    try:
        with _Stretch(call):
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
            with _Stretch(call):
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
                with _Stretch(call):
                    await generator.aclose()
            except BaseException as error:
                call.end(error=error)
                raise
            call.end()
            raise
        except BaseException as thrown:
            given, step = thrown, generator.athrow
