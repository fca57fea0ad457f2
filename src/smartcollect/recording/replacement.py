"""Code that replaces a watched function's own for as long as somebody watches."""

from __future__ import annotations

import ast
import functools
import inspect
from types import CodeType, FunctionType

from ..values.functions import WATCHED, original_code
from .hot_path import ASYNC, CONSTANTS, RECORD, SYNC, filled
from .orphans import Reference, Watched

# What watches is gone where the collector has just found its switcher: it clears weak references
# first, and then runs the destructors, which may call the handlers of the switcher.
_OF_WATCHED = """
    reference = '<reference>'
    watched = reference()
    if watched is None:
        return AWAIT reference.recorded(CELLS)(*args, **kwargs)
    probe, store, target, now, extend, pending = watched.bound
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


_REPLACING = RECORD.replace("    probe, store, target, now, extend, pending = BOUND", _OF_WATCHED)
_FUNCTION = filled(_REPLACING, **SYNC)
_COROUTINE = filled(_REPLACING, **ASYNC)


def copy_of(function: FunctionType) -> FunctionType:
    """Return a function of the same behaviour with its own code, whatever replaces that."""
    copy = FunctionType(
        original_code(function.__code__),
        function.__globals__,
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    copy.__kwdefaults__ = function.__kwdefaults__
    copy.__qualname__ = function.__qualname__
    return copy


def code_for(function: FunctionType, watched: Watched) -> CodeType:
    """Return code for ``function`` that lets ``watched`` record each call."""
    own = original_code(function.__code__)
    flags = own.co_flags
    if flags & inspect.CO_ASYNC_GENERATOR:
        text = _ASYNC_GENERATOR
    elif flags & inspect.CO_COROUTINE:
        text = _COROUTINE
    else:
        text = _GENERATOR if flags & inspect.CO_GENERATOR else _FUNCTION
    code = _template(text, len(own.co_freevars))
    constants = {**CONSTANTS, "<reference>": Reference(watched, function)}
    return code.replace(
        co_consts=(
            *(constants.get(one, one) if type(one) is str else one for one in code.co_consts),
            WATCHED,
            own,
        ),
        co_flags=code.co_flags | flags & inspect.CO_ITERABLE_COROUTINE,
        co_freevars=own.co_freevars,
        co_name=own.co_name,
        co_filename=own.co_filename,
        co_firstlineno=own.co_firstlineno,
        co_qualname=own.co_qualname,
    )


@functools.lru_cache
def _template(text: str, free: int) -> CodeType:
    """Return the code of ``text``, for a function with ``free`` free variables."""
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
