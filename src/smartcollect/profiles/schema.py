"""The JSON Schema of a report."""

from __future__ import annotations

from typing import Any

from ..storage.fields import STATISTICS, Kind
from .document import SCHEMA, VERSION

_Schema = dict[str, Any]
_KINDS: dict[Kind, _Schema] = {
    Kind.COUNT: {"$ref": "#/$defs/count"},
    Kind.TIME: {"$ref": "#/$defs/seconds"},
    Kind.SHARE: {"$ref": "#/$defs/share"},
    Kind.MOMENT: {"type": ["number", "null"]},
}


def schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of what `Profile.to_dict` writes.

    Example:
        >>> schema()["title"]
        'smartcollect/profile, version 1'
    """
    whole = _object(
        schema=_about("name of this schema", const=SCHEMA),
        version=_about("version of this schema", const=VERSION),
        run=_about(
            "the run that made the profile; null if unknown", anyOf=[{"type": "null"}, _run()]
        ),
        complete=_about("true if nothing is missing", type="boolean"),
        incomplete=_list("what is missing, one text for each cause", {"type": "string"}),
        waiting=_about(
            "time that the processes of the run spent waiting for a processor",
            **_object(
                waited=_number(
                    Kind.TIME, "time in which their main threads were ready to run and did not"
                ),
                time=_number(
                    Kind.TIME, "time over which the waiting was measured; 0 if it was not"
                ),
            ),
        ),
        handlers=_list("all handlers, including those without a call", _handler()),
        uncalled=_list("handlers that were never called", {"$ref": "#/$defs/name"}),
        tests=_list("tests that called a handler", _test()),
        slowest=_list(
            "the 50 slowest of all calls and the 5 slowest of each handler, slowest first",
            _slow_call(),
        ),
        raised=_list(
            "exceptions that ended calls, by handler and type, most frequent first", _raised()
        ),
        repeats=_list(
            "repeated calls: handlers that were called ten times or more under one call of "
            "another; if smartcollect_repeat_threshold is lower, it applies instead of ten",
            _repeat(),
        ),
        edges=_list(
            "calls between handlers, by caller and callee, largest total time first", _edge()
        ),
    )
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"{SCHEMA}, version {VERSION}",
        "description": "Summary of the recorded calls of a run. Times are in seconds, moments in "
        "Unix seconds.",
        **whole,
        "$defs": {
            "count": {"type": "integer", "minimum": 0},
            "seconds": {"type": "number", "minimum": 0},
            "share": {"type": "number", "minimum": 0, "maximum": 1},
            "name": {"description": "a handler", **_object(**_name())},
        },
    }


def _about(description: str, **keywords: Any) -> _Schema:
    return {"description": description, **keywords}


def _text(description: str) -> _Schema:
    return _about(description, type="string")


def _list(description: str, items: _Schema) -> _Schema:
    return _about(description, type="array", items=items)


def _number(kind: Kind, description: str) -> _Schema:
    return {**_KINDS[kind], "description": description}


_LATER = (
    *("edges", "waiting", "steady_time", "steady", "steady_total", "ran_total", "read_total"),
    "revision",
)
"""Properties that reports of early releases lack; they are optional."""


def _object(**properties: _Schema) -> _Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in _LATER],
        "additionalProperties": False,
    }


def _name() -> dict[str, _Schema]:
    return {
        "switcher": _text("name of the switcher where the selector starts, or of the module"),
        "handler": _text("selector of the handler, such as users.list, or qualified name"),
    }


def _run() -> _Schema:
    def texts(description: str) -> _Schema:
        return _about(description, type="object", additionalProperties={"type": "string"})

    return _object(
        created=_about("time when the run was made, in Unix seconds", type="number"),
        command=_list("the command line, word by word", {"type": "string"}),
        machine=texts(
            "properties of the machine that times depend on: cpu, cpus, platform, python, and "
            "those that plugins add; times compare only if all are equal"
        ),
        versions=texts("version by package"),
        revision={
            "description": "git revision of the measured code; null if unknown",
            "anyOf": [
                {"type": "null"},
                _object(
                    commit=_text("full hash of the commit"),
                    branch=_text("name of the branch; empty if unknown"),
                    dirty=_about("true if files differed from the commit", type="boolean"),
                ),
            ],
        },
    )


def _handler() -> _Schema:
    return _object(
        **_name(),
        **{name: _number(one.kind, one.description) for name, one in STATISTICS.items()},
        histogram=_histogram(
            "pairs of the middle of a bucket, in seconds, and the number of calls in it; there are "
            "32 buckets for each power of two"
        ),
        steady=_histogram(
            "histogram of the steady times, without waiting for a processor, of the calls whose "
            "steady time was measured"
        ),
        steady_total=_number(Kind.TIME, "sum of the steady times"),
        ran_total=_number(
            Kind.TIME, "time on a processor of the calls whose time on a processor was measured"
        ),
        read_total=_number(Kind.TIME, "time of the same calls, including waiting"),
    )


def _histogram(description: str) -> _Schema:
    pair = {
        "type": "array",
        "prefixItems": [_KINDS[Kind.TIME], _KINDS[Kind.COUNT]],
        "items": False,
        "minItems": 2,
    }
    return _list(description, pair)


def _test() -> _Schema:
    usage = _object(
        **_name(),
        calls=_number(Kind.COUNT, "calls in this phase"),
        errors=_number(Kind.COUNT, "calls that raised"),
        total_time=_number(Kind.TIME, "time in these calls"),
    )
    phase = _object(
        outcome=_text("outcome of the phase: passed, failed, skipped, rerun, or interrupted"),
        duration=_number(Kind.TIME, "time of the phase; the sum if it ran more than once"),
        handlers=_list("handlers that the phase called", usage),
    )
    return _object(
        test=_text("node id of the test"),
        phases=_about(
            "by name: setup, call, teardown",
            type="object",
            propertyNames={"enum": ["setup", "call", "teardown"]},
            additionalProperties=phase,
        ),
    )


_TEST = "node id of the test; empty outside tests"


def _slow_call() -> _Schema:
    return _object(
        **_name(),
        elapsed=_number(Kind.TIME, "time of the call"),
        arguments=_text("arguments as source code, cut short, with secrets as ***"),
        error=_text("type of the exception that ended the call, or empty"),
        test=_text(_TEST),
    )


def _raised() -> _Schema:
    return _object(
        **_name(),
        type=_text("name of the exception's class"),
        message=_text("message of one of the exceptions, cut short"),
        calls=_number(Kind.COUNT, "calls that raised this type"),
        test=_text(_TEST),
    )


def _repeat() -> _Schema:
    return _object(
        parent={"$ref": "#/$defs/name"},
        child={"$ref": "#/$defs/name"},
        times=_number(Kind.COUNT, "largest number of calls of the child under one parent call"),
        parents=_number(Kind.COUNT, "calls of the parent with repeated calls of the child"),
        same=_about(
            "true if the arguments were the same each time, so that the result could be cached; "
            "otherwise one call could fetch everything",
            type="boolean",
        ),
        test=_text(_TEST),
    )


def _edge() -> _Schema:
    return _object(
        parent={"$ref": "#/$defs/name"},
        child={"$ref": "#/$defs/name"},
        calls=_number(
            Kind.COUNT,
            "calls of the child made directly by calls of the parent; the calls of the child are "
            "the sum over all parents, plus the calls that no recorded call made",
        ),
        total_time=_number(Kind.TIME, "time in these calls, including calls inside them"),
    )
