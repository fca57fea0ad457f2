"""Rows about queries and exports."""

from __future__ import annotations

import heapq
import json
import random
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from smartswitch import Switcher

from smartcollect import CallLog, HandlerName, collecting
from smartcollect.sinks.buckets import DEFAULT_BUCKETS
from smartcollect.sinks.prometheus import Collector

from .collected import registered
from .measure import Row, in_turns, once, row

RETAINED = 100_000
HANDLERS = 500


def _filled(number: int, max_history: int) -> CallLog:
    switcher = Switcher("benchmarks")
    handler = registered(switcher)
    with collecting(switcher, max_history=max_history) as log:
        for one in range(number):
            handler(one)
    log.stats()  # folds the pending calls
    return log


def statistics_of_many() -> Iterator[Row]:
    """Compare ``stats()`` after ten million calls with ten thousand."""
    many, few = _filled(10_000_000, 1_000), _filled(10_000, 1_000)
    taken = in_turns({"many": once(many.stats), "few": once(few.stats)}, 101)
    measure = "stats() after 10,000,000 calls ÷ after 10,000"
    yield row(measure, taken["many"], taken["few"], 1.2, "ms")


def retained() -> Iterator[Row]:
    """Compare ``slowest`` and ``export`` of many retained calls with the bare work."""
    log = _filled(RETAINED, RETAINED)
    times = [random.Random(1).random() for _ in range(RETAINED)]

    def bare() -> list[dict[str, float]]:
        return [{"elapsed": elapsed} for elapsed in heapq.nlargest(10, times)]

    taken = in_turns({"ours": once(log.slowest), "bare": once(bare)}, 15)
    yield row("slowest(10) of 100,000 ÷ heapq.nlargest", taken["ours"], taken["bare"], 1.2, "ms")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "calls.jsonl"

        def dumped() -> None:
            lines = [json.dumps(entry) for entry in entries]
            path.write_text("\n".join(lines), encoding="utf-8")

        log.export(path)
        entries = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        taken = in_turns({"ours": once(lambda: log.export(path)), "bare": once(dumped)}, 5)
    measure = "export of 100,000 as JSONL ÷ json.dumps of each"
    yield row(measure, taken["ours"], taken["bare"], 1.3, "s")


def scrape() -> Iterator[Row]:
    """Compare a scrape of many handlers with histograms of ``prometheus_client``."""
    chance = random.Random(1)
    switcher, bare = Switcher("benchmarks"), CollectorRegistry()
    ours = CollectorRegistry()
    names = ("switcher", "handler")
    histogram = Histogram("bare", "-", names, registry=bare, buckets=DEFAULT_BUCKETS)
    counter = Counter("bare_calls", "-", (*names, "outcome"), registry=bare)
    with collecting(switcher, max_history=0) as log:
        ours.register(Collector(log))
        for number in range(HANDLERS):
            name = HandlerName("benchmarks", f"handler_{number}")
            log.recorder.store.register(name)
            for _ in range(200):
                elapsed = chance.lognormvariate(-6, 1)
                log.recorder.store.add((name, 0.0, elapsed, (), {}, None, 0, None))
                histogram.labels(*name).observe(elapsed)
            for outcome in ("ok", "error"):
                counter.labels(*name, outcome).inc(100)
        registries = {"ours": ours, "bare": bare}
        taken = in_turns(
            {name: once(partial(generate_latest, one)) for name, one in registries.items()}, 15
        )
    measure = f"scrape of {HANDLERS} handlers ÷ prometheus_client's own histograms"
    yield row(measure, taken["ours"], taken["bare"], 1.2, "ms")
