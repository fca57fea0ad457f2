"""``Spans``: slow and failed calls, for a provider of OpenTelemetry's tracers."""

from __future__ import annotations

import logging
from collections import defaultdict, deque
from math import inf
from threading import Lock
from weakref import WeakSet

from opentelemetry import trace
from opentelemetry.context import Context

from ...clock import SYSTEM
from ...forks import this_process
from ...names import HandlerName
from ...recording.nesting import suspended
from ...storage.rows import RaisedException, TracedEntry
from ...text import encodable, plural
from ...units import seconds
from ..batch import Delivery
from ..worker import worker
from .naming import SCOPE, VERSION, attributes_of, nanoseconds

_log = logging.getLogger("smartcollect")
_MAX_WAITING = 10_000
_MAX_PARENTS = 10_000
_EXACT = 1e-6  # what is left of a second in Unix time as a double, and more


class Spans:
    """Makes a span of each call that it is given, for `CallLog.subscribe`.

    Which calls these are is said there: ``calls="slow or failed"``. A span has the full name of the
    handler and the times of the call, ``code.function.name``, and for a failed call the status,
    ``error.type`` and an event with the exception. Arguments and results are left out.

    The parent of a span is that of the call which made it, if that has a span too. Such a call ends
    later, and may be in a later batch: so a call waits for the one that made it. After ``patience``
    it begins a trace of its own.

    Args:
        tracer_provider: what spans are made by; the global one when left out.
        patience: how long after its end a call waits for the one that made it: seconds, or text
            such as ``"30s"``.

    Raises:
        TypeError, ValueError: ``patience`` is not a duration, or ``tracer_provider`` is not a
            provider.

    Example:
        >>> import smartcollect
        >>> log = smartcollect.CallLog()
        >>> subscription = log.subscribe(Spans(), calls="slow or failed", slower_than="100ms")
        >>> subscription.close()
    """

    def __init__(
        self,
        tracer_provider: trace.TracerProvider | None = None,
        patience: float | str = "30s",
    ) -> None:
        if tracer_provider is not None and not hasattr(tracer_provider, "get_tracer"):
            raise TypeError(
                f"tracer_provider: {tracer_provider!r} is not a TracerProvider; pass one, or None "
                "for the global one"
            )
        self._tracer = trace.get_tracer(SCOPE, VERSION, tracer_provider)
        self._patience = seconds(patience, "patience")
        # It is a task of the worker, too, while calls wait: there may be no further batch.
        self.due = inf
        self._begin()

    def _begin(self) -> None:
        self._process = this_process()
        self._lock = Lock()
        # Calls that have no span yet, by the call that made them: None where none did.
        self._waiting: defaultdict[int | None, deque[TracedEntry]] = defaultdict(deque)
        self._made: dict[int, trace.SpanContext] = {}
        self._taken: WeakSet[Delivery] = WeakSet()

    def _forget_parent(self) -> None:
        if self._process is not this_process():
            self._begin()  # a fork: what waits is told by the parent

    def write(self, batch: Delivery) -> None:
        """Make spans of the calls of a batch and of those that waited, callers first."""
        self._forget_parent()
        with self._lock:
            if batch not in self._taken:
                self._taken.add(batch)
                for call in batch.calls:
                    self._waiting[call["parent"]].append(call)
            crowded = sum(map(len, self._waiting.values())) > _MAX_WAITING
            self._make_spans(inf if crowded else batch.until - self._patience)
            self._come_again()

    def work(self) -> None:
        """Make spans of the calls that have waited long enough; a thread of its own calls this."""
        self._forget_parent()
        with self._lock:
            self.due = inf
            try:
                suspended(self._make_spans, SYSTEM.wall() - self._patience)
            finally:
                self._come_again()

    def close(self) -> None:
        """Make spans of all calls that wait."""
        self._forget_parent()
        with self._lock:
            self._make_spans(inf)
            self._come_again()

    def abandon(self) -> None:
        """Leave alone who makes spans for too long, because the process ends."""
        left = sum(map(len, list(self._waiting.values())))
        _log.warning("%s may be lost: the process ends", plural(left, "span"))

    def _come_again(self) -> None:
        if self._waiting:
            self.due = SYSTEM.monotonic() + self._patience
            worker.add(self)
        else:
            worker.remove(self)

    def _make_spans(self, overdue: float) -> None:
        """Make spans, callers first.

        Args:
            overdue: Unix seconds; a call that ended before waits no longer for an unknown caller.
        """
        known = {call["id"] for calls in self._waiting.values() for call in calls}
        for parent in self._waiting.keys() - known - self._made.keys() - {None}:
            calls = self._waiting.pop(parent)
            for call in calls:
                late = call["end"] <= overdue
                self._waiting[None if late else parent].append(call)
        ready = [parent for parent in self._waiting if parent is None or parent in self._made]
        while ready:
            parent = ready.pop()
            calls = self._waiting[parent]
            while calls:
                call = calls[0]
                context = self._span(call, None if parent is None else self._made[parent])
                calls.popleft()
                if call["id"] is not None:
                    self._made[call["id"]] = context
                    if call["id"] in self._waiting:
                        ready.append(call["id"])
            del self._waiting[parent]
        for forgotten in list(self._made)[:-_MAX_PARENTS]:
            del self._made[forgotten]

    def _span(self, call: TracedEntry, parent: trace.SpanContext | None) -> trace.SpanContext:
        """Make the span of a call."""
        # Apart from the context of this thread, which has nothing to do with the call.
        context = Context()
        if parent is not None:
            context = trace.set_span_in_context(trace.NonRecordingSpan(parent), context)
        name = HandlerName(call["switcher"], call["handler"])
        full = encodable(name.full, "utf-8")
        lasted = call["end"] - call["timestamp"]
        if abs(lasted - call["elapsed"]) < _EXACT:
            lasted = call["elapsed"]
        start = nanoseconds(call["timestamp"])
        end = start + nanoseconds(lasted)
        attributes: dict[str, str | int] = {
            "code.function.name": full,
            **attributes_of(name),
            "thread.id": call["thread"],
        }
        exception = call.get("exception")
        if exception is not None:
            attributes["error.type"] = encodable(exception["type"], "utf-8")
        span = self._tracer.start_span(full, context, attributes=attributes, start_time=start)
        if exception is not None:
            _add_exception(span, exception, end)
        span.end(end)
        return span.get_span_context()


def _add_exception(span: trace.Span, exception: RaisedException, at: int) -> None:
    """Add what the semantic conventions say of an exception that ended a span."""
    kind, message, traceback = (
        encodable(exception[key], "utf-8") for key in ("type", "message", "traceback")
    )
    event = {
        "exception.type": kind,
        "exception.message": message,
        "exception.stacktrace": traceback,
    }
    span.add_event("exception", event, timestamp=at)
    span.set_status(trace.Status(trace.StatusCode.ERROR, f"{kind}: {message}"))
