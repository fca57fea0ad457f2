"""Queries of a log, compared with those of a plain list."""

from __future__ import annotations

import contextlib
import os
import threading
import time as real_time
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from smartswitch import Switcher
from support import FakeTime

import smartcollect
from smartcollect import CallLog, CollectPlugin, collecting
from smartcollect.names import HandlerName
from smartcollect.recording import registry
from smartcollect.recording.settings import LogSettings
from smartcollect.storage.rows import Call


class Replayed:
    """Made-up calls, both in a log and in a plain list."""

    def __init__(self, calls, max_history):
        self.time = FakeTime()
        self.log = CallLog(LogSettings(max_history=max_history), self.time.clock)
        sw = Switcher("api")
        for name in ("a", "b"):
            sw(name)(lambda *call: self.handler(*call))
        self.log.attach(sw)
        self.all = []
        for number, (name, elapsed, fails) in enumerate(calls):
            with contextlib.suppress(ValueError):
                sw._methods[name]._wrapped(number, elapsed, fails)
            self.all.append((name, number, elapsed, fails))
        self.kept = self.all[len(self.all) - min(max_history, len(self.all)) :]

    def handler(self, number, elapsed, fails):
        self.time.sleep(elapsed)
        if fails:
            raise ValueError


def numbers(entries):
    return [entry["args"][0] for entry in entries]


calls = st.lists(
    st.tuples(st.sampled_from("ab"), st.sampled_from([0.0, 0.25, 1.0, 4.0]), st.booleans())
)


@given(calls, st.integers(0, 10), st.integers(0, 12), st.sampled_from([None, "a", "b"]))
def test_queries_return_the_same_as_a_list(made, max_history, count, handler):
    replayed = Replayed(made, max_history)
    log = replayed.log
    kept = [call for call in replayed.kept if handler in (None, call[0])]

    def expect(wanted):
        return [number for _, number, _, _ in wanted]

    assert numbers(log.history(handler=handler)) == expect(kept)
    assert numbers(log.history(first=count, handler=handler)) == expect(kept[:count])
    last = kept[-count:] if count else []
    assert numbers(log.history(last=count, handler=handler)) == expect(last)
    for errors in (True, False):
        wanted = [call for call in kept if call[3] == errors]
        assert numbers(log.history(handler=handler, errors=errors)) == expect(wanted)
    assert numbers(log.errors(handler)) == expect([call for call in kept if call[3]])
    slowest = sorted(kept, key=lambda call: -call[2])[:count]
    assert [entry["elapsed"] for entry in log.slowest(count, handler)] == [
        call[2] for call in slowest
    ]
    fastest = sorted(kept, key=lambda call: call[2])[:count]
    assert [entry["elapsed"] for entry in log.fastest(count, handler)] == [
        call[2] for call in fastest
    ]
    slower = sorted((call for call in kept if call[2] > 0.25), key=lambda call: -call[2])
    assert [entry["elapsed"] for entry in log.slower_than("250ms", handler)] == [
        call[2] for call in slower
    ]


@given(calls, st.integers(0, 10))
def test_statistics_count_all_calls(made, max_history):
    replayed = Replayed(made, max_history)
    stats = replayed.log.stats()
    for name in "ab":
        mine = [call for call in replayed.all if call[0] == name]
        if not mine:
            assert name not in stats
            assert name in replayed.log.uncalled()
            continue
        row = stats[name]
        assert row == replayed.log.stats(name) == replayed.log.stats(f"api.{name}")
        elapsed = [call[2] for call in mine]
        assert row["calls"] == len(mine)
        assert row["errors"] == sum(call[3] for call in mine)
        assert row["total_time"] == row["self_time"] == sum(elapsed)
        assert (row["min_time"], row["max_time"]) == (min(elapsed), max(elapsed))
        assert row["avg_time"] == sum(elapsed) / len(mine)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"last": -1}, ValueError, "last must be a whole number, zero or more, not -1"),
        ({"first": -1}, ValueError, "first must be .*, not -1"),
        ({"last": 1, "first": 1}, ValueError, "pass either `last` or `first`, not both"),
        ({"last": 0, "first": 0}, ValueError, "not both: last=0, first=0"),
        ({"last": 1.0}, TypeError, "last must be .*, not 1.0"),
        ({"first": True}, TypeError, "first must be .*, not True"),
        ({"errors": "yes"}, TypeError, "errors must be True, False or None, not 'yes'"),
    ],
)
def test_history_refuses(sw, arguments, error, message):
    with pytest.raises(error, match=message):
        sw.collect.history(**arguments)


@pytest.mark.parametrize("count", [-1, None, "1"])
def test_slowest_refuses(sw, count):
    with pytest.raises(
        (TypeError, ValueError), match="n must be a whole number, zero or more, not "
    ):
        sw.collect.slowest(count)
    with pytest.raises(
        (TypeError, ValueError), match="n must be a whole number, zero or more, not "
    ):
        sw.collect.fastest(count)


def test_slower_than_refuses_a_threshold_that_is_not_a_duration(sw):
    with pytest.raises(ValueError, match="threshold: 'fast' is not a duration"):
        sw.collect.slower_than("fast")


def test_the_threshold_itself_is_not_slower(time):
    sw = Switcher("api").plug("collect")
    sw("work")(lambda: time.sleep(0.25))()
    assert sw.collect.slower_than(0.25) == []
    assert len(sw.collect.slower_than(0.2499)) == 1


def test_repr(sw):
    assert repr(sw.collect) == "<CollectPlugin: 3 handlers, 0 calls, 0 errors>"
    sw.handlers[0](1)
    assert repr(sw.collect) == "<CollectPlugin: 3 handlers, 1 call, 0 errors>"
    assert repr(sw.collect.drain()) == "<Batch: 1 call, 0 errors>"


def test_statistics_of_a_handler_that_is_not_a_name(sw):
    with pytest.raises(TypeError, match="handler must be a string, not <built-in function print>"):
        sw.collect.stats(print)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("proces", "did you mean 'process'"),
        ("api.proces", "did you mean 'api.process'"),
        ("nothing like it", "registered: other, process"),
    ],
)
def test_statistics_of_an_unknown_handler(sw, name, hint):
    with pytest.raises(KeyError, match=hint):
        sw.collect.stats(name)


@pytest.mark.parametrize(
    "query",
    [
        lambda log: log.history(handler="proces"),
        lambda log: log.errors("api.proces"),
        lambda log: log.slowest(handler="proces"),
        lambda log: log.fastest(handler="proces"),
        lambda log: log.slower_than("1s", "proces"),
    ],
)
def test_queries_for_an_unknown_handler(sw, query):
    with pytest.raises(KeyError, match="did you mean '(api.)?process'"):
        query(sw.collect)


def test_queries_for_handlers_that_were_not_called(sw):
    assert sw.collect.history(handler="process") == sw.collect.errors("api.process") == []
    with collecting(sw) as log:
        assert log.slower_than(0, handler="process") == []


def test_statistics_without_registered_handlers():
    message = "^no handler is named 'process': no handlers are registered; register functions with "
    with pytest.raises(KeyError, match=message):
        CollectPlugin().stats("process")


def test_statistics_of_a_handler_that_was_not_called(sw):
    assert sw.collect.stats("process")["calls"] == 0
    assert sw.collect.stats() == {}


def test_clear_forgets_calls_and_keeps_handlers(sw):
    sw._methods["process"]._wrapped(1)
    assert sw.collect.uncalled() == ["other", "users.show"]
    sw.collect.clear()
    assert sw.collect.history() == []
    assert sw.collect.stats() == {}
    assert sw.collect.uncalled() == ["other", "process", "users.show"]
    sw._methods["process"]._wrapped(1)
    assert sw.collect.stats("process")["calls"] == 1


def test_results_are_independent_copies(sw):
    sw._methods["process"]._wrapped(1)
    sw.collect.history()[0]["kwargs"]["more"] = 1
    sw.collect.stats()["process"]["calls"] = 7
    assert sw.collect.history()[0]["kwargs"] == {}
    assert sw.collect.stats("process")["calls"] == 1


def test_collecting_takes_the_plugins_settings():
    sw = Switcher("api")
    with collecting(sw, max_history=1, redact=["value"]) as log:
        for number in range(3):
            sw(f"work{number}")(lambda value: value)(number)
    assert [entry["args"] for entry in log.history()] == [("***",)]
    assert len(log.stats()) == 3


def test_collecting_refuses_unknown_settings():
    with (
        pytest.raises(
            TypeError, match="setting 'speed' is not available here; choose from max_history, "
        ),
        collecting(speed=1),
    ):
        pass
    with (
        pytest.raises(
            TypeError,
            match="3 cannot be watched; pass a Switcher, or a pattern such as 'shop.database'",
        ),
        collecting(3),
    ):
        pass


def test_a_log_refuses_a_setting_in_place_of_settings():
    with pytest.raises(TypeError, match="5 is not the settings of a log; .* use collecting"):
        CallLog(5)


def test_the_profile_of_a_log(time):
    sw = Switcher("api").plug("collect", max_history=0)
    work = sw("work")(time.sleep)
    sw("other")(lambda: None)
    for elapsed in (1, 3, 2):
        work(elapsed)
    profile = sw.collect.profile()
    assert [name.full for name in profile.uncalled()] == ["api.other"]
    assert [call.elapsed for call in profile.slowest] == [3, 2, 1]
    assert profile.slowest[0].arguments == "seconds=3"


def test_frozen_time_does_not_stop_the_clock():
    freezegun = pytest.importorskip("freezegun")
    sw = Switcher("api").plug("collect")
    work = sw("work")(lambda: sum(range(10_000)))
    before = real_time.time()
    with freezegun.freeze_time("2000-01-01"):
        work()
    (entry,) = sw.collect.history()
    assert entry["elapsed"] > 0
    assert entry["timestamp"] >= before - 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_fork_during_calls_leaves_a_working_child(sw):
    process = sw._methods["process"]._wrapped
    reading, writing = os.pipe()
    process(1)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            for number in range(1000):
                process(number)
            code = 0 if sw.collect.stats("process")["calls"] == 1001 else 2
        finally:
            os._exit(code)
    os.close(reading)
    os.close(writing)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    process(2)
    assert sw.collect.stats("process")["calls"] == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
@pytest.mark.parametrize("which", ["switchers", "calls"])
def test_a_fork_waits_for_the_locks(sw, which):
    lock = registry.lock if which == "switchers" else sw.collect.recorder.store._lock
    held, done = threading.Event(), threading.Event()

    def hold():
        with lock:
            held.set()
            done.wait(0.2)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    child = os.fork()
    if child == 0:
        os._exit(0 if lock.acquire(timeout=5) else 1)
    done.set()
    thread.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_the_public_names():
    for name in smartcollect.__all__:
        assert getattr(smartcollect, name).__doc__


@settings(max_examples=30)
@given(st.integers(), st.integers(0, 2_500), st.integers(0, 1_100))
def test_the_slowest_and_fastest_of_many_calls_equal_a_sorted_list(seed, calls, n):
    random = Random(seed)
    log = CallLog(LogSettings(max_history=5_000))
    name = HandlerName("api", "handler")
    many = random.choices(range(random.choice([3, 400])), k=calls)
    for order, number in enumerate(many):
        log.recorder.store.add(Call(name, 0.0, float(number), (order,), {}, None, thread=0))
    ranked = sorted(enumerate(many), key=lambda one: one[1])
    assert [(call["args"][0], call["elapsed"]) for call in log.fastest(n)] == ranked[:n]
    ranked = sorted(enumerate(many), key=lambda one: one[1], reverse=True)
    assert [(call["args"][0], call["elapsed"]) for call in log.slowest(n)] == ranked[:n]
