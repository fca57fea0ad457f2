"""Other code in place of a watched function's own, where no events tell of its calls.

That is Python 3.11; and newer ones where other tools have taken all that `sys.monitoring` has. Of
the package only `registry` knows this module: the day that 3.11 goes, it goes.
"""

from __future__ import annotations

import ast
import builtins
import functools
import inspect
import sys
import weakref
from collections.abc import Callable, Sequence
from types import CellType, CodeType, FunctionType
from typing import Any

from ..values.containment import NO_ROOM, is_foreign
from ..values.functions import WATCHED, original_code
from ..values.parameters import Parameters
from .hot_path import ASYNC, CONSTANTS, RECORD, SYNC, filled, layer
from .layers import bound_for
from .probe import Probe


class StandIn:
    """Watches one function by other code in its place.

    Args:
        function: what is watched.

    Attributes:
        bound: what `hot_path.RECORD` begins with: probe, store, target, clock and pending calls.
        recorded: does what the function does, and records that.
    """

    __slots__ = ("__weakref__", "_code", "_function", "_own", "bound", "recorded")

    def __init__(self, function: FunctionType) -> None:
        self._function = function
        # The function's own code, and the code that records in its place.
        self._own: CodeType | None = None
        self._code: CodeType | None = None

    def record(self, probes: Sequence[Probe]) -> bool:
        """Let ``probes`` record the calls from now on.

        Returns:
            Whether they do; not where something else has exchanged the function's code.
        """
        self.bound = bound_for(probes, self._function)
        receiver = Parameters(original_code(self._function.__code__)).receiver
        self.recorded: Callable[..., Any] = layer(self.bound, receiver)
        return self._enter(self._function)

    def _enter(self, function: FunctionType) -> bool:
        """Exchange the function's code; false where something else has done so."""
        code = function.__code__
        if code is self._code:
            return True
        if original_code(code) is not code:
            return False
        if code is not self._own:
            self._own, self._code = code, _code_for(function, self)
        assert self._code is not None
        function.__code__ = self._code
        return True

    def leave(self) -> None:
        """Watch no longer."""
        function = self._function
        if self._own is not None and function.__code__ is self._code:
            function.__code__ = self._own


class _Reference(weakref.ref[Any]):
    """How code finds what watches: weak, because the collector does not see what code holds.

    Args:
        stand_in: records the calls.
    """

    __slots__ = ()

    def recorded(self, closure: tuple[CellType, ...] | None) -> Callable[..., Any]:
        """What records the calls of the function whose code asks.

        Where nothing does any more, that is the function as it was, made of what is left of it.
        """
        stand_in: StandIn | None = self()
        if stand_in is not None:
            return stand_in.recorded
        frame = sys._getframe(1)
        code = original_code(frame.f_code)
        return FunctionType(code, frame.f_globals, code.co_name, None, closure)


# What the code calls by name. Its globals are those of the application, which may have a `type` of
# its own.
_NAMES: dict[str, Any] = {
    name: getattr(builtins, name)
    for name in (
        *("type", "len", "isinstance", "int", "str", "float", "bool"),
        *("Exception", "BaseException", "GeneratorExit", "StopAsyncIteration"),
    )
}
_NAMES.update(NO_ROOM=NO_ROOM, is_foreign=is_foreign)
# What watches is gone where the collector has just found its switcher: it clears weak references
# first, and then runs the destructors, which may call the handlers of the switcher.
_OF_WATCHED = """
    NAMES = '<names>'
    reference = '<reference>'
    stand_in = reference()
    if stand_in is None:
        return AWAIT reference.recorded(CELLS)(*args, **kwargs)
    probe, store, target, now, extend, pending = stand_in.bound
"""

_GENERATOR = """
def code(PARAMETERS):
    __tracebackhide__ = True
    BIND
    reference = '<reference>'
    return (yield from reference.recorded(CELLS)(*args, **kwargs))
"""
_ASYNC_GENERATOR = """
async def code(PARAMETERS):
    __tracebackhide__ = True
    NAMES = '<names>'
    BIND
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


_REPLACING = RECORD.replace("(*args, **kwargs):", "(PARAMETERS):", 1).replace(
    "    probe, store, target, now, extend, pending = BOUND", f"    BIND{_OF_WATCHED}"
)
_FUNCTION = filled(_REPLACING, **SYNC)
_COROUTINE = filled(_REPLACING, **ASYNC)


def _code_for(function: FunctionType, stand_in: StandIn) -> CodeType:
    """Return code for ``function`` that lets ``stand_in`` record each call."""
    own = original_code(function.__code__)
    flags = own.co_flags
    if flags & inspect.CO_ASYNC_GENERATOR:
        text = _ASYNC_GENERATOR
    elif flags & inspect.CO_COROUTINE:
        text = _COROUTINE
    else:
        text = _GENERATOR if flags & inspect.CO_GENERATOR else _FUNCTION
    signature = (
        *(own.co_posonlyargcount, own.co_argcount, own.co_kwonlyargcount),
        *(bool(flags & inspect.CO_VARARGS), bool(flags & inspect.CO_VARKEYWORDS)),
    )
    receiver = Parameters(own).receiver
    code = _template(text, len(own.co_freevars), signature, receiver)
    count = sum(signature[1:])
    keyword_only = own.co_varnames[own.co_argcount : own.co_argcount + own.co_kwonlyargcount]
    constants = {
        **CONSTANTS,
        "<names>": tuple(_NAMES.values()),
        **{f"<k{number}>": name for number, name in enumerate(keyword_only)},
        "<reference>": _Reference(stand_in),
    }

    def meant(constant: Any) -> Any:
        if type(constant) is tuple:  # the keys of a dict
            return tuple(map(meant, constant))
        return constants.get(constant, constant) if type(constant) is str else constant

    return code.replace(
        co_consts=(*map(meant, code.co_consts), WATCHED, own),
        co_flags=code.co_flags | flags & inspect.CO_ITERABLE_COROUTINE,
        # Names of its own are no identifiers: debuggers write what they read back by name.
        co_varnames=(
            *own.co_varnames[:count],
            *(f"<{name}>" for name in code.co_varnames[count:]),
        ),
        co_freevars=own.co_freevars,
        co_name=own.co_name,
        co_filename=own.co_filename,
        co_firstlineno=own.co_firstlineno,
        co_qualname=own.co_qualname,
    )


@functools.lru_cache(maxsize=1_000)
def _template(text: str, free: int, signature: tuple[int, ...], receiver: bool) -> CodeType:
    """Return the code of ``text``, for functions of one shape.

    Args:
        text: what it does.
        free: how many free variables the function has.
        signature: how many parameters it has that are positional only, positional and keyword only,
            and whether it has ``*args`` and ``**kwargs``.
        receiver: whether the first one is ``self`` or ``cls``.
    """
    names = [f"_{number:03}" for number in range(free)]
    cells = f"(lambda: ({', '.join(names)},)).__closure__" if names else "None"
    parameters, bind = _parameters(*signature)
    words = {
        "NAMES": ", ".join(_NAMES),
        "PARAMETERS": parameters,
        "BIND": bind,
        "CELLS": cells,
        "RECEIVER": str(receiver),
    }
    body = "\n".join(f"    {line}" for line in filled(text.strip(), **words).splitlines())
    tree = ast.parse(f"def outer({', '.join(names)}):\n{body}\n    return code")
    # All on one line, the first of the function: coverage is not to see lines that did not run.
    for node in ast.walk(tree):
        if isinstance(node, (ast.expr, ast.stmt, ast.excepthandler, ast.arg)):
            node.lineno = node.end_lineno = 1
            node.col_offset = node.end_col_offset = 0
    outer = next(one for one in compile(tree, "", "exec").co_consts if isinstance(one, CodeType))
    return next(one for one in outer.co_consts if isinstance(one, CodeType))


def _parameters(
    positional_only: int, positional: int, keyword_only: int, variable: int, keywords: int
) -> tuple[str, str]:
    """Return parameters as text, and the statement that makes ``args`` and ``kwargs`` of them."""
    names = [f"p{number}" for number in range(positional)]
    only = [f"k{number}" for number in range(keyword_only)]
    shown = [*names[:positional_only], *["/"][:positional_only], *names[positional_only:]]
    shown += ["*pv"] if variable else ["*"][:keyword_only]
    shown += [*only, *(["**pk"] if keywords else [])]
    args = ", ".join([*names, *(["*pv"] if variable else [])])
    # The names of keywords come with the function's own code: it is known only there.
    kwargs = ", ".join([f"'<{name}>': {name}" for name in only] + (["**pk"] if keywords else []))
    return ", ".join(shown), f"args, kwargs = ({args}{',' if args else ''}), {{{kwargs}}}"
