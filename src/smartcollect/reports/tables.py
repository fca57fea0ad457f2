"""Tables as text, HTML and Markdown. Only HTML and Markdown import tabulate."""

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
        head: the line of headings, and the rule below it.
        rows: one line per row.
        left_out: the headings of the columns that did not fit.
    """

    head: list[str]
    rows: list[str]
    left_out: list[str]


def drawn(rows: Rows, room: int | None = None, kept: Collection[str] = (), cut: str = CUT) -> Table:
    """Return rows as a table of text, with their keys as headings.

    Args:
        rows: one row or more, all with the same keys.
        room: the width of a line in cells; unlimited if left out.
        kept: the headings of columns that are left out last.
        cut: the mark for shortened text.
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
    """Return rows as text, without columns that are empty. The first column always stays."""
    listed = [{heading: one_line(cell) for heading, cell in row.items()} for row in rows]
    first, *others = listed[0]
    filled = [first, *(one for one in others if any(row[one] for row in listed))]
    return [{heading: row[heading] for heading in filled} for row in listed]


def table(rows: Rows, format: str = "simple") -> str:
    """Return rows as a table, with their keys as headings and numbers aligned to the right.

    Args:
        rows: one row or more, all with the same keys.
        format: ``simple`` for text, or a format of tabulate.
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
    """Return a table of the statistics of handlers, in the order of ``rows``."""
    if not rows:
        text = "no handler was called"
        return f"<p>{html.escape(text)}</p>" if format == "html" else text
    return table([statistics_row(row) for row in rows], format)


def statistics_row(row: Mapping[str, Any]) -> dict[str, object]:
    """Return the statistics of a handler as cells of a row, the most important first."""
    shown = {head: STATISTICS[name].text(row[name]) for name, head in STATISTIC_COLUMNS.items()}
    if "share" in row:
        shown["share"] = row["share"]
    first = {heading: shown[heading] for heading in _FIRST if heading in shown}
    shown = {"handler": row["handler"], **first, **shown}
    if "tests" in row:
        shown["tests"] = f"{row['tests']:,}"
    return {**shown}


def calls(calls: Iterable[Call]) -> str:
    """Return a table of calls, with their arguments, exception and call site."""
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
