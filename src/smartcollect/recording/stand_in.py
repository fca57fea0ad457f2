"""Stand-in code: code that replaces a watched function's code where events are not available.

That is on Python 3.11, and on newer versions if other tools use all tool ids of `sys.monitoring`.
Only `registry` imports this module, so it can be deleted together with support for Python 3.11.
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
    """Watches one function by replacing its code.

    Args:
        function: the function to watch.

    Attributes:
        bound: the values for `hot_path.RECORD`: probe, store, target, clock and pending calls.
        recorded: a callable that does what the function does and records the call.
    """

    __slots__ = ("__weakref__", "_code", "_function", "_own", "bound", "recorded")

    def __init__(self, function: FunctionType) -> None:
        self._function = function
        # The function's original code, and its stand-in code.
        self._own: CodeType | None = None
        self._code: CodeType | None = None

    def record(self, probes: Sequence[Probe]) -> bool:
        """Let ``probes`` record the calls from now on.

        Returns:
            Whether they do; false if something else replaced the function's code.
        """
        self.bound = bound_for(probes, self._function)
        receiver = Parameters(original_code(self._function.__code__)).receiver
        self.recorded: Callable[..., Any] = layer(self.bound, receiver)
        return self._enter(self._function)

    def _enter(self, function: FunctionType) -> bool:
        """Replace the function's code; return false if something else replaced it."""
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
        """Stop watching."""
        function = self._function
        if self._own is not None and function.__code__ is self._code:
            function.__code__ = self._own


class _Reference(weakref.ref[Any]):
    """A weak reference from stand-in code to its `StandIn`.

    It is weak because the garbage collector does not follow references from code objects.

    Args:
        stand_in: the object that records the calls.
    """

    __slots__ = ()

    def recorded(self, closure: tuple[CellType, ...] | None) -> Callable[..., Any]:
        """Return the callable that records the calls of the function that runs.

        If the `StandIn` is gone, return the unwatched function, rebuilt from the stand-in code.
        """
        stand_in: StandIn | None = self()
        if stand_in is not None:
            return stand_in.recorded
        frame = sys._getframe(1)
        code = original_code(frame.f_code)
        return FunctionType(code, frame.f_globals, code.co_name, None, closure)


# Builtins that the stand-in code uses. Its globals are those of the application, which may define a
# different `type`.
_NAMES: dict[str, Any] = {
    name: getattr(builtins, name)
    for name in (
        *("type", "len", "isinstance", "int", "str", "float", "bool"),
        *("Exception", "BaseException", "GeneratorExit", "StopAsyncIteration"),
    )
}
_NAMES.update(NO_ROOM=NO_ROOM, is_foreign=is_foreign)
# The `StandIn` may be gone while the garbage collector frees a switcher: it clears weak references
# before it runs destructors, and these may call the handlers of the switcher.
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
    """Return stand-in code for ``function`` whose calls ``stand_in`` records."""
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
        # Debuggers write variables back by name. Names that are not identifiers keep them away from
        # the variables of the stand-in code.
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
    """Return the compiled ``text`` for functions of one shape.

    Args:
        text: the source text.
        free: the number of free variables.
        signature: the numbers of positional-only, positional and keyword-only parameters, and
            whether there are ``*args`` and ``**kwargs``.
        receiver: whether the first parameter is ``self`` or ``cls``.
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
    # All on the first line of the function, so that coverage sees no lines that did not run.
    for node in ast.walk(tree):
        if isinstance(node, (ast.expr, ast.stmt, ast.excepthandler, ast.arg)):
            node.lineno = node.end_lineno = 1
            node.col_offset = node.end_col_offset = 0
    outer = next(one for one in compile(tree, "", "exec").co_consts if isinstance(one, CodeType))
    return next(one for one in outer.co_consts if isinstance(one, CodeType))


def _parameters(
    positional_only: int, positional: int, keyword_only: int, variable: int, keywords: int
) -> tuple[str, str]:
    """Return the text of the parameters, and of the statement that sets ``args`` and ``kwargs``."""
    names = [f"p{number}" for number in range(positional)]
    only = [f"k{number}" for number in range(keyword_only)]
    shown = [*names[:positional_only], *["/"][:positional_only], *names[positional_only:]]
    shown += ["*pv"] if variable else ["*"][:keyword_only]
    shown += [*only, *(["**pk"] if keywords else [])]
    args = ", ".join([*names, *(["*pv"] if variable else [])])
    # Placeholders: `_code_for` fills in the names of the keyword-only parameters.
    kwargs = ", ".join([f"'<{name}>': {name}" for name in only] + (["**pk"] if keywords else []))
    return ", ".join(shown), f"args, kwargs = ({args}{',' if args else ''}), {{{kwargs}}}"
