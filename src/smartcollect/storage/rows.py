"""A recorded call: the row that stores it, and the entry that users read."""

from __future__ import annotations

from typing import Any, Final, NamedTuple, NotRequired, TypedDict

from ..names import HandlerName
from ..values.failure import Failure

Place = tuple[str, int]
"""A line of code: file and line number."""
Row = tuple[Any, ...]
"""A `Call` or its `Details` as a plain tuple."""


class Details(NamedTuple):
    """Data that most calls do not have. Like a `Call`, mostly stored as a plain tuple.

    Attributes:
        self_time: seconds of the call outside other recorded calls.
        failure: the exception that ended the call.
        call_site: the line that made the call, if the log records call sites.
        parent: the ``id`` of the recorded call that made this one, if there was one.
        id: the number that calls inside this one have as their ``parent``; ``None`` without any.
        task: the name of the asyncio task, for coroutines and generators.
        span: seconds from start to end, if the call did not run all the time.
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
    """A call that ended; the only definition of its fields and their order.

    Most code uses plain tuples (`Row`) in this order: making a ``Call`` takes as long as reading
    three rows.

    Attributes:
        name: the handler.
        start: Unix seconds; on the monotonic clock until the call is folded.
        elapsed: seconds that the call ran.
        args, kwargs, result: the captured values.
        thread: the identity of the thread that the call ended in; see ``threading.get_ident()``.
        details: further data, or ``None``.
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
        """Return the `Call` of a plain tuple."""
        call = cls._make(row)
        if call.details is None:
            return call
        return call._replace(details=Details._make(call.details))

    @property
    def self_time(self) -> float:
        """Seconds outside other recorded calls."""
        return self.elapsed if self.details is None else self.details.self_time

    @property
    def failure(self) -> Failure | None:
        """The exception that ended the call, if any."""
        return None if self.details is None else self.details.failure

    @property
    def call_site(self) -> Place | None:
        """The line that made the call, if the log records call sites."""
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
    """The exception of an `Entry`, as text."""

    type: str
    message: str
    traceback: str


class Entry(TypedDict):
    """A call as `CallLog.history` returns it.

    It has either ``result`` or ``exception``. ``include_context=False`` leaves out ``switcher`` and
    ``timestamp`` (Unix seconds). ``call_sites=True`` adds ``call_site`` (``file:line``).
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
        context: whether to include ``switcher`` and ``timestamp``.
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
    """A call as sinks receive it: an `Entry` with more context.

    ``end`` is in Unix seconds; between ``timestamp`` and ``end``, a generator did not run all the
    time. ``thread`` is the identity of the thread that the call ended in, and ``task`` the name of
    the asyncio task of a coroutine. ``parent`` is the ``id`` of the recorded call that made this
    call. A call that made no recorded calls has ``None`` as its ``id``.
    """

    end: float
    self_time: float
    thread: int
    task: str | None
    id: int | None
    parent: int | None


def traced_entry_of(row: Row) -> TracedEntry:
    """Return the entry of a call with all of its context."""
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
