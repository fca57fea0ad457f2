"""Recording through the events of `sys.monitoring`, on Python 3.12 and newer.

Nothing replaces a watched function: its caller, its frame and its signature stay as they are.
CPython sends no events inside a callback, so the functions that the recorder calls are never
recorded and debuggers do not step into them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from math import inf
from types import AsyncGeneratorType, CodeType, CoroutineType, GeneratorType
from typing import Any

from ..storage.times import Counted
from ..text import MAX_TEXT
from ..values.containment import NO_ROOM, is_foreign
from ..values.parameters import LATE, receiver_text
from ..values.references import UNKNOWN_REFERENCES, Reference, reference_to
from ..values.snapshot import MAX_BITS, UNKNOWN
from . import rare_calls
from .nesting import (
    ARGS,
    AT,
    CODE,
    CONTEXT,
    GONE,
    INNER,
    KWARGS,
    PARENT,
    PROBE,
    SIBLINGS,
    START,
    STORE,
    TOKEN,
    Frame,
    current,
    ended,
    inner_of,
    innermost,
    parent_of,
    running,
)
from .observation import hots, observations
from .spending import LONG
from .steps import unfinished

# Bound at import, because test suites replace and delete functions of `sys`.
_frame = sys._getframe
_hot_of = hots.get
_context = current.get
_UNKNOWN = (UNKNOWN,)
# Comparing with this number takes a tenth of the time of a call of `bit_length`.
_COMMON = (1 << 30) - 1
# Before Python 3.13 a frame keeps the dict of its locals, which keeps every value in it alive.
_KEPT = sys.version_info < (3, 13)

# Failures of the recorder are contained here, so that the application never sees them. Interrupts
# propagate. One can arrive after any call, so counting a call is always the last step. Near the
# recursion limit every call of a function can fail, so all are made inside a `try`.


def _started(code: CodeType, offset: int) -> None:
    hot = _hot_of(id(code))
    if hot is None:
        return
    probe, store, parameters, is_coroutine = hot
    if probe is None or (is_coroutine and id(_frame(1)) in unfinished):
        reference = observations.get(id(code))
        observation = None if reference is None else reference()
        if observation is None:
            return
        try:
            rare_calls.started(observation, _frame(1))
        except Exception as failure:
            if not isinstance(failure, NO_ROOM) and is_foreign(failure):
                raise
            for probe in observation.probes:
                probe.capture.snapshot.failures += 1
        return
    stack, context = running.stack, _context()
    last = stack[-1]
    outer = last if last[CONTEXT] is context else context  # see `innermost`
    if last[CONTEXT] is GONE:
        outer = innermost(context)
    if probe.sampled and probe.draw() >= probe.share:
        # Not recorded, but on the stack: it may raise, and it may call recorded functions.
        left: Frame = [
            None, outer, None, context, None, None, 0.0,
            (), None, (), None, code, True, None, None, None,
        ]  # fmt: skip
        stack.append(left)
        return
    capture = probe.capture
    args: tuple[Any, ...] = _UNKNOWN
    kwargs, parent, siblings = capture.nothing, None, None
    references: Sequence[Reference] = ()
    compared = False  # whether its arguments are compared with those of its siblings
    try:
        if outer is not None:
            parent = outer if outer[STORE] is store else parent_of(outer, store)
            if parent is not None:
                inner = parent[INNER] or inner_of(parent)
                siblings = inner.siblings.get(probe)
                compared = siblings is None or siblings.same
        if not compared and probe.times.longest <= store.slow and parameters.rest is None:
            args = LATE
        elif not parameters.some:
            args = () if capture.simple else capture.small((), kwargs)[0]
        else:
            values = _frame(1).f_locals
            if parameters.read is None or parameters.rest is not None or not capture.simple:
                args, kwargs, references = capture.bound(parameters, values, compared)
            else:
                name = parameters.only
                args = (values[name],) if name is not None else parameters.read(values)
                if parameters.receiver:
                    receiver = args[0]
                    known = parameters.known
                    if known is None or known[0]() is not type(receiver):
                        known = parameters.know(receiver)
                    if compared:
                        references = (reference_to(receiver),)
                    args = (known[1] or receiver_text(receiver), *args[1:])
                for value in args:
                    kind = type(value)
                    if not (
                        (kind is int and -_COMMON < value < _COMMON)
                        or (kind is str and len(value) <= MAX_TEXT)
                        or kind is float
                        or value is None
                        or kind is bool
                    ):
                        args, kwargs, references = capture.bound(parameters, values, compared)
                        break
                else:
                    if _KEPT:
                        values.clear()
        if siblings is None:
            if parent is not None:
                siblings = inner.first(probe, parent[PROBE], args, kwargs, references)
        elif compared:
            siblings.meet(args, kwargs, capture.serialize, references)
        else:
            references = UNKNOWN_REFERENCES
    except Exception as failure:
        if not isinstance(failure, NO_ROOM) and is_foreign(failure):
            raise
        probe.capture.snapshot.failures += 1
        args, parent = _UNKNOWN, None
    if parent is None:
        # In the order of `nesting.FIELDS`. Nothing makes a list faster than a literal.
        stack.append([
            store, outer, None, context, probe, None, store.now(),
            args, kwargs, references, None, code, True, None, None, None,
        ])  # fmt: skip
    else:
        start = store.now()
        stack.append([
            store, outer, None, context, probe, parent, start,
            args, kwargs, references, siblings, code, True, None, None, None,
        ])  # fmt: skip
        if not inner.running:
            inner.since = start
        inner.running += 1
    if is_coroutine:
        stack[-1][TOKEN] = current.set(stack[-1])


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
    store, start = entry[STORE], entry[START]
    parent, inside = entry[PARENT], entry[INNER]
    end = store.now()
    elapsed = end - start
    kind = type(result)
    times = probe.times
    if (
        elapsed <= store.slow
        and elapsed <= times.slow
        and (
            result is None
            or (
                kind is not CoroutineType
                and kind is not GeneratorType
                and kind is not AsyncGeneratorType
            )
        )
    ):
        # Only the time of the call is kept.
        counted: Counted = probe.alone if parent is None else entry[SIBLINGS].counted
        own = None
        try:
            if counted.full == 1:
                store.notice(counted)
            if inside is not None:
                own = elapsed - inside.spent - (end - inside.since if inside.running else 0.0)
                if inside.calls >= store.repeat_threshold:
                    store.note_repeats(inside.repeats(probe.name, store.repeat_threshold))
                ended(entry, end)
        except Exception as failure:
            if not isinstance(failure, NO_ROOM) and is_foreign(failure):
                raise
            probe.capture.snapshot.failures += 1
        if parent is not None:
            around = parent[INNER]
            around.running -= 1
            if not around.running:
                around.spent += end - around.since
            around.calls += 1
            entry[SIBLINGS].calls += 1
        if start > counted.last:
            counted.last = start
        del stack[-1]
        if own is None:
            some: list[Any] = counted.elapsed
            some.append(elapsed)
        else:
            some = counted.nested
            some.append((elapsed, own if own > 0.0 else 0.0))
        if elapsed >= LONG or len(some) >= counted.full:
            try:
                if elapsed >= LONG:
                    probe.took(elapsed)
                if len(some) >= counted.full:
                    store.notice(counted)
            except Exception as failure:
                if not isinstance(failure, NO_ROOM) and is_foreign(failure):
                    raise
                probe.capture.snapshot.failures += 1
        return
    details, taken = None, result
    if times.in_a_row:
        times.in_a_row, times.longest = 0, inf
    try:
        if elapsed <= store.slow:
            store.wants(times, elapsed)  # updates `times.slow` for the next calls
        if entry[ARGS] is LATE:
            rare_calls.read_late(entry, probe, code, _frame(1))
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
        if parent is not None or inside is not None or elapsed >= LONG or store.call_sites:
            details = probe.left(entry, end, rare_calls.place(store, _frame(1)), None)
    except Exception as failure:
        if not isinstance(failure, NO_ROOM) and is_foreign(failure):
            raise
        probe.capture.snapshot.failures += 1
        taken = UNKNOWN
    pending = store.pending
    row = (probe.name, start, elapsed, entry[ARGS], entry[KWARGS], taken, stack[0][AT], details)
    del stack[-1]
    entry[AT] = None  # a task that was started inside the call may keep the entry
    pending.extend(row)
    if len(pending) >= store.full:
        try:
            store.fold()
        except Exception as failure:
            if not isinstance(failure, NO_ROOM) and is_foreign(failure):
                raise
            probe.capture.snapshot.failures += 1


def _contained(note: Callable[..., None]) -> Callable[..., None]:
    """Return a callback that calls ``note`` with the observation and the frame of an event."""

    def callback(code: CodeType, offset: int, *event: Any) -> None:
        reference = observations.get(id(code))
        observation = None if reference is None else reference()
        if observation is None:
            return
        try:
            note(observation, _frame(1), *event)
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
"""The callback of each event."""
