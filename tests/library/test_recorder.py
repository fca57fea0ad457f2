"""Timing and nesting of calls of each kind. Times come from the injected clock."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import random
import threading
import types
import weakref

import pytest
from smartswitch import Switcher

from smartcollect import CollectPlugin
from smartcollect.recording import nesting


@pytest.fixture
def plugin(time):
    return CollectPlugin()


@pytest.fixture
def sw(plugin):
    return Switcher("api").plug(plugin)


def elapsed(plugin):
    return {entry["handler"]: entry["elapsed"] for entry in plugin.history()}


def self_time(plugin, handler):
    return plugin.stats(handler)["self_time"]


def test_a_call_is_timed_exactly(sw, plugin, time):
    @sw
    def work(number, *, unit):
        time.sleep(2)
        return number + 1

    assert work(1, unit="s") == 2
    assert plugin.history() == [
        {
            "handler": "work",
            "switcher": "api",
            "timestamp": 1_000_100.0,
            "args": (1,),
            "kwargs": {"unit": "s"},
            "elapsed": 2.0,
            "result": 2,
        }
    ]


def test_an_exception_propagates_unchanged(sw, plugin, time):
    @sw
    def fail():
        time.sleep(1)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fail()
    (entry,) = plugin.history()
    assert "result" not in entry
    assert (entry["exception"]["type"], entry["exception"]["message"]) == ("ValueError", "no")
    assert 'raise ValueError("no")' in entry["exception"]["traceback"]
    assert "smartcollect/recorder.py" not in entry["exception"]["traceback"]
    assert plugin.stats("fail")["errors"] == 1


@pytest.mark.parametrize("raised", [KeyboardInterrupt, SystemExit, GeneratorExit, BaseException])
def test_exceptions_that_are_not_errors_are_recorded_too(sw, plugin, raised):
    @sw
    def stop():
        raise raised

    with pytest.raises(raised):
        stop()
    assert plugin.errors()[0]["exception"]["type"] == raised.__name__


def test_no_exception_or_frame_is_kept_alive(sw, plugin):
    class Local:
        pass

    @sw
    def fail():
        local = Local()
        seen.append(weakref.ref(local))
        raise ValueError

    seen: list[weakref.ref[Local]] = []
    with pytest.raises(ValueError):  # noqa: PT011
        fail()
    gc.collect()
    assert seen[0]() is None


def test_self_time_leaves_out_other_handlers(sw, plugin, time):
    @sw
    def inner():
        time.sleep(3)

    @sw
    def outer():
        time.sleep(1)
        inner()
        inner()

    outer()
    assert plugin.stats("outer")["total_time"] == 7
    assert self_time(plugin, "outer") == 1
    assert self_time(plugin, "inner") == 6


def test_self_time_of_recursion(sw, plugin, time):
    @sw
    def countdown(number):
        time.sleep(1)
        if number:
            countdown(number - 1)

    countdown(3)
    assert plugin.stats("countdown")["total_time"] == 4 + 3 + 2 + 1
    assert self_time(plugin, "countdown") == 4


def test_a_coroutine_is_timed_until_it_finishes(sw, plugin, time):
    @sw
    async def work(number):
        time.sleep(1)
        await asyncio.sleep(0)
        time.sleep(2)
        return number

    coroutine = work(5)
    time.sleep(10)
    assert plugin.history() == []
    assert asyncio.run(coroutine) == 5
    (entry,) = plugin.history()
    assert (entry["elapsed"], entry["result"]) == (3, 5)


def test_a_cancelled_coroutine_is_an_error(sw, plugin):
    @sw
    async def work():
        await asyncio.sleep(60)

    async def main():
        task = asyncio.ensure_future(work())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert plugin.errors()[0]["exception"]["type"] == "CancelledError"


def test_a_coroutine_returned_by_a_plain_function_is_timed(sw, plugin, time):
    async def work():
        time.sleep(2)

    @sw
    def bridged(wait):
        return work() if wait else "now"

    assert bridged(False) == "now"
    asyncio.run(bridged(True))
    assert [entry["elapsed"] for entry in plugin.history()] == [0, 2]


def test_an_unawaited_coroutine_warns_once_by_its_own_name(sw):
    @sw
    async def forgotten(): ...

    with pytest.warns(RuntimeWarning) as warned:
        forgotten()
    name = "test_an_unawaited_coroutine_warns_once_by_its_own_name.<locals>.forgotten"
    assert [str(one.message) for one in warned] == [f"coroutine '{name}' was never awaited"]


def test_concurrent_tasks_do_not_mix(sw, plugin, time):
    gates = {}

    @sw
    async def inner(name):
        await gates[name].wait()

    @sw
    async def outer(name):
        await inner(name)

    async def main():
        gates.update(a=asyncio.Event(), b=asyncio.Event())
        tasks = [asyncio.ensure_future(outer(name)) for name in gates]
        await asyncio.sleep(0)
        for name in gates:
            time.sleep(1)
            gates[name].set()
            await asyncio.sleep(0)
        await asyncio.gather(*tasks)

    asyncio.run(main())
    assert plugin.stats("outer")["total_time"] == pytest.approx(3, abs=1)
    assert self_time(plugin, "outer") == 0


def test_children_that_overlap_count_once(sw, plugin, time):
    @sw
    async def part(turns):
        for _ in range(turns):
            await asyncio.sleep(0)

    @sw
    async def whole():
        async def tick():
            for _ in range(5):
                time.sleep(1)
                await asyncio.sleep(0)

        await asyncio.gather(part(10), part(10), tick())

    asyncio.run(whole())
    assert plugin.stats("part")["total_time"] == 10
    assert plugin.stats("whole")["total_time"] == 5
    assert self_time(plugin, "whole") == 0


def test_a_generator_is_timed_while_it_runs_and_not_its_consumer(sw, plugin, time):
    @sw
    def stream(count):
        for number in range(count):
            time.sleep(1)
            yield number
        return "done"

    seen = []
    for number in stream(3):
        seen.append(number)
        time.sleep(100)
    assert seen == [0, 1, 2]
    (entry,) = plugin.history()
    assert (entry["elapsed"], entry["result"]) == (3, "done")


def test_a_generator_stays_a_generator(sw, plugin):
    @sw
    def echo():
        received = []
        while True:
            try:
                value = yield len(received)
            except KeyError as error:
                received.append(error)
            else:
                if value is None:
                    return received
                received.append(value)

    generator = echo()
    assert next(generator) == 0
    assert generator.send("a") == 1
    error = KeyError("k")
    assert generator.throw(error) == 2
    with pytest.raises(StopIteration) as stopped:
        next(generator)
    assert stopped.value.value == ["a", error]
    assert generator.__name__ == "echo"


def test_a_generator_that_its_consumer_leaves_is_not_an_error(sw, plugin):
    closed = []

    @sw
    def stream():
        try:
            yield 1
            yield 2
        finally:
            closed.append(True)

    for _ in stream():
        break
    gc.collect()
    assert closed == [True]
    assert plugin.stats("stream")["errors"] == 0
    assert plugin.history()[0]["result"] is None


def test_a_generator_that_fails(sw, plugin):
    @sw
    def stream():
        yield 1
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        list(stream())
    assert plugin.errors()[0]["exception"]["message"] == "broken"


def test_an_exception_thrown_into_a_generator_comes_out_of_it(sw, plugin):
    @sw
    def stream():
        yield 1

    generator = stream()
    next(generator)
    with pytest.raises(KeyError):
        generator.throw(KeyError("thrown"))
    assert plugin.errors()[0]["exception"]["type"] == "KeyError"


def test_handlers_that_a_generator_calls_are_its_children(sw, plugin, time):
    @sw
    def inner():
        time.sleep(3)

    @sw
    def stream():
        time.sleep(1)
        inner()
        yield
        inner()

    @sw
    def consumer():
        for _ in stream():
            inner()

    consumer()
    assert self_time(plugin, "stream") == 1
    assert plugin.stats("stream")["total_time"] == 7
    assert plugin.stats("consumer")["total_time"] == 10
    assert self_time(plugin, "consumer") == 0


def test_an_async_generator_is_timed_while_it_runs(sw, plugin, time):
    @sw
    async def stream():
        for number in range(3):
            time.sleep(1)
            await asyncio.sleep(0)
            yield number

    async def main():
        seen = []
        async for number in stream():
            seen.append(number)
            time.sleep(100)
        return seen

    assert asyncio.run(main()) == [0, 1, 2]
    assert elapsed(plugin) == {"stream": 3}


def test_an_async_generator_stays_an_async_generator(sw, plugin):
    @sw
    async def echo():
        value = None
        while True:
            try:
                value = yield value
            except KeyError:
                value = "caught"

    async def main():
        generator = echo()
        assert await generator.asend(None) is None
        assert await generator.asend(1) == 1
        assert await generator.athrow(KeyError("k")) == "caught"
        await generator.aclose()
        with pytest.raises(StopAsyncIteration):
            await generator.asend(None)

    asyncio.run(main())
    assert plugin.stats("echo")["errors"] == 0


def test_an_async_generator_that_fails(sw, plugin):
    @sw
    async def stream():
        yield 1
        raise ValueError("broken")

    async def main():
        async for _ in stream():
            pass

    with pytest.raises(ValueError, match="broken"):
        asyncio.run(main())
    assert plugin.stats("stream")["errors"] == 1


def test_a_generator_whose_end_fails(sw, plugin):
    @sw
    def stubborn():
        while True:
            try:
                yield 1
            except GeneratorExit:
                raise ValueError("at the end") from None

    @sw
    async def late():
        try:
            yield 1
        finally:
            raise ValueError("at the end")

    generator = stubborn()
    next(generator)
    with pytest.raises(ValueError, match="at the end"):
        generator.close()

    async def main():
        stream = late()
        await stream.asend(None)
        with pytest.raises(ValueError, match="at the end"):
            await stream.aclose()

    asyncio.run(main())
    assert [entry["handler"] for entry in plugin.errors()] == ["stubborn", "late"]


def test_a_repr_that_calls_a_handler_is_contained(sw, plugin):
    class Curious:
        def __repr__(self):
            return f"curious {handle(self)}"

    @sw
    def handle(value):
        return 1

    assert handle(Curious()) == 1
    assert plugin.stats("handle")["calls"] == 1
    assert plugin.history()[0]["args"] == ("curious 1",)


def test_sampling_leaves_the_applications_random_numbers_alone(time):
    plugin = CollectPlugin(sample_rate=0.5)
    sw = Switcher("api").plug(plugin)

    @sw
    def draw():
        return random.random()

    random.seed(1)
    expected = [random.random() for _ in range(1000)]
    random.seed(1)
    assert [draw() for _ in range(1000)] == expected
    assert 350 < plugin.stats("draw")["calls"] < 650


@pytest.mark.parametrize(("rate", "calls"), [(0.0, 0), (1.0, 100)])
def test_sampling_none_and_all(time, rate, calls):
    plugin = CollectPlugin(sample_rate=rate)
    sw = Switcher("api").plug(plugin)

    @sw
    def work(): ...

    for _ in range(100):
        work()
    assert plugin.stats("work")["calls"] == calls


def test_threads_lose_nothing(sw, plugin):
    @sw
    def inner(number):
        return number

    @sw
    def outer(number):
        return inner(number)

    def work():
        for number in range(2_000):
            outer(number)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert plugin.stats("inner")["calls"] == plugin.stats("outer")["calls"] == 16_000
    assert len(plugin.history()) == 1000


def test_repeated_calls_under_one_call(sw, plugin):
    @sw
    def product(number): ...

    @sw
    def prices(): ...

    @sw
    def listing(count):
        for number in range(count):
            product(number)
            prices()

    listing(9)
    assert plugin.profile().repeats == ()
    listing(10)
    listing(12)
    assert {
        (repeat.parent.handler, repeat.child.handler): (repeat.times, repeat.parents, repeat.same)
        for repeat in plugin.profile().repeats
    } == {("listing", "product"): (12, 2, False), ("listing", "prices"): (12, 2, True)}


def test_repeated_calls_compare_objects_by_identity(time):
    class Hostile:
        def __eq__(self, other):
            raise RuntimeError

    plugin = CollectPlugin(serialize=False)
    sw = Switcher("api").plug(plugin)

    @sw
    def child(value, *, other): ...

    @sw
    def parent(make):
        for _ in range(10):
            child(make(), other=1)

    one = Hostile()
    parent(lambda: one)
    assert plugin.profile().repeats[0].same
    parent(Hostile)
    assert not plugin.profile().repeats[0].same


def test_an_abandoned_async_generator_is_not_an_error(sw, plugin):
    @sw
    async def stream():
        yield 1
        yield 2

    async def main():
        async for _ in stream():
            break

    asyncio.run(main())
    gc.collect()
    assert plugin.errors() == []


def test_a_generator_based_coroutine_can_be_awaited(sw, plugin):
    @sw
    @types.coroutine
    def work():
        yield from asyncio.sleep(0).__await__()
        return 5

    async def main():
        return await work()

    assert asyncio.run(main()) == 5
    assert plugin.stats("work")["calls"] == 1


def test_a_child_that_outlives_its_parent(sw, plugin, time):
    @sw
    async def child():
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    @sw
    async def parent():
        task = asyncio.ensure_future(child())
        await asyncio.sleep(0)
        time.sleep(1)
        return task

    async def main():
        await (await parent())

    asyncio.run(main())
    assert self_time(plugin, "parent") == 0


def test_a_task_that_a_handler_starts_keeps_no_chain_of_frames(sw, plugin):
    depths = []

    @sw
    def tick(number):
        if number:
            loop.call_soon(tick, number - 1)
        else:
            loop.stop()
        frame, depth = nesting.current.get(), 0
        while frame is not None:
            frame, depth = frame[nesting.OUTER], depth + 1
        depths.append(depth)

    loop = asyncio.new_event_loop()
    loop.call_soon(tick, 50)
    loop.run_forever()
    loop.close()
    assert max(depths) <= 2


@pytest.mark.parametrize("raised", [asyncio.CancelledError, GeneratorExit])
def test_a_repr_that_raises_an_exception_that_is_not_an_error_is_contained(sw, plugin, raised):
    class Hostile:
        def __repr__(self):
            raise raised

    assert sw("work")(lambda value: 7)(Hostile()) == 7
    assert plugin.recording_failures == 1


def test_a_destructor_that_reads_the_log():
    sw = Switcher("api").plug("collect", max_history=1, serialize=False)

    class Curious:
        def __del__(self):
            asked.append(sw.collect.stats("work")["calls"])

    asked = []
    work = sw("work")(lambda value: None)
    for _ in range(600):
        work(Curious())
    assert sw.collect.stats("work")["calls"] == 600
    assert asked
    sw.collect.clear()


def test_a_coroutine_that_ends_in_another_context(sw, plugin, time):
    @sw
    async def waits():
        await asyncio.sleep(0)

    @sw
    def child():
        time.sleep(1.0)

    @sw
    def parent(step):
        with contextlib.suppress(StopIteration):
            step()
        child()
        time.sleep(2.0)

    for end in ("send", "close"):
        plugin.clear()
        running = waits()
        contextvars.copy_context().run(running.send, None)
        parent(
            lambda running=running, end=end: (
                running.send(None) if end == "send" else running.close()
            )
        )
        assert plugin.stats("parent")["self_time"] == 2.0


def test_work_before_a_coroutine_is_returned_counts(sw, plugin, time):
    @sw
    def child():
        time.sleep(1.0)

    async def later():
        time.sleep(4.0)
        return "done"

    @sw
    def page():
        for _ in range(12):
            child()
        time.sleep(2.0)
        return later()

    assert asyncio.run(as_coroutine(page())) == "done"
    stats = plugin.stats("page")
    assert (stats["calls"], stats["total_time"], stats["self_time"]) == (1, 18.0, 6.0)
    (repeat,) = plugin.profile().repeats
    assert (repeat.parent.handler, repeat.child.handler, repeat.times) == ("page", "child", 12)


async def as_coroutine(awaitable):
    return await awaitable


def test_an_exception_thrown_into_a_generator_is_released(sw):
    @sw
    def numbers():
        yield 1

    class Thrown(Exception):
        pass

    gc.collect()
    gc.disable()
    try:
        generator, error = numbers(), Thrown()
        next(generator)
        gone = weakref.ref(error)
        with contextlib.suppress(Thrown):
            generator.throw(error)
        del error, generator
        assert gone() is None
    finally:
        gc.enable()


def test_settings_that_change_during_a_call():
    class Array:
        def __eq__(self, other):
            raise ValueError("ambiguous")

        __hash__ = None

    sw = Switcher("api").plug("collect", serialize=False)

    @sw
    def child(value):
        yield 1

    @sw
    def parent():
        list(child(Array()))
        sw.collect.configure.serialize = True
        return list(child(Array()))

    assert parent() == [1]
