"""The stack of recorded calls that run now, for each thread, task and greenlet."""

from __future__ import annotations

import itertools
import operator
import sys
import weakref
from _thread import _local, get_ident
from asyncio import Task, current_task
from collections.abc import Callable, Collection, Iterator, Sequence
from contextvars import ContextVar
from typing import Any

from ..names import HandlerName
from ..storage.findings import Repeat
from ..storage.times import Counted
from ..values.references import Reference, is_same

# A frame represents one running call in one log. It is a list because each call makes one: a list
# takes 40 ns, an instance of a class four times as long.
Frame = list[Any]
FIELDS = (
    "store",  # of the log; None if the call is not recorded
    "outer",  # the next frame outwards, of any log
    "inner",  # its `Inner`; None while no recorded call ran inside it
    "context",  # the value of `current` when the call began
    "probe",  # records the call; None if it is left out
    "parent",  # the nearest outer frame of the same log
    "start",  # on the monotonic clock; None until then
    "args",  # the captured arguments
    "kwargs",
    "references",  # see `Siblings.meet`
    "siblings",  # the `Siblings` that the call was counted with; None if not yet known
    "code",  # the code object that runs
    "at",  # the interpreter's frame or, if that was not looked up, True
    "others",  # the frames of the same call in other logs
    "token",  # resets `current`, which holds this frame until then
    "reading",  # the `ThreadTimes` at its start; None if they were not read
)
STORE, OUTER, INNER, CONTEXT, PROBE, PARENT, START, *_REST = range(len(FIELDS))
ARGS, KWARGS, REFERENCES, SIBLINGS, CODE, AT, OTHERS, TOKEN, READING = _REST


def left_out(outer: Frame | None) -> Frame:
    """Return the frame of a call inside ``outer`` that no log records."""
    frame: Frame = [None] * len(FIELDS)
    frame[OUTER] = outer
    return frame


SUSPENDED = left_out(None)
"""The current frame while the ``repr`` of a value runs: calls that it makes are not recorded."""

current: ContextVar[Frame | None] = ContextVar("smartcollect_frame", default=None)
"""The innermost call of a layer or a coroutine in this context.

Tasks, and threads that run in a copy of the context, find in it the call that started them.
"""


class _Running(_local):
    """The running calls of each thread.

    Attributes:
        stack: the calls of this thread that are recorded through events, the innermost last. The
            first frame is not a call: see `_new_stack`.
    """

    stack: list[Frame]

    def __init__(self) -> None:
        # Stored in the dict: once greenlet is loaded, a property of the class hides the attribute.
        vars(self)["stack"] = _stacks[get_ident()] = _new_stack()


def _new_stack() -> list[Frame]:
    """Return a stack without calls; the frame at its bottom holds the identity of the thread."""
    bottom = left_out(None)
    bottom[CONTEXT], bottom[AT] = _NO_CONTEXT, get_ident()
    return [bottom]


_NO_CONTEXT = object()
GONE = object()
"""The context of a call whose probes have left."""
_stacks: dict[int, list[Frame]] = {}
running = _Running()
_of_greenlets: dict[int, tuple[list[Frame], weakref.ref[Any]]] = {}


def all_stacks() -> list[list[Frame]]:
    """Return the stacks of all threads and greenlets."""
    return [*list(_stacks.values()), *(stack for stack, _ in list(_of_greenlets.values()))]


def notice_greenlets() -> None:
    """Keep a stack for each greenlet from now on, if greenlet is loaded."""
    module = sys.modules.get("greenlet")
    getcurrent = getattr(module, "getcurrent", None)
    if getcurrent is None or "stack" in vars(_Running):
        return

    def stack(self: _Running) -> list[Frame]:
        greenlet = getcurrent()
        key = id(greenlet)
        known = _of_greenlets.get(key)
        if known is None:
            # The first greenlet of a thread takes over the stack of the thread.
            own = _new_stack() if greenlet.parent is not None else vars(self)["stack"]
            reference = weakref.ref(greenlet, lambda _: _of_greenlets.pop(key, None))
            known = _of_greenlets[key] = own, reference
        return known[0]

    # The property hides the instance attributes of the same name.
    _Running.stack = property(stack)  # type: ignore[assignment]


def innermost(context: Frame | None) -> Frame | None:
    """Return the frame of the call that runs now, recorded through events or by a layer.

    Args:
        context: the value of `current`.
    """
    stack = without_ended(running.stack)
    # The last call of the thread is the innermost one, unless the current context differs from the
    # one in which that call began, as in a task of an event loop that a recorded call started.
    last = stack[-1]
    return last if last[CONTEXT] is context else context


def without_ended(stack: list[Frame]) -> list[Frame]:
    """Return ``stack`` after removing dismissed calls from its end; see `dismiss`."""
    while stack[-1][AT] is None:
        del stack[-1]
    return stack


def dismiss(probes: Collection[object]) -> None:
    """Drop the running calls of ``probes``, which no longer record; these calls do not count."""
    for stack in all_stacks():
        for entry in stack[1:]:
            frames = (*(entry[OTHERS] or ()), entry)
            for frame in frames:
                if frame[PROBE] in probes:
                    frame[PROBE] = frame[STORE] = frame[CODE] = None
            if all(frame[PROBE] is None for frame in frames):
                # The end of the call may not be reported, so release its frame now.
                entry[AT], entry[CONTEXT] = None, GONE


def suspended(function: Callable[[Any], Any], value: Any) -> Any:
    """Return ``function(value)`` without recording any calls that it makes."""
    token = current.set(SUSPENDED)
    try:
        return function(value)
    finally:
        current.reset(token)


def parent_of(frame: Frame | None, store: object) -> Frame | None:
    """Return the nearest frame of ``store``, from ``frame`` outwards, skipping other logs."""
    while frame is not None and frame[STORE] is not store:
        frame = frame[OUTER]
    return frame


_ids = itertools.count(1)


class Inner:
    """The recorded calls inside one call.

    Calls inside a coroutine may overlap, and overlapping time counts once: with `gather` of two
    one-second handlers, the parent waits for one second. So the running calls are counted.

    Attributes:
        id: the number of the outer call; the calls inside report it as their parent.
        calls: the number of calls that ended.
        running: the number of calls that run now.
        since: the time from which at least one call has been running.
        spent: seconds during which at least one call ran.
        siblings: the calls of each handler, by its probe.
    """

    __slots__ = ("calls", "id", "running", "siblings", "since", "spent")

    def __init__(self) -> None:
        self.id = next(_ids)
        self.calls = 0
        self.running = 0
        self.since = 0.0
        self.spent = 0.0
        self.siblings: dict[Any, Siblings] = {}

    def started(self, at: float) -> None:
        """Note that a call began to run at ``at``."""
        if self.running == 0:
            self.since = at
        self.running += 1

    def stopped(self, at: float) -> None:
        """Note that a call stopped running at ``at``."""
        self.running -= 1
        if self.running == 0:
            self.spent += at - self.since

    def first(
        self,
        probe: Any,
        caller: Any,
        args: Any,
        kwargs: Any,
        references: Sequence[Reference] = (),
    ) -> Siblings:
        """Return new `Siblings` for the first call of a handler inside this call.

        Args:
            probe: the probe of the handler.
            caller: the probe of the outer call; ``None`` if that is no longer recorded.
            args, kwargs, references: the captured arguments of the first call.
        """
        caller = None if caller is None else caller.times
        counted = probe.inside.get(caller) or probe.made_inside(caller)
        new = Siblings(args, kwargs, probe.capture.serialize, references, counted)
        # Another thread may have added some in the meantime.
        siblings = self.siblings.setdefault(probe, new)
        if siblings is not new:
            siblings.meet(args, kwargs, new.by_value, references)
        return siblings

    def repeats(self, parent: HandlerName, threshold: int) -> Iterator[Repeat]:
        """Yield the handlers that were called at least ``threshold`` times."""
        for probe, siblings in self.siblings.items():
            if siblings.calls >= threshold:
                yield Repeat(parent, probe.name, siblings.calls, 1, siblings.same)


def inner_of(frame: Frame) -> Inner:
    """Return the `Inner` of ``frame``, and create it if needed."""
    inner: Inner | None = frame[INNER]
    if inner is None:
        # Threads may share a context and meet here. All of them use the `Inner` appended first.
        frame.append(Inner())
        inner = frame[INNER] = frame[len(FIELDS)]
    return inner


def ended(frame: Frame, at: float) -> None:
    """Note that the call of ``frame`` ended at ``at``; calls inside it may still run."""
    inner: Inner | None = frame[INNER]
    if inner is not None and inner.running:
        inner.spent += at - inner.since
        inner.since = at
    # A task that was started inside keeps this frame; it must not keep the outer ones.
    frame[OUTER] = None


def stopped(frame: Frame, parent: Frame | None, at: float) -> None:
    """Note that the call of ``frame`` ended or was suspended."""
    ended(frame, at)
    if parent is not None:
        inner_of(parent).stopped(at)


Made = tuple[int, Counted]
"""The number of the parent call, and the `Counted` for calls with the same caller and callee."""


def called(probe: Any, frame: Frame, parent: Frame) -> Made:
    """Count the call of ``frame`` among the calls inside ``parent``."""
    around, siblings = inner_of(parent), frame[SIBLINGS]
    if siblings is None:
        args, kwargs, references = frame[ARGS], frame[KWARGS], frame[REFERENCES]
        siblings = around.siblings.get(probe)
        if siblings is None:
            siblings = around.first(probe, parent[PROBE], args, kwargs, references)
        elif siblings.same:
            siblings.meet(args, kwargs, probe.capture.serialize, references)
    around.calls += 1
    siblings.calls += 1
    return around.id, siblings.counted


class Siblings:
    """The calls of one handler inside one call of another.

    Attributes:
        calls: the number of calls that ended.
        same: whether all calls had equal arguments.
        counted: the `Counted` for calls of which only the time is kept.
    """

    __slots__ = ("args", "by_value", "calls", "counted", "kwargs", "references", "same")

    def __init__(
        self,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        by_value: bool,
        references: Sequence[Reference],
        counted: Counted,
    ) -> None:
        self.counted = counted
        self.by_value = by_value
        self.calls = 0
        self.same = True
        self.args = args
        self.kwargs = kwargs
        self.references = references

    def meet(
        self,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        by_value: bool,
        references: Sequence[Reference],
    ) -> None:
        """Compare the arguments of another call with those of the first.

        Plain data is compared by value and objects by identity, because an ``__eq__`` of the
        application may do anything. ``references`` refer to the objects that ``args`` and
        ``kwargs`` show only by type.
        """
        if self.same:
            self.same = self._like(args, kwargs, by_value, references)

    def _like(
        self,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        by_value: bool,
        references: Sequence[Reference],
    ) -> bool:
        if by_value and self.by_value:
            return (
                args == self.args
                and kwargs == self.kwargs
                and len(references) == len(self.references)
                and all(map(is_same, self.references, references))
            )
        return (
            len(args) == len(self.args)
            and kwargs.keys() == self.kwargs.keys()
            and all(map(operator.is_, args, self.args))
            and all(value is self.kwargs[key] for key, value in kwargs.items())
        )


def task_name() -> str | None:
    """Return the name of the running asyncio task, or ``None``."""
    try:
        task = current_task()
    except RuntimeError:  # no asyncio event loop runs here
        return None
    # A subclass may override `get_name`.
    return Task.get_name(task) if isinstance(task, Task) else None
