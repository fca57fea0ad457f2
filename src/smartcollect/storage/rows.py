"""A recorded call: the row that it is kept in, and the entry that people read."""

from __future__ import annotations

from typing import Any, Final, NamedTuple, NotRequired, TypedDict

from ..names import HandlerName
from ..values.failure import Failure

Place = tuple[str, int]
"""A line: file and number."""
Row = tuple[Any, ...]
"""The fields of a `Call`, and of its `Details`, as plain tuples."""


class Details(NamedTuple):
    """What most calls do not have. Like a `Call`, it is mostly met as a plain tuple.

    Attributes:
        self_time: seconds of the call that it spent in no other recorded call.
        failure: the exception that ended it.
        call_site: the line that made it, where the log asks for that.
        parent: the ``id`` of the recorded call that it was made from, if there was one.
        id: number that the calls inside it tell as their parent; ``None`` where it had none.
        task: name of the asyncio task that it ran in, where it is a coroutine or a generator.
        span: seconds from its start to its end, where it did not run all of them.
        caller: the handler of ``parent``.
    """

    self_time: float
    failure: Failure | None = None
    call_site: Place | None = None
    parent: int | None = None
    id: int | None = None
    task: str | None = None
    span: float | None = None
    caller: HandlerName | None = None


class Call(NamedTuple):
    """A call that ended. This is the one definition of its fields and their order.

    Most code meets calls as plain tuples (`Row`) of this order: to make a ``Call`` takes as long as
    to look at three.

    Attributes:
        name: the handler.
        start: Unix seconds; on the monotonic clock until the call is folded.
        elapsed: seconds that it ran.
        args, kwargs, result: what is remembered of its values.
        thread: identity of the thread that it ended in, as ``threading.get_ident()`` returns it.
        details: what most calls do not have, or ``None``.
    """

    name: HandlerName
    start: float
    elapsed: float
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    result: Any
    thread: int
    details: Details | None = None

    @classmethod
    def of(cls, row: Row) -> Call:
        """Return the call of a plain tuple."""
        call = cls._make(row)
        if call.details is None:
            return call
        return call._replace(details=Details._make(call.details))

    @property
    def self_time(self) -> float:
        """Seconds that it spent in no other recorded call."""
        return self.elapsed if self.details is None else self.details.self_time

    @property
    def failure(self) -> Failure | None:
        """The exception that ended it, if one did."""
        return None if self.details is None else self.details.failure

    @property
    def call_site(self) -> Place | None:
        """The line that made it, where the log asks for that."""
        return None if self.details is None else self.details.call_site


NAME: Final = Call._fields.index("name")
START: Final = Call._fields.index("start")
ELAPSED: Final = Call._fields.index("elapsed")
ARGS: Final = Call._fields.index("args")
KWARGS: Final = Call._fields.index("kwargs")
THREAD: Final = Call._fields.index("thread")
DETAILS: Final = Call._fields.index("details")
WIDTH: Final = len(Call._fields)
SELF_TIME: Final = Details._fields.index("self_time")
FAILURE: Final = Details._fields.index("failure")
CALL_SITE: Final = Details._fields.index("call_site")
CALLER: Final = Details._fields.index("caller")


def failed(row: Row) -> bool:
    """Return whether the call raised."""
    details = row[DETAILS]
    return details is not None and details[FAILURE] is not None


class RaisedException(TypedDict):
    """The exception of an `Entry`, all text."""

    type: str
    message: str
    traceback: str


class Entry(TypedDict):
    """A call as `CallLog.history` returns it.

    It has either ``result`` or ``exception``. ``switcher`` and ``timestamp`` (Unix seconds) are
    left out by ``include_context=False``; ``call_site`` (``file:line``) comes with
    ``call_sites=True``.
    """

    handler: str
    switcher: NotRequired[str]
    timestamp: NotRequired[float]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    elapsed: float
    result: NotRequired[Any]
    exception: NotRequired[RaisedException]
    call_site: NotRequired[str]


def entry_of(row: Row, context: bool = True) -> Entry:
    """Return the entry of a call.

    Args:
        row: the call.
        context: whether it tells ``switcher`` and ``timestamp``.
    """
    name, start, elapsed, args, kwargs, result, _, details = row
    entry: Entry = {"handler": name.handler}  # type: ignore[typeddict-item]
    if context:
        entry["switcher"] = name.switcher
        entry["timestamp"] = start
    entry["args"] = args
    entry["kwargs"] = dict(kwargs)
    entry["elapsed"] = elapsed
    failure = None if details is None else details[FAILURE]
    if failure is None:
        entry["result"] = result
    else:
        entry["exception"] = {
            "type": failure.type,
            "message": failure.message,
            "traceback": failure.traceback(),
        }
    if details is not None and details[CALL_SITE] is not None:
        file, line = details[CALL_SITE]
        entry["call_site"] = f"{file}:{line}"
    return entry


class TracedEntry(Entry):
    """A call as sinks are given it: an `Entry` that also tells where the call ran.

    ``end`` is in Unix seconds; between ``timestamp`` and ``end`` a generator did not run all the
    time. ``thread`` is the identity of the thread that it ended in, ``task`` the name of a
    coroutine's asyncio task. ``parent`` is the ``id`` of the recorded call that made it; a call
    that made none has no ``id``.
    """

    end: float
    self_time: float
    thread: int
    task: str | None
    id: int | None
    parent: int | None


def traced_entry_of(row: Row) -> TracedEntry:
    """Return the entry of a call with everything that is known of it."""
    call = Call.of(row)
    details = call.details or Details(call.elapsed)
    span = call.elapsed if details.span is None else details.span
    return {
        **entry_of(row),
        "end": call.start + span,
        "self_time": details.self_time,
        "thread": call.thread,
        "task": details.task,
        "id": details.id,
        "parent": details.parent,
    }
