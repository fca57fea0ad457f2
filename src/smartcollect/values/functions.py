"""What a watched function was written as, and what its parameters are called."""

from __future__ import annotations

import functools
import inspect
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
        kind = type(one)  # `isinstance` would ask the object for its class
        if issubclass(kind, FunctionType):
            yield original_code(one.__code__), bound
        elif issubclass(kind, (staticmethod, classmethod)):
            waiting.append((one.__func__, bound))
        elif issubclass(kind, MethodType):
            waiting.append((one.__func__, bound + 1))
        elif issubclass(kind, functools.partial):
            waiting.append((one.func, bound + len(one.args)))
        elif issubclass(kind, type):
            waiting += [(_found(one, made), bound + 1) for made in ("__init__", "__new__")]
        elif not issubclass(kind, _OF_C):
            waiting.append((_found(kind, "__call__"), bound + 1))
        if not issubclass(kind, (staticmethod, classmethod, MethodType)):
            # What is wrapped sees the arguments as they were given here.
            waiting.append((_found(one, "__wrapped__"), bound))


def parameter_names(function: Any) -> tuple[tuple[str, ...], ...]:
    """Return what each code of ``function`` calls the positional arguments that it is given."""
    return tuple(code.co_varnames[bound : code.co_argcount] for code, bound in codes_of(function))


def _found(owner: Any, name: str) -> Any:
    """Return an attribute as it is stored: no descriptor and no ``__getattr__`` runs for it."""
    return inspect.getattr_static(owner, name, None)
