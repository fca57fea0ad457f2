"""Rows about the ``smartcollect`` command."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType

from smartcollect import HandlerName, HandlerStats, Profile
from smartcollect.profiles import Phase, Run, Usage
from smartcollect.reports.report_file import report
from smartcollect.reports.writing import write
from smartcollect.storage.histogram import buckets_of, doubles

from .measure import Row, Timed, in_turns, once, row

SHARDS, TESTS, HANDLERS, CALLS = 50, 10_000, 100, 60
_PHASES = ("setup", "call", "teardown")
_COMBINE, _HELP = 5.0, 0.150


def processes() -> Iterator[Row]:
    """Compare ``combine`` of many shards with five seconds, and ``--help`` with 150 ms."""
    with tempfile.TemporaryDirectory() as folder:
        shards, whole = Path(folder, "shards"), Path(folder, "whole.json")
        shards.mkdir()
        for number in range(SHARDS):
            write(shards / f"{number}.json", report(_shard(number)))
        combine = _process("combine", str(shards), "-o", str(whole), "--expect", str(SHARDS))
        taken = in_turns({"combine": combine}, 3)["combine"]
    measure = f"smartcollect combine, {SHARDS} shards of {TESTS:,} tests ÷ 5 s"
    yield row(measure, taken, [_COMBINE] * len(taken), 1.0, "s")
    taken = in_turns({"help": _process("--help")}, 21)["help"]
    yield row("smartcollect --help ÷ 150 ms", taken, [_HELP] * len(taken), 1.0, "ms")


def _process(*words: str) -> Timed:
    command = [sys.executable, "-m", "smartcollect", *words]
    # With compiled code, as in an installation.
    env = {name: text for name, text in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return once(lambda: subprocess.run(command, env=env, check=True, stdout=subprocess.DEVNULL))


def _shard(number: int) -> Profile:
    """Return a report whose tests have one to three phases with one to three handlers each."""
    chance = random.Random(number)
    handlers = {}
    for one in range(HANDLERS):
        stats = handlers[HandlerName("shop", f"orders.handler_{one}")] = HandlerStats()
        times = [0.001 * (1 + one) * chance.lognormvariate(0, 0.1) for _ in range(CALLS)]
        stats.add(times, buckets_of(doubles(times)), 1.0)
        stats.add_readings(times, sum(times), 0.9 * sum(times), sum(times))
    names = list(handlers)

    def phase() -> Phase:
        used = {
            chance.choice(names): Usage(chance.randint(1, 9), 0, chance.random())
            for _ in range(chance.randint(1, 3))
        }
        return Phase("passed", chance.random(), MappingProxyType(used))

    tests = {
        f"tests/orders/test_orders_{number}.py::TestOrders::test_place_many[{test}]": (
            MappingProxyType({when: phase() for when in _PHASES[: chance.randint(1, 3)]})
        )
        for test in range(TESTS)
    }
    run = Run(1_700_000_000.0 + number, ("pytest",), {"cpu": "one"}, {})
    return Profile(MappingProxyType(handlers), tests=MappingProxyType(tests), run=run)
