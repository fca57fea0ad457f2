"""Coroutines and generators recorded through events: calls that work in steps.

A coroutine or generator is identified by the ``id`` of its frame, which stays the same from its
first step to its end. Nothing here keeps the frame or its values alive.
"""

from __future__ import annotations

import gc
import sys
import weakref
from asyncio import CancelledError
from contextvars import Token
from inspect import CO_ASYNC_GENERATOR, CO_COROUTINE, CO_GENERATOR
from types import AsyncGeneratorType, CodeType, CoroutineType, GeneratorType
from typing import Any, TypeAlias

from ..storage.store import unseen
from ..values.known import name_of
from .deferred import DeferredCall
from .nesting import AT, CODE, CONTEXT, TOKEN, Frame, current, innermost, left_out, running

Stepping: TypeAlias = (
    "CoroutineType[Any, Any, Any] | GeneratorType[Any, Any, Any] | AsyncGeneratorType[Any, Any]"
)
STEPPING = CO_GENERATOR | CO_COROUTINE | CO_ASYNC_GENERATOR
"""Flags of code that runs in steps."""
# From 3.13 on, a generator that is dropped while suspended outside any `try` ends without an event.
_VANISH = sys.version_info >= (3, 13)
# The type that wraps the items of an async generator, but not the values that it awaits.
_ITEM = "async_generator_wrapped_value"

unfinished: dict[int, Steps] = {}
"""Coroutines and generators that began or are expected to begin, by the ``id`` of their frame."""


_PREFIXES: dict[type, str] = {CoroutineType: "cr", GeneratorType: "gi", AsyncGeneratorType: "ag"}


def frame_and_code(made: Stepping) -> tuple[Any, CodeType]:
    """Return the frame (``None`` once it ended) and the code of a coroutine or generator."""
    prefix = _PREFIXES[type(made)]
    return getattr(made, f"{prefix}_frame"), getattr(made, f"{prefix}_code")


def has_begun(made: Stepping) -> bool:
    """Return whether a coroutine or generator took its first step."""
    prefix = _PREFIXES[type(made)]
    return bool(getattr(made, f"{prefix}_suspended") or getattr(made, f"{prefix}_running"))


class Steps:
    """The recorded steps of one coroutine or generator.

    Args:
        code: its code object.
        id: the ``id`` of its frame.

    Attributes:
        calls: the calls whose work it does, the outermost first: calls of functions that returned
            it, and the call of its own function.
        begun: whether it took its first step.
        vanished: whether it is known to be gone.
        observation: the observation of its code, kept alive so that its events keep coming.
    """

    __slots__ = (
        "_context",
        "_entered",
        "_entry",
        "_reference",
        "_thrown",
        "begun",
        "calls",
        "code",
        "id",
        "observation",
        "vanished",
    )

    def __init__(self, code: CodeType, id: int) -> None:
        self.code = code
        self.id = id
        self.calls: list[DeferredCall] = []
        self.observation: object = None
        self.begun = self.vanished = False
        # The calls that run, or that await something, which counts as running.
        self._entered: list[DeferredCall] = []
        self._entry: Frame | None = None
        self._context: Token[Frame | None] | None = None
        self._thrown: int | None = None
        self._reference: weakref.ref[Stepping] | None = None

    def refer(self, made: Stepping) -> None:
        """Watch for the end of ``made``, the coroutine or generator of these steps."""
        if self._reference is None:
            self._reference = weakref.ref(made, self._vanish)

    @property
    def is_gone(self) -> bool:
        """True if it ended without an event."""
        if self.vanished or self._entry is not None or self._reference is None:
            return self.vanished
        made = self._reference()
        return made is not None and frame_and_code(made)[0] is None

    @property
    def is_lost(self) -> bool:
        """True if it is suspended and may end without an event and without a reference."""
        waits = self.begun and self._entry is None
        return waits and self._reference is None and not self.code.co_flags & CO_COROUTINE

    def _vanish(self, _: object) -> None:
        # Its remaining code, such as a `finally`, runs after this.
        self.vanished = True
        if not self.begun:
            self.end()

    def resume(self, thrown: BaseException | None = None) -> None:
        """Note that it begins or continues."""
        self.begun = True
        self._thrown = None if thrown is None else id(thrown)
        stack = running.stack
        context = current.get()
        outer = innermost(context)
        for call in self.calls:
            if call not in self._entered:
                self._entered.append(call)
                call.enter(outer)
            else:
                call.resume()
            outer = call.frame
        entry = self.calls[-1].frame if self.calls else left_out(outer)
        entry[CONTEXT], entry[CODE], entry[AT] = context, None, self
        stack.append(entry)
        self._entry = entry
        if self.calls and not self._is_generator:
            self._context = current.set(entry)

    @property
    def _is_generator(self) -> bool:
        return not self.code.co_flags & (CO_COROUTINE | CO_ASYNC_GENERATOR)

    def adopt(self, entry: Frame, calls: list[DeferredCall]) -> None:
        """Take over ``calls``, which run already; ``entry`` is their frame on the stack."""
        self.begun = True
        self.calls, self._entered = calls, list(calls)
        self._entry, self._context = entry, entry[TOKEN]
        entry[TOKEN], entry[CODE], entry[AT] = None, None, self

    def pause(self, value: object) -> None:
        """Note that it yielded ``value`` and is suspended."""
        self._leave_stack()
        flags = self.code.co_flags
        if flags & CO_COROUTINE or (flags & CO_ASYNC_GENERATOR and name_of(type(value)) != _ITEM):
            for call in self._entered:
                call.wait()
            return  # awaiting counts as running
        self._stop()

    def end(self, result: object = None, error: BaseException | None = None) -> None:
        """Note that it ended or is gone, and store its calls, unless it never ran."""
        self._forget()
        if not self.begun:
            return
        self._leave_stack()
        self._stop()
        if error is not None and self._is_left(error):
            error = None
        for call in reversed(self.calls):
            call.end(result, error)

    def _forget(self) -> None:
        # Another frame may have the same ``id`` by now.
        if unfinished.get(self.id) is self:
            del unfinished[self.id]

    def _is_left(self, error: BaseException) -> bool:
        """Return whether ``error`` only means that the consumer of a generator stopped early."""
        if self.code.co_flags & CO_COROUTINE:
            return False
        if issubclass(type(error), GeneratorExit):
            return True
        # Thrown in at a yield, while it was suspended: the consumer was cancelled.
        return (
            id(error) == self._thrown
            and issubclass(type(error), CancelledError)
            and bool(self.code.co_flags & CO_ASYNC_GENERATOR)
        )

    def _stop(self) -> None:
        while self._entered:
            self._entered.pop().leave()

    def _leave_stack(self) -> None:
        if self._context is not None:
            token, self._context = self._context, None
            current.reset(token)
        entry, self._entry = self._entry, None
        if entry is not None:
            stack = running.stack
            index = index_of(stack, self)
            if index is not None:
                del stack[index:]  # the calls above it ended without an event
            entry[AT] = None


def index_of(stack: list[Frame], at: object) -> int | None:
    """Return the index in ``stack`` of the entry that runs in ``at``."""
    for index in range(len(stack) - 1, 0, -1):
        if stack[index][AT] is at:
            return index
    return None


def find_vanished() -> None:
    """Store the calls of generators that ended without an event."""
    if not unfinished:
        return
    _look_for_lost()
    for steps in [steps for steps in list(unfinished.values()) if steps.is_gone]:
        steps.end()


def _look_for_lost() -> None:
    lost = {id: steps for id, steps in list(unfinished.items()) if steps.is_lost}
    if not lost or not _VANISH or gc.get_freeze_count():
        return
    codes = {id(steps.code) for steps in lost.values()}
    for one in gc.get_objects():
        kind = type(one)
        if kind is not GeneratorType and kind is not AsyncGeneratorType:
            continue
        frame, code = frame_and_code(one)
        if id(code) in codes and frame is not None:
            steps = lost.pop(id(frame), None)
            if steps is not None:
                steps.refer(one)
    for steps in lost.values():
        steps.vanished = steps.is_lost


unseen.append(find_vanished)
