"""Calls as events tell of them, on Python 3.12 and newer: nothing takes a function's place.

Its caller, its frame and its signature are as they were. CPython runs no events inside of a
callback: what the recorder calls is never recorded, and no debugger steps into it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import CodeType
from typing import Any

from ..text import MAX_TEXT
from ..values.containment import NO_ROOM, is_foreign
from ..values.parameters import receiver_text
from ..values.references import reference_to
from ..values.snapshot import MAX_BITS, UNKNOWN
from . import rare_calls
from .nesting import (
    ARGS,
    AT,
    CODE,
    CONTEXT,
    INNER,
    KWARGS,
    PARENT,
    PROBE,
    REFERENCES,
    START,
    STORE,
    TOKEN,
    Frame,
    current,
    inner_of,
    parent_of,
    running,
)
from .observation import observations
from .steps import unfinished

# Bound at import: suites replace and delete what they find in `sys`.
_frame = sys._getframe
_context = current.get
_UNKNOWN = (UNKNOWN,)
# Before Python 3.13 a frame keeps the dict of its locals, and that all that is in there.
_KEPT = sys.version_info < (3, 13)

# What fails here is contained: the application sees nothing of it. An interrupt goes on to where it
# belongs; it may come after any call, so that what counts a call is the very last of them. Near the
# end of the stack any call of a function may fail: so none is made outside of a `try`.


def _started(code: CodeType, offset: int) -> None:
    reference = observations.get(id(code))
    observation = None if reference is None else reference()
    if observation is None:
        return
    probe, store, parameters = observation.hot
    frame = _frame(1)
    if probe is None or (observation.is_coroutine and id(frame) in unfinished):
        try:
            rare_calls.started(observation, frame)
        except Exception as failure:
            if not isinstance(failure, NO_ROOM) and is_foreign(failure):
                raise
            for probe in observation.probes:
                probe.capture.snapshot.failures += 1
        return
    stack, context = running.stack, _context()
    last = stack[-1]
    while last[AT] is None:  # see `without_ended`
        del stack[-1]
        last = stack[-1]
    outer = last if last[CONTEXT] is context else context  # see `innermost`
    if probe.sampled and probe.draw() >= probe.share:
        # It is not recorded, but known: it may end with an exception, and call others.
        stack.append(
            [None, outer, None, context, None, None, 0.0, (), None, (), code, frame, None, None]
        )
        return
    capture, parent = probe.capture, None
    # In the order of `nesting.FIELDS`; no list is made faster.
    entry: Frame = [
        store, outer, None, context, probe, None, None,
        _UNKNOWN, capture.nothing, (), code, frame, None, None,
    ]  # fmt: skip
    stack.append(entry)
    try:
        if observation.is_coroutine:
            entry[TOKEN] = current.set(entry)
        if outer is not None:
            parent = entry[PARENT] = outer if outer[STORE] is store else parent_of(outer, store)
        if not parameters.some:
            entry[ARGS] = () if capture.simple else capture.small((), capture.nothing)[0]
        elif parameters.rest is not None or not capture.simple:
            entry[ARGS], entry[KWARGS], entry[REFERENCES] = capture.bound(
                parameters, frame.f_locals, parent is not None
            )
        else:
            values = frame.f_locals
            args = parameters.read(values)
            if parameters.receiver:
                if parent is not None:
                    entry[REFERENCES] = (reference_to(args[0]),)
                args = (receiver_text(args[0]), *args[1:])
            for value in args:
                kind = type(value)
                if not (
                    (kind is int and value.bit_length() <= MAX_BITS)
                    or (kind is str and len(value) <= MAX_TEXT)
                    or kind is float
                    or value is None
                    or kind is bool
                ):
                    entry[ARGS], entry[KWARGS], entry[REFERENCES] = capture.bound(
                        parameters, values, parent is not None
                    )
                    break
            else:
                entry[ARGS] = args
                if _KEPT:
                    values.clear()
        start = entry[START] = store.now()
        if parent is not None:
            inner_of(parent).started(start)
    except Exception as failure:
        if not isinstance(failure, NO_ROOM) and is_foreign(failure):
            raise
        probe.capture.snapshot.failures += 1
        if entry[START] is None:
            entry[START] = store.now()


def _returned(code: CodeType, offset: int, result: object) -> None:
    stack = running.stack
    entry = stack[-1]
    if entry[CODE] is not code or entry[TOKEN] is not None:
        try:
            rare_calls.returned(code, _frame(1), result)
        except Exception as failure:
            if not isinstance(failure, NO_ROOM) and is_foreign(failure):
                raise
            reference = observations.get(id(code))
            observation = None if reference is None else reference()
            for probe in () if observation is None else observation.probes:
                probe.capture.snapshot.failures += 1
        return
    probe = entry[PROBE]
    if probe is None:
        del stack[-1]
        return
    store, start = probe.store, entry[START]
    end = store.now()
    details, taken = None, result
    try:
        kind = type(result)
        if (
            not (
                result is None
                or (kind is int and result.bit_length() <= MAX_BITS)  # type: ignore[attr-defined]
                or (kind is str and len(result) <= MAX_TEXT)  # type: ignore[arg-type]
                or kind is float
                or kind is bool
            )
            or not probe.capture.simple
        ):
            taken = probe.returned(result)
            if taken is probe:
                rare_calls.follow(entry, probe, code, end, result, _frame(1))  # type: ignore[arg-type]
                del stack[-1]
                return
        if entry[PARENT] is not None or entry[INNER] is not None or store.call_sites:
            details = probe.left(entry, end, rare_calls.place(store, _frame(1)), None)
    except Exception as failure:
        if not isinstance(failure, NO_ROOM) and is_foreign(failure):
            raise
        probe.capture.snapshot.failures += 1
        taken = UNKNOWN
    elapsed, pending = end - start, store.pending
    row = (probe.name, start, elapsed, entry[ARGS], entry[KWARGS], taken, stack[0][AT], details)
    del stack[-1]
    entry[AT] = None  # a task that was begun inside may keep the entry
    pending.extend(row)
    if len(pending) >= store.full:
        try:
            store.fold()
        except Exception as failure:
            if not isinstance(failure, NO_ROOM) and is_foreign(failure):
                raise
            probe.capture.snapshot.failures += 1


def _contained(note: Callable[..., None]) -> Callable[..., None]:
    """Make a callback of what notes an event, given the observation, the frame and the rest."""

    def callback(code: CodeType, offset: int, *told: Any) -> None:
        reference = observations.get(id(code))
        observation = None if reference is None else reference()
        if observation is None:
            return
        try:
            note(observation, _frame(1), *told)
        except Exception as failure:
            if not isinstance(failure, NO_ROOM) and is_foreign(failure):
                raise
            for probe in observation.probes:
                probe.capture.snapshot.failures += 1

    return callback


CALLBACKS: dict[str, Callable[..., object]] = {
    "PY_START": _started,
    "PY_RETURN": _returned,
    "PY_YIELD": _contained(rare_calls.paused),
    "PY_RESUME": _contained(rare_calls.resumed),
    "PY_THROW": _contained(rare_calls.resumed),
    "PY_UNWIND": _contained(rare_calls.failed),
}
"""What is called for each event."""
