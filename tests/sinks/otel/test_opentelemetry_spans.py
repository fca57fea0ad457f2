"""OpenTelemetry spans of slow and failed calls, in complete traces."""

from __future__ import annotations

import asyncio
import os
import threading

import pytest

pytest.importorskip("opentelemetry.instrumentation")
pytest.importorskip("opentelemetry.exporter.otlp.proto.http")

from opentelemetry.sdk.trace import SpanProcessor
from otlp import values
from smartswitch import Switcher

from smartcollect import CallLog, HandlerName
from smartcollect.sinks.opentelemetry import Spans
from smartcollect.storage.rows import Call, Details
from smartcollect.values.failure import Failure

FOREVER = "1000min"  # no write is due by itself


@pytest.fixture
def spans(shop, provider):
    """A subscription to the slow and failed calls of the shop."""
    subscription = shop.collect.subscribe(Spans(provider), FOREVER, calls="slow or failed")
    yield subscription
    subscription.close()


def test_a_slow_call_is_a_span(shop, time, receiver, spans):
    time.sleep(1_700_000_000.123456789)
    start = (time.now + 1_000_000) * 1e9
    shop.work(0.05)
    shop.work(0.5)
    spans.flush()
    (span,) = receiver.spans().values()
    assert span.name == "shop.work"
    assert span.start_time_unix_nano == pytest.approx(start + 0.05e9, abs=300)
    assert span.end_time_unix_nano - span.start_time_unix_nano == 500_000_000
    assert values(span) == {
        "code.function.name": "shop.work",
        "smartcollect.switcher": "shop",
        "smartcollect.handler": "work",
        "thread.id": threading.get_ident(),
    }
    assert (span.status.code, len(span.events), span.parent_span_id) == (0, 0, b"")


def test_a_span_lasts_as_long_as_the_call_to_the_nanosecond(receiver, provider):
    log = CallLog()
    subscription = log.subscribe(Spans(provider), FOREVER)
    log.recorder.store.add(Call(HandlerName("s", "h"), 0.0, 0.123456789, (), {}, None, 0))
    subscription.close()
    span = receiver.spans()["s.h"]
    assert span.end_time_unix_nano - span.start_time_unix_nano == 123_456_789


def test_the_span_of_a_failed_call_has_its_exception(shop, receiver, spans):
    with pytest.raises(KeyError):
        shop.fail(0.001)
    spans.flush()
    (span,) = receiver.spans().values()
    assert values(span)["error.type"] == "KeyError"
    assert span.status.code == 2
    assert span.status.message.startswith("KeyError: ")
    (event,) = span.events
    assert event.name == "exception"
    assert event.time_unix_nano == span.end_time_unix_nano
    told = values(event)
    assert told["exception.type"] == "KeyError"
    assert "no such" in told["exception.message"]
    assert told["exception.stacktrace"].startswith("Traceback (most recent call last):")
    assert "in fail" in told["exception.stacktrace"]


def parents(found):
    """Return the name of the parent of each span, and check that all are in one trace."""
    names = {span.span_id: name for name, span in found.items()}
    assert len(names) == len(found)
    assert len({span.trace_id for span in found.values()}) == 1
    return {name: names.get(span.parent_span_id) for name, span in found.items()}


@pytest.fixture
def chain(time):
    """A switcher, and a function that adds slow handlers that call others."""
    sw = Switcher("chain").plug("collect", max_history=0)

    def add(name, *inner, flush=None):
        def handler():
            time.sleep(1)
            for one in inner:
                one()
            if flush is not None:
                flush()

        handler.__name__ = name
        return sw(handler)

    sw.add = add
    return sw


@pytest.mark.parametrize("between", [False, True])
def test_a_trace_over_several_batches_is_complete(chain, receiver, provider, between):
    flushed = []

    def flush():
        if between:
            flushed.append(1)
            subscription.flush()

    leaf = chain.add("leaf", flush=flush)
    left = chain.add("left", leaf, flush=flush)
    right = chain.add("right", chain.add("other", flush=flush), flush=flush)
    root = chain.add("root", left, right, flush=flush)
    subscription = chain.collect.subscribe(Spans(provider), FOREVER, calls="slow or failed")
    root()
    assert len(flushed) == (5 if between else 0)
    assert not receiver.spans()  # all wait for the root, which is not flushed yet
    subscription.flush()
    assert parents(receiver.spans()) == {
        "chain.root": None,
        "chain.left": "chain.root",
        "chain.leaf": "chain.left",
        "chain.right": "chain.root",
        "chain.other": "chain.right",
    }
    found = receiver.spans()
    for name, parent in parents(found).items():
        if parent is not None:
            assert found[parent].start_time_unix_nano <= found[name].start_time_unix_nano
            assert found[name].end_time_unix_nano <= found[parent].end_time_unix_nano
    subscription.close()


def test_a_task_that_ends_after_its_caller_has_it_as_parent(receiver, provider):
    sw = Switcher("jobs").plug("collect", max_history=0)

    @sw
    async def late(goes_on):
        await goes_on.wait()
        raise ValueError("late")

    @sw
    async def early(goes_on):
        task = asyncio.ensure_future(late(goes_on))
        await asyncio.sleep(0)
        begun.append(task)
        raise ValueError("early")

    begun = []
    subscription = sw.collect.subscribe(Spans(provider), FOREVER, calls="slow or failed")

    async def main():
        goes_on = asyncio.Event()
        with pytest.raises(ValueError, match="early"):
            await early(goes_on)
        subscription.flush()
        assert set(receiver.spans()) == {"jobs.early"}
        goes_on.set()
        with pytest.raises(ValueError, match="late"):
            await begun[0]

    asyncio.run(main())
    subscription.close()
    assert parents(receiver.spans()) == {"jobs.early": None, "jobs.late": "jobs.early"}


def test_a_call_whose_caller_has_no_span_starts_a_trace(shop, time, receiver, spans):
    def caught():
        with pytest.raises(KeyError):
            shop.fail()

    shop.order([caught])
    spans.flush()
    assert not receiver.spans()  # the caller might still become slow
    time.sleep(61)
    shop.work()
    spans.flush()
    (span,) = receiver.spans().values()
    assert (span.name, span.parent_span_id) == ("shop.fail", b"")


def test_a_call_waits_for_its_caller_without_further_calls(receiver, provider):
    log = CallLog()
    subscription = log.subscribe(Spans(provider, patience="10ms"), FOREVER)
    details = Details(0.0, Failure("E", "", ()), None, parent=1_000_000)
    now = log.recorder.store.now()
    log.recorder.store.add(Call(HandlerName("s", "h"), now, 0.0, (), {}, None, 0, details))
    subscription.flush()
    assert receiver.came.wait(20)
    assert set(receiver.spans()) == {"s.h"}
    subscription.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_child_does_not_export_waiting_calls_of_its_parent(shop, receiver, provider, spans):
    def caught():
        with pytest.raises(KeyError):
            shop.fail()

    shop.order([caught])
    spans.flush()
    child = os.fork()
    if child == 0:
        shop.work(1)
        spans.flush()
        spans.close()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert set(receiver.spans()) == {"shop.work"}
    spans.close()
    assert set(receiver.spans()) == {"shop.work", "shop.fail"}


def test_waiting_calls_are_exported_at_the_end(shop, receiver, provider):
    def caught():
        with pytest.raises(KeyError):
            shop.fail()

    subscription = shop.collect.subscribe(Spans(provider), FOREVER, calls="failed")
    shop.order([caught])
    subscription.close()
    assert set(receiver.spans()) == {"shop.fail"}


def test_the_number_of_waiting_calls_is_bounded(time, receiver, provider, monkeypatch):
    monkeypatch.setattr("smartcollect.sinks.opentelemetry.spans._MAX_WAITING", 10)
    log = CallLog()
    subscription = log.subscribe(Spans(provider), FOREVER)
    for number in range(11):
        name = HandlerName("s", str(number))
        details = Details(1.0, Failure("E", "", ()), None, parent=1_000_000 + number)
        log.recorder.store.add(Call(name, time.now, 1.0, (), {}, None, 0, details))
        assert not receiver.spans()
        subscription.flush()
    assert len(receiver.spans()) == 11
    subscription.close()


def test_only_calls_are_parents_of_spans(shop, receiver, provider, spans):
    with provider.get_tracer("smartcollect").start_as_current_span("of the caller"):
        shop.work(1)
        spans.flush()
    assert receiver.spans()["shop.work"].parent_span_id == b""


def test_a_processor_that_raises_gets_no_span_twice(receiver, provider, caplog):
    class Failing(SpanProcessor):
        before = 2

        def on_start(self, span, parent_context=None):
            self.before -= 1
            if self.before == -1:
                raise OSError("full")

    provider.add_span_processor(Failing())
    log = CallLog()
    subscription = log.subscribe(Spans(provider), FOREVER)
    for number in range(5):
        name = HandlerName("s", str(number))
        log.recorder.store.add(Call(name, 0.0, 1.0, (), {}, None, 0))
    subscription.flush()
    assert subscription.failures == 1
    subscription.close()
    assert set(receiver.spans()) == {f"s.{number}" for number in range(5)}


def test_hostile_names_and_messages_reach_the_receiver(receiver, provider):
    log = CallLog()
    subscription = log.subscribe(Spans(provider), FOREVER)
    for hostile in ("\udc80", "\0", "", "n" * 10_000):
        failure = Failure(hostile, hostile, ())
        name = HandlerName("s", hostile)
        log.recorder.store.add(Call(name, 0.0, 1.0, (), {}, None, 0, Details(1.0, failure)))
    subscription.close()
    assert set(receiver.spans()) == {"s.?", "s.\0", "s.", "s." + "n" * 10_000}


@pytest.mark.parametrize("patience", ["soon", -1])
def test_a_patience_that_is_not_a_duration_is_refused(patience):
    with pytest.raises(ValueError, match="patience"):
        Spans(patience=patience)
