"""``python -m benchmarks``: measure all rows, print the table and write ``results.md``."""

from __future__ import annotations

import platform
import re
from collections.abc import Callable, Iterable
from importlib.metadata import version
from pathlib import Path

import tabulate

from smartcollect.profiles.machine import fingerprint

from . import collected, command, history, pages, persistence, queries, suites
from .measure import Row

RESULTS = Path(__file__).with_name("results.md")
_GROUPS: tuple[Callable[[], Iterable[Row]], ...] = (
    collected.single_calls,
    collected.steady_times,
    collected.sinks,
    collected.coroutines,
    collected.threads,
    collected.retained_bytes,
    queries.statistics_of_many,
    queries.retained,
    queries.scrape,
    history.questions,
    persistence.persisted,
    pages.report,
    suites.runs,
    command.processes,
)
_PACKAGES = (
    "smartcollect",
    "smartswitch",
    "pytest",
    "pytest-xdist",
    "prometheus-client",
    "opentelemetry-sdk",
    "sqlalchemy",
    "statsd",
    "jinja2",
)
_INTRODUCTION = """# Results of `python -m benchmarks`

Each row shows the median and the quartiles of ratios, one per round; the two sides of a ratio are
timed in turns. "Net" means minus the time of a plain call. Missed goals are listed too. For the
test suites of other projects, watched and bare, see [Suites of other projects](strangers.md).

"""


def _table(rows: list[Row]) -> str:
    cells = [
        [
            row.measure,
            f"{row.ratio:.3g}",
            f"{row.low:.3g} to {row.high:.3g}",
            f"{'≥' if row.at_least else '≤'} {row.goal:g}",
            "yes" if row.met else "no",
            row.detail,
        ]
        for row in rows
    ]
    headers = ["measure", "ratio", "quartiles", "goal", "met", "medians"]
    return tabulate.tabulate(cells, headers, tablefmt="github", disable_numparse=True)


def main() -> None:
    """Measure, print and write."""
    rows = []
    for group in _GROUPS:
        for row in group():
            print(f"{row.ratio:6.2f}  {row.measure}", flush=True)
            rows.append(row)
    table = _table(rows)
    print(f"\n{table}")
    versions = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    machine = f"{', '.join(fingerprint().values())}; Python {platform.python_version()}"
    ending = f"Measured on: {machine}; {versions}.\n"
    _write(f"{table}\n\n{ending}")


def _write(results: str) -> None:
    """Write ``results`` next to the results of other Python versions."""
    title = f"## CPython {'.'.join(platform.python_version_tuple()[:2])}\n"
    sections = {}
    if RESULTS.exists():
        for section in re.split(r"^(?=## )", RESULTS.read_text(encoding="utf-8"), flags=re.M)[1:]:
            sections[section[: section.index("\n") + 1]] = section.rstrip() + "\n"
    sections[title] = f"{title}\n{results}"
    text = "\n".join([_INTRODUCTION.rstrip() + "\n", *(sections[one] for one in sorted(sections))])
    RESULTS.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
