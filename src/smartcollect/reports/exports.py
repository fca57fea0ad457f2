"""Exports of a log or a batch to a file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from ..names import HandlerName, short_names
from ..profiles.document import LOG_SCHEMA
from ..storage.fields import Statistics
from ..storage.rows import Entry, Row
from .formats import FORMATS, TRACE, format_of
from .stats import Stats
from .traces.files import timeline_of, write_trace
from .writing import write

VERSION = 1


def stats_of(called: Mapping[HandlerName, Statistics]) -> Stats:
    """Return statistics by selector, or by full name for handlers that share a selector."""
    keys = short_names(called)
    return Stats({keys[name]: statistics for name, statistics in called.items()})


def heading(
    settings: Mapping[str, Any], recording_failures: int, stats: Mapping[str, Statistics]
) -> dict[str, Any]:
    """Return the part of a JSON export that precedes the calls."""
    return {
        "schema": LOG_SCHEMA,
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
    """Write calls to a file. If that fails, an existing file stays as it was.

    Args:
        path: the file.
        format: one of `formats.ACCEPTED`. If left out, the suffix of ``path`` decides; unknown
            suffixes mean JSON.
        heading: the return value of `heading`.
        entries: the calls as entries, for all formats but the trace.
        calls: returns the same calls as rows with starts on the monotonic clock, for the trace.

    Raises:
        ValueError: ``format`` is unknown.
        OSError: the file cannot be written.
    """
    name = format_of(Path(path), format)
    if name == TRACE:
        timeline = timeline_of(calls())
        called = sum(statistics["calls"] for statistics in heading["stats"].values())
        # Not below 0: calls that ended after the heading was made are in the timeline.
        write_trace(path, timeline, {"left_out": max(called - timeline.calls, 0)})
    else:
        write(path, FORMATS[name](heading, entries))
