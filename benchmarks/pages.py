"""Rows about the HTML report of a large suite: its size, and the time to draw and filter it."""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
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
    judge,
    parse_budget,
    parse_rule,
)
from smartcollect.profiles.parts import edge_order
from smartcollect.reports.html import html
from smartcollect.storage.findings import Edge
from smartcollect.storage.histogram import buckets_of, doubles

from .measure import Row, row

HANDLERS, TESTS, RUNS, CALLS = 500, 10_000, 50, 400
_ROUNDS = 5
_MEGABYTE, _SECOND = 1e6, 1.0
_FILTERS = "orders", "users.handler_1", "test_17", "failed", "handler_33 test_9", "o"
_FILTERED = """async (text) => {
  const filter = document.getElementById("filter");
  const start = performance.now();
  filter.value = text;
  filter.dispatchEvent(new Event("input"));
  await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  return performance.now() - start;
}"""
_DRAWN = """async () => {
  await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  return performance.now();
}"""


def report() -> Iterator[Row]:
    """Measure the size of a large report, and the time to draw and to filter it."""
    text = large_report()
    what = f"HTML report of {HANDLERS} handlers and {TESTS:,} tests"
    size = float(len(text.encode()))
    yield row(f"size of the {what} ÷ 3 MB", [size] * 2, [3 * _MEGABYTE] * 2, 1.0, "bytes")
    browser = shutil.which("chromium")
    if browser is None:
        print("chromium is not installed; skipping the time to draw a report")
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "report.html")
        path.write_text(text, "utf-8")
        drawn, filtered = _timed(browser, path.as_uri())
    yield row(f"{what}: drawn ÷ 1 s", drawn, [_SECOND] * len(drawn), 1.0, "ms")
    yield row(f"{what}: filtered ÷ 100 ms", filtered, [0.1] * len(filtered), 1.0, "ms")


def _timed(browser: str, address: str) -> tuple[list[float], list[float]]:
    """Return the seconds to draw a page, and to apply the slowest filter, for each round."""
    from playwright.sync_api import sync_playwright

    drawn, filtered = [], []
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        for _ in range(_ROUNDS):
            page = started.new_page()
            page.goto(f"{address}#handlers")
            drawn.append(page.evaluate(_DRAWN) / 1e3)
            page.wait_for_timeout(500)  # no input meanwhile
            filtered.append(max(page.evaluate(_FILTERED, text) / 1e3 for text in _FILTERS))
            page.close()
        started.close()
    return drawn, filtered


def large_report() -> str:
    """Return the report of a suite of 500 handlers and 10,000 tests, with all possible content."""
    chance = random.Random(1)
    names = [
        HandlerName("shop", f"{chance.choice(('orders', 'users', 'products'))}.handler_{number}")
        for number in range(HANDLERS)
    ]
    profile = _profile(chance, names)
    expectations = Expectations(
        budgets=(parse_budget("orders.* max_time<=1s calls<=10000"),),
        compare_fail=(parse_rule("25%"),),
    )
    verdict = judge(profile, expectations, [_profile(chance, names) for _ in range(3)])
    trends = [_trend(chance, name) for name in names]
    return html(
        profile, verdict, expectations=expectations, trends=trends, compared_with=["runs.db"]
    )


def _profile(chance: random.Random, names: list[HandlerName]) -> Profile:
    handlers = {}
    for number, name in enumerate(names):
        stats = handlers[name] = HandlerStats()
        usual = 10 ** chance.uniform(-5, -1)
        times = [usual * chance.lognormvariate(0, 0.5) for _ in range(CALLS)]
        stats.add(times, buckets_of(doubles(times)), 1.7e9 + number)
    handlers |= {
        HandlerName("shop", f"unused.handler_{number}"): HandlerStats() for number in range(20)
    }
    tests = [
        f"tests/test_part_{number // 100}.py::test_{number}_does_what_it_says[{number % 7}]"
        for number in range(TESTS)
    ]
    slowest = [
        SlowCall(
            name,
            chance.random(),
            f"<Connection>, {chance.randrange(10**6)}",
            "",
            chance.choice(tests),
        )
        for name in names
        for _ in range(5)
    ]
    raised = [
        Raised(name, "NotFoundError", f"order {chance.randrange(1000)}", 3, tests[0])
        for name in names[::3]
    ]
    repeats = [Repeat(names[at], names[at + 1], 20, 3, False, tests[at]) for at in range(40)]
    edges = [
        Edge(parent, child, chance.randrange(CALLS), chance.random())
        for parent in names
        for child in chance.sample(names, 3)
    ]
    machine = {"cpu": "AMD EPYC", "cpus": "2", "platform": "Linux x86_64", "python": "CPython 3.13"}
    return Profile(
        handlers=MappingProxyType(handlers),
        slowest=tuple(sorted(slowest, key=lambda call: -call.elapsed)),
        raised=tuple(raised),
        repeats=tuple(repeats),
        edges=tuple(sorted(edges, key=edge_order)),
        tests=MappingProxyType({test: _phases(chance, names) for test in tests}),
        run=Run(
            1.7e9,
            ("pytest",),
            machine,
            {"python": "3.13.0"},
            Revision("c" * 40, "main", False),
        ),
    )


def _phases(chance: random.Random, names: list[HandlerName]) -> dict[str, Phase]:
    """Return the phases of a test that calls a handler in its setup and three in its call."""

    def phase(handlers: int) -> Phase:
        used = {
            name: Usage(chance.randrange(1, 40), chance.random() < 0.02, chance.random() / 10)
            for name in chance.sample(names, handlers)
        }
        outcome = "failed" if chance.random() < 0.01 else "passed"
        return Phase(outcome, chance.random(), MappingProxyType(used))

    return {"setup": phase(1), "call": phase(3)}


def _trend(chance: random.Random, name: HandlerName) -> Trend:
    usual = 10 ** chance.uniform(-5, -1)
    return Trend(
        name,
        tuple(1.7e9 + 86_400 * run for run in range(RUNS)),
        ("c" * 40,) * RUNS,
        (CALLS,) * RUNS,
        (0,) * RUNS,
        tuple(usual * chance.lognormvariate(0, 0.05) for _ in range(RUNS)),
        (),
        is_steadied=True,
    )
