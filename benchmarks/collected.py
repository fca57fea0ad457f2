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

from smartcollect import collecting

from . import peers
from .measure import Row, Timed, calls, in_turns, net, row

ROUNDS = 15
CALLS = 20_000
_switchers: list[Switcher] = []  # a plugin records for as long as its switcher lives


def _plain(number: int) -> int:
    return number


def _handler(switcher: Switcher) -> Callable[[int], int]:
    @switcher
    def handler(number: int) -> int:
        return number

    return handler  # type: ignore[no-any-return]


def _watched(stack: ExitStack, **settings: Any) -> Callable[[int], int]:
    switcher = Switcher("benchmarks")
    handler = _handler(switcher)
    stack.enter_context(collecting(switcher, **settings))
    return handler


def _plugged(plugin: str) -> Callable[[int], int]:
    switcher = Switcher("benchmarks").plug(plugin)
    _handler(switcher)
    _switchers.append(switcher)
    called: Callable[[int], int] = switcher["handler"]
    return called


def single_calls() -> Iterator[Row]:
    """A call collected, sampled, dormant; through smartswitch; and the peers'."""
    with ExitStack() as stack:
        dormant = _handler(Switcher("benchmarks"))

        def bare(*args: Any, **kwargs: Any) -> Any:
            return _plain(*args, **kwargs)

        timed = {
            "plain": _plain,
            "collected": _watched(stack),
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
    for peer, goal in [("prometheus", 0.50), ("opentelemetry", 0.06), ("statsd", 0.50)]:
        shown = {"prometheus": "`Histogram.time()`", "opentelemetry": "OpenTelemetry span"}
        measure = f"collected call, net ÷ {shown.get(peer, 'statsd timer')}, net"
        yield row(measure, collected, net(taken, peer, "plain"), goal)
    layers = [taken[name] for name in ("CollectPlugin", "no-op plugin")]
    yield row("through smartswitch: CollectPlugin ÷ no-op plugin", *layers, 1.5)
    layers = [net(taken, name, "plain") for name in ("CollectPlugin", "straightforward plugin")]
    yield row("through smartswitch: CollectPlugin ÷ straightforward plugin, net", *layers, 1.0)
    dormant_and_bare = [net(taken, name, "plain") for name in ("dormant", "bare wrapper")]
    yield row("dormant handler, net ÷ bare wrapper, net", *dormant_and_bare, 3.0)
    yield row("sample_rate=0.01 ÷ full, net", net(taken, "sampled", "plain"), collected, 0.25)


def coroutines() -> Iterator[Row]:
    """A coroutine ÷ a plain function."""

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
    """Eight threads ÷ one, in calls a second; every call must be there."""

    def run(number: int) -> Timed:
        def timed() -> float:
            switcher = Switcher("benchmarks")
            handler = _handler(switcher)
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
    eight_and_one = taken["eight"], taken["one"]
    yield row("eight threads ÷ one", *eight_and_one, 0.8, "calls/s", at_least=True)


def retained_bytes() -> Iterator[Row]:
    """Bytes of a retained call ÷ the straightforward dict's."""
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

    ours_and_theirs = ("collect", "straightforward")
    taken = in_turns({name: lambda one=name: kept(one) for name in ours_and_theirs}, 3)
    bytes_of = [taken[name] for name in ours_and_theirs]
    yield row("bytes of a retained call ÷ straightforward dict's", *bytes_of, 0.4, "bytes")
