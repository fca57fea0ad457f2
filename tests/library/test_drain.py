"""``drain()`` takes everything in one step: no call is lost or returned twice."""

from __future__ import annotations

import gc
import json
import threading
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from smartswitch import Switcher

from smartcollect import Batch, CallLog, collecting, merge
from smartcollect.names import HandlerName
from smartcollect.storage.rows import Call

pytestmark = pytest.mark.twice


def test_a_drain_takes_calls_and_statistics_but_keeps_handlers(sw):
    process, other, _ = sw.handlers
    process(1)
    process(2)
    drained = sw.collect.drain()
    assert isinstance(drained, Batch)
    assert [call["args"] for call in drained.history] == [(1,), (2,)]
    assert {name.handler: stats.calls for name, stats in drained.profile.called().items()} == {
        "process": 2
    }
    assert sw.collect.history() == []
    assert sw.collect.stats() == {}
    assert sw.collect.uncalled() == ["other", "process", "users.show"]
    other(3)
    again = sw.collect.drain()
    assert [call["handler"] for call in again.history] == ["other"]
    assert again.profile.uncalled() == [
        HandlerName("api", "process"),
        HandlerName("api", "users.show"),
    ]


def test_a_drain_without_calls_is_empty():
    drained = CallLog().drain()
    assert drained.history == drained.calls == []
    assert drained.profile.handlers == {}


@pytest.mark.parametrize("suffix", ["json", "jsonl", "csv"])
def test_a_drain_exports_the_same_as_its_log(sw, tmp_path, suffix):
    for number in range(3):
        sw.handlers[0](number)
    whole, drained = tmp_path / f"log.{suffix}", tmp_path / f"drained.{suffix}"
    sw.collect.export(whole)
    sw.collect.drain().export(drained)
    assert drained.read_bytes() == whole.read_bytes()
    with pytest.raises(ValueError, match="xml"):
        sw.collect.drain().export(tmp_path / "x", "xml")


def test_a_drain_of_kept_objects_shows_plain_data():
    sw = Switcher("api").plug("collect", serialize=False)

    @sw
    def give(value, password):
        return value

    give({1}, "secret")
    drained = sw.collect.drain()
    assert drained.history[0]["args"] == ("{1}", "***")
    assert drained.history[0]["result"] == "{1}"
    assert drained.profile.slowest[0].arguments == "value='{1}', password='***'"


Step = st.one_of(st.integers(1, 600), st.sampled_from(["drain", "clear", "ask", "shrink"]))


@settings(max_examples=60)
@given(st.lists(Step, max_size=12), st.integers(0, 1_000))
def test_drains_return_each_call_once(steps, max_history):
    with collecting(max_history=max_history) as log:
        name, drained, cleared, number, since = HandlerName("api", "work"), [], 0, 0, 0
        for step in [*steps, "drain"]:
            if step == "drain":
                batch = log.drain()
                drained.append(batch)
                kept = [call["args"][0] for call in batch.history]
                assert kept == list(range(number - min(since, max_history), number))
                since = 0
            elif step == "clear":
                cleared += since
                log.clear()
                since = 0
            elif step == "ask":
                assert sum(one["calls"] for one in log.stats().values()) == since
            elif step == "shrink":
                max_history //= 2
                log.recorder.store.resize(max_history)
            else:
                for _ in range(step):
                    log.recorder.store.add(Call(name, 0.0, 0.5, (number,), {}, None, thread=0))
                    number += 1
                since += step
        profile = merge(one.profile for one in drained)
        assert sum(stats.calls for stats in profile.handlers.values()) == number - cleared


def test_eight_busy_threads_lose_nothing_to_any_number_of_drains():
    sw = Switcher("api").plug("collect", max_history=100_000)
    drained = [threading.Event() for _ in range(6)]

    @sw
    def work(thread, number): ...

    def busy(thread):
        for number in range(6_000):
            if number % 1_000 == 500:  # drains during the calls
                drained[number // 1_000].wait()
            work(thread, number)

    running = [threading.Thread(target=busy, args=[number]) for number in range(8)]
    for thread in running:
        thread.start()
    batches = []
    for event in drained:
        batches.append(sw.collect.drain())
        event.set()
    while any(thread.is_alive() for thread in running):
        batches.append(sw.collect.drain())
    batches.append(sw.collect.drain())
    drained = Counter(call["args"] for batch in batches for call in batch.history)
    assert drained == {(thread, number): 1 for thread in range(8) for number in range(6_000)}
    for batch in batches:
        counted = sum(stats.calls for stats in batch.profile.handlers.values())
        assert counted == len(batch.history)


def test_a_destructor_that_drains_its_log_during_a_fold_loses_nothing():
    sw = Switcher("api").plug("collect", max_history=1, serialize=False)
    batches = []

    class Draining:
        def __del__(self):
            batches.append(sw.collect.drain())

    @sw
    def work(value): ...

    for _ in range(1_000):
        work(Draining())
    batches.append(sw.collect.drain())
    profile = merge(batch.profile for batch in batches)
    assert sum(stats.calls for stats in profile.handlers.values()) == 1_000


def test_a_drain_is_json(sw):
    sw.handlers[0](float("nan"))
    drained = sw.collect.drain()
    assert json.dumps(drained.profile.to_dict(), allow_nan=False)


def test_garbage_whose_destructor_drains_takes_nothing_twice():
    sw = Switcher("api").plug("collect", max_history=100_000)
    batches = []

    class Draining:
        def __init__(self):
            self.myself = self  # for the garbage collector

        def __del__(self):
            batches.append(sw.collect.drain())

    @sw
    def work(number): ...

    before = gc.get_threshold()
    gc.set_threshold(20)
    try:
        for number in range(3_000):
            Draining()
            work(number)
            if number % 7 == 0:
                batches.append(sw.collect.drain())
    finally:
        gc.set_threshold(*before)
    gc.collect()
    batches.append(sw.collect.drain())
    drained = sorted(call["args"][0] for batch in batches for call in batch.history)
    assert drained == list(range(3_000))
    assert sum(batch.count for batch in batches) == 3_000
