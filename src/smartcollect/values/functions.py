"""What a watched function was written as, and what its parameters are called."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from types import (
    BuiltinFunctionType,
    CodeType,
    FunctionType,
    MethodDescriptorType,
    MethodType,
    WrapperDescriptorType,
)
from typing import Any

_MOST = 100
# Callables without code, whose types' `__call__` is one of them again.
_OF_C = (BuiltinFunctionType, MethodDescriptorType, WrapperDescriptorType)
WATCHED = "<watched>"
"""Marks code that replaces a function's own, which is the constant after this one."""


def original_code(code: CodeType) -> CodeType:
    """Return a function's own code, also where ``code`` replaces it for a while."""
    if code.co_consts[-2:-1] == (WATCHED,):
        original = code.co_consts[-1]
        assert isinstance(original, CodeType)
        return original
    return code


def codes_of(function: Any) -> Iterator[tuple[CodeType, int]]:
    """Each code that names parameters of ``function``, and how many of them are bound already.

    There are several where it is decorated, or a class: which of them a caller goes by is not
    known.
    """
    waiting: list[tuple[Any, int]] = [(function, 0)]
    seen: set[tuple[int, int]] = set()
    while waiting and len(seen) < _MOST:
        one, bound = waiting.pop()
        if one is None or (id(one), bound) in seen:
            continue
        seen.add((id(one), bound))
        if isinstance(one, FunctionType):
            yield original_code(one.__code__), bound
        elif isinstance(one, (staticmethod, classmethod)):
            waiting.append((one.__func__, bound))
        elif isinstance(one, MethodType):
            waiting.append((one.__func__, bound + 1))
        elif isinstance(one, functools.partial):
            waiting.append((one.func, bound + len(one.args)))
        elif isinstance(one, type):
            waiting += [(getattr(one, made, None), bound + 1) for made in ("__init__", "__new__")]
        elif not isinstance(one, _OF_C):
            waiting.append((getattr(type(one), "__call__", None), bound + 1))  # noqa: B004
        if not isinstance(one, (staticmethod, classmethod, MethodType)):
            # What is wrapped sees the arguments as they were given here.
            waiting.append((getattr(one, "__wrapped__", None), bound))
