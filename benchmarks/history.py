"""Rows about queries of a history of many runs."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import smartcollect
from smartcollect import HandlerName, HandlerStats, Profile
from smartcollect.database.kept_runs import KeptRuns
from smartcollect.database.runs import add_run
from smartcollect.profiles import Revision, Run, compare, parse_rule
from smartcollect.storage.histogram import buckets_of, doubles

from .measure import Row, in_turns, once, row

RUNS, HANDLERS, CALLS = 2_000, 500, 30
_DIFFERENT = 20
"""The number of different profiles; the runs use them in turns."""
_SECOND = 1.0


def questions() -> Iterator[Row]:
    """Compare a comparison with the last runs, and trends over all runs, with one second."""
    chance = random.Random(1)
    profiles = [_profile(chance) for _ in range(_DIFFERENT)]
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'runs.db'}"
        kept = KeptRuns(url)
        with kept.database.writing() as connection, connection.begin():
            for number in range(RUNS):
                made = Run(float(number), (), {}, {}, Revision(f"c{number}", "main", False))
                add_run(connection, replace(profiles[number % _DIFFERENT], run=made))
        new = replace(profiles[0], run=Run(float(RUNS), (), {}, {}))
        rules = [parse_rule("25%")]
        history = smartcollect.history(url)
        taken = in_turns(
            {
                "compare": once(lambda: compare(kept.last({}), new, rules)),
                "trend": once(lambda: history.trend("*_1?")),
                "all": once(lambda: history.trend()),
            },
            5,
        )
    runs = f"{RUNS:,} runs of {HANDLERS} handlers"
    for name, measure in (
        ("compare", f"compare with the last 10 of {runs} ÷ 1 s"),
        ("trend", f"trend of 10 handlers over {runs} ÷ 1 s"),
        ("all", f"trend of all handlers over {runs} ÷ 1 s"),
    ):
        yield row(measure, taken[name], [_SECOND] * len(taken[name]), 1.0, "s")


def _profile(chance: random.Random) -> Profile:
    handlers = {}
    for number in range(HANDLERS):
        stats = handlers[HandlerName("shop", f"orders.handler_{number}")] = HandlerStats()
        times = [0.001 * (1 + number) * chance.lognormvariate(0, 0.1) for _ in range(CALLS)]
        stats.add(times, buckets_of(doubles(times)), 1.0)
        stats.add_readings(times, sum(times), 0.9 * sum(times), sum(times))
    return Profile(MappingProxyType(handlers))
