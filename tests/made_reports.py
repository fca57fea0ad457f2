"""Made-up reports for tests, without running a test suite."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from smartcollect import HandlerName, HandlerStats, Profile
from smartcollect.profiles import Phase, Revision, Run, Usage
from smartcollect.storage.histogram import buckets_of, doubles

MACHINE = {"cpu": "one", "cpus": "2", "platform": "Linux x86_64", "python": "CPython 3.11"}


def profile_of(
    calls: Mapping[str, list[float]],
    created: float = 1.0,
    tests: Mapping[str, str] | None = None,
    machine: Mapping[str, str] = MACHINE,
    commit: str = "",
    incomplete: tuple[str, ...] = (),
    command: tuple[str, ...] = ("pytest",),
) -> Profile:
    """Return a profile of handlers of a switcher named ``shop``.

    Args:
        calls: for each handler, the seconds of each call.
        created: the time of the run in Unix seconds.
        tests: for each test, the handler that it called once.
        machine, commit, incomplete, command: see `Run` and `Profile`.
    """
    handlers = {}
    for handler, times in calls.items():
        stats = handlers[HandlerName("shop", handler)] = HandlerStats()
        if times:
            stats.add(times, buckets_of(doubles(times)), last_call=created)
    did = {
        test: MappingProxyType(
            {
                "call": Phase(
                    "passed",
                    0.5,
                    MappingProxyType({HandlerName("shop", handler): Usage(1, 0, 0.25)}),
                )
            }
        )
        for test, handler in (tests or {}).items()
    }
    revision = Revision(commit, "main", False) if commit else None
    run = Run(created, command, MappingProxyType(dict(machine)), MappingProxyType({}), revision)
    return Profile(
        MappingProxyType(handlers), tests=MappingProxyType(did), run=run, incomplete=incomplete
    )
