"""The slow path: calls with several logs, calls in steps, and calls that raise."""

from __future__ import annotations

from collections.abc import Sequence
from inspect import CO_COROUTINE
from types import CodeType, FrameType
from typing import Any

from ..storage.rows import Place
from ..storage.store import Store
from ..values.containment import is_foreign, is_own
from ..values.parameters import LATE, Parameters
from ..values.snapshot import UNKNOWN
from . import nesting, tool
from .call_sites import call_site
from .deferred import DeferredCall
from .nesting import (
    ARGS,
    AT,
    CODE,
    CONTEXT,
    KWARGS,
    OTHERS,
    PARENT,
    PROBE,
    READING,
    REFERENCES,
    START,
    STORE,
    TOKEN,
    Frame,
    current,
    inner_of,
    innermost,
    left_out,
    parent_of,
    running,
    task_name,
)
from .observation import Observation, hots, observation_of, observations
from .probe import Probe
from .steps import STEPPING, Stepping, Steps, frame_and_code, has_begun, unfinished

_NONE: dict[str, Any] = {}
_UNKNOWN = (UNKNOWN,)
_FOLLOWED = 100


def _steps(code: CodeType, frame: FrameType) -> Steps | None:
    """Return the `Steps` of the coroutine or generator that runs in ``frame``, if known."""
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
            _UNKNOWN, _NONE, (), None, None, frame, None, None, None,
        ]  # fmt: skip
        try:
            entry[ARGS], entry[KWARGS], entry[REFERENCES] = probe.capture.bound(
                observation.parameters, frame.f_locals, outer is not None
            )
        except Exception as failure:
            if is_foreign(failure):
                raise
            probe.capture.snapshot.failures += 1
        entries.append(entry)
        outer = entry
    return entries


def _index_of(stack: Sequence[Frame], frame: FrameType) -> int | None:
    """Return the index in ``stack`` of the call that runs in ``frame``."""
    for index in range(len(stack) - 1, 0, -1):
        entry = stack[index]
        if entry[AT] is frame or (entry[AT] is True and entry[CODE] is frame.f_code):
            return index
        if _is_inside(frame, entry):
            break  # the call began before the function was watched
    return None


def _is_inside(frame: FrameType, entry: Frame) -> bool:
    at, code = entry[AT], entry[CODE]
    if type(at) is Steps:
        return True
    caller = frame.f_back
    while caller is not None:
        if caller is at or (at is True and caller.f_code is code):
            return True
        caller = caller.f_back
    return False


def _leave_context(top: Frame) -> None:
    token, top[TOKEN] = top[TOKEN], None
    if token is not None:
        current.reset(token)


def _frames_of(entry: Frame) -> Sequence[Frame]:
    """Return the frames of the call of ``entry`` in all logs, the outermost first."""
    return (*(entry[OTHERS] or ()), entry)


def started(observation: Observation, frame: FrameType) -> None:
    """Handle the start of a call with several logs, or of one that works in steps."""
    context = current.get()
    outer = innermost(context)
    entries = _entries(observation, frame, outer)
    code = observation.code
    is_coroutine = observation.is_coroutine and _steps(code, frame) is None
    if code.co_flags & STEPPING and not is_coroutine:
        _first_step(code, frame, entries)
        return
    # Even if no log samples the call it goes on the stack, because it may call recorded functions.
    top = entries[-1] if entries else left_out(outer)
    top[CONTEXT], top[AT] = context, frame
    top[OTHERS] = tuple(entries[:-1])
    running.stack.append(top)
    if is_coroutine:
        top[TOKEN] = current.set(top)
    for entry in entries:
        store, parent = entry[STORE], entry[PARENT]
        if store is not None:
            if entry[PROBE].reads:
                entry[READING] = store.thread(store.now())
            start = entry[START] = store.now()
            if parent is not None:
                inner_of(parent).started(start)


def _first_step(code: CodeType, frame: FrameType, entries: Sequence[Frame]) -> None:
    steps = unfinished.get(id(frame))
    if steps is not None and (steps.begun or steps.is_gone or steps.code is not code):
        # The entry belongs to a generator that is gone, whose frame had the same address.
        steps.end()
        steps = None
    calls = [
        DeferredCall(entry, probe, None, place(probe.store, frame))
        for entry in entries
        if (probe := entry[PROBE]) is not None
    ]
    if steps is None:
        if not calls:
            return
        steps = unfinished[id(frame)] = Steps(code, id(frame))
        made = getattr(frame, "f_generator", None)  # Python 3.14 and newer
        if made is not None:
            steps.refer(made)
    steps.calls += calls
    steps.resume()


def paused(observation: Observation, frame: FrameType, value: object) -> None:
    """Handle a coroutine or generator that yields ``value``."""
    code = observation.code
    steps = _steps(code, frame) or _first_pause(code, frame)
    if steps is not None:
        steps.pause(value)


def resumed(
    observation: Observation, frame: FrameType, thrown: BaseException | None = None
) -> None:
    """Handle a coroutine or generator that is resumed, with ``thrown`` if that was thrown in."""
    steps = _steps(observation.code, frame)
    # What is thrown in before the first step ends it without running any of its code.
    if steps is not None and (steps.begun or thrown is None):
        steps.resume(thrown)


def _first_pause(code: CodeType, frame: FrameType) -> Steps | None:
    """Begin the `Steps` of a coroutine that waits for the first time."""
    stack = running.stack
    index = _index_of(stack, frame)
    if index is None:
        return None  # the call began before the function was watched
    top = stack[index]
    for entry in _frames_of(top):
        if entry[PROBE] is not None:
            read_late(entry, entry[PROBE], code, frame)
    calls = [
        DeferredCall.running(entry, probe, place(probe.store, frame))
        for entry in _frames_of(top)
        if (probe := entry[PROBE]) is not None
    ]
    steps = Steps(code, id(frame))
    steps.adopt(top, calls)
    if calls:
        unfinished[id(frame)] = steps
    return steps


def returned(code: CodeType, frame: FrameType, result: object) -> None:
    """Handle a return that does not belong to a plain call on top of the thread's stack."""
    if code is tool.IMPORT:
        nesting.notice_greenlets()
        return
    steps = _steps(code, frame)
    if steps is not None:
        steps.end(result)
        return
    stack = running.stack
    index = _index_of(stack, frame)
    if index is None:
        return  # the call began before the function was watched
    entries = _frames_of(stack[index])
    _leave_context(stack[index])
    for entry in reversed(entries):
        probe = entry[PROBE]
        if probe is not None:
            try:
                _return(entry, probe, code, result, frame)
            except Exception as failure:
                if is_foreign(failure):
                    raise
                probe.capture.snapshot.failures += 1
    # The calls above it ended without an event.
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
        follow(entry, probe, code, end, result, frame)  # type: ignore[arg-type]
        return
    details = probe.left(entry, end, place(store, frame), task)
    store.add(
        (
            probe.name,
            start,
            end - start,
            entry[ARGS],
            entry[KWARGS],
            taken,
            running.stack[0][AT],
            details,
        )
    )


def failed(observation: Observation, frame: FrameType, error: BaseException) -> None:
    """Handle a call that ends with an exception."""
    steps = _steps(observation.code, frame)
    if steps is not None:
        steps.end(error=error)
        return
    stack = running.stack
    index = _index_of(stack, frame)
    if index is not None:
        entries = _frames_of(stack[index])
        _leave_context(stack[index])
    elif _came_from_start(error):
        entries = _entries(observation, frame, innermost(current.get()))
    else:
        return  # the call began before the function was watched
    for entry in reversed(entries):
        probe = entry[PROBE]
        if probe is not None:
            end = probe.store.now()
            if entry[START] is None:
                entry[START] = end
            try:
                if probe.store.wants(probe.times, end - entry[START]):
                    read_late(entry, probe, observation.code, frame)
                task = task_name() if observation.code.co_flags & CO_COROUTINE else None
                probe.failed(entry, end, error, place(probe.store, frame), task)
            except Exception as failure:
                if is_foreign(failure):
                    raise
                probe.capture.snapshot.failures += 1
    if index is not None:
        stack[index][AT] = None
        del stack[index:]


def read_late(entry: Frame, probe: Probe, code: CodeType, frame: FrameType) -> None:
    """Capture the arguments of a call if that was put off until its end."""
    if entry[ARGS] is LATE:
        hot = hots.get(id(code))
        parameters = Parameters(code) if hot is None else hot[2]
        values = parameters.lasting(code, frame.f_locals)
        if values is not None:
            entry[ARGS], entry[KWARGS], _ = probe.capture.bound(parameters, values, False)


def follow(
    entry: Frame,
    probe: Probe,
    code: CodeType,
    returned: float,
    made: Stepping,
    frame: FrameType,
) -> None:
    """Time a call until the coroutine or generator that it returned ends."""
    read_late(entry, probe, code, frame)
    call = DeferredCall(entry, probe, returned, place(probe.store, frame))
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
        steps.end()
        steps = None
    if steps is None:
        steps = unfinished[id(inside)] = Steps(made_code, id(inside))
        steps.begun = has_begun(made)
    steps.observation = observation
    steps.calls.insert(0, call)
    steps.refer(made)


def _came_from_start(error: BaseException) -> bool:
    """Return whether ``error`` was raised by an interrupt during `events._started`."""
    found = error.__traceback__
    inner = None if found is None else found.tb_next
    if inner is None:
        return False
    code = inner.tb_frame.f_code
    return is_own(code) and code.co_name == "_started"


def place(store: Store, frame: FrameType) -> Place | None:
    """Return the line that called the function of ``frame``, if the log records call sites."""
    return call_site(frame.f_back) if store.call_sites else None
