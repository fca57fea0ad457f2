"""Every table that is printed. Tabulate, which writes HTML and Markdown, is imported for these."""

from __future__ import annotations

import html
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ..storage.fields import STATISTICS
from ..storage.rows import Call
from ..text import CUT, one_line, short_path
from ..units import duration
from ..values.arguments import MAX_CELL, arguments, without_objects
from .columns import GAP, STATISTIC_COLUMNS, column, fitted
from .widths import padded, width

Rows = Iterable[Mapping[str, object]]
_FIRST = ("calls", "total", "self", "share", "avg", "errors", "max", "p95", "steady")


class Table(NamedTuple):
    """A table as text.

    Attributes:
        head: its headings, and the rule below them.
        rows: a line for each row.
        left_out: the headings of columns for which there was no room.
    """

    head: list[str]
    rows: list[str]
    left_out: list[str]


def drawn(rows: Rows, room: int | None = None, kept: Collection[str] = (), cut: str = CUT) -> Table:
    """Return a table of ``rows``, whose keys are its headings.

    Args:
        rows: at least one, all with the same keys.
        room: cells of a line; as many as it takes when left out.
        kept: headings of columns that are left out last.
        cut: what marks a cut.
    """
    listed = _cells(rows)
    headings = [*listed[0]]
    sizes = {one: max(width(one), *(width(row[one]) for row in listed)) for one in headings}
    if room is not None:
        sizes = fitted([*sizes.items()], room, kept)

    def line(texts: Mapping[str, str]) -> str:
        cells = []
        for heading, size in sizes.items():
            known = column(heading)
            cells.append(padded(known.shorten(texts[heading], size, cut), size, known.number))
        return (" " * GAP).join(cells).rstrip()

    head = [
        line({one: one for one in headings}),
        line({one: "-" * sizes.get(one, 0) for one in headings}),
    ]
    left_out = [one for one in headings if one not in sizes]
    return Table(head, [line(row) for row in listed], left_out)


def _cells(rows: Rows) -> list[dict[str, str]]:
    """Return the texts of ``rows``, without the columns in which nothing stands."""
    listed = [{heading: one_line(cell) for heading, cell in row.items()} for row in rows]
    first, *others = listed[0]
    told = [first, *(one for one in others if any(row[one] for row in listed))]
    return [{heading: row[heading] for heading in told} for row in listed]


def table(rows: Rows, format: str = "simple") -> str:
    """Return a table of ``rows``, whose keys are its headings, numbers to the right.

    Args:
        rows: at least one, all with the same keys.
        format: ``simple``, or one of tabulate's.
    """
    if format == "simple":
        text = drawn(rows)
        return "\n".join([*text.head, *text.rows])
    from tabulate import tabulate

    listed = _cells(rows)
    headings = [*listed[0]]
    return str(
        tabulate(
            [list(row.values()) for row in listed],
            headers=headings,
            tablefmt=format,
            colalign=["right" if column(one).number else "left" for one in headings],
            disable_numparse=True,
        )
    )


def statistics(rows: Sequence[Mapping[str, Any]], format: str = "simple") -> str:
    """A table of handlers' statistics, in the order of ``rows``."""
    if not rows:
        text = "no handler was called"
        return f"<p>{html.escape(text)}</p>" if format == "html" else text
    return table([statistics_row(row) for row in rows], format)


def statistics_row(row: Mapping[str, Any]) -> dict[str, object]:
    """One handler's statistics as they are shown, what matters most first."""
    shown = {head: STATISTICS[name].text(row[name]) for name, head in STATISTIC_COLUMNS.items()}
    if "share" in row:
        shown["share"] = row["share"]
    first = {heading: shown[heading] for heading in _FIRST if heading in shown}
    shown = {"handler": row["handler"], **first, **shown}
    if "tests" in row:
        shown["tests"] = f"{row['tests']:,}"
    return {**shown}


def calls(calls: Iterable[Call]) -> str:
    """Return a table of calls: what was called, how it ended, and where."""
    return table(
        {
            "handler": call.name.handler,
            "elapsed": duration(call.elapsed),
            "arguments": one_line(without_objects(arguments(call.args, call.kwargs)), MAX_CELL),
            "raised": ""
            if call.failure is None
            else one_line(f"{call.failure.type}: {call.failure.message}", MAX_CELL),
            "where": ""
            if call.call_site is None
            else f"{short_path(call.call_site[0])}:{call.call_site[1]}",
        }
        for call in calls
    )
