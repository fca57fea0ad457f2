"""A log without a history: it keeps only the time of most calls, but the same statistics."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
import types

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from smartswitch import Switcher
from support import FakeTime, SlowerCallsSeen, dispatch

from smartcollect import CallLog, HandlerName, collecting
from smartcollect.recording.settings import LogSettings
from smartcollect.sources import switchers

pytestmark = pytest.mark.twice

EVENTS = sys.version_info >= (3, 12)
USUAL = 600
"""After this many similar calls, the next is expected to be similar too."""

# A call: its handler, its own work, whether it raises, and the calls that it makes.
CALL = st.recursive(
    st.tuples(st.sampled_from("abcde"), st.integers(0, 3), st.booleans(), st.just(())),
    lambda inner: st.tuples(
        st.sampled_from("abcde"), st.integers(0, 3), st.booleans(), st.lists(inner, max_size=12)
    ),
    max_leaves=25,
)


def application(time, unit):
    api = Switcher("api")

    def run(call):
        _, work, fails, inner = call
        time.now += work * unit
        for one in inner:
            try:
                drive(dispatch(api, one[0])(one))
            except ValueError:
                time.now += unit
        if fails:
            raise ValueError(work)
        return work

    for name in "abcde":
        namespace = {"run": run}
        exec(FUNCTIONS.get(name, "def {name}(call): return run(call)").format(name=name), namespace)
        api(namespace[name])
    return api


# A generator and a coroutine; `drive` runs them.
FUNCTIONS = {
    "d": "def {name}(call): yield run(call)",
    "e": "async def {name}(call): return run(call)",
}


def drive(made):
    if isinstance(made, types.GeneratorType):
        list(made)
    elif isinstance(made, types.CoroutineType):
        with contextlib.suppress(StopIteration):
            made.send(None)


def recorded(calls, max_history, unit, seen):
    time = FakeTime()
    api = application(time, unit)
    log = CallLog(LogSettings(max_history=max_history, objects="type"), time.clock)
    if seen:
        log.recorder.store.rank_after(SlowerCallsSeen(2.5 * unit))
    log.attach(api)
    for call in calls:
        try:
            drive(dispatch(api, call[0])(call))
        except ValueError:
            time.now += 1
    profile = log.profile()
    log.detach(api)
    return log.stats(), profile.to_dict(), [call.elapsed for call in profile.slowest]


# Long calls read the clocks of their thread and take another path.
@pytest.mark.parametrize("seen", [True, False], ids=["slower ones seen", "none seen"])
@pytest.mark.parametrize("unit", [1.0, 0.00001], ids=["long", "short"])
@given(calls=st.lists(CALL, min_size=1, max_size=8))
@example(calls=[(kind, 1, False, [("a", 1, False, [])]) for kind in "ade"])
@settings(max_examples=50)
def test_statistics_are_the_same_with_and_without_a_history(unit, seen, calls):
    assert recorded(calls, 0, unit, seen) == recorded(calls, 10_000, unit, seen)


@pytest.fixture
def log(time):
    """A log without a history, whose slowest calls so far took five seconds each."""
    log = CallLog(LogSettings(max_history=0, objects="type"), time.clock)
    api = Switcher("before")

    @api
    def slow():
        time.sleep(5)

    with switchers.everywhere(log.recorder):
        for _ in range(100):
            slow()
        yield log


def slowest(log):
    return log.profile().slowest[0]


class Order:
    pass


def test_the_arguments_of_a_slow_call_after_many_quick_ones(log, time):
    api = Switcher("api")

    @api
    def work(seconds, items, order, name="n"):
        items.clear()
        time.sleep(seconds)

    for _ in range(USUAL):
        work(0.0001, [1, 2], Order())
    work(9, [1, 2], Order())
    # The list may have changed during the call, so only its type is shown.
    content = "<list>" if EVENTS else "[1, 2]"
    assert slowest(log).arguments == f"seconds=9, items={content}, order=<Order>, name='n'"
    work(10, [1, 2], Order())
    assert slowest(log).arguments == "seconds=10, items=[1, 2], order=<Order>, name='n'"
    assert log.stats("work")["calls"] == USUAL + 2


@pytest.mark.skipif(not EVENTS, reason="stand-in code has the original arguments")
def test_a_parameter_that_was_reassigned(log, time):
    api = Switcher("api")

    @api
    def assigned(seconds):
        time.sleep(seconds)
        seconds += 1

    @api
    def deleted(seconds):
        time.sleep(seconds)
        del seconds

    @api
    def changed(seconds):
        def change():
            nonlocal seconds
            seconds = 0

        time.sleep(seconds)
        change()

    for number, function in enumerate([assigned, deleted, changed]):
        for _ in range(USUAL):
            function(0.0001)
        function(10 + 10 * number)
        assert slowest(log).arguments == "<not recorded>"
        function(15 + 10 * number)
        assert slowest(log).arguments == f"seconds={15 + 10 * number}"


def test_a_slow_call_after_many_quick_ones_that_fails(log, time):
    api = Switcher("api")

    @api
    def work(seconds):
        time.sleep(seconds)
        if seconds > 1:
            raise ValueError("slow")

    for _ in range(USUAL):
        work(0.0001)
    with pytest.raises(ValueError, match="slow"):
        work(9)
    assert slowest(log)[1:4] == (9, "seconds=9", "ValueError")
    assert log.stats("work")["errors"] == 1


def test_a_coroutine_that_waits_after_many_that_did_not(log, time):
    api = Switcher("api")

    @api
    async def work(seconds, password="p"):
        if seconds > 1:
            await asyncio.sleep(0)
            time.sleep(seconds)

    async def main():
        for _ in range(USUAL):
            await work(0.0001)
        await work(9, "q")

    asyncio.run(main())
    assert slowest(log)[1:3] == (9, "seconds=9, password='***'")
    assert log.stats("work")["calls"] == USUAL + 1


def test_a_generator_that_a_quick_function_returned_is_followed(log, time):
    api = Switcher("api")

    async def later(seconds):
        time.sleep(seconds)

    @api
    def work(seconds):
        return later(seconds) if seconds > 1 else None

    for _ in range(USUAL):
        work(0.0001)
    asyncio.run(work(9))
    assert slowest(log)[1:3] == (9, "seconds=9")


def test_repeated_calls_compare_arguments_of_quick_calls_too(log):
    api = Switcher("api")

    @api
    def inner(value): ...

    @api
    def outer(values):
        for value in values:
            inner(value)

    for _ in range(USUAL):
        outer([1])
    log.clear()
    log.recorder.store.rank_after(SlowerCallsSeen(5))
    outer([1] * 20)
    assert [repeat[2:5] for repeat in log.profile().repeats] == [(20, 1, True)]
    outer([1] * 19 + [2])
    assert [repeat[2:5] for repeat in log.profile().repeats] == [(20, 2, False)]


def test_no_call_is_lost_or_counted_twice_between_threads():
    api = Switcher("api")

    @api
    def work(): ...

    with collecting(api, max_history=0) as log:
        log.recorder.store.rank_after(SlowerCallsSeen(1_000))
        done = threading.Event()
        counted = []

        def gather():
            while not done.is_set():
                counted.append(calls(log.drain().profile))

        def call():
            for _ in range(20_000):
                work()

        gatherer, *callers = [threading.Thread(target=one) for one in (gather, *[call] * 4)]
        for thread in (gatherer, *callers):
            thread.start()
        for thread in callers:
            thread.join()
        done.set()
        gatherer.join()
        counted.append(calls(log.drain().profile))
    assert sum(counted) == 80_000


def calls(profile):
    stats = profile.handlers.get(HandlerName("api", "work"))
    return stats.calls if stats else 0


def test_each_batch_has_its_own_slowest_calls(time):
    """Slow calls of an earlier batch hide no calls, neither overall nor of a handler."""
    api = Switcher("api")

    # Too short for readings.
    @api
    def work(ticks):
        time.now += ticks / 2**20

    @api
    def other(ticks):
        time.now += ticks / 2**20

    with collecting(api, max_history=0) as log:
        kept = []
        for least in (200, 0, 100):
            for _ in range(USUAL):
                other(400)
            for number in range(USUAL):
                work(least + number % 7)
            slowest = log.drain().profile.slowest
            kept.append([one.elapsed * 2**20 for one in slowest if one.name.handler == "work"])
    assert kept == [[206] * 5, [6] * 5, [106] * 5]
