"""Calls for the timeline, with times in whole nanoseconds."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import NamedTuple
from zlib import compress, decompress

from ...names import HandlerName
from ...storage.rows import Row
from ...text import one_line
from ...values.arguments import MAX_ARGUMENTS, arguments

_AT_A_TIME = 5_000
# Bound early: calls are packed while tests run, which may patch the module.
_encode = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode
_decode = json.JSONDecoder().decode


class CallSlice(NamedTuple):
    """A call as the timeline draws it. Times are nanoseconds.

    Attributes:
        name: the handler.
        start, end: the first and last moment, on the monotonic clock of the process. Coroutines
            and generators do not run all the time between them.
        elapsed: the time that the call ran.
        self_time: ``elapsed`` without the time in other recorded calls.
        thread: the identity of its thread.
        steps: whether the call is of a coroutine or a generator, so that other calls may run in
            its thread between its steps.
        args: the arguments as text.
        error: the exception that ended the call, or ``""``.
        task: the name of the asyncio task, or ``""``.
    """

    name: HandlerName
    start: int
    end: int
    elapsed: int
    self_time: int
    thread: int
    steps: bool
    args: str
    error: str
    task: str


def nanoseconds(seconds: float) -> int:
    """Return seconds as whole nanoseconds."""
    return round(seconds * 1e9)


def slice_of(row: Row) -> CallSlice:
    """Return the slice of a call whose start is on the monotonic clock."""
    name, start, elapsed, args, kwargs, _, thread, details = row
    span = self_time = elapsed
    steps, error, task = False, "", ""
    if details is not None:
        self_time, failure, _, _, _, task, in_all, _ = details
        steps = in_all is not None or task is not None
        span = elapsed if in_all is None else in_all
        task = task or ""
        if failure is not None:
            error = one_line(f"{failure.type}: {failure.message}", MAX_ARGUMENTS)
    return CallSlice(
        name,
        nanoseconds(start),
        nanoseconds(start + span),
        nanoseconds(elapsed),
        nanoseconds(self_time),
        thread,
        steps,
        arguments(args, kwargs),
        error,
        task,
    )


# Stored by column, as differences and with each name once: a sixth of the size of a list of slices.
# Size matters because packs travel on test reports.
def pack(slices: Sequence[CallSlice]) -> str:
    """Return slices as one short string, which can travel on a test report."""
    if not slices:
        return ""
    names, start, end, elapsed, self_time, threads, steps, *texts = zip(*slices, strict=True)
    numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
    columns = (
        list(numbers),
        [numbers[name] for name in names],
        [after - before for before, after in zip((0, *start), start, strict=False)],
        [after - before for before, after in zip(start, end, strict=True)],
        [begun + ran - ended for begun, ran, ended in zip(start, elapsed, end, strict=True)],
        [ran - own for ran, own in zip(elapsed, self_time, strict=True)],
        threads,
        steps,
        *texts,
    )
    return b64encode(compress(_encode(columns).encode())).decode()


def unpack(text: str) -> list[CallSlice]:
    """Return the slices of a string that `pack` returned."""
    if not text:
        return []
    columns = _decode(decompress(b64decode(text)).decode())
    names, numbers, starts, spans, idle, inside, *rest = columns
    known = [HandlerName(*name) for name in names]
    slices, start = [], 0
    for number, later, span, waited, others, *fields in zip(
        numbers, starts, spans, idle, inside, *rest, strict=True
    ):
        start += later
        ran = span + waited
        slices.append(CallSlice(known[number], start, start + span, ran, ran - others, *fields))
    return slices


class Packs(NamedTuple):
    """Many calls, packed as a few strings.

    Attributes:
        packs: strings of some thousand calls each, in the order in which the calls ended.
        number: the number of calls.
        first, last: the earliest start and the latest end, in nanoseconds; 0 without calls.
        threads: the identities of the calls' threads.
        names: the handlers of the calls.
    """

    packs: list[str]
    number: int
    first: int
    last: int
    threads: set[int]
    names: set[HandlerName]

    @classmethod
    def of(cls, rows: Iterable[Row]) -> Packs:
        """Pack calls whose starts are on the monotonic clock, in parts to save memory."""
        waiting = iter(rows)
        packs: list[str] = []
        number, moments = 0, list[int]()
        threads, names = set[int](), set[HandlerName]()
        while slices := list(map(slice_of, islice(waiting, _AT_A_TIME))):
            packs.append(pack(slices))
            number += len(slices)
            threads.update(one.thread for one in slices)
            names.update(one.name for one in slices)
            moments += [min(one.start for one in slices), max(one.end for one in slices)]
        return cls(packs, number, min(moments, default=0), max(moments, default=0), threads, names)
