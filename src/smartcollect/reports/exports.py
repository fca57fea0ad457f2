"""A log as a file: what heads it, and the calls."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from ..names import HandlerName, short_names
from ..storage.fields import Statistics
from ..storage.rows import Entry, Row
from .formats import FORMATS, TRACE, format_of
from .stats import Stats
from .traces.files import timeline_of, write_trace
from .writing import write

SCHEMA = "smartcollect/log"
VERSION = 1


def stats_of(called: Mapping[HandlerName, Statistics]) -> Stats:
    """Return statistics by the names that people use: full ones where two share a short name."""
    keys = short_names(called)
    return Stats({keys[name]: statistics for name, statistics in called.items()})


def heading(
    settings: Mapping[str, Any], recording_failures: int, stats: Mapping[str, Statistics]
) -> dict[str, Any]:
    """Return what heads an export in JSON."""
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "settings": settings,
        "recording_failures": recording_failures,
        "stats": stats,
    }


def export_calls(
    path: str | os.PathLike[str],
    format: str | None,
    heading: Mapping[str, Any],
    entries: Iterable[Entry],
    calls: Callable[[], Iterable[Row]],
) -> None:
    """Write calls to a file, whole or not at all.

    Args:
        path: the file.
        format: one of `formats.ACCEPTED`. Left out, the suffix of ``path`` decides, or else JSON.
        heading: what `heading` returns.
        entries: the calls.
        calls: returns the same as rows that start on the monotonic clock.

    Raises:
        ValueError: there is no such format.
        OSError: the file cannot be written; one that was there is as it was.
    """
    name = format_of(Path(path), format)
    if name == TRACE:
        timeline = timeline_of(calls())
        called = sum(statistics["calls"] for statistics in heading["stats"].values())
        # Calls that ended since the heading was made are drawn.
        write_trace(path, timeline, {"left_out": max(called - timeline.calls, 0)})
    else:
        write(path, FORMATS[name](heading, entries))
