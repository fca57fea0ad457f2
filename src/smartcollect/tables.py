"""Every table that is printed, by tabulate, which is imported when the first one is needed."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from .units import duration

NUMBER_COLUMNS = frozenset(
    {"calls", "errors", "tests", "total", "self", "avg", "p50", "p95", "max"}
)
_MAX_CELL = 60
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+(?=[>)])")


def one_line(value: object, limit: int | None = None) -> str:
    """``value`` as text that stays in its cell: control characters escaped, long text cut."""
    text = "".join(
        character if character.isprintable() else repr(character)[1:-1] for character in str(value)
    )
    if limit is not None and len(text) > limit:
        return f"{text[: limit - 1]}…"
    return text


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
        colalign=["right" if heading in NUMBER_COLUMNS else "left" for heading in headings],
        disable_numparse=True,
    )
    return str(text)


def statistics(rows: Sequence[Mapping[str, Any]], format: str = "simple") -> str:
    """A table of handlers' statistics, in the order of ``rows``."""
    if not rows:
        text = "no handler was called"
        return f"<p>{html.escape(text)}</p>" if format == "html" else text
    return table([_statistics_row(row) for row in rows], format)


def _statistics_row(row: Mapping[str, Any]) -> dict[str, object]:
    shown: dict[str, object] = {
        "handler": row["handler"],
        "calls": f"{row['calls']:,}",
        "errors": f"{row['errors']:,}",
        "total": duration(row["total_time"]),
        "self": duration(row["self_time"]),
        "avg": duration(row["avg_time"]),
        "p95": duration(row["p95_time"]),
        "max": duration(row["max_time"]),
    }
    if "tests" in row:
        shown["tests"] = f"{row['tests']:,}"
    return shown


def arguments(args: Iterable[object], kwargs: Mapping[str, object]) -> str:
    """A call's arguments as they would be written, cut to fit a table."""
    shown = [_argument(value) for value in args]
    shown += [f"{name}={_argument(value)}" for name, value in kwargs.items()]
    # Addresses differ from run to run and say nothing.
    return one_line(_ADDRESS.sub("", ", ".join(shown)), _MAX_CELL)


def _argument(value: object) -> str:
    # Text that stands for an object is its repr already; strings show their quotes.
    if type(value) is str and not (value.startswith("<") and value.endswith(">")):
        return repr(value)
    return str(value)


def calls(entries: Sequence[Mapping[str, Any]], name: Callable[[Mapping[str, Any]], str]) -> str:
    """A table of calls: handler, elapsed, arguments and how it ended."""
    return table(
        {
            "handler": name(entry),
            "elapsed": duration(entry["elapsed"]),
            "arguments": arguments(entry["args"], entry["kwargs"]),
            "raised": one_line(
                f"{entry['exception']['type']}: {entry['exception']['message']}", _MAX_CELL
            )
            if "exception" in entry
            else "",
        }
        for entry in entries
    )
