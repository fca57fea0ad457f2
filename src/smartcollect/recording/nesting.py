"""Which recorded call is running now, in this thread and task."""

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

# A frame stands for one running call of one log. It is a list and not an object because one is made
# for each call: that takes 40 ns, an instance of a class four times as long.
Frame = list[Any]
FIELDS = (
    "store",  # of the log; None where the call counts for none
    "outer",  # the frame around it
    "inner",  # its `Inner`, or None
    "context",  # what `current` held when it began
    "probe",  # remembers the call; None where it is left out
    "parent",  # the nearest frame around it of the same log
    "start",  # on the monotonic clock; None until then
    "args",  # what is remembered of its arguments
    "kwargs",
    "references",  # see `Siblings.meet`
    "siblings",  # the calls of the same handler under its parent, where it is known as one of them
    "code",  # the code that runs, and
    "at",  # its frame in the interpreter or, where nobody asked for that, True
    "others",  # frames of the same call for other logs
    "token",  # of `current`, which tells of this call until that is reset
    "reading",  # where the time of its thread had gone when it began; None where nobody asked
)
STORE, OUTER, INNER, CONTEXT, PROBE, PARENT, START, *_REST = range(len(FIELDS))
ARGS, KWARGS, REFERENCES, SIBLINGS, CODE, AT, OTHERS, TOKEN, READING = _REST


def left_out(outer: Frame | None) -> Frame:
    """Return the frame of a call inside of ``outer`` that counts for no log."""
    frame: Frame = [None] * len(FIELDS)
    frame[OUTER] = outer
    return frame


SUSPENDED = left_out(None)
"""The frame while a value's own ``repr`` runs: handlers that it calls are not recorded."""

current: ContextVar[Frame | None] = ContextVar("smartcollect_frame", default=None)
"""The innermost call that a layer or a coroutine told the context of.

Tasks, and threads that are given a copy of the context, know by it what they were started from.
"""


class _Running(_local):
    """What runs in each thread.

    Attributes:
        stack: the calls of this thread that are seen by events, the innermost last. The first is
            no call: see `_new_stack`.
    """

    stack: list[Frame]

    def __init__(self) -> None:
        # In the dict itself: where greenlet is loaded, a property of the class hides it.
        vars(self)["stack"] = _stacks[get_ident()] = _new_stack()


def _new_stack() -> list[Frame]:
    """Return a stack without calls: what is at its bottom tells the identity of the thread."""
    bottom = left_out(None)
    bottom[CONTEXT], bottom[AT] = _NO_CONTEXT, get_ident()
    return [bottom]


_NO_CONTEXT = object()
GONE = object()
"""The context of a call that nobody watches any more."""
_stacks: dict[int, list[Frame]] = {}
running = _Running()
_of_greenlets: dict[int, tuple[list[Frame], weakref.ref[Any]]] = {}


def all_stacks() -> list[list[Frame]]:
    """Return the stack of each thread, and of each greenlet."""
    return [*list(_stacks.values()), *(stack for stack, _ in list(_of_greenlets.values()))]


def notice_greenlets() -> None:
    """Keep a stack for each greenlet from now on, where greenlet is loaded."""
    module = sys.modules.get("greenlet")
    getcurrent = getattr(module, "getcurrent", None)
    if getcurrent is None or "stack" in vars(_Running):
        return

    def stack(self: _Running) -> list[Frame]:
        greenlet = getcurrent()
        key = id(greenlet)
        known = _of_greenlets.get(key)
        if known is None:
            # The first one of a thread is what the thread was until now.
            own = _new_stack() if greenlet.parent is not None else vars(self)["stack"]
            reference = weakref.ref(greenlet, lambda _: _of_greenlets.pop(key, None))
            known = _of_greenlets[key] = own, reference
        return known[0]

    # It hides the attributes of that name.
    _Running.stack = property(stack)  # type: ignore[assignment]


def innermost(context: Frame | None) -> Frame | None:
    """Return the frame of the call that runs now, however it is seen.

    Args:
        context: what `current` holds.
    """
    stack = without_ended(running.stack)
    # A call is inside of the last one of its thread, unless it runs in another context than that
    # began in: in a task, say, which an event loop runs that a recorded call started.
    last = stack[-1]
    return last if last[CONTEXT] is context else context


def without_ended(stack: list[Frame]) -> list[Frame]:
    """Return ``stack`` without calls at its end that nobody watches any more: see `dismiss`."""
    while stack[-1][AT] is None:
        del stack[-1]
    return stack


def dismiss(probes: Collection[object]) -> None:
    """Forget the running calls of ``probes``, which watch no longer: they do not count."""
    for stack in all_stacks():
        for entry in stack[1:]:
            frames = (*(entry[OTHERS] or ()), entry)
            for frame in frames:
                if frame[PROBE] in probes:
                    frame[PROBE] = frame[STORE] = frame[CODE] = None
            if all(frame[PROBE] is None for frame in frames):
                # Nothing may tell of its end, and its frame is not to be kept until then.
                entry[AT], entry[CONTEXT] = None, GONE


def suspended(function: Callable[[Any], Any], value: Any) -> Any:
    """``function(value)``, with the handlers that it calls left out of every recording."""
    token = current.set(SUSPENDED)
    try:
        return function(value)
    finally:
        current.reset(token)


def parent_of(frame: Frame | None, store: object) -> Frame | None:
    """The nearest frame of ``store``: collectors that watch other handlers do not break a chain."""
    while frame is not None and frame[STORE] is not store:
        frame = frame[OUTER]
    return frame


_ids = itertools.count(1)


class Inner:
    """The recorded calls inside of one call.

    They are counted and not only summed because those of a coroutine overlap: `gather` of two
    one-second handlers keeps their parent waiting for one second.

    Attributes:
        id: number of the call that they are inside of, which they tell as their parent.
        calls: how many of them ended.
        running: how many of them run now.
        since: when the first of these began.
        spent: seconds in them.
        siblings: those of each handler, by the probe that records it.
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
        """Notes that a call began to run at ``at``."""
        if self.running == 0:
            self.since = at
        self.running += 1

    def stopped(self, at: float) -> None:
        """Notes that a call stopped to run at ``at``."""
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
        """Return the calls of the handler of ``probe``, of which none was met yet.

        Args:
            probe: records them.
            caller: the probe of the call that they are inside; ``None`` if nobody watches that any
                more.
            args, kwargs, references: what is remembered of the arguments of this one.
        """
        caller = None if caller is None else caller.times
        counted = probe.inside.get(caller) or probe.made_inside(caller)
        new = Siblings(args, kwargs, probe.capture.serialize, references, counted)
        # Another thread may have been first.
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
    """What runs inside of the call of ``frame``."""
    inner: Inner | None = frame[INNER]
    if inner is None:
        # Threads may share a context, and meet here: the one that was appended first is the one.
        frame.append(Inner())
        inner = frame[INNER] = frame[len(FIELDS)]
    return inner


def ended(frame: Frame, at: float) -> None:
    """Notes that the call of ``frame`` ended at ``at``, whatever runs on that it started."""
    inner: Inner | None = frame[INNER]
    if inner is not None and inner.running:
        inner.spent += at - inner.since
        inner.since = at
    # A task that was started inside keeps the frame: it is not to keep all those around it.
    frame[OUTER] = None


def stopped(frame: Frame, parent: Frame | None, at: float) -> None:
    """Note that the call of ``frame`` does not run any more: it is over, or waits."""
    ended(frame, at)
    if parent is not None:
        inner_of(parent).stopped(at)


Made = tuple[int, Counted]
"""The number of the call that made another one, and where such calls are counted."""


def called(probe: Any, frame: Frame, parent: Frame) -> Made:
    """Note with ``parent`` that ``probe`` has the call of ``frame``."""
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
    """The calls of one handler under one call of another.

    Attributes:
        calls: those that ended.
        same: whether the arguments of all were alike.
        counted: where those are counted of which nobody wants more than the time.
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
        """Note that there is another one, with such arguments.

        Plain data is compared by value, objects by identity: their own ``__eq__`` could do
        anything. ``references`` are to those of which the plain data tells nothing but the type.
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
    """Return the name of the asyncio task that runs now, if one does."""
    try:
        task = current_task()
    except RuntimeError:  # no event loop of asyncio's
        return None
    # A subclass may have a `get_name` of its own.
    return Task.get_name(task) if isinstance(task, Task) else None
