"""A made-up run with everything that a report can show, for tests of reports."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

from smartcollect import HandlerName, HandlerStats, Profile
from smartcollect.profiles import (
    Expectations,
    Phase,
    Raised,
    Repeat,
    Revision,
    Run,
    SlowCall,
    Trend,
    Usage,
    Verdict,
    judge,
    parse_budget,
    parse_rule,
)
from smartcollect.storage.findings import Edge
from smartcollect.storage.histogram import buckets_of, doubles

NAMES = ("orders.report", "orders.history", "orders.get", "users.find", "users.delete")
TESTS = ("tests/test_orders.py::test_report", "tests/test_users.py::test_find[1]")
EXPECTATIONS = Expectations(
    budgets=(parse_budget("* calls<=25"),), compare_fail=(parse_rule("25%"),)
)


def stats(calls: int, time: float, errors: int = 0) -> HandlerStats:
    """Return statistics of calls that took between ``time`` seconds and a little more."""
    made = HandlerStats()
    times = [time * (1 + number / 50) for number in range(calls)]
    made.add(times, buckets_of(doubles(times)), 1_700_000_000.0)
    made.errors = errors
    return made


def profile(
    names: Sequence[str] = NAMES,
    tests: Sequence[str] = TESTS,
    text: str = "order 7",
    slower: float = 1.0,
) -> Profile:
    """Return the profile of a run.

    Args:
        names: at least four names of handlers; the last one is never called.
        tests: at least two node ids of tests. The first test calls the first two handlers and
            fails; all others call the third handler.
        text: an argument of calls, and the type and message of an exception.
        slower: a factor for the times of all calls.
    """
    named = [HandlerName("shop", name) for name in names]
    first, second, third = named[:3]
    handlers = {
        name: stats(10 * number, 0.3 / number * slower, errors=int(number == 2))
        for number, name in enumerate(named[:-1], 1)
    }
    handlers[named[-1]] = HandlerStats()
    failed = {
        "setup": Phase("passed", 0.25, MappingProxyType({first: Usage(4, 0, 0.2)})),
        "call": Phase(
            "failed",
            1.5,
            MappingProxyType({first: Usage(6, 0, 1.2), second: Usage(20, 1, 0.3)}),
        ),
    }
    passed = {
        test: {"call": Phase("passed", 0.001 * at, MappingProxyType({third: Usage(at, 0, 1e-6)}))}
        for at, test in enumerate(tests[1:], 1)
    }
    return Profile(
        handlers=MappingProxyType(handlers),
        slowest=tuple(SlowCall(first, 0.3 - at / 100, text, "", tests[0]) for at in range(7)),
        raised=(Raised(second, text, text, 1, tests[0]),),
        repeats=(Repeat(second, third, 12, 2, False, tests[0]),),
        edges=(Edge(second, third, 24, 2.5), Edge(first, second, 20, 0.3)),
        tests=MappingProxyType({tests[0]: failed, **passed}),
        run=Run(
            1_700_000_000.0,
            ("pytest", "--smartcollect"),
            {"cpu": "AMD EPYC", "cpus": "2", "platform": "Linux x86_64", "python": "CPython 3.13"},
            {"python": "3.13.0"},
            Revision("c0ffee" * 6, "main", True),
        ),
    )


def verdict(made: Profile, *earlier: Profile) -> Verdict:
    """Return the verdict on a run, with earlier runs as the baseline."""
    return judge(made, EXPECTATIONS, earlier)


def trends(made: Profile, runs: int = 8) -> list[Trend]:
    """Return the trend of each called handler of a profile."""
    return [
        Trend(
            name,
            tuple(1_700_000_000.0 + 86_400 * run for run in range(runs)),
            tuple(f"c{run}" for run in range(runs)),
            (10,) * runs,
            (0,) * runs,
            tuple(0.001 * (1 + run) for run in range(runs)),
            (),
            is_steadied=True,
        )
        for name in made.called()
    ]
