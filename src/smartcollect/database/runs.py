"""The table ``runs``: the profile of each run, and the development of handlers over runs."""

from __future__ import annotations

import math
import struct
import sys
import zlib
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from operator import itemgetter
from types import MappingProxyType
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, RowMapping, Select, delete, insert, select

from ..names import HandlerName
from ..profiles.document import read_tests, written_tests
from ..profiles.packing import pack, unpack
from ..profiles.parts import Run
from ..profiles.profile import Profile
from ..profiles.revision import Revision
from ..profiles.trend import Series
from ..storage.statistics import HandlerStats
from . import schema
from .handlers import names_of, number_handlers, read_handlers
from .packing import packed, restored, storable, unpacked

_runs = schema.runs
_AT_ONCE = 500
"""Parameters in one statement; every SQLite accepts at least 999."""
_NEWEST_FIRST = _runs.c.created.desc(), _runs.c.id.desc()


def add_run(connection: Connection, profile: Profile, regressed: bool = False) -> int:
    """Write a run, in the transaction of the caller.

    Args:
        connection: the connection to the database.
        profile: the profile of the run.
        regressed: true if its comparison with earlier runs failed.

    Returns:
        The id of the run.

    Raises:
        ValueError: the profile has no details of the run.
    """
    run = profile.run
    if run is None:
        raise ValueError("profile.run must not be None; pass the profile of a run")
    revision = run.revision or Revision("", "", False)
    row = {
        "created": run.created,
        "machine": _machine(run.machine),
        "revision": storable(revision.commit),
        "branch": storable(revision.branch),
        "dirty": revision.dirty,
        "command": packed(list(run.command)),
        "versions": packed(dict(run.versions)),
        "incomplete": packed(list(profile.incomplete)),
        "regressed": regressed,
        "times": _times(profile, number_handlers(connection, profile.handlers)),
        "profile": zlib.compress(pack(profile).encode()),
        "tests": zlib.compress(packed(written_tests(profile.tests)).encode()),
    }
    number: int = connection.execute(insert(_runs).values(row).returning(_runs.c.id)).scalar_one()
    return number


def has_run(connection: Connection, profile: Profile) -> bool:
    """Return whether a run was written before.

    Args:
        connection: the connection to the database.
        profile: the profile of the run.
    """
    if profile.run is None:
        return False
    query = select(_runs.c.profile).where(_runs.c.created == profile.run.created)
    text = pack(profile)
    return any(
        zlib.decompress(known).decode() == text for known in connection.execute(query).scalars()
    )


class Chosen(NamedTuple):
    """A selection of runs.

    Attributes:
        machine: the machine of the runs; ``None`` for any.
        branch: the branch of the runs; ``None`` for any.
        regressed: true to include runs that regressed.
    """

    machine: Mapping[str, str] | None = None
    branch: str | None = None
    regressed: bool = True

    def of(self, query: Select[Any]) -> Select[Any]:
        """Restrict a query of runs to the selected runs."""
        if self.machine is not None:
            query = query.where(_runs.c.machine == _machine(self.machine))
        if self.branch is not None:
            query = query.where(_runs.c.branch == storable(self.branch))
        if not self.regressed:
            query = query.where(~_runs.c.regressed)
        return query


def last_runs(
    connection: Connection, number: int | None, chosen: Chosen, tests: bool = True
) -> list[Profile]:
    """Return the profiles of the last runs, oldest first.

    Args:
        connection: the connection to the database.
        number: the maximum number of runs; ``None`` for all.
        chosen: the selection of runs.
        tests: false to leave out the parts of single tests.
    """
    columns = [column for column in _runs.c if tests or column.name != "tests"]
    newest = chosen.of(select(*columns)).order_by(*_NEWEST_FIRST)
    rows = connection.execute(newest.limit(number)).mappings().all()
    return [_profile(row) for row in reversed(rows)]


def last_machine(connection: Connection, branch: str | None) -> Mapping[str, str] | None:
    """Return the machine of the newest run, or ``None`` if there is no run."""
    query = Chosen(branch=branch).of(select(_runs.c.machine))
    text = connection.execute(query.order_by(*_NEWEST_FIRST).limit(1)).scalar()
    return None if text is None else unpacked(text)


def old_runs(connection: Connection, before: float | None, keep: int | None) -> list[int]:
    """Return the ids of old runs, newest first.

    Args:
        connection: the connection to the database.
        before: Unix seconds; only earlier runs are old. ``None`` for no limit.
        keep: the number of newest runs that are never old. ``None`` for 0.
    """
    query = select(_runs.c.id, _runs.c.created).order_by(*_NEWEST_FIRST)
    rows = connection.execute(query).all()[keep or 0 :]
    return [row.id for row in rows if before is None or row.created < before]


def delete_runs(connection: Connection, numbers: Sequence[int]) -> None:
    """Delete runs, in the transaction of the caller.

    Args:
        connection: the connection to the database.
        numbers: the ids of the runs.
    """
    for start in range(0, len(numbers), _AT_ONCE):
        some = numbers[start : start + _AT_ONCE]
        connection.execute(delete(_runs).where(_runs.c.id.in_(some)))


class Development(NamedTuple):
    """The development of handlers over runs, the oldest run first.

    Attributes:
        handlers: the values of each handler.
        created: the time of each run in Unix seconds.
        commits: the commit of each run; ``""`` if unknown.
    """

    handlers: Mapping[HandlerName, Series]
    created: Sequence[float]
    commits: Sequence[str]


def development(connection: Connection, chosen: Chosen, last: int | None = None) -> Development:
    """Return the development of each handler over the selected runs.

    Args:
        connection: the connection to the database.
        chosen: the selection of runs.
        last: the maximum number of runs, the newest; ``None`` for all.
    """
    query = chosen.of(select(_runs.c.id, _runs.c.created, _runs.c.revision, _runs.c.times))
    rows = connection.execute(query.order_by(*_NEWEST_FIRST).limit(last)).all()[::-1]
    found: dict[int, Series] = {}
    first = 0
    # Most consecutive runs call the same handlers. Reading these runs by column takes a tenth of
    # the time.
    for ids, alike in groupby(map(_checked_times, rows), _handlers_of):
        blocks = list(alike)
        runs = range(first, first := first + len(blocks))
        columns = [_column(blocks, place) for place in range(1, len(_COLUMNS))]
        for place, number in enumerate(ids):
            series = found.setdefault(number, Series())
            series.extend(runs, *(column[place :: len(ids)] for column in columns))
    names = names_of(read_handlers(connection))
    return Development(
        {names[number]: series for number, series in found.items()},
        [row.created for row in rows],
        [restored(row.revision) for row in rows],
    )


_COLUMNS = "qqqdd"
"""Types of the columns in ``times``: handler, calls, errors, steady time, share of computing."""
_SIZE = 8 * len(_COLUMNS)


def _times(profile: Profile, ids: Mapping[HandlerName, int]) -> bytes:
    """Return the columns of `_COLUMNS` one after the other, with eight bytes for each handler."""
    # By id, because two names that were too long may share one.
    merged: dict[int, HandlerStats] = {}
    for name, stats in profile.handlers.items():
        merged.setdefault(ids[name], HandlerStats()).merge(stats)
    known = sorted(merged.items(), key=itemgetter(0))
    shares = [stats.computing for _, stats in known]
    values: list[Sequence[float]] = [
        [number for number, _ in known],
        [stats.calls for _, stats in known],
        [stats.errors for _, stats in known],
        [stats.steady_time() for _, stats in known],
        [math.nan if share is None else share for share in shares],
    ]
    return b"".join(
        struct.pack(f"<{len(known)}{kind}", *column)
        for kind, column in zip(_COLUMNS, values, strict=True)
    )


def _checked_times(row: Row[Any]) -> bytes:
    times: bytes = row.times
    if len(times) % _SIZE:
        raise ValueError(
            f"run {row.id} is damaged: 'times' has {len(times)} bytes, not a multiple of {_SIZE}"
        )
    return times


def _handlers_of(times: bytes) -> tuple[int, ...]:
    return struct.unpack_from(f"<{len(times) // _SIZE}q", times)


def _column(blocks: Sequence[bytes], place: int) -> array[Any]:
    """Return one column of runs that called the same handlers, one run after the other."""
    width = len(blocks[0]) // len(_COLUMNS)
    column: array[Any] = array(_COLUMNS[place])
    column.frombytes(b"".join(block[place * width : (place + 1) * width] for block in blocks))
    if sys.byteorder == "big":
        column.byteswap()
    return column


def _profile(row: RowMapping) -> Profile:
    try:
        return _read_profile(row)
    except (zlib.error, KeyError, TypeError, ValueError, AttributeError) as error:
        wrong = f"{type(error).__name__}: {error}"
        raise ValueError(f"run {row['id']} is damaged: {wrong}") from None


def _read_profile(row: RowMapping) -> Profile:
    commit = restored(row["revision"])
    run = Run(
        created=row["created"],
        command=tuple(unpacked(row["command"])),
        machine=MappingProxyType(unpacked(row["machine"])),
        versions=MappingProxyType(unpacked(row["versions"])),
        revision=Revision(commit, restored(row["branch"]), row["dirty"]) if commit else None,
    )
    tests = read_tests(unpacked(_text(row["tests"]))) if "tests" in row else {}
    return replace(
        unpack(_text(row["profile"])),
        run=run,
        tests=tests,
        incomplete=tuple(unpacked(row["incomplete"])),
    )


def _text(compressed: bytes) -> str:
    return zlib.decompress(compressed).decode()


def _machine(machine: Mapping[str, str]) -> str:
    return packed(dict(sorted(machine.items())))
