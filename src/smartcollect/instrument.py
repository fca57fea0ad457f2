"""Handlers under observation: how calls reach the probes, and how no trace of that is left.

People hold handlers in many places: by the function's name, as a method, in the switcher, in
tables of their own. So a watched function is not replaced; it is given other code for as long as
somebody watches. It stays the very object it was, under each of its names, and a function that
nobody watches is untouched and costs nothing.
"""

from __future__ import annotations

import ast
import copy
import functools
import inspect
import sys
import weakref
from collections.abc import Callable
from contextlib import suppress
from types import CodeType, FunctionType, MethodType
from typing import Any

from .recorder import Probe, Recorded, calling, record
from .snapshot import WATCHED, plain_code


class Instrument:
    """One handler under observation.

    Args:
        original: the callable as it was registered.
    """

    __slots__ = (
        "__weakref__",
        "_code",
        "_function",
        "_plain",
        "_signed",
        "_unwatched",
        "call",
        "original",
    )

    def __init__(self, original: Callable[..., Any]) -> None:
        self.original = original
        self._signed = False
        self._code: CodeType | None = None
        self._plain: CodeType | None = None
        self._function: FunctionType | None = None
        function = original.__func__ if type(original) is staticmethod else original
        self._unwatched: Recorded = lambda args, kwargs: function(*args, **kwargs)
        self.call: Recorded = self._unwatched
        if type(function) is FunctionType:
            self._plain = plain_code(function.__code__)
            self._code = _code_that_calls(_Reference(self), self._plain)
            self._function = function

    def watch(self, probes: tuple[Probe, ...]) -> Any:
        """Sets who watches, the innermost first.

        Returns:
            What the handler's registry is to hold: ``original``, or a stand-in for what has no
            code that could be exchanged, or has another instrument's (a function of two names).
        """
        if not probes:
            self._leave()
            self.call = self._unwatched
            return self.original
        function = self._function
        target = self.original if function is None else self._copy(function)
        for probe in probes[:-1]:
            target = calling(record(probe, target))
        self.call = record(probes[-1], target)
        if function is None:
            return Proxy(self)
        if function.__code__ is not self._code:
            if function.__code__ is not self._plain:
                return Proxy(self)
            self._enter(function)
        return self.original

    def _copy(self, function: FunctionType) -> FunctionType:
        """The function as it was, to be called by the probes."""
        assert self._plain is not None
        copy = FunctionType(
            self._plain,
            function.__globals__,
            function.__name__,
            function.__defaults__,
            function.__closure__,
        )
        copy.__kwdefaults__ = function.__kwdefaults__
        copy.__qualname__ = function.__qualname__
        return copy

    def _enter(self, function: FunctionType) -> None:
        # The other code takes any arguments, so that calls are seen as they are made; the
        # parameters are told by the signature. One that is decorated tells another's already.
        if not {"__signature__", "__wrapped__"} & function.__dict__.keys():
            with suppress(TypeError, ValueError, NameError):
                function.__signature__ = inspect.signature(function)  # type: ignore[attr-defined]
                self._signed = True
        assert self._code is not None
        function.__code__ = self._code

    def _leave(self) -> None:
        function = self._function
        if function is not None and function.__code__ is self._code:
            assert self._plain is not None
            function.__code__ = self._plain
            if self._signed:
                function.__dict__.pop("__signature__", None)
        self._signed = False

    def __del__(self) -> None:
        # The switcher is gone, its function may live on.
        self._leave()


class _Reference(weakref.ref[Instrument]):
    """How code finds its instrument: weak, because the collector does not see what code holds."""


_PLACE = "<instrument>"
# One for each kind of function, which it has to stay: `inspect.iscoroutinefunction` and the like
# look at the code.
_PLAIN = """
def code(*args, **kwargs):
    __tracebackhide__ = True
    instrument = '<instrument>'
    return instrument().call(args, kwargs)
"""
_COROUTINE = """
async def code(*args, **kwargs):
    __tracebackhide__ = True
    instrument = '<instrument>'
    return await instrument().call(args, kwargs)
"""
_GENERATOR = """
def code(*args, **kwargs):
    __tracebackhide__ = True
    instrument = '<instrument>'
    return (yield from instrument().call(args, kwargs))
"""
_ASYNC_GENERATOR = """
async def code(*args, **kwargs):
    __tracebackhide__ = True
    instrument = '<instrument>'
    generator = instrument().call(args, kwargs)
    step, given = generator.asend, None
    while True:
        try:
            item = await step(given)
        except StopAsyncIteration:
            return
        try:
            given = yield item
            step = generator.asend
        except GeneratorExit:
            await generator.aclose()
            raise
        except BaseException as thrown:
            step, given = generator.athrow, thrown
"""


def _code_that_calls(reference: _Reference, plain: CodeType) -> CodeType:
    """Code for a function whose code is ``plain``, that calls the instrument instead."""
    flags = plain.co_flags
    if flags & inspect.CO_ASYNC_GENERATOR:
        source = _ASYNC_GENERATOR
    elif flags & inspect.CO_COROUTINE:
        source = _COROUTINE
    else:
        source = _GENERATOR if flags & inspect.CO_GENERATOR else _PLAIN
    code = _template(source, len(plain.co_freevars))
    constants = [reference if one == _PLACE else one for one in code.co_consts]
    named: dict[str, Any] = {}
    if sys.version_info >= (3, 11):
        named["co_qualname"] = plain.co_qualname
    return code.replace(
        co_consts=(*constants, WATCHED, plain),
        co_flags=code.co_flags | flags & inspect.CO_ITERABLE_COROUTINE,
        co_freevars=plain.co_freevars,
        co_name=plain.co_name,
        co_filename=plain.co_filename,
        co_firstlineno=plain.co_firstlineno,
        **named,
    )


@functools.lru_cache
def _template(source: str, free: int) -> CodeType:
    """The code of ``source``, with as many free variables as the function has that it is for."""
    names = [f"_{number}" for number in range(free)]
    lines = source.strip().splitlines()
    lines.append(f"    return {', '.join(names)}" if "yield" not in source else f"    {names}")
    body = "\n".join(f"    {line}" for line in lines)
    tree = ast.parse(f"def outer({', '.join(names)}):\n{body}\n    return code")
    # All on one line, the first of the function: coverage is not to see lines that did not run.
    for node in ast.walk(tree):
        if isinstance(node, (ast.expr, ast.stmt, ast.excepthandler, ast.arg)):
            node.lineno = node.end_lineno = 1
            node.col_offset = node.end_col_offset = 0
    outer = next(one for one in compile(tree, "", "exec").co_consts if isinstance(one, CodeType))
    return next(one for one in outer.co_consts if isinstance(one, CodeType))


# Looked up on the instance by those who call them; the rest is the target's.
_OWN = frozenset({"__reduce_ex__", "__copy__", "__deepcopy__", "__mro_entries__"})


class Proxy:
    """A stand-in for a callable that shows whatever that one shows, its class included."""

    __slots__ = ("__weakref__", "_instrument")

    def __init__(self, instrument: Instrument) -> None:
        object.__setattr__(self, "_instrument", instrument)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        return object.__getattribute__(self, "_instrument").call(args, kwargs)

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        binds = hasattr(type(_target(self)), "__get__")
        return MethodType(self, instance) if binds and instance is not None else self

    def __getattribute__(self, name: str) -> Any:
        if name in _OWN:
            return object.__getattribute__(self, name)
        return getattr(_target(self), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(_target(self), name, value)

    def __delattr__(self, name: str) -> None:
        delattr(_target(self), name)

    # A copy, and what a pickle brings back, is not watched: it is the plain one.

    def __reduce_ex__(self, protocol: Any) -> Any:
        return _itself, (_target(self),)

    def __copy__(self) -> Any:
        return copy.copy(_target(self))

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return copy.deepcopy(_target(self), memo)

    def __repr__(self) -> str:
        return repr(_target(self))

    def __str__(self) -> str:
        return str(_target(self))

    def __eq__(self, other: object) -> bool:
        return bool(_target(self) == (_target(other) if type(other) is Proxy else other))

    def __hash__(self) -> int:
        return hash(_target(self))

    def __instancecheck__(self, instance: object) -> bool:
        return isinstance(instance, _target(self))

    def __subclasscheck__(self, subclass: type) -> bool:
        return issubclass(subclass, _target(self))

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[Any, ...]:
        return (_target(self),)


def _itself(value: Any) -> Any:
    return value


def _target(proxy: Any) -> Any:
    return object.__getattribute__(proxy, "_instrument").original
