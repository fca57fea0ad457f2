"""The hot path: the code that times and remembers each call, kept as text.

It is text because the code of a function has to be made for that function: with as many free
variables, and of the same kind (`smartcollect.recording.replacement`). Layers of a chain are made
from the same text.
"""

from __future__ import annotations

from _thread import get_ident
from collections.abc import Callable
from typing import Any

from ..storage.rows import Call, Details
from ..text import MAX_TEXT
from ..values.failure import Failure
from ..values.snapshot import MAX_BITS, UNKNOWN
from .nesting import current, task_name

FILE = "<smartcollect>"
"""What tracebacks call the file of a layer."""
# What the text below names in quotes: constants of the code that is made of it.
CONSTANTS: dict[str, Any] = {
    "<context>": (current.get, current.set, current.reset, get_ident),
    "<task>": task_name,
    "<unknown>": UNKNOWN,
    "<unknown arguments>": (UNKNOWN,),
    "<unknown failure>": Details(0.0, Failure(UNKNOWN, "", ())),
}

# What is unusual here, and what it saves of a call on CPython 3.11:
# - Most arguments and results are scalars, which need no snapshot. That they are is asked here and
#   not by a function (`snapshot.small`), which would take 50 ns, twice.
# - A handler is called without the empty dict: 15 ns.
# - `pending` is extended by a tuple, which is not kept: see `Store`.
# - What a value is, is asked by identity: to look a class up would run its metaclass' `__eq__`.
# What may fail here fails where there is no room for a call any more (RecursionError, MemoryError);
# all else is contained where it happens. Neither reaches the caller. In the `except`, `enter` and
# not `leave`: an interrupt may come before there is a token, or a start.
_SMALL_SCALAR = f"""(
            (kind is int and VALUE.bit_length() <= {MAX_BITS})
            or (kind is str and len(VALUE) <= {MAX_TEXT})
            or kind is float
            or VALUE is None
            or kind is bool
        )"""


def _row(**fields: str) -> str:
    """Return the text of a row, from the text of each of its fields."""
    return f"({', '.join(fields[name] for name in Call._fields)})"


_DETAILS = {"self_time": "end - start", "task": "task()"}
_IN_TASK = f"({', '.join(_DETAILS.get(name, 'None') for name in Details._fields)})"
_KNOWN = {
    "name": "probe.name",
    "start": "start",
    "elapsed": "end - start",
    "args": "kept",
    "kwargs": "keywords",
    "thread": "thread()",
}
_ENDED = _row(**_KNOWN, result="taken", details="details")
_LOST = _row(**_KNOWN, result="None", details="'<unknown failure>'")
RECORD = f"""
DEF code(*args, **kwargs):
    __tracebackhide__ = True
    probe, store, target, now, extend, pending = BOUND
    outer_of, enter, leave, thread = '<context>'
    BEGIN
    if probe.sampled and probe.draw() >= probe.share:
        return AWAIT target(*args, **kwargs) if kwargs else AWAIT target(*args)
    outer = outer_of()
    if outer is not None and outer[0] is None:
        return AWAIT target(*args, **kwargs)
    parent, capture = None, probe.capture
    kept, keywords = args, capture.nothing
    try:
        if outer is not None:
            parent = probe.parent(outer)
        for value in args:
            kind = type(value)
            if not {_SMALL_SCALAR.replace("VALUE", "value")}:
                kept, keywords = capture.arguments(args, kwargs)
                break
        else:
            if kwargs or not capture.simple:
                kept, keywords = capture.small(args, kwargs)
    except Exception:
        capture.snapshot.failures += 1
        kept = '<unknown arguments>'
    frame = [store, outer, None]
    start = None
    try:
        token = enter(frame)
        start = now()
        if parent is not None:
            probe.started(parent, start)
        result = AWAIT target(*args, **kwargs) if kwargs else AWAIT target(*args)
        end = now()
        LEAVE
    except BaseException as error:
        end = now()
        if outer_of() is frame:
            enter(outer)
        if start is None:
            start = end
        try:
            probe.failed(
                frame, parent, start, end, kept, keywords, args, kwargs, error, TASK
            )
        except Exception:
            capture.snapshot.failures += 1
            extend({_LOST})
        raise
    taken, details = result, None
    try:
        kind = type(result)
        if not capture.simple or not {_SMALL_SCALAR.replace("VALUE", "result")}:
            taken = RETURNED(result)
            if taken is probe:
                objects = capture.objects(args, kwargs, kept)
                return probe.deferred(
                    frame, parent, start, end, kept, keywords, objects, result
                )
        if outer is not None or frame[2] is not None or store.call_sites:
            details = probe.left(
                frame, parent, end, end - start, kept, keywords, args, kwargs, TASK
            )
        END
    except Exception:
        capture.snapshot.failures += 1
        taken = '<unknown>'
    extend({_ENDED})
    if len(pending) >= store.full:
        try:
            store.fold()
        except Exception:
            capture.snapshot.failures += 1
    return result
"""
SYNC = {
    "DEF": "def",
    "AWAIT ": "",
    "LEAVE": "leave(token)",
    "RETURNED": "probe.returned",
    "BEGIN": "pass",
    "TASK": "None",
    "END": "pass",
}
# A coroutine may end in another context than it began in, which has no token of this one. What it
# returns is its result, whatever that is.
ASYNC = {
    "DEF": "async def",
    "AWAIT ": "await ",
    "LEAVE": "outer_of() is frame and enter(outer)",
    "RETURNED": "capture.result",
    "BEGIN": "task = '<task>'",
    "TASK": "task()",
    "END": f"details = details or {_IN_TASK}",
}


def filled(text: str, **words: str) -> str:
    """Return ``text`` with each word replaced by its meaning."""
    for word, meaning in words.items():
        text = text.replace(word, meaning)
    return text


_Maker = Callable[..., Callable[..., Any]]


def _layers(parameters: str, first: str = "") -> _Maker:
    """Makes functions of `RECORD` that begin with the statements ``first``."""
    words = {f"'{name}'": name.strip("<>").replace(" ", "_") for name in CONSTANTS}
    # Free variables and not constants: a target may hold what holds the layer, and the collector
    # has to see that.
    text = filled(RECORD, **SYNC, **words, BOUND=f"bound{first}")
    body = "".join(f"    {line}\n" for line in text.splitlines())
    names = {words[f"'{name}'"]: value for name, value in CONSTANTS.items()}
    names["__name__"] = __name__
    exec(compile(f"def layer({parameters}):\n{body}    return code\n", FILE, "exec"), names)
    made: _Maker = names["layer"]
    return made


layer = _layers("bound")
"""Makes a callable that does what ``target`` does, and records that; from a `Probe.bound`."""

switched_layer = _layers(
    "bound, switches, off",
    """
    if switches() and off(args):
        return target(*args, **kwargs)""",
)
"""The same, for one that may be switched off.

What ``switches`` returns is false while nothing at all is; ``off`` tells by a call's arguments.
"""
