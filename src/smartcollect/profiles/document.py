"""Conversion of a profile to JSON-able data, and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Protocol

from ..checks import count, flag, moment, shown, text, time
from ..names import HandlerName
from ..storage.findings import Edge, Raised, Repeat
from ..storage.statistics import HandlerStats
from .parts import NO_WAITING, Phase, Run, SlowCall, Usage, Waiting
from .revision import Revision

SCHEMA = "smartcollect/profile"
LOG_SCHEMA = "smartcollect/log"
"""The schema of a log exported as JSON, which has no profile."""
VERSION = 1
Tests = Mapping[str, Mapping[str, Phase]]


class Profile(Protocol):
    """The attributes that `written` reads of a `smartcollect.profiles.profile.Profile`."""

    @property
    def handlers(self) -> Mapping[HandlerName, HandlerStats]: ...
    @property
    def slowest(self) -> tuple[SlowCall, ...]: ...
    @property
    def raised(self) -> tuple[Raised, ...]: ...
    @property
    def repeats(self) -> tuple[Repeat, ...]: ...
    @property
    def edges(self) -> tuple[Edge, ...]: ...
    @property
    def tests(self) -> Tests: ...
    @property
    def run(self) -> Run | None: ...
    @property
    def incomplete(self) -> tuple[str, ...]: ...
    @property
    def waiting(self) -> Waiting: ...


def written(profile: Profile) -> dict[str, Any]:
    """Return a profile as JSON-able data, for `read`.

    The function `smartcollect.profiles.schema` returns the JSON Schema of this data.
    """
    run = profile.run
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "run": None
        if run is None
        else {
            "created": run.created,
            "command": list(run.command),
            "machine": dict(run.machine),
            "versions": dict(run.versions),
            "revision": None if run.revision is None else run.revision._asdict(),
        },
        "complete": not profile.incomplete,
        "incomplete": list(profile.incomplete),
        "waiting": profile.waiting._asdict(),
        "handlers": [
            {**name._asdict(), **stats.to_dict()} for name, stats in profile.handlers.items()
        ],
        "uncalled": [
            name._asdict() for name, stats in sorted(profile.handlers.items()) if not stats.calls
        ],
        "tests": written_tests(profile.tests),
        "slowest": [_named(call) for call in profile.slowest],
        "raised": [_named(one) for one in profile.raised],
        "repeats": [_between(one) for one in profile.repeats],
        "edges": [_between(one) for one in profile.edges],
    }


def written_tests(tests: Tests) -> list[dict[str, Any]]:
    """Return the tests of a profile as JSON-able data, for `read_tests`."""
    return [{"test": test, "phases": written_phases(phases)} for test, phases in tests.items()]


def written_phases(phases: Mapping[str, Phase]) -> dict[str, Any]:
    """Return the phases of a test as JSON-able data, for `read_phases`."""
    return {when: _phase_written(one) for when, one in phases.items()}


def _phase_written(phase: Phase) -> dict[str, Any]:
    handlers = [{**name._asdict(), **usage._asdict()} for name, usage in phase.handlers.items()]
    return {"outcome": phase.outcome, "duration": phase.duration, "handlers": handlers}


def _named(one: SlowCall | Raised) -> dict[str, Any]:
    document = one._asdict()
    return {**document.pop("name")._asdict(), **document}


def _between(one: Repeat | Edge) -> dict[str, Any]:
    return {**one._asdict(), "parent": one.parent._asdict(), "child": one.child._asdict()}


def read(document: Any) -> dict[str, Any]:
    """Return the fields of a profile from data that `written` returned.

    Raises:
        ValueError: ``document`` is not such data, is damaged, or was written by a newer version.
    """
    schema = document.get("schema") if isinstance(document, Mapping) else None
    if schema == LOG_SCHEMA:
        raise ValueError(
            f"an exported log is not a {SCHEMA}; write log.profile().to_dict() to a file as JSON"
        )
    if schema != SCHEMA:
        raise ValueError(f"not a {SCHEMA}; use a report, or what Profile.to_dict() returns")
    version = document.get("version")
    if version != VERSION:
        newer = isinstance(version, int) and version > VERSION
        hint = "; it was written by a newer smartcollect" if newer else ""
        raise ValueError(
            f"{SCHEMA} version {shown(version)} cannot be read, only version {VERSION}{hint}"
        )
    try:
        return _fields(document)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise ValueError(f"damaged {SCHEMA}: {type(error).__name__}: {error}") from None


def _fields(document: Mapping[str, Any]) -> dict[str, Any]:
    run = document["run"]
    return {
        "handlers": MappingProxyType(
            {_name(one): HandlerStats.from_dict(one) for one in document["handlers"]}
        ),
        "slowest": tuple(map(_slow_call, document["slowest"])),
        "raised": tuple(map(_raised, document["raised"])),
        "repeats": tuple(map(_repeat, document["repeats"])),
        # Absent from reports of early releases.
        "edges": tuple(map(_edge, document.get("edges", ()))),
        "tests": read_tests(document["tests"]),
        "run": None if run is None else _run(run),
        "incomplete": tuple(map(text, document["incomplete"])),
        # Absent from reports of early releases.
        "waiting": _waiting(document["waiting"]) if "waiting" in document else NO_WAITING,
    }


def read_tests(written: Iterable[Mapping[str, Any]]) -> Tests:
    """Return the tests in data that `written_tests` returned.

    Raises:
        KeyError, TypeError, ValueError: ``written`` is not such data.
    """
    return MappingProxyType({text(one["test"]): read_phases(one["phases"]) for one in written})


def read_phases(written: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Phase]:
    """Return the phases in data that `written_phases` returned.

    Raises:
        KeyError, TypeError, ValueError: ``written`` is not such data.
    """
    return MappingProxyType({text(when): _phase(phase) for when, phase in written.items()})


def _name(document: Mapping[str, Any]) -> HandlerName:
    return HandlerName(text(document["switcher"]), text(document["handler"]))


def _slow_call(document: Mapping[str, Any]) -> SlowCall:
    words = (text(document[field]) for field in ("arguments", "error", "test"))
    return SlowCall(_name(document), time(document["elapsed"]), *words)


def _raised(document: Mapping[str, Any]) -> Raised:
    return Raised(
        _name(document),
        text(document["type"]),
        text(document["message"]),
        count(document["calls"]),
        text(document["test"]),
    )


def _repeat(document: Mapping[str, Any]) -> Repeat:
    return Repeat(
        _name(document["parent"]),
        _name(document["child"]),
        count(document["times"]),
        count(document["parents"]),
        flag(document["same"]),
        text(document["test"]),
    )


def _edge(document: Mapping[str, Any]) -> Edge:
    return Edge(
        _name(document["parent"]),
        _name(document["child"]),
        count(document["calls"]),
        time(document["total_time"]),
    )


def _phase(document: Mapping[str, Any]) -> Phase:
    handlers = {
        _name(one): Usage(count(one["calls"]), count(one["errors"]), time(one["total_time"]))
        for one in document["handlers"]
    }
    return Phase(text(document["outcome"]), time(document["duration"]), MappingProxyType(handlers))


def _run(document: Mapping[str, Any]) -> Run:
    return Run(
        moment(document["created"]),
        tuple(map(text, document["command"])),
        _texts(document["machine"]),
        _texts(document["versions"]),
        # Absent from reports of early releases.
        _revision(document.get("revision")),
    )


def _revision(document: Mapping[str, Any] | None) -> Revision | None:
    if document is None:
        return None
    return Revision(text(document["commit"]), text(document["branch"]), flag(document["dirty"]))


def _waiting(document: Mapping[str, Any]) -> Waiting:
    return Waiting(time(document["waited"]), time(document["time"]))


def _texts(document: Mapping[str, Any]) -> Mapping[str, str]:
    return MappingProxyType({text(key): text(value) for key, value in document.items()})
