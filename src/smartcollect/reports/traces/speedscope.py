"""Timelines in the format of speedscope: one profile per track, made of nested events."""

from __future__ import annotations

import heapq
from array import array
from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any

from ..strict_json import compact
from .timeline import Timeline

_SCHEMA = "https://www.speedscope.app/file-format-schema.json"


class _Profile:
    """The events of one track, and the slices that are open at its end."""

    def __init__(self) -> None:
        self._times = array("q")
        # The number of a frame where it opens, and -1 - number where it closes.
        self._frames = array("q")
        self._open: list[tuple[int, int]] = []

    def add(self, frame: int, start: int, end: int) -> None:
        """Add a slice that nests and does not begin before the slices that were added earlier."""
        self.close(start)
        self._note(start, frame)
        self._open.append((end, frame))

    def close(self, until: float) -> None:
        """Close the slices that ended by ``until``."""
        while self._open and self._open[-1][0] <= until:
            end, frame = self._open.pop()
            self._note(end, -1 - frame)

    def _note(self, at: int, frame: int) -> None:
        self._times.append(at)
        self._frames.append(frame)

    def text(self, name: str) -> Iterator[str]:
        """Yield the profile as JSON, piece by piece."""
        self.close(float("inf"))
        start, end = (self._times[0], self._times[-1]) if self._times else (0, 0)
        yield (
            f'{{"type":"evented","name":{compact(name)},"unit":"nanoseconds",'
            f'"startValue":{start},"endValue":{end},"events":[\n'
        )
        comma = ""
        for at, frame in zip(self._times, self._frames, strict=True):
            kind, number = ("O", frame) if frame >= 0 else ("C", -1 - frame)
            yield f'{comma}{{"type":"{kind}","frame":{number},"at":{at}}}'
            comma = ",\n"
        yield "]}"


class _Lanes:
    """Profiles for calls of one process that are not on the track of a thread.

    A call nests in an enclosing call of the same task. Calls of other tasks that overlap are on
    other lanes.
    """

    def __init__(self) -> None:
        self._calls: list[tuple[int, int, int, str]] = []
        self._order = count()

    def add(self, frame: int, start: int, end: int, task: str) -> None:
        """Add a call."""
        self._calls.append((start, -end, frame, task))

    def profiles(self) -> list[_Profile]:
        """Return the calls as profiles, as few as possible."""
        lanes: list[_Profile] = []
        busy: list[tuple[int, int]] = []  # the moment at which each lane becomes free
        stacks: dict[str, tuple[int, list[int]]] = {}  # by task: its lane, the ends of its calls
        for start, negative, frame, task in sorted(self._calls):
            end = -negative
            lane, ends = stacks.get(task, (0, []))
            while ends and ends[-1] <= start:
                ends.pop()
            if not task or not ends or ends[-1] < end:
                if busy and busy[0][0] <= start:
                    lane = heapq.heapreplace(busy, (end, busy[0][1]))[1]
                else:
                    lane = len(lanes)
                    lanes.append(_Profile())
                    heapq.heappush(busy, (end, lane))
                ends = []
            ends.append(end)
            stacks[task] = lane, ends
            lanes[lane].add(frame, start, end)
        return lanes


def speedscope(timeline: Timeline, about: Mapping[str, Any]) -> Iterator[str]:
    """Yield the text of a file for speedscope, piece by piece.

    Args:
        timeline: the timeline.
        about: further fields to store in the file.
    """
    frames: dict[str, int] = {}
    threads: dict[tuple[str, int], _Profile] = {}
    lanes = {process: _Lanes() for process in timeline.processes}
    for process, main in timeline.mains.items():
        threads[process, main] = _Profile()
    for one in timeline.slices():
        frame = frames.setdefault(one.name, len(frames))
        if one.thread is None:
            lanes[one.process].add(frame, one.start, one.end, one.details.get("task", ""))
        else:
            key = one.process, one.thread
            threads.setdefault(key, _Profile()).add(frame, one.start, one.end)
    head = {"$schema": _SCHEMA, "exporter": "smartcollect", "smartcollect": about}
    shared = {"frames": [{"name": name} for name in frames]}
    yield f'{compact(head)[:-1]},"shared":{compact(shared)},"profiles":['
    comma = ""
    for name, profile in _named(timeline, threads, lanes):
        yield comma
        yield from profile.text(name)
        comma = ",\n"
    yield "]}\n"


def _named(
    timeline: Timeline,
    threads: Mapping[tuple[str, int], _Profile],
    lanes: Mapping[str, _Lanes],
) -> Iterator[tuple[str, _Profile]]:
    """Yield the names and profiles of all tracks, process by process."""
    for process in timeline.processes:
        own = [(thread, one) for (of, thread), one in threads.items() if of == process and one]
        for number, (thread, profile) in enumerate(own, 1):
            name = timeline.name_of_thread(process, thread, number)
            yield f"{process} {name}", profile
        for number, profile in enumerate(lanes[process].profiles(), 1):
            yield f"{process} async {number}", profile
