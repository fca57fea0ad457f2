"""What a watched function was written as, and what its parameters are called."""

from __future__ import annotations

from types import CodeType, FunctionType, MethodType
from typing import Any

WATCHED = "<watched>"
"""Marks code that stands in for a function's own, which is the constant after this one."""


def plain_code(code: CodeType) -> CodeType:
    """A function's own code, where ``code`` stands in for it."""
    if code.co_consts[-2:-1] == (WATCHED,):
        plain = code.co_consts[-1]
        assert isinstance(plain, CodeType)
        return plain
    return code


def code_of(function: Any) -> tuple[CodeType | None, int]:
    """The code that names the parameters, and how many of its first ones are bound already."""
    for _ in range(100):
        if isinstance(function, (staticmethod, classmethod)):
            function = function.__func__
        inner = getattr(function, "__wrapped__", None)
        if inner is None:
            break
        function = inner
    skipped = 0
    if isinstance(function, type):
        function, skipped = vars(function).get("__init__"), 1
    elif not isinstance(function, (FunctionType, MethodType)):
        function, skipped = getattr(type(function), "__call__", None), 1  # noqa: B004
    if isinstance(function, MethodType):
        function, skipped = function.__func__, 1
    if not isinstance(function, FunctionType):
        return None, 0
    return plain_code(function.__code__), skipped
