"""Trace files: timelines of calls, in the format that the file name selects."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping

# Imported by name: test suites may patch the module.
from threading import Thread, main_thread
from threading import enumerate as threads_alive
from typing import Any

from ...clock import SYSTEM
from ...names import short_names
from ...storage.rows import Row
from ...text import one_line
from ..writing import write
from .slices import Packs, nanoseconds
from .speedscope import speedscope
from .timeline import Timeline, Window
from .trace_event import trace_event

FORMATS: dict[str, Callable[[Timeline, Mapping[str, Any]], Iterator[str]]] = {
    ".speedscope.json": speedscope,
    ".json": trace_event,
}
"""The formats by the end of a file name, which ``.gz`` may follow."""
_MAX_NAME = 100
"""The most characters kept of the name of a thread."""
# Bypasses the class of a thread, which may define properties with these names.
_fields = Thread.__dict__["__dict__"].__get__
SUFFIXES = tuple(f"{suffix}{packed}" for suffix in reversed(FORMATS) for packed in ("", ".gz"))


def is_trace(path: str | os.PathLike[str]) -> bool:
    """Tell whether a file name ends like that of a trace."""
    return os.fspath(path).lower().endswith(SUFFIXES)


def write_trace(path: str | os.PathLike[str], timeline: Timeline, about: Mapping[str, Any]) -> None:
    """Write a timeline to a file. If that fails, an existing file stays as it was.

    Args:
        path: the file. Its name selects the format: that of speedscope for
            ``.speedscope.json``, otherwise the Trace Event Format.
        timeline: the timeline.
        about: further fields to store in the file.

    Raises:
        OSError: the file cannot be written.
    """
    name = os.fspath(path).lower().removesuffix(".gz")
    made = next((make for end, make in FORMATS.items() if name.endswith(end)), trace_event)
    write(path, made(timeline, {"schema": "smartcollect/trace", "version": 1, **about}))


def names_of_threads() -> list[tuple[int, str]]:
    """Return the identities and names of running threads, without running application code.

    Names are short, printable text.
    """
    named = []
    for one in threads_alive():
        identity, name = _identity(one), _field(one, "_name")
        if identity and type(name) is str:
            named.append((identity, one_line(name, _MAX_NAME)))
    return named


def _identity(thread: Thread) -> int:
    """Return the identity of a thread; 0 if it has none."""
    identity = _field(thread, "_ident")
    return identity if type(identity) is int else 0


def _field(thread: Thread, name: str) -> object:
    return dict.get(_fields(thread), name) if issubclass(type(thread), Thread) else None


def to_wall() -> int:
    """Return the difference of Unix time and the monotonic clock, in nanoseconds."""
    return nanoseconds(SYSTEM.wall() - SYSTEM.monotonic())


def timeline_of(rows: Iterable[Row]) -> Timeline:
    """Return a timeline of calls of this process.

    Args:
        rows: the calls, with starts on the monotonic clock.
    """
    calls = Packs.of(rows)
    first = calls.first if calls.number else nanoseconds(SYSTEM.monotonic())
    window = Window(
        process="main",
        to_wall=to_wall(),
        since=first,
        until=max(calls.last, first),
        first=first,
        main=_identity(main_thread()),
        threads=names_of_threads(),
        test="",
        phase="",
        outcome="",
        number=calls.number,
        packs=calls.packs,
    )
    return Timeline([window], short_names(calls.names))
