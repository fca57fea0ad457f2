"""Interrupts at every possible point of the recorder, on Python versions that cannot trace it."""

from __future__ import annotations

import ast
import functools
import inspect
import sys
from types import CodeType, FunctionType

from smartcollect.recording import deferred, events, nesting, probe, rare_calls, steps
from smartcollect.values import capture

EVENTS = sys.version_info >= (3, 12)
"""Whether calls are recorded in callbacks of `sys.monitoring`, which cannot be traced."""


class Ticking(ast.NodeTransformer):
    """Adds a tick after each call, where CPython handles signals."""

    def visit_Call(self, node):
        self.generic_visit(node)
        return ast.Call(ast.Name("_tick_", ast.Load()), [node], [])

    def visit_FunctionDef(self, node):
        node.body = [self.visit(one) for one in node.body]
        return node


def ticking(tick):
    """Add calls of ``tick`` to all functions of the recorder.

    Yields:
        Each function and its original code.
    """
    for module in (capture, deferred, events, nesting, probe, rare_calls, steps):
        codes = ticking_codes(module)
        vars(module)["_tick_"] = tick
        for owner in (module, *(one for one in vars(module).values() if isinstance(one, type))):
            for function in list(vars(owner).values()):
                if isinstance(function, FunctionType) and function.__module__ == module.__name__:
                    yield function, function.__code__
                    function.__code__ = codes[function.__qualname__]


@functools.cache
def ticking_codes(module):
    """Return the code of all functions of a module, with ticks, by qualified name."""
    tree = Ticking().visit(ast.parse(inspect.getsource(module)))
    compiled = compile(ast.fix_missing_locations(tree), module.__file__, "exec")
    return {code.co_qualname: code for code in nested(compiled)}


def nested(code):
    yield code
    for one in code.co_consts:
        if isinstance(one, CodeType):
            yield from nested(one)
