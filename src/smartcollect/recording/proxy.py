"""A proxy for a callable: it records calls and has all attributes of the original."""

from __future__ import annotations

import copy
import inspect
from contextlib import suppress
from types import MethodType
from typing import Any, Protocol

# Attributes that the proxy answers itself, because callers look them up on the instance. All others
# are those of the original.
_OWN = frozenset({"__reduce_ex__", "__copy__", "__deepcopy__", "__mro_entries__"})


class Handle(Protocol):
    """The callables behind a proxy.

    Attributes:
        original: the callable that the proxy represents.
        recorded: a callable that calls ``original`` and records the call.
    """

    recorded: Any

    @property
    def original(self) -> Any: ...


class Proxy:
    """A callable that replaces another one and has all of its attributes, the class included."""

    __slots__ = ("__weakref__", "_handle")

    def __init__(self, handle: Handle) -> None:
        object.__setattr__(self, "_handle", handle)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        return object.__getattribute__(self, "_handle").recorded(*args, **kwargs)

    def __getattribute__(self, name: str) -> Any:
        if name in _OWN:
            return object.__getattribute__(self, name)
        if name == "__signature__":
            # `inspect` would take the parameters from the type of the proxy.
            with suppress(TypeError, ValueError, NameError):
                return inspect.signature(_target(self))
        return getattr(_target(self), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(_target(self), name, value)

    def __delattr__(self, name: str) -> None:
        delattr(_target(self), name)

    def __dir__(self) -> list[str]:
        return dir(_target(self))

    # Copying or unpickling a proxy gives the original, which is not watched.

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
    """A proxy that binds as a method when it is looked up on an instance.

    It is a separate class because `inspect` takes everything with a ``__get__`` for a routine.
    """

    __slots__ = ()

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else MethodType(self, instance)


def proxy_for(handle: Handle) -> Proxy:
    """Return a proxy for ``handle.original`` that calls ``handle.recorded``."""
    binds = hasattr(type(handle.original), "__get__")
    return (BindingProxy if binds else Proxy)(handle)


def _itself(value: Any) -> Any:
    return value


def _target(proxy: Any) -> Any:
    return object.__getattribute__(proxy, "_handle").original
