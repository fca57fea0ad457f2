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
            "what made the profile; null where that is not known", anyOf=[{"type": "null"}, _run()]
        ),
        complete=_about("whether nothing is missing", type="boolean"),
        incomplete=_list("what is missing, a text for each cause", {"type": "string"}),
        waiting=_about(
            "how long the processes of the run waited for a processor",
            **_object(
                waited=_number(
                    Kind.TIME, "time in which their main threads could have run and did not"
                ),
                time=_number(Kind.TIME, "of how long that was noted; 0 where nothing tells"),
            ),
        ),
        handlers=_list("each handler, those without a call included", _handler()),
        uncalled=_list("the handlers that no call reached", {"$ref": "#/$defs/name"}),
        tests=_list("each test that called a handler", _test()),
        slowest=_list(
            "the 50 slowest of all calls and the 5 slowest of each handler, slowest first",
            _slow_call(),
        ),
        raised=_list(
            "how calls failed, by handler and type of exception, most often first", _raised()
        ),
        repeats=_list(
            "handlers that were called ten times or more under one call of another (or from "
            "smartcollect_repeat_threshold on, where that is less)",
            _repeat(),
        ),
        edges=_list("which handlers called which, largest total time first", _edge()),
    )
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"{SCHEMA}, version {VERSION}",
        "description": "What the handlers of a smartswitch application did in a run. Times are in "
        "seconds, moments in Unix seconds.",
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
"""What reports of the first days of this version have not."""


def _object(**properties: _Schema) -> _Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in _LATER],
        "additionalProperties": False,
    }


def _name() -> dict[str, _Schema]:
    return {
        "switcher": _text("name of the switcher that the selector starts from"),
        "handler": _text("selector that dispatches the handler from there, such as users.list"),
    }


def _run() -> _Schema:
    def texts(description: str) -> _Schema:
        return _about(description, type="object", additionalProperties={"type": "string"})

    return _object(
        created=_about("when, in Unix seconds", type="number"),
        command=_list("the command line, word by word", {"type": "string"}),
        machine=texts(
            "what times depend on: cpu, cpus, platform, python, and what plugins add; only "
            "profiles of equal machines are compared"
        ),
        versions=texts("version by package"),
        revision={
            "description": "that of the code that was measured; null where git does not tell",
            "anyOf": [
                {"type": "null"},
                _object(
                    commit=_text("its full hash"),
                    branch=_text("the branch; empty where it is not known"),
                    dirty=_about("whether files differed from the commit", type="boolean"),
                ),
            ],
        },
    )


def _handler() -> _Schema:
    return _object(
        **_name(),
        **{name: _number(one.kind, one.description) for name, one in STATISTICS.items()},
        histogram=_histogram(
            "pairs: the middle of a bucket in seconds, the calls in it; there are 32 buckets for "
            "each power of two"
        ),
        steady=_histogram(
            "the same of the steady times of the calls that read them: times without waiting for a "
            "processor"
        ),
        steady_total=_number(Kind.TIME, "sum of the steady times"),
        ran_total=_number(Kind.TIME, "time on a processor of all calls that were asked"),
        read_total=_number(Kind.TIME, "time of all calls that were asked, waiting included"),
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
        total_time=_number(Kind.TIME, "time in all of them"),
    )
    phase = _object(
        outcome=_text("how the phase ended: passed, failed, skipped, rerun, or interrupted"),
        duration=_number(Kind.TIME, "time of the phase, summed where it ran again"),
        handlers=_list("what the phase called", usage),
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


_TEST = "node id of the test; empty outside of tests"


def _slow_call() -> _Schema:
    return _object(
        **_name(),
        elapsed=_number(Kind.TIME, "time of the call"),
        arguments=_text("as they would be written, cut short, secrets as ***"),
        error=_text("type of the exception that ended it, or empty"),
        test=_text(_TEST),
    )


def _raised() -> _Schema:
    return _object(
        **_name(),
        type=_text("name of the exception's class"),
        message=_text("message of one of the exceptions, cut short"),
        calls=_number(Kind.COUNT, "calls that raised it"),
        test=_text(_TEST),
    )


def _repeat() -> _Schema:
    return _object(
        parent={"$ref": "#/$defs/name"},
        child={"$ref": "#/$defs/name"},
        times=_number(Kind.COUNT, "calls of the child under one call of the parent, at most"),
        parents=_number(Kind.COUNT, "calls of the parent under which it was called so often"),
        same=_about(
            "whether the arguments were alike each time (keep the answer); otherwise ask for all "
            "at once",
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
            "calls of the child that calls of the parent made directly; those of all parents, and "
            "those that no recorded call made, add up to the calls of the child",
        ),
        total_time=_number(Kind.TIME, "time in these calls, including the calls inside them"),
    )
