"""Timelines in the Trace Event Format, which Perfetto and ``chrome://tracing`` read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any

from ..strict_json import compact
from .timeline import Slice, Timeline


def trace_event(timeline: Timeline, about: Mapping[str, Any]) -> Iterator[str]:
    """Yield the text of a file, piece by piece, with one event per line.

    Args:
        timeline: the timeline.
        about: further fields to store in the file.
    """
    begin = {"begin": timeline.begin / 1e9, "calls": timeline.calls}
    yield f'{{"displayTimeUnit":"ns","otherData":{compact({**about, **begin})},"traceEvents":[\n'
    between = ""
    for event in _events(timeline):
        yield f"{between}{event}"
        between = ",\n"
    yield "\n]}\n"


def _events(timeline: Timeline) -> Iterator[str]:
    ids = _Ids(timeline)
    for one in timeline.slices():
        yield _event(one, ids)
    yield from ids.named()


class _Ids:
    """The numbers of processes and threads. The numbers of threads are unique across processes."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._next = count(1)
        # The format takes a thread with the number of its process for the main thread.
        self.of_process = {process: next(self._next) for process in timeline.processes}
        self._of_thread = {
            (process, timeline.mains[process]): number
            for process, number in self.of_process.items()
        }
        self.of_call = count(1)
        self._encoded: dict[str, str] = {}

    def of_thread(self, process: str, thread: int) -> int:
        """Return the number of a thread."""
        number = self._of_thread.get((process, thread))
        if number is None:
            number = self._of_thread[process, thread] = next(self._next)
        return number

    def encoded(self, name: str) -> str:
        """Return a name as JSON, cached."""
        text = self._encoded.get(name)
        if text is None:
            text = self._encoded[name] = compact(name)
        return text

    def named(self) -> Iterator[str]:
        """Yield the events that name and order processes and threads."""
        for order, (process, pid) in enumerate(self.of_process.items()):
            yield _named("process_name", pid, pid, name=process)
            yield _named("process_sort_index", pid, pid, sort_index=order)
            threads = [one for one in self._of_thread.items() if one[0][0] == process]
            for number, ((_, thread), tid) in enumerate(threads, 1):
                name = self._timeline.name_of_thread(process, thread, number)
                yield _named("thread_name", pid, tid, name=name)
                yield _named("thread_sort_index", pid, tid, sort_index=number)


def _named(event: str, pid: int, tid: int, **args: Any) -> str:
    text = compact(args)
    return f'{{"ph":"M","name":"{event}","pid":{pid},"tid":{tid},"args":{text}}}'


def _event(one: Slice, ids: _Ids) -> str:
    """Return a slice as JSON."""
    # Compressed files are a tenth smaller if the fields that many events share are adjacent.
    pid = ids.of_process[one.process]
    # Microseconds; nanoseconds become three decimals.
    start = one.start / 1000
    rest = f'"cat":"{one.kind}","name":{ids.encoded(one.name)}'
    args = f',"args":{compact(one.details)}' if one.details else ""
    if one.thread is not None:
        tid, took = ids.of_thread(one.process, one.thread), (one.end - one.start) / 1000
        return f'{{"ph":"X","pid":{pid},"tid":{tid},{rest}{args},"dur":{took},"ts":{start}}}'
    # Perfetto shows events with a local id within their process, and all others separately.
    id = f'"id2":{{"local":"{next(ids.of_call)}"}}'
    return (
        f'{{"ph":"b","pid":{pid},{rest}{args},{id},"ts":{start}}},\n'
        f'{{"ph":"e","pid":{pid},{rest},{id},"ts":{one.end / 1000}}}'
    )
