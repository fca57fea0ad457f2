"""Every table that is printed, by tabulate, which is imported when the first one is needed."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..storage.fields import STATISTICS
from ..storage.rows import Call
from ..text import one_line, short_path
from ..units import duration
from ..values.arguments import MAX_CELL, arguments

COLUMNS = {name: one.column for name, one in STATISTICS.items() if one.column}
"""The headings of statistics that tables show, by statistic."""
NUMBERS = frozenset(
    {*COLUMNS.values(), "tests", "times", "before", "after", "ratio", "spread", "p"}
)
"""The headings of columns of numbers, which stand to the right."""


def table(rows: Iterable[Mapping[str, object]], format: str = "simple") -> str:
    """A table of ``rows``, whose keys are its headings, numbers to the right.

    Args:
        rows: at least one, all with the same keys.
        format: one of tabulate's.
    """
    from tabulate import tabulate

    listed = [{heading: one_line(cell) for heading, cell in row.items()} for row in rows]
    headings = list(listed[0])
    text = tabulate(
        [list(row.values()) for row in listed],
        headers=headings,
        tablefmt=format,
        colalign=["right" if heading in NUMBERS else "left" for heading in headings],
        disable_numparse=True,
    )
    return str(text)


def statistics(rows: Sequence[Mapping[str, Any]], format: str = "simple") -> str:
    """A table of handlers' statistics, in the order of ``rows``."""
    if not rows:
        text = "no handler was called"
        return f"<p>{html.escape(text)}</p>" if format == "html" else text
    return table([statistics_row(row) for row in rows], format)


def statistics_row(row: Mapping[str, Any]) -> dict[str, object]:
    """One handler's statistics as they are shown."""
    shown: dict[str, object] = {"handler": row["handler"]}
    for name, heading in COLUMNS.items():
        shown[heading] = STATISTICS[name].text(row[name])
    if "tests" in row:
        shown["tests"] = f"{row['tests']:,}"
    return shown


def calls(calls: Iterable[Call]) -> str:
    """Return a table of calls: what was called, how it ended, and where."""
    rows: list[dict[str, object]] = [
        {
            "handler": call.name.handler,
            "elapsed": duration(call.elapsed),
            "arguments": arguments(call.args, call.kwargs),
            "raised": one_line(f"{call.failure.type}: {call.failure.message}", MAX_CELL)
            if call.failure is not None
            else "",
            "where": ""
            if call.call_site is None
            else f"{short_path(call.call_site[0])}:{call.call_site[1]}",
        }
        for call in calls
    ]
    if not any(row["where"] for row in rows):
        for row in rows:
            del row["where"]
    return table(rows)
