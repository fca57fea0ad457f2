"""Every table that is printed, by tabulate, which is imported when the first one is needed."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from .names import printable
from .units import duration

NUMBER_COLUMNS = frozenset(
    {
        *("calls", "errors", "tests", "total", "self", "avg", "p50", "p95", "max"),
        *("times", "before", "after", "ratio", "p"),
    }
)
_MAX_CELL = 60
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+(?=[>)])")


def one_line(value: object, limit: int | None = None) -> str:
    """``value`` as text that stays in its cell: control characters escaped, long text cut."""
    text = printable(str(value))
    if limit is not None and len(text) > limit:
        return f"{text[: limit - 1]}…"
    return text


def plural(count: int, noun: str) -> str:
    """``count`` and ``noun``, which takes an s where there is not one."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


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
    return table([statistics_row(row) for row in rows], format)


def statistics_row(row: Mapping[str, Any]) -> dict[str, object]:
    """One handler's statistics as they are shown."""
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


def calls(calls: Iterable[Any]) -> str:
    """A table of calls (`smartcollect.store.Call`): what was called, how it ended, and where."""
    rows: list[dict[str, object]] = [
        {
            "handler": call.name.handler,
            "elapsed": duration(call.elapsed),
            "arguments": arguments(call.args, call.kwargs),
            "raised": one_line(f"{call.failure.type}: {call.failure.message}", _MAX_CELL)
            if call.failure is not None
            else "",
            "where": "" if call.where is None else f"{short_path(call.where[0])}:{call.where[1]}",
        }
        for call in calls
    ]
    if not any(row["where"] for row in rows):
        for row in rows:
            del row["where"]
    return table(rows)


def short_path(path: str | Path) -> str:
    """``path`` as it is written from the working directory, where it is below that."""
    with suppress(ValueError, OSError):
        return str(Path(path).relative_to(Path.cwd()))
    return str(path)
