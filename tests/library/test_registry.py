"""The registry of watched functions: each call counts once per log, however it is dispatched."""

from __future__ import annotations

import functools
import gc
import weakref

import pytest
from smartswitch import Switcher
from support import dispatch

from smartcollect import CallLog, collecting
from smartcollect.names import HandlerName
from smartcollect.recording import registry
from smartcollect.recording.registry import Handle


def shared():
    """Return a function that is registered with two switchers."""

    def work(number=0):
        return number

    first, second = Switcher("first"), Switcher("second")
    first(work)
    second(work)
    return work, first, second


def call_each_way(work, first, second):
    assert [work(1), dispatch(first, "work")(2), dispatch(second, "work")(3)] == [1, 2, 3]


def names(log):
    return [call["switcher"] for call in log.history()]


def test_two_logs_that_watch_a_function_through_two_switchers():
    work, first, second = shared()
    with collecting(first) as one, collecting(second) as other:
        call_each_way(work, first, second)
    assert names(one) == ["first"] * 3
    assert names(other) == ["second"] * 3


@pytest.mark.parametrize("leaves", ["first", "second"])
def test_a_log_that_leaves_does_not_stop_the_other(leaves):
    work, first, second = shared()
    logs = {"first": CallLog(), "second": CallLog()}
    logs["first"].attach(first)
    logs["second"].attach(second)
    logs[leaves].detach({"first": first, "second": second}[leaves])
    call_each_way(work, first, second)
    stays = "second" if leaves == "first" else "first"
    assert names(logs[stays]) == [stays] * 3
    assert logs[leaves].history() == []
    logs[stays].detach({"first": first, "second": second}[stays])
    assert work.__code__.co_consts[-2:-1] != ("<watched>",)
    call_each_way(work, first, second)
    assert len(logs[stays].history()) == 3


def test_one_log_counts_a_call_once_under_the_name_of_its_switcher():
    work, first, second = shared()
    with collecting(first, second) as log:
        call_each_way(work, first, second)
    assert names(log) == ["first", "first", "second"]
    assert log.stats("first.work")["calls"] == 2
    assert log.stats("second.work")["calls"] == 1


def test_two_names_and_two_logs():
    work, first, second = shared()
    with collecting(first, second) as both, collecting(second) as one:
        call_each_way(work, first, second)
    assert names(both) == ["first", "first", "second"]
    assert names(one) == ["second"] * 3


def test_a_callable_without_code_is_watched_through_both_switchers():
    @functools.lru_cache
    def work(number):
        return number

    first, second = Switcher("first"), Switcher("second")
    first(work)
    second(work)
    with collecting(first) as one, collecting(second) as other:
        call_each_way(work, first, second)
    # Direct calls are not seen, because there is no code to replace.
    assert names(one) == ["first"] * 2
    assert names(other) == ["second"] * 2
    assert first._methods["work"]._wrapped is second._methods["work"]._wrapped is work


def test_a_deleted_switcher_leaves_the_other_watched():
    work, first, second = shared()
    log = CallLog()
    log.attach(first)
    log.attach(second)
    gone = weakref.ref(first)
    del work.__smartswitch_entry__, first  # smartswitch keeps the switcher alive by it
    gc.collect()
    assert gone() is None
    work(1)
    log.detach(second)
    log.attach(second)
    work(2)
    assert names(log)[-1] == "second"
    assert len(log.history()) == 2


def test_a_function_without_a_switcher():
    def work(number):
        return number

    log, found = CallLog(), []
    probe = log.recorder.probe(HandlerName("module", "work"), work)
    with registry.lock:
        handle = Handle(work, found.append)
        handle.watch(probe)
    assert work(1) == 1
    with registry.lock:
        handle.leave(probe)
    work(2)
    assert [(call["switcher"], call["args"]) for call in log.history()] == [("module", (1,))]
    assert found == [work, work]


def test_code_that_was_replaced_meanwhile_is_left_alone():
    def work():
        return "old"

    def other():
        return "new"

    sw = Switcher("api")
    sw(work)
    with collecting(sw) as log:
        work.__code__ = other.__code__
        assert work() == "new"
    assert work.__code__ is other.__code__
    with collecting(sw) as log:
        assert work() == "new"
    assert log.stats("work")["calls"] == 1
    assert work.__code__ is other.__code__
