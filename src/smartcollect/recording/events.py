"""Calls as events tell of them, on Python 3.12 and newer: nothing takes a function's place.

Its caller, its frame and its signature are as they were. CPython runs no events inside of a
callback: what the recorder calls is never recorded, and no debugger steps into it.
"""

from __future__ import annotations

import sys
from _thread import get_ident
from collections.abc import Sequence
from inspect import CO_COROUTINE
from types import CodeType, FrameType, FunctionType
from typing import Any

from ..storage import store as _store
from ..text import MAX_TEXT
from ..values.containment import NO_ROOM, is_foreign
from ..values.snapshot import MAX_BITS, UNKNOWN
from . import nesting, tool
from .call_sites import call_site
from .deferred import DeferredCall
from .nesting import (
    ARGS,
    AT,
    CODE,
    CONTEXT,
    FIELDS,
    INNER,
    KWARGS,
    OUTER,
    PARENT,
    PROBE,
    REFERENCES,
    SIBLINGS,
    START,
    STORE,
    TOKEN,
    Frame,
    current,
    inner_of,
    innermost,
    parent_of,
    running,
    task_name,
    without_ended,
)
from .observation import Observation, observation_of, observations
from .probe import Probe
from .steps import (
    STEPPING,
    Stepping,
    Steps,
    find_vanished,
    frame_and_code,
    has_begun,
    index_of,
    unfinished,
)

# Bound at import: suites replace and delete what they find in `sys`.
_frame = sys._getframe
_context = current.get
_NONE: dict[str, Any] = {}
_UNKNOWN = (UNKNOWN,)
_FOLLOWED = 100
# Before Python 3.13 a frame keeps the dict of its locals, and that all that is in there.
_KEPT = sys.version_info < (3, 13)


# -- what is watched ------------------------------------------------------------------------------


class Observer:
    """Watches one function by events.

    Args:
        function: what is watched.
    """

    __slots__ = ("_function", "_observation", "_own")

    def __init__(self, function: FunctionType) -> None:
        self._function = function
        self._own: CodeType | None = None
        self._observation: Observation | None = None

    def record(self, probes: Sequence[Probe]) -> bool:
        """Let ``probes`` record the calls from now on; that always works."""
        observation = self._observation
        if observation is None or observation.code is not self._function.__code__:
            self.leave()
            shared = _references(self._function) > _ALONE
            self._own = code = self._function.__code__
            if shared:
                # Other functions run the same code or may do so, such as those of a factory.
                code = self._function.__code__ = code.replace()
            observation = self._observation = observation_of(code)
        observation.record(probes)
        return True

    def leave(self) -> None:
        """Watch no longer."""
        observation, self._observation = self._observation, None
        if observation is not None:
            if self._function.__code__ is observation.code and self._own is not None:
                self._function.__code__ = self._own
            observation.record(())


def _references(function: FunctionType) -> int:
    return sys.getrefcount(function.__code__)


def _alone() -> int:
    """Return how many references there are to code that nothing but a function has."""
    namespace: dict[str, Any] = {}
    exec("def function(): pass", namespace)
    return _references(namespace["function"])


_ALONE = _alone()


# -- what happens ---------------------------------------------------------------------------------
#
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
            _started_rarely(observation, frame)
        except Exception as failure:
            if not isinstance(failure, NO_ROOM) and is_foreign(failure):
                raise
            for probe in observation.probes:
                probe.capture.snapshot.failures += 1
        return
    stack, context = running.stack, _context()
    last = stack[-1]
    if last[AT] is None:
        last = without_ended(stack)[-1]
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
            entry[ARGS] = ()
        elif parameters.rest is not None or not capture.simple:
            entry[ARGS], entry[KWARGS], entry[REFERENCES] = capture.bound(
                parameters, frame.f_locals, parent is not None
            )
        else:
            values = frame.f_locals
            args = parameters.read(values)
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
            _returned_rarely(code, _frame(1), result)
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
                _follow(entry, probe, code, end, result, _frame(1))  # type: ignore[arg-type]
                del stack[-1]
                return
        if entry[PARENT] is not None or entry[INNER] is not None or store.call_sites:
            details = probe.left(entry, end, _place(store, _frame(1)), None)
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


def _yielded(code: CodeType, offset: int, value: object) -> None:
    reference = observations.get(id(code))
    observation = None if reference is None else reference()
    if observation is None:
        return
    try:
        frame = _frame(1)
        steps = _steps(code, frame) or _first_pause(code, frame)
        if steps is not None:
            steps.pause(value)
    except Exception as failure:
        if not isinstance(failure, NO_ROOM) and is_foreign(failure):
            raise
        for probe in observation.probes:
            probe.capture.snapshot.failures += 1


def _resumed(code: CodeType, offset: int) -> None:
    reference = observations.get(id(code))
    observation = None if reference is None else reference()
    if observation is None:
        return
    try:
        steps = _steps(code, _frame(1))
        if steps is not None:
            steps.resume()
    except Exception as failure:
        if not isinstance(failure, NO_ROOM) and is_foreign(failure):
            raise
        for probe in observation.probes:
            probe.capture.snapshot.failures += 1


def _thrown(code: CodeType, offset: int, error: BaseException) -> None:
    reference = observations.get(id(code))
    observation = None if reference is None else reference()
    if observation is None:
        return
    try:
        steps = _steps(code, _frame(1))
        if steps is not None:
            steps.resume(error)
    except Exception as failure:
        if not isinstance(failure, NO_ROOM) and is_foreign(failure):
            raise
        for probe in observation.probes:
            probe.capture.snapshot.failures += 1


def _unwound(code: CodeType, offset: int, error: BaseException) -> None:
    reference = observations.get(id(code))
    observation = None if reference is None else reference()
    if observation is None:
        return
    try:
        _failed(observation, _frame(1), error)
    except Exception as failure:
        if not isinstance(failure, NO_ROOM) and is_foreign(failure):
            raise
        for probe in observation.probes:
            probe.capture.snapshot.failures += 1


tool.callbacks.update(
    PY_START=_started,
    PY_RETURN=_returned,
    PY_YIELD=_yielded,
    PY_RESUME=_resumed,
    PY_THROW=_thrown,
    PY_UNWIND=_unwound,
)
_store.unseen.append(find_vanished)


# -- what is out of the ordinary ------------------------------------------------------------------


def _steps(code: CodeType, frame: FrameType) -> Steps | None:
    steps = unfinished.get(id(frame))
    return steps if steps is not None and steps.code is code else None


def _entries(observation: Observation, frame: FrameType, outer: Frame | None) -> list[Frame]:
    """Return a frame for each log that records a call, the outermost first."""
    entries = []
    for probe in observation.probes:
        if probe.sampled and probe.draw() >= probe.share:
            continue
        store = probe.store
        entry: Frame = [
            store, outer, None, None, probe, parent_of(outer, store), None,
            _UNKNOWN, _NONE, (), None, frame, None, None,
        ]  # fmt: skip
        try:
            entry[ARGS], entry[KWARGS], entry[REFERENCES] = probe.capture.bound(
                observation.parameters, frame.f_locals, True
            )
        except Exception as failure:
            if not isinstance(failure, NO_ROOM) and is_foreign(failure):
                raise
            probe.capture.snapshot.failures += 1
        entries.append(entry)
        outer = entry
    return entries


def _leave_context(top: Frame) -> None:
    token, top[TOKEN] = top[TOKEN], None
    if token is not None:
        current.reset(token)


def _frames_of(entry: Frame) -> Sequence[Frame]:
    """Return the frames of the call that an entry of the stack is of, the outermost first."""
    return (*(entry[SIBLINGS] or ()), entry)


def _started_rarely(observation: Observation, frame: FrameType) -> None:
    """A call starts that several logs record, or one that works step by step."""
    context = _context()
    outer = innermost(context)
    entries = _entries(observation, frame, outer)
    code = observation.code
    is_coroutine = observation.is_coroutine and _steps(code, frame) is None
    if code.co_flags & STEPPING and not is_coroutine:
        _first_step(code, frame, entries)
        return
    # One that no log draws is known all the same: it may call others.
    top = entries[-1] if entries else [None] * len(FIELDS)
    if not entries:
        top[OUTER] = outer
    top[CONTEXT], top[AT] = context, frame
    top[SIBLINGS] = tuple(entries[:-1])
    running.stack.append(top)
    if is_coroutine:
        top[TOKEN] = current.set(top)
    for entry in entries:
        store, parent = entry[STORE], entry[PARENT]
        if store is not None:
            start = entry[START] = store.now()
            if parent is not None:
                inner_of(parent).started(start)


def _first_step(code: CodeType, frame: FrameType, entries: Sequence[Frame]) -> None:
    steps = unfinished.get(id(frame))
    if steps is not None and (steps.begun or steps.code is not code):
        # The frame of one that is gone was here before.
        steps.give_up()
        steps = None
    calls = [
        DeferredCall(entry, probe, None, _place(probe.store, frame))
        for entry in entries
        if (probe := entry[PROBE]) is not None
    ]
    if steps is None:
        if not calls:
            return
        steps = unfinished[id(frame)] = Steps(code, id(frame))
        made = getattr(frame, "f_generator", None)  # from Python 3.14 on
        if made is not None:
            steps.refer(made)
    steps.calls += calls
    steps.resume()


def _first_pause(code: CodeType, frame: FrameType) -> Steps | None:
    """A coroutine waits for the first time."""
    stack = running.stack
    index = index_of(stack, frame)
    if index is None:
        return None  # it began when nobody watched
    top = stack[index]
    calls = [
        DeferredCall.running(entry, probe, _place(probe.store, frame))
        for entry in _frames_of(top)
        if (probe := entry[PROBE]) is not None
    ]
    steps = Steps(code, id(frame))
    steps.adopt(top, calls)
    if calls:
        unfinished[id(frame)] = steps
    return steps


def _returned_rarely(code: CodeType, frame: FrameType, result: object) -> None:
    """A call returned that is not the last one of its thread's stack, or not a plain one."""
    if code is tool.IMPORT:
        nesting.notice_greenlets()
        return
    steps = _steps(code, frame)
    if steps is not None:
        steps.end(result)
        return
    stack = running.stack
    index = index_of(stack, frame)
    if index is None:
        return  # it began when nobody watched
    entries = _frames_of(stack[index])
    _leave_context(stack[index])
    for entry in reversed(entries):
        probe = entry[PROBE]
        if probe is not None:
            try:
                _return(entry, probe, code, result, frame)
            except Exception as failure:
                if not isinstance(failure, NO_ROOM) and is_foreign(failure):
                    raise
                probe.capture.snapshot.failures += 1
    # What is above has ended unseen.
    stack[index][AT] = None
    del stack[index:]


def _return(entry: Frame, probe: Probe, code: CodeType, result: object, frame: FrameType) -> None:
    store, start = probe.store, entry[START]
    end = store.now()
    if start is None:
        start = entry[START] = end
    if code.co_flags & CO_COROUTINE:
        taken, task = probe.capture.result(result), task_name()
    else:
        taken, task = probe.returned(result), None
    if taken is probe:
        _follow(entry, probe, code, end, result, frame)  # type: ignore[arg-type]
        return
    details = probe.left(entry, end, _place(store, frame), task)
    store.add(
        (probe.name, start, end - start, entry[ARGS], entry[KWARGS], taken, get_ident(), details)
    )


def _failed(observation: Observation, frame: FrameType, error: BaseException) -> None:
    """A call ended with an exception."""
    steps = _steps(observation.code, frame)
    if steps is not None:
        steps.end(error=error)
        return
    stack = running.stack
    index = index_of(stack, frame)
    if index is not None:
        entries = _frames_of(stack[index])
        _leave_context(stack[index])
    elif _came_from_start(error):
        entries = _entries(observation, frame, innermost(_context()))
    else:
        return  # it began when nobody watched
    for entry in reversed(entries):
        probe = entry[PROBE]
        if probe is not None:
            end = probe.store.now()
            if entry[START] is None:
                entry[START] = end
            try:
                task = task_name() if observation.code.co_flags & CO_COROUTINE else None
                probe.failed(entry, end, error, _place(probe.store, frame), task)
            except Exception as failure:
                if not isinstance(failure, NO_ROOM) and is_foreign(failure):
                    raise
                probe.capture.snapshot.failures += 1
    if index is not None:
        stack[index][AT] = None
        del stack[index:]


def _follow(
    entry: Frame,
    probe: Probe,
    code: CodeType,
    returned: float,
    made: Stepping,
    frame: FrameType,
) -> None:
    """Time a call to the end of the coroutine or generator that it returned."""
    call = DeferredCall(entry, probe, returned, _place(probe.store, frame))
    inside, made_code = frame_and_code(made)
    if inside is None:
        call.end()
        return
    owner = observations[id(code)]()
    observation = observation_of(made_code)
    if owner is not None and len(owner.followed) < _FOLLOWED:
        owner.followed[id(made_code)] = observation
    steps = unfinished.get(id(inside))
    if steps is not None and (steps.code is not made_code or (steps.begun and not has_begun(made))):
        steps.give_up()
        steps = None
    if steps is None:
        steps = unfinished[id(inside)] = Steps(made_code, id(inside))
        steps.begun = has_begun(made)
    steps.observation = observation
    steps.calls.insert(0, call)
    steps.refer(made)


def _came_from_start(error: BaseException) -> bool:
    """Tell whether an interrupt came in the callback that a call starts with."""
    found = error.__traceback__
    inner = None if found is None else found.tb_next
    return inner is not None and inner.tb_frame.f_code is _started.__code__


def _place(store: Any, frame: FrameType) -> Any:
    return call_site(frame.f_back) if store.call_sites else None
