"""Where an interrupt can come in the recorder, on Pythons where nothing can trace it."""

from __future__ import annotations

import ast
import inspect
import sys
from types import CodeType, FunctionType

from smartcollect.recording import deferred, events, nesting, probe, rare_calls, steps
from smartcollect.values import capture

EVENTS = sys.version_info >= (3, 12)
"""Whether calls are seen through `sys.monitoring`, in callbacks that nothing can trace."""


class Ticking(ast.NodeTransformer):
    """Puts a tick after each call, which is where CPython looks for signals."""

    def visit_Call(self, node):
        self.generic_visit(node)
        return ast.Call(ast.Name("_tick_", ast.Load()), [node], [])

    def visit_FunctionDef(self, node):
        node.body = [self.visit(one) for one in node.body]
        return node


def ticking(tick):
    """Replaces the code of all functions of the recorder: nothing can trace a callback.

    Yields:
        Each function, and the code that it had.
    """
    for module in (capture, deferred, events, nesting, probe, rare_calls, steps):
        tree = Ticking().visit(ast.parse(inspect.getsource(module)))
        compiled = compile(ast.fix_missing_locations(tree), module.__file__, "exec")
        codes = {code.co_qualname: code for code in nested(compiled)}
        vars(module)["_tick_"] = tick
        for owner in (module, *(one for one in vars(module).values() if isinstance(one, type))):
            for function in list(vars(owner).values()):
                if isinstance(function, FunctionType) and function.__module__ == module.__name__:
                    yield function, function.__code__
                    function.__code__ = codes[function.__qualname__]


def nested(code):
    yield code
    for one in code.co_consts:
        if isinstance(one, CodeType):
            yield from nested(one)
