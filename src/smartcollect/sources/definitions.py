"""The functions that a module defines, wherever it put them, found without running its code."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from types import (
    BuiltinFunctionType,
    CellType,
    FunctionType,
    GetSetDescriptorType,
    MappingProxyType,
    MethodDescriptorType,
    ModuleType,
)
from typing import Any, NamedTuple

from ..values.functions import original_code
from ..values.known import bases_of, name_of, namespace_of

_DEPTH = 10
_CYTHON = ("cython_function_or_method", "fused_cython_function")
_WITH_FUNC = (functools.cached_property, functools.partial, functools.partialmethod)
_ACCESSORS: dict[str, Callable[[property], Any]] = {
    "": property.__dict__["fget"].__get__,
    ".setter": property.__dict__["fset"].__get__,
    ".deleter": property.__dict__["fdel"].__get__,
}
_globals_of: Callable[[FunctionType], Mapping[str, Any]] = FunctionType.__dict__[
    "__globals__"
].__get__
_vars_of: Callable[[object], Mapping[str, Any] | None] = vars(ModuleType)["__dict__"].__get__


class Definition(NamedTuple):
    """A function that a module defines.

    Attributes:
        name: its qualified name there: ``Connection.execute``.
        function: the function.
    """

    name: str
    function: Any


def namespace(module: object) -> Mapping[str, Any]:
    """Return what ``module`` holds, without asking it; nothing for what is not a module."""
    if not issubclass(type(module), ModuleType):
        return {}
    return _vars_of(module) or {}


def definitions(module: str, held: Mapping[str, Any]) -> list[Definition]:
    """Return the functions that a module defines, and those of its classes.

    That is neither what it imported nor what a generator of code made, such as the ``__init__`` of
    a dataclass. Of a decorated function it is the function that was decorated.

    Args:
        module: its name.
        held: what it holds, from `namespace`.
    """
    bindings = list(_bindings(module, held))
    written = [one for name, value in bindings for one in _written(name, value, held)]
    found: dict[int, Definition] = {}
    # Those first that are bound to the name that they were defined by; others are names beside it,
    # or functions without a name of their own, such as a lambda and what a factory made.
    for one in written:
        if _is_exact(one.name, one.function):
            found.setdefault(id(one.function), one)
    names = {one.name for one in found.values()}
    for one in written:
        if id(one.function) not in found and one.name not in names:
            found[id(one.function)] = one
            names.add(one.name)
    return list(found.values())


def natives(module: str, held: Mapping[str, Any]) -> list[str]:
    """Return the names of the functions of a module that have no Python code: C's, Cython's."""
    return [name for name, value in _bindings(module, held) if _is_native(value, module)]


def _bindings(module: str, held: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield each name that a module and its classes bind to something else than a class."""
    waiting = [("", "", held)]
    seen: set[int] = set()
    while waiting:
        prefix, private, names = waiting.pop()
        for name, value in list(names.items()):
            if type(name) is not str:
                continue
            # `__name` in a class is kept as `_Class__name`.
            mangled = private and name.startswith(f"{private}__")
            path = f"{prefix}{name.removeprefix(private) if mangled else name}"
            if not issubclass(type(value), type):
                yield path, value
            elif id(value) not in seen and _is_of(value, module, held):
                seen.add(id(value))
                qualified = _qualified(value)
                path = path if "<" in qualified else qualified
                prefix_of_private = f"_{name_of(value).lstrip('_')}"
                waiting.append((f"{path}.", prefix_of_private, namespace_of(value)))


def _is_of(kind: type, module: str, held: Mapping[str, Any]) -> bool:
    """Tell whether a module defines a class, which may say that it is of the package above."""
    names = namespace_of(kind)
    return names.get("__module__") == module or any(
        type(one) is FunctionType and _globals_of(one) is held for one in list(names.values())
    )


def _qualified(kind: type) -> str:
    return type.__dict__["__qualname__"].__get__(kind)  # type: ignore[no-any-return]


def _written(
    name: str, value: Any, held: Mapping[str, Any], depth: int = _DEPTH
) -> Iterator[Definition]:
    """Yield the functions that this module wrote inside of what is bound to ``name``."""
    kind = type(value)
    inside: list[tuple[str, Any]] = []
    if depth == 0:
        return
    if issubclass(kind, FunctionType):
        if _globals_of(value) is held and not _is_generated(value):
            yield Definition(name, value)
        inside += [(name, one) for one in _wrapped(value)]
        inside += [(f"{name}.{of}", one) for of, one in _implementations(value)]
    elif issubclass(kind, property):
        inside += [(f"{name}{suffix}", get(value)) for suffix, get in _ACCESSORS.items()]
    elif issubclass(kind, (staticmethod, classmethod)):
        inside.append((name, value.__func__))
    elif issubclass(kind, functools.singledispatchmethod):
        inside += [(name, value.func), (name, value.dispatcher)]
    elif issubclass(kind, _WITH_FUNC):
        inside.append((name, value.func))
    else:
        # An object that a decorator made: what it decorates is in it.
        inside += [
            (name, one)
            for one in _attributes(value).values()
            if type(one) is FunctionType and _is_exact(name, one)
        ]
    for path, one in inside:
        yield from _written(path, one, held, depth - 1)


def _wrapped(function: FunctionType) -> Iterator[Any]:
    """Yield what a function may be the wrapper of."""
    yield function.__dict__.get("__wrapped__")
    for cell in function.__closure__ or ():
        try:
            content = CellType.__dict__["cell_contents"].__get__(cell)
        except ValueError:  # empty
            continue
        if issubclass(type(content), (FunctionType, staticmethod, classmethod, *_WITH_FUNC)):
            yield content


def _implementations(function: FunctionType) -> Iterator[tuple[str, Any]]:
    """Yield the functions that one of `functools.singledispatch` chooses from, by type."""
    registry = function.__dict__.get("registry")
    if type(registry) is MappingProxyType and "dispatch" in function.__dict__:
        for kind, one in registry.items():
            if issubclass(type(kind), type) and kind is not object:
                yield name_of(kind), one


def _attributes(value: Any) -> Mapping[str, Any]:
    """Return the attributes of an object, without asking its class for them."""
    for base in bases_of(type(value)):
        descriptor = namespace_of(base).get("__dict__")
        if type(descriptor) is GetSetDescriptorType:
            return descriptor.__get__(value)  # type: ignore[no-any-return]
    return {}


def _is_exact(path: str, function: FunctionType) -> bool:
    qualified = original_code(function.__code__).co_qualname
    if qualified.rpartition(".")[2] == "_":
        return False  # what one of many implementations is called that nobody calls by name
    return path == qualified or path.startswith(f"{qualified}.")


def _is_generated(function: FunctionType) -> bool:
    """Tell whether code made a method's text, as `dataclasses` and attrs do."""
    code = original_code(function.__code__)
    return code.co_filename.startswith("<") and code.co_qualname != function.__qualname__


def _is_native(value: Any, module: str) -> bool:
    kind = type(value)
    if issubclass(kind, BuiltinFunctionType):
        return value.__module__ == module  # type: ignore[no-any-return]
    # Cython's functions are of a class of their own.
    return issubclass(kind, MethodDescriptorType) or name_of(kind) in _CYTHON
