"""Files that show what ran when, in the format that the name of the file says."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping

# Bound here: suites replace what others look up when they need it.
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
"""The formats, by the end of a file name; ``.gz`` may follow."""
_MAX_NAME = 100
"""Characters of the name of a thread."""
# Past the class of a thread, which may have properties of its own by these names.
_fields = Thread.__dict__["__dict__"].__get__
SUFFIXES = tuple(f"{suffix}{packed}" for suffix in reversed(FORMATS) for packed in ("", ".gz"))


def is_trace(path: str | os.PathLike[str]) -> bool:
    """Tell whether a file name names a format of traces."""
    return os.fspath(path).lower().endswith(SUFFIXES)


def write_trace(path: str | os.PathLike[str], timeline: Timeline, about: Mapping[str, Any]) -> None:
    """Write a timeline, whole or not at all; in the Trace Event Format unless the name differs.

    Args:
        path: the file.
        timeline: what is drawn.
        about: what else the file tells of it.

    Raises:
        OSError: it cannot be written; a file that was there is as it was.
    """
    name = os.fspath(path).lower().removesuffix(".gz")
    made = next((make for end, make in FORMATS.items() if name.endswith(end)), trace_event)
    write(path, made(timeline, {"schema": "smartcollect/trace", "version": 1, **about}))


def names_of_threads() -> list[tuple[int, str]]:
    """Return identities and names of the threads that run, without any code of theirs.

    Names are bounded, and each serializer takes them.
    """
    named = []
    for one in threads_alive():
        identity, name = _identity(one), _field(one, "_name")
        if identity and type(name) is str:
            named.append((identity, one_line(name, _MAX_NAME)))
    return named


def _identity(thread: Thread) -> int:
    """Return the identity of a thread; 0 where it has none."""
    identity = _field(thread, "_ident")
    return identity if type(identity) is int else 0


def _field(thread: Thread, name: str) -> object:
    return dict.get(_fields(thread), name) if issubclass(type(thread), Thread) else None


def to_wall() -> int:
    """Return what to add to the monotonic clock for Unix time, in nanoseconds."""
    return nanoseconds(SYSTEM.wall() - SYSTEM.monotonic())


def timeline_of(rows: Iterable[Row]) -> Timeline:
    """Return the timeline of calls of this process, which start on the monotonic clock."""
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
