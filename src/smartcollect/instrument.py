"""Handlers under observation: how calls reach the probes, and how no trace of that is left.

People hold handlers in many places: by the function's name, as a method, in the switcher, in
tables of their own. So a watched function is not replaced; it is given other code for as long as
somebody watches. It stays the very object it was, under each of its names, and a function that
nobody watches is untouched and costs nothing.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from contextlib import suppress
from types import CodeType, FunctionType, MethodType
from typing import Any

from .functions import plain_code
from .recorder import UNWATCHED, Probe
from .standin import code_for, copy_of, layer


class Instrument:
    """One handler under observation.

    Args:
        original: the callable as it was registered.

    Attributes:
        bound, recorded: see `standin.Instrument`.
    """

    __slots__ = (
        "__weakref__",
        "_code",
        "_function",
        "_plain",
        "_signed",
        "bound",
        "original",
        "recorded",
    )

    def __init__(self, original: Callable[..., Any]) -> None:
        self.original = original
        self._signed = False
        self._code: CodeType | None = None
        self._plain: CodeType | None = None
        self._function: FunctionType | None = None
        function = original.__func__ if type(original) is staticmethod else original
        if type(function) is FunctionType:
            self._plain = plain_code(function.__code__)
            self._code = code_for(function, self)
            self._function = function
        self._bind(())

    def _bind(self, probes: tuple[Probe, ...]) -> None:
        """Sets who records, the innermost first."""
        function = self._function
        target = self.original if function is None else copy_of(function)
        for probe in probes[:-1]:
            target = layer(probe.bound(target))
        last = probes[-1] if probes else UNWATCHED
        self.bound = last.bound(target)
        self.recorded: Callable[..., Any] = layer(self.bound)

    def watch(self, probes: tuple[Probe, ...]) -> Any:
        """Sets who watches, the innermost first.

        Returns:
            What the handler's registry is to hold: ``original``, or a stand-in for what has no
            code that could be exchanged, or has another instrument's (a function of two names).
        """
        self._bind(probes)
        function = self._function
        if not probes:
            self._leave()
            return self.original
        if function is None:
            # What cannot be called is refused as it was: a bare classmethod, say.
            return _proxy(self) if callable(self.original) else self.original
        if function.__code__ is not self._code:
            if function.__code__ is not self._plain:
                return _proxy(self)
            self._enter(function)
        return self.original

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


# Looked up on the instance by those who call them; the rest is the target's.
_OWN = frozenset({"__reduce_ex__", "__copy__", "__deepcopy__", "__mro_entries__"})


class Proxy:
    """A stand-in for a callable that shows whatever that one shows, its class included."""

    __slots__ = ("__weakref__", "_instrument")

    def __init__(self, instrument: Instrument) -> None:
        object.__setattr__(self, "_instrument", instrument)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        return object.__getattribute__(self, "_instrument").recorded(*args, **kwargs)

    def __getattribute__(self, name: str) -> Any:
        if name in _OWN:
            return object.__getattribute__(self, name)
        if name == "__signature__":
            # `inspect` reads the parameters of an object's call off its type, which is another one.
            with suppress(TypeError, ValueError, NameError):
                return inspect.signature(_target(self))
        return getattr(_target(self), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(_target(self), name, value)

    def __delattr__(self, name: str) -> None:
        delattr(_target(self), name)

    def __dir__(self) -> list[str]:
        return dir(_target(self))

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
        return bool(_target(self) == (_target(other) if issubclass(type(other), Proxy) else other))

    def __hash__(self) -> int:
        return hash(_target(self))

    def __instancecheck__(self, instance: object) -> bool:
        return isinstance(instance, _target(self))

    def __subclasscheck__(self, subclass: type) -> bool:
        return issubclass(subclass, _target(self))

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[Any, ...]:
        return (_target(self),)


class BindingProxy(Proxy):
    """A stand-in for a callable that becomes a method of the instance that it is looked up on.

    A class of its own: to `inspect`, whatever has a ``__get__`` is a routine.
    """

    __slots__ = ()

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else MethodType(self, instance)


def _proxy(instrument: Instrument) -> Proxy:
    binds = hasattr(type(instrument.original), "__get__")
    return (BindingProxy if binds else Proxy)(instrument)


def _itself(value: Any) -> Any:
    return value


def _target(proxy: Any) -> Any:
    return object.__getattribute__(proxy, "_instrument").original
