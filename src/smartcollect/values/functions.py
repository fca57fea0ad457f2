"""The original code of watched functions, and the names of their parameters."""

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
# Callables without Python code. The `__call__` of their types has one of these types again.
_OF_C = (BuiltinFunctionType, MethodDescriptorType, WrapperDescriptorType)
WATCHED = "<watched>"
"""A constant that marks stand-in code; the next constant is the original code."""


def original_code(code: CodeType) -> CodeType:
    """Return ``code`` or, if that is stand-in code, the original code of the function."""
    if code.co_consts[-2:-1] == (WATCHED,):
        original = code.co_consts[-1]
        assert isinstance(original, CodeType)
        return original
    return code


def function_in(original: Any) -> Any:
    """Return the function of a static method, and everything else as it is."""
    return original.__func__ if type(original) is staticmethod else original


def codes_of(function: Any) -> Iterator[tuple[CodeType, int]]:
    """Yield each code that names parameters of ``function``, and the number of bound ones.

    A decorated function and a class have several codes; which of them a caller has in mind is not
    known.
    """
    waiting: list[tuple[Any, int]] = [(function, 0)]
    seen: set[tuple[int, int]] = set()
    while waiting and len(seen) < _MOST:
        one, bound = waiting.pop()
        if one is None or (id(one), bound) in seen:
            continue
        seen.add((id(one), bound))
        kind = type(one)  # `isinstance` may run code of the object (`__class__`)
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
            # A wrapped function receives the same arguments.
            waiting.append((_found(one, "__wrapped__"), bound))


def parameter_names(function: Any) -> tuple[tuple[str, ...], ...]:
    """Return the names of the positional parameters of ``function``, for each of its codes."""
    return tuple(code.co_varnames[bound : code.co_argcount] for code, bound in codes_of(function))


def _found(owner: Any, name: str) -> Any:
    """Return an attribute as stored, without running a descriptor or ``__getattr__``."""
    return inspect.getattr_static(owner, name, None)
