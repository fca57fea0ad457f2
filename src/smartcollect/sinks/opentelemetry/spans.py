"""``Spans``: OpenTelemetry spans for slow and failed calls."""

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
_EXACT = 1e-6  # seconds; more than the rounding error of Unix time in a double


class Spans:
    """A sink that creates a span for each call that it receives.

    Pass it to `CallLog.subscribe`, whose ``calls`` argument selects the calls, such as
    ``"slow or failed"``. A span has the full name of the handler, the times of the call and
    ``code.function.name``; for a failed call also the status, ``error.type`` and an event with the
    exception. Arguments and results are left out.

    The parent of a span is the span of the caller, if the caller has a span too. The caller ends
    later and may be in a later batch, so each call waits for its caller. After ``patience`` the
    span starts a new trace.

    Args:
        tracer_provider: the provider of the tracer; the global provider if left out.
        patience: the time that a call waits for its caller after its end: seconds, or text such as
            ``"30s"``.

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
                f"tracer_provider must be a TracerProvider, not {tracer_provider!r}; use None for "
                "the global provider"
            )
        self._tracer = trace.get_tracer(SCOPE, VERSION, tracer_provider)
        self._patience = seconds(patience, "patience")
        # While calls wait, this is also a task of the worker: there may be no further batch.
        self.due = inf
        self._begin()

    def _begin(self) -> None:
        self._process = this_process()
        self._lock = Lock()
        # Calls without a span yet, by the id of their caller; None for calls without a caller.
        self._waiting: defaultdict[int | None, deque[TracedEntry]] = defaultdict(deque)
        self._made: dict[int, trace.SpanContext] = {}
        self._taken: WeakSet[Delivery] = WeakSet()

    def _forget_parent(self) -> None:
        if self._process is not this_process():
            self._begin()  # after a fork: the parent creates the spans of waiting calls

    def write(self, batch: Delivery) -> None:
        """Create spans for the calls of a batch and for waiting calls, callers first."""
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
        """Create spans for the calls that have waited long enough. The worker calls this."""
        self._forget_parent()
        with self._lock:
            self.due = inf
            try:
                suspended(self._make_spans, SYSTEM.wall() - self._patience)
            finally:
                self._come_again()

    def close(self) -> None:
        """Create spans for all waiting calls."""
        self._forget_parent()
        with self._lock:
            self._make_spans(inf)
            self._come_again()

    def abandon(self) -> None:
        """Report the spans that may be lost, because the process ends."""
        left = sum(map(len, list(self._waiting.values())))
        _log.warning("%s may be lost because the process ends", plural(left, "span"))

    def _come_again(self) -> None:
        if self._waiting:
            self.due = SYSTEM.monotonic() + self._patience
            worker.add(self)
        else:
            worker.remove(self)

    def _make_spans(self, overdue: float) -> None:
        """Create spans, callers first.

        Args:
            overdue: Unix seconds; calls that ended before do not wait any longer for their caller.
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
        """Create the span of a call."""
        # An empty context: the current context of this thread is unrelated to the call.
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
    """Add the event and status that the semantic conventions define for exceptions."""
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
