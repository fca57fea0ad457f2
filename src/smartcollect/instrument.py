"""Handlers that can be watched: a stand-in for a callable, which probes come to and leave."""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import FunctionType, MethodType
from typing import Any

from .recorder import Probe, record


class Instrument:
    """One handler under observation: its callable, a stand-in for it, and the probes.

    Attributes:
        original: the callable as it was registered.
        target: the same, out of its ``staticmethod`` if it was in one.
        stand_in: what is called in its place. It calls ``target`` while there is no probe.
        probes: who watches.
        call: ``target``, recorded by each probe.
    """

    __slots__ = ("call", "original", "probes", "stand_in", "target")

    def __init__(self, original: Callable[..., Any]) -> None:
        self.original = original
        self.target = original.__func__ if type(original) is staticmethod else original
        self.call: Callable[..., Any] = self.target
        self.probes: tuple[Probe, ...] = ()
        self.stand_in: Any = _stand_in(self)

    def watch(self, probes: tuple[Probe, ...]) -> None:
        """Sets who watches, the innermost first."""
        call = self.target
        for probe in probes:
            call = record(probe, call)
        self.probes, self.call = probes, call


def instrument_of(function: object) -> Instrument | None:
    """The instrument whose stand-in ``function`` is, if it is one."""
    kind = type(function)
    if kind is staticmethod:
        function = function.__func__  # type: ignore[attr-defined]
        kind = type(function)
    if kind is FunctionType and function.__code__ is _CODE:  # type: ignore[attr-defined]
        found = function.__closure__[0].cell_contents  # type: ignore[attr-defined]
    elif kind is Proxy:
        found = object.__getattribute__(function, "_instrument")
    else:
        return None
    return found if isinstance(found, Instrument) else None


def _stand_in(instrument: Instrument) -> Any:
    # A plain function gets a function, which is the fastest and binds to instances at C speed.
    # Whatever has more to show than that (a coroutine function its flags, a `lru_cache` its
    # `cache_clear`, a class its instances) gets a stand-in that shows it.
    target = instrument.target
    plain = type(target) is FunctionType and not target.__code__.co_flags & _DEFERRED_FLAGS
    made: Any = _function(instrument) if plain else Proxy(instrument)
    if instrument.original is target:
        return made
    # A staticmethod stays one, so that `obj.handler(x)` does not begin to pass `obj`.
    static: Any = staticmethod(made)
    static.__dict__.update(instrument.original.__dict__)
    return static


_DEFERRED_FLAGS = 0x20 | 0x80 | 0x100 | 0x200  # generator, coroutine, both, async generator


def _function(instrument: Instrument) -> Callable[..., Any]:
    def handler(*args: Any, **kwargs: Any) -> Any:
        return instrument.call(*args, **kwargs)

    return functools.update_wrapper(handler, instrument.target)


_CODE = next(const for const in _function.__code__.co_consts if hasattr(const, "co_code"))


# Looked up on the instance by those who call them; the rest is the target's.
_OWN = frozenset({"__reduce_ex__", "__copy__", "__deepcopy__", "__mro_entries__"})


class Proxy:
    """A callable that shows whatever its target shows, its class included."""

    __slots__ = ("__weakref__", "_instrument")

    def __init__(self, instrument: Instrument) -> None:
        object.__setattr__(self, "_instrument", instrument)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return object.__getattribute__(self, "_instrument").call(*args, **kwargs)

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

    def __reduce_ex__(self, protocol: Any) -> Any:
        target = _target(self)
        # Functions and classes are pickled by name, under which this stand-in is found again.
        return getattr(target, "__qualname__", None) or target.__reduce_ex__(protocol)

    def __copy__(self) -> Any:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return self

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


def _target(proxy: Any) -> Any:
    return object.__getattribute__(proxy, "_instrument").target
