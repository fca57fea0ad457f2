"""The hot path: code that stands in for a watched function's own, and records its calls.

It is kept as text, because the code of a function has to be made for that function: with as many
free variables, and of the same kind. Layers of a chain are made from the same text.
"""

from __future__ import annotations

import ast
import functools
import inspect
import sys
import weakref
from collections.abc import Callable
from itertools import takewhile
from types import CellType, CodeType, FunctionType
from typing import Any, Protocol

from .failure import Failure
from .functions import WATCHED, plain_code
from .nesting import current
from .ring import Rest
from .snapshot import MAX_BITS, MAX_TEXT, SCALARS, UNKNOWN

FILE = "<smartcollect>"
"""What tracebacks call the file of a layer."""
# What the text below names in quotes: constants of the code that is made of it.
_CONSTANTS: dict[str, Any] = {
    "<context>": (current.get, current.set, current.reset),
    "<unknown>": UNKNOWN,
    "<unknown arguments>": (UNKNOWN,),
    "<unknown failure>": Rest(0.0, Failure(UNKNOWN, "", ())),
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
_PLAIN_AND_SMALL = f"""(
            (kind is int and VALUE.bit_length() <= {MAX_BITS})
            or (kind is str and len(VALUE) <= {MAX_TEXT})
            or kind is float
            or VALUE is None
            or kind is bool
        )"""
_RECORD = f"""
DEF code(*args, **kwargs):
    __tracebackhide__ = True
    probe, store, target, now, extend, pending = BOUND
    outer_of, enter, leave = '<context>'
    if probe.sampled and probe.draw() >= probe.share:
        return AWAIT target(*args, **kwargs) if kwargs else AWAIT target(*args)
    outer = outer_of()
    if outer is not None and outer[0] is None:
        return AWAIT target(*args, **kwargs)
    parent, taking = None, probe.taking
    kept, keywords = args, taking.nothing
    try:
        if outer is not None:
            parent = probe.parent(outer)
        for value in args:
            kind = type(value)
            if not {_PLAIN_AND_SMALL.replace("VALUE", "value")}:
                kept, keywords = taking.arguments(args, kwargs)
                break
        else:
            if kwargs or not taking.simple:
                kept, keywords = taking.small(args, kwargs)
    except Exception:
        taking.snapshot.failures += 1
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
            probe.failed(frame, parent, start, end, kept, keywords, error)
        except Exception:
            taking.snapshot.failures += 1
            extend((probe.name, start, end - start, kept, keywords, None, '<unknown failure>'))
        raise
    taken, rest = result, None
    try:
        kind = type(result)
        if not taking.simple or not {_PLAIN_AND_SMALL.replace("VALUE", "result")}:
            taken = RETURNED(result)
            if taken is probe:
                return probe.deferred(frame, parent, start, end, kept, keywords, result)
        if outer is not None or frame[2] is not None or store.locates:
            rest = probe.left(frame, parent, end, end - start, kept, keywords)
    except Exception:
        taking.snapshot.failures += 1
        taken = '<unknown>'
    extend((probe.name, start, end - start, kept, keywords, taken, rest))
    if len(pending) >= store.full:
        try:
            store.fold()
        except Exception:
            taking.snapshot.failures += 1
    return result
"""
_SYNC = {"DEF": "def", "AWAIT ": "", "LEAVE": "leave(token)", "RETURNED": "probe.returned"}
# A coroutine may end in another context than it began in, which has no token of this one. What it
# returns is its result, whatever that is.
_ASYNC = {
    "DEF": "async def",
    "AWAIT ": "await ",
    "LEAVE": "outer_of() is frame and enter(outer)",
    "RETURNED": "taking.result",
}
# The instrument is gone where the collector has just found its switcher: it clears weak references
# first, and then runs the destructors, which may call the handlers of the switcher.
_OF_INSTRUMENT = """
    reference = '<reference>'
    instrument = reference()
    if instrument is None:
        return AWAIT reference.recorded(CELLS)(*args, **kwargs)
    probe, store, target, now, extend, pending = instrument.bound
"""

_GENERATOR = """
def code(*args, **kwargs):
    __tracebackhide__ = True
    reference = '<reference>'
    return (yield from reference.recorded(CELLS)(*args, **kwargs))
"""
_ASYNC_GENERATOR = """
async def code(*args, **kwargs):
    __tracebackhide__ = True
    reference = '<reference>'
    generator = reference.recorded(CELLS)(*args, **kwargs)
    step, given = generator.asend, None
    while True:
        try:
            item = await step(given)
        except StopAsyncIteration:
            return
        except BaseException:
            given = None
            raise
        try:
            given = yield item
            step = generator.asend
        except GeneratorExit:
            await generator.aclose()
            raise
        except BaseException as thrown:
            step, given = generator.athrow, thrown
"""


def _filled(text: str, **words: str) -> str:
    for word, meaning in words.items():
        text = text.replace(word, meaning)
    return text


_STANDING_IN = _RECORD.replace(
    "    probe, store, target, now, extend, pending = BOUND", _OF_INSTRUMENT
)
_PLAIN = _filled(_STANDING_IN, **_SYNC)
_COROUTINE = _filled(_STANDING_IN, **_ASYNC)


class Instrument(Protocol):
    """What records the calls of a function.

    Attributes:
        bound: what `_RECORD` begins with: probe, store, target, clock and pending calls.
        recorded: does what the function does, and records that.
    """

    bound: tuple[Any, ...]
    recorded: Callable[..., Any]


def _holds_nothing(value: object) -> bool:
    return any(type(value) is kind for kind in SCALARS)


class Reference(weakref.ref[Any]):
    """How code finds its instrument: weak, because the collector does not see what code holds.

    Args:
        instrument: records the calls.
        function: the function that the code is for.
    """

    __slots__ = ("_defaults", "_keyword_defaults")
    _defaults: tuple[Any, ...]
    _keyword_defaults: dict[str, Any]

    def __new__(cls, instrument: Instrument, function: FunctionType) -> Reference:
        made = super().__new__(cls, instrument)
        # Of the defaults only what can keep nothing else alive.
        defaults = function.__defaults__ or ()
        held = takewhile(_holds_nothing, reversed(defaults))
        made._defaults = tuple(held)[::-1]
        made._keyword_defaults = {
            name: value
            for name, value in (function.__kwdefaults__ or {}).items()
            if _holds_nothing(value)
        }
        return made

    def recorded(self, closure: tuple[CellType, ...] | None) -> Callable[..., Any]:
        """What records the calls of the function whose code asks.

        Where nothing does any more, that is the function as it was, made of what is left of it.
        """
        instrument: Instrument | None = self()
        if instrument is not None:
            return instrument.recorded
        frame = sys._getframe(1)
        code = plain_code(frame.f_code)
        made = FunctionType(code, frame.f_globals, code.co_name, self._defaults, closure)
        made.__kwdefaults__ = self._keyword_defaults
        return made


def copy_of(function: FunctionType) -> FunctionType:
    """A function of the same behaviour with its own code, whatever stands in for that."""
    copy = FunctionType(
        plain_code(function.__code__),
        function.__globals__,
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    copy.__kwdefaults__ = function.__kwdefaults__
    copy.__qualname__ = function.__qualname__
    return copy


def code_for(function: FunctionType, instrument: Instrument) -> CodeType:
    """Code for ``function`` that lets ``instrument`` record each call."""
    plain = plain_code(function.__code__)
    flags = plain.co_flags
    if flags & inspect.CO_ASYNC_GENERATOR:
        text = _ASYNC_GENERATOR
    elif flags & inspect.CO_COROUTINE:
        text = _COROUTINE
    else:
        text = _GENERATOR if flags & inspect.CO_GENERATOR else _PLAIN
    code = _template(text, len(plain.co_freevars))
    constants = {**_CONSTANTS, "<reference>": Reference(instrument, function)}
    return code.replace(
        co_consts=(
            *(constants.get(one, one) if type(one) is str else one for one in code.co_consts),
            WATCHED,
            plain,
        ),
        co_flags=code.co_flags | flags & inspect.CO_ITERABLE_COROUTINE,
        co_freevars=plain.co_freevars,
        co_name=plain.co_name,
        co_filename=plain.co_filename,
        co_firstlineno=plain.co_firstlineno,
        co_qualname=plain.co_qualname,
    )


@functools.lru_cache
def _template(text: str, free: int) -> CodeType:
    """The code of ``text``, with as many free variables as the function has that it is for."""
    names = [f"_{number:03}" for number in range(free)]
    cells = f"(lambda: ({', '.join(names)},)).__closure__" if names else "None"
    lines = text.strip().replace("CELLS", cells).splitlines()
    body = "\n".join(f"    {line}" for line in lines)
    tree = ast.parse(f"def outer({', '.join(names)}):\n{body}\n    return code")
    # All on one line, the first of the function: coverage is not to see lines that did not run.
    for node in ast.walk(tree):
        if isinstance(node, (ast.expr, ast.stmt, ast.excepthandler, ast.arg)):
            node.lineno = node.end_lineno = 1
            node.col_offset = node.end_col_offset = 0
    outer = next(one for one in compile(tree, "", "exec").co_consts if isinstance(one, CodeType))
    return next(one for one in outer.co_consts if isinstance(one, CodeType))


_Maker = Callable[..., Callable[..., Any]]


def _layers(parameters: str, first: str = "") -> _Maker:
    """Makes functions of `_RECORD` that begin with the statements ``first``."""
    words = {f"'{name}'": name.strip("<>").replace(" ", "_") for name in _CONSTANTS}
    # Free variables and not constants: a target may hold what holds the layer, and the collector
    # has to see that.
    text = _filled(_RECORD, **_SYNC, **words, BOUND=f"bound{first}")
    body = "".join(f"    {line}\n" for line in text.splitlines())
    names = {words[f"'{name}'"]: value for name, value in _CONSTANTS.items()}
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
