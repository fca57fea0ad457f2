"""The hot path: the source text of the code that times and records each call.

It is text because stand-in code is compiled for each function, with the same number of free
variables and the same kind (`smartcollect.recording.stand_in`). Layers of a chain are made from
the same text.
"""

from __future__ import annotations

import sys
from _thread import get_ident
from collections.abc import Callable
from typing import Any

from ..storage.rows import Call, Details
from ..text import MAX_TEXT
from ..values.containment import FILE, NO_ROOM, is_foreign
from ..values.failure import Failure
from ..values.snapshot import MAX_BITS, UNKNOWN
from .nesting import FIELDS, INNER, START, STORE, SUSPENDED, current, innermost, task_name
from .spending import LONG

# The values of the quoted names in the text below: constants of the code that is made from it.
CONSTANTS: dict[str, Any] = {
    "<nesting>": (
        *(current.get, current.set, current.reset),
        *(innermost, SUSPENDED, get_ident),
    ),
    "<task>": task_name,
    "<unknown>": UNKNOWN,
    "<unknown arguments>": (UNKNOWN,),
    "<unknown failure>": Details(0.0, Failure(UNKNOWN, "", ())),
}

# Unusual parts of the text, and the time each saves per call on CPython 3.11:
# - Most arguments and results are scalars, which need no snapshot. The text checks for them inline;
#   calling `snapshot.small` would take 50 ns, twice.
# - A handler without keyword arguments is called without an empty dict: 15 ns.
# - `pending` is extended by a tuple, which is not kept: see `Store`.
# - Types are compared by identity: looking a class up would run the `__eq__` of its metaclass.
# Failures here come from a lack of room for another call (RecursionError, MemoryError); others are
# contained where they happen. None reaches the caller. The `except` uses `enter` and not `leave`,
# because an interrupt may arrive before there is a token or a start.
_SMALL_SCALAR = f"""(
            (kind is int and VALUE.bit_length() <= {MAX_BITS})
            or (kind is str and len(VALUE) <= {MAX_TEXT})
            or kind is float
            or VALUE is None
            or kind is bool
        )"""


def _row(**fields: str) -> str:
    """Return the text of a row, given the text of each of its fields."""
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
_FRAME = {
    "store": "store",
    "outer": "outer",
    "probe": "probe",
    "parent": "parent",
    "args": "kept",
    "kwargs": "keywords",
    "references": "references",
    "reading": "reading",
}
# Before 3.12 there are no events: the context alone has the running call.
_OUTER = "innermost(before)" if sys.version_info >= (3, 12) else "before"
_FRAME_TEXT = f"[{', '.join(_FRAME.get(name, 'None') for name in FIELDS)}]"
_ENDED = _row(**_KNOWN, result="taken", details="details")
_LOST = _row(**_KNOWN, result="None", details="'<unknown failure>'")
RECORD = f"""
DEF code(*args, **kwargs):
    __tracebackhide__ = True
    probe, store, target, now, extend, pending = BOUND
    context, enter, leave, innermost, suspended, thread = '<nesting>'
    BEGIN
    if probe.sampled and probe.draw() >= probe.share:
        return AWAIT target(*args, **kwargs) if kwargs else AWAIT target(*args)
    before = context()
    outer = {_OUTER}
    if outer is suspended:
        return AWAIT target(*args, **kwargs)
    parent, references, reading, capture = None, (), None, probe.capture
    kept, keywords = args, capture.nothing
    try:
        if outer is not None:
            parent = probe.parent(outer)
        for value in args:
            kind = type(value)
            if not {_SMALL_SCALAR.replace("VALUE", "value")}:
                kept, keywords = capture.arguments(args, kwargs, RECEIVER)
                if parent is not None:
                    references = capture.references(args, kwargs, kept, keywords, RECEIVER)
                break
        else:
            if kwargs or not capture.simple:
                kept, keywords = capture.small(args, kwargs)
                if kwargs and parent is not None:
                    references = capture.references(args, kwargs, kept, keywords, RECEIVER)
        if probe.reads:
            reading = READ
    except Exception as failure:
        if not isinstance(failure, NO_ROOM) and is_foreign(failure):
            raise
        capture.snapshot.failures += 1
        kept = '<unknown arguments>'
    frame = {_FRAME_TEXT}
    try:
        token = enter(frame)
        start = frame[{START}] = now()
        if parent is not None:
            probe.started(parent, start)
        result = AWAIT target(*args, **kwargs) if kwargs else AWAIT target(*args)
        end = now()
        LEAVE
    except BaseException as error:
        end = now()
        if context() is frame:
            enter(before)
        else:
            frame[{STORE}] = None
        if frame[{START}] is None:
            frame[{START}] = end
        try:
            probe.failed(frame, end, error, probe.call_site(), TASK)
        except Exception as failure:
            if not isinstance(failure, NO_ROOM) and is_foreign(failure):
                raise
            capture.snapshot.failures += 1
            start = frame[{START}]
            extend({_LOST})
        raise
    taken, details = result, None
    try:
        kind = type(result)
        if not capture.simple or not {_SMALL_SCALAR.replace("VALUE", "result")}:
            taken = RETURNED(result)
            if taken is probe:
                return probe.deferred(frame, end, result)
        if (
            outer is not None
            or frame[{INNER}] is not None
            or reading is not None
            or end - start >= {LONG}
            or store.call_sites
        ):
            details = probe.left(frame, end, probe.call_site(), TASK)
        END
    except Exception as failure:
        if not isinstance(failure, NO_ROOM) and is_foreign(failure):
            raise
        capture.snapshot.failures += 1
        taken = '<unknown>'
    extend({_ENDED})
    if len(pending) >= store.full:
        try:
            store.fold()
        except Exception as failure:
            if not isinstance(failure, NO_ROOM) and is_foreign(failure):
                raise
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
    "READ": "store.thread(now())",
}
# A coroutine may end in a different context from the one it began in, where its token is not valid.
# Its frame stays the current one there, so it must not be the parent of later calls.
# Its return value is always a result, even if that is a coroutine or generator.
ASYNC = {
    "DEF": "async def",
    "AWAIT ": "await ",
    "LEAVE": f"""if context() is frame:
            enter(before)
        else:
            frame[{STORE}] = None""",
    "RETURNED": "capture.result",
    "BEGIN": "task = '<task>'",
    "TASK": "task()",
    "END": f"details = details or {_IN_TASK}",
    "READ": "store.thread(now()).unseen()",
}


def filled(text: str, **words: str) -> str:
    """Return ``text`` with each of ``words`` replaced by its value."""
    for word, meaning in words.items():
        text = text.replace(word, meaning)
    return text


_Maker = Callable[..., Callable[..., Any]]


def _layers(parameters: str, first: str = "") -> _Maker:
    """Return a function that makes layers from `RECORD` which begin with ``first``."""
    words = {f"'{name}'": name.strip("<>").replace(" ", "_") for name in CONSTANTS}
    # Free variables, not constants: a target may refer to the owner of the layer, and the garbage
    # collector must see that cycle.
    text = filled(RECORD, **SYNC, **words, RECEIVER="receiver", BOUND=f"bound{first}")
    body = "".join(f"    {line}\n" for line in text.splitlines())
    names = {words[f"'{name}'"]: value for name, value in CONSTANTS.items()}
    names.update(__name__=__name__, NO_ROOM=NO_ROOM, is_foreign=is_foreign)
    exec(compile(f"def layer({parameters}):\n{body}    return code\n", FILE, "exec"), names)
    made: _Maker = names["layer"]
    return made


layer = _layers("bound, receiver=False")
"""Return a callable that calls the target of a `Probe.bound` and records the call.

``receiver`` says whether the first argument is ``self`` or ``cls``, which is shown by its class.
"""

switched_layer = _layers(
    "bound, switches, off, receiver=False",
    """
    if switches() and off(args):
        return target(*args, **kwargs)""",
)
"""Return a `layer` that can be switched off.

``switches()`` is false while nothing is switched off. While it is true, ``off(args)`` decides for
each call.
"""
