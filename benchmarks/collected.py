"""Rows about single calls."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

from smartswitch import Switcher

from smartcollect import Batch, collecting

from . import peers
from .measure import Row, Timed, calls, in_turns, net, row

ROUNDS = 15
CALLS = 20_000
# The settings of `pytest --smartcollect`.
_PROFILE: dict[str, Any] = {"max_history": 0, "objects": "type"}
_switchers: list[Switcher] = []  # a plugin records for as long as its switcher lives


def _plain(number: int) -> int:
    return number


def registered(switcher: Switcher) -> Callable[[int], int]:
    """Register and return a handler that does next to nothing."""

    @switcher
    def handler(number: int) -> int:
        return number

    return handler  # type: ignore[no-any-return]


class _Sink:
    """A sink for monitoring: it reads the statistics and ignores single calls."""

    def write(self, batch: Batch) -> None:
        self.calls = batch.count


def _watched(stack: ExitStack, sink: bool = False, **settings: Any) -> Callable[[int], int]:
    switcher = Switcher("benchmarks")
    handler = registered(switcher)
    log = stack.enter_context(collecting(switcher, **settings))
    if sink:
        log.subscribe(_Sink(), every="100ms")
    return handler


class _Shop:
    def order(self, number: int) -> int:
        return number


def _method(stack: ExitStack) -> Callable[[int], int]:
    switcher = Switcher("benchmarks")
    switcher(_Shop.order)
    stack.enter_context(collecting(switcher, objects="type"))
    return _Shop().order


def _plugged(plugin: str) -> Callable[[int], int]:
    switcher = Switcher("benchmarks").plug(plugin)
    registered(switcher)
    _switchers.append(switcher)
    called: Callable[[int], int] = switcher["handler"]
    return called


def single_calls() -> Iterator[Row]:
    """Compare recorded, sampled and dormant calls with smartswitch plugins and other tools."""
    with ExitStack() as stack:
        dormant = registered(Switcher("benchmarks"))

        def bare(*args: Any, **kwargs: Any) -> Any:
            return _plain(*args, **kwargs)

        timed = {
            "plain": _plain,
            "collected": _watched(stack),
            "profiled": _watched(stack, **_PROFILE),
            "method": _method(stack),
            "sampled": _watched(stack, sample_rate=0.01),
            "dormant": dormant,
            "bare wrapper": bare,
            "prometheus": peers.prometheus(_plain),
            "opentelemetry": peers.opentelemetry(_plain),
            "statsd": peers.statsd_timer(_plain),
            "no-op plugin": _plugged("noop"),
            "CollectPlugin": _plugged("collect"),
            "straightforward plugin": _plugged("straightforward"),
        }
        taken = in_turns({name: calls(one, CALLS) for name, one in timed.items()}, ROUNDS)
    collected = net(taken, "collected", "plain")
    for peer, shown, goal in [
        ("prometheus", "`Histogram.time()`", 0.70),
        ("opentelemetry", "OpenTelemetry span", 0.05),
        ("statsd", "statsd timer", 0.50),
    ]:
        measure = f"collected call, net ÷ {shown}, net"
        yield row(measure, collected, net(taken, peer, "plain"), goal)
    profiled = net(taken, "profiled", "plain")
    yield row(
        "the same in the profile of a suite ÷ `Histogram.time()`, net",
        profiled,
        net(taken, "prometheus", "plain"),
        0.45,
    )
    yield row("collected method ÷ function, net", net(taken, "method", "plain"), collected, 1.0)
    yield row(
        "through smartswitch: CollectPlugin ÷ no-op plugin",
        taken["CollectPlugin"],
        taken["no-op plugin"],
        1.5,
    )
    yield row(
        "through smartswitch: CollectPlugin ÷ straightforward plugin, net",
        net(taken, "CollectPlugin", "plain"),
        net(taken, "straightforward plugin", "plain"),
        1.0,
    )
    yield row(
        "dormant handler, net ÷ bare wrapper, net",
        net(taken, "dormant", "plain"),
        net(taken, "bare wrapper", "plain"),
        3.0,
    )
    yield row("sample_rate=0.01 ÷ full, net", net(taken, "sampled", "plain"), collected, 0.25)


def steady_times() -> Iterator[Row]:
    """Compare calls of about 0.6 ms, each with a reading, with the plain calls."""

    switcher = Switcher("benchmarks")

    @switcher
    def handler(number: int) -> int:
        for step in range(15_000):
            number += step & 3
        return number

    # Few enough that all calls have a reading.
    number = 60

    def read() -> float:
        with collecting(switcher, **_PROFILE):
            handler(0)
            return calls(handler, number)()

    taken = in_turns({"read": read, "plain": calls(handler, number)}, 41)
    measure = "a call of 0.6 ms that reads its steady time ÷ the same, not watched"
    yield row(measure, taken["read"], taken["plain"], 1.02)


def sinks() -> Iterator[Row]:
    """Compare calls with a sink with calls without.

    Measured separately, because the thread of the sink would disturb the other measurements.
    """
    with ExitStack() as stack:
        timed = {
            "plain": _plain,
            "collected": _watched(stack),
            "subscribed": _watched(stack, sink=True),
        }
        taken = in_turns({name: calls(one, CALLS) for name, one in timed.items()}, ROUNDS)
    subscribed, collected = (net(taken, one, "plain") for one in ("subscribed", "collected"))
    yield row("with a sink ÷ without, net", subscribed, collected, 1.15)


def coroutines() -> Iterator[Row]:
    """Compare a recorded coroutine with a recorded plain function."""

    async def plain(number: int) -> int:
        return number

    switcher = Switcher("benchmarks")

    @switcher
    async def handler(number: int) -> int:
        return number

    def awaited(function: Callable[[int], Any]) -> Timed:
        async def run() -> float:
            start = time.perf_counter()
            for number in range(CALLS):
                await function(number)
            return (time.perf_counter() - start) / CALLS

        return lambda: asyncio.run(run())

    with ExitStack() as stack:
        stack.enter_context(collecting(switcher))
        taken = in_turns(
            {
                "plain": calls(_plain, CALLS),
                "collected": calls(_watched(stack), CALLS),
                "plain coroutine": awaited(plain),
                "collected coroutine": awaited(handler),
            },
            ROUNDS,
        )
    yield row(
        "collected coroutine, net ÷ collected call, net",
        net(taken, "collected coroutine", "plain coroutine"),
        net(taken, "collected", "plain"),
        2.5,
    )


def threads() -> Iterator[Row]:
    """Compare the calls per second of eight threads with those of one; no call may be lost."""

    def run(number: int) -> Timed:
        def timed() -> float:
            switcher = Switcher("benchmarks")
            handler = registered(switcher)
            begin = threading.Barrier(number + 1)

            def work() -> None:
                begin.wait()
                for one in range(CALLS):
                    handler(one)

            with collecting(switcher) as log:
                workers = [threading.Thread(target=work) for _ in range(number)]
                for worker in workers:
                    worker.start()
                begin.wait()
                start = time.perf_counter()
                for worker in workers:
                    worker.join()
                seconds = time.perf_counter() - start
                counted = log.stats("handler")["calls"]
            if counted != number * CALLS:
                raise RuntimeError(f"{number} threads: {counted} of {number * CALLS} calls")
            return number * CALLS / seconds

        return timed

    taken = in_turns({"one": run(1), "eight": run(8)}, 7)
    yield row("eight threads ÷ one", taken["eight"], taken["one"], 0.8, "calls/s", at_least=True)


def retained_bytes() -> Iterator[Row]:
    """Compare the memory of a retained call with a dict per call."""
    number = 1_000

    def kept(plugin: str) -> float:
        called = _plugged(plugin)
        called(0)
        gc.collect()
        tracemalloc.start()
        for one in range(1_000_000, 1_000_000 + number):
            called(one)
        gc.collect()
        held, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return held / number

    taken = in_turns(
        {"ours": lambda: kept("collect"), "theirs": lambda: kept("straightforward")}, 3
    )
    measure = "bytes of a retained call ÷ straightforward dict's"
    yield row(measure, taken["ours"], taken["theirs"], 0.4, "bytes")
