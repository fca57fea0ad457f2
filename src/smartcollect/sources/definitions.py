"""The functions that a module defines, also in decorators, found without running its code."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from types import (
    BuiltinFunctionType,
    FunctionType,
    GetSetDescriptorType,
    MappingProxyType,
    MemberDescriptorType,
    MethodDescriptorType,
    ModuleType,
)
from typing import Any, NamedTuple

from ..values.functions import original_code
from ..values.known import bases_of, is_made_in_python, name_of, namespace_of
from ..values.snapshot import unused

_DEPTH = 10
_CYTHON = ("cython_function_or_method", "fused_cython_function")
_WITH_FUNC = (functools.cached_property, functools.partial, functools.partialmethod)
_CACHED = type(functools.lru_cache(lambda: None))
# Attributes of property-like descriptors for the setter and the deleter.
_SUFFIXES = {"fset": ".setter", "fdel": ".deleter"}
_ACCESSORS: dict[str, Callable[[property], Any]] = {
    "": property.__dict__["fget"].__get__,
    ".setter": property.__dict__["fset"].__get__,
    ".deleter": property.__dict__["fdel"].__get__,
}
_vars_of: Callable[[object], Mapping[str, Any] | None] = vars(ModuleType)["__dict__"].__get__


class Definition(NamedTuple):
    """A function that a module defines.

    Attributes:
        name: its qualified name in the module: ``Connection.execute``.
        function: the function.
    """

    name: str
    function: Any


def namespace(module: object) -> Mapping[str, Any]:
    """Return the namespace of ``module`` without running its code, or nothing if not a module."""
    if not issubclass(type(module), ModuleType):
        return {}
    return _vars_of(module) or {}


def definitions(module: str, held: Mapping[str, Any]) -> list[Definition]:
    """Return the functions that a module and its classes define.

    Imported functions are left out, and so are generated functions, such as the ``__init__`` of a
    dataclass. For a decorated function, the original function is returned.

    Args:
        module: the name of the module.
        held: its namespace, from `namespace`.
    """
    bindings = list(_bindings(module, held))
    written = [one for name, value in bindings for one in _written(module, name, value)]
    found: dict[int, Definition] = {}
    names: set[str] = set()
    # First the functions under the name that they were defined with. The rest are aliases, or
    # functions without such a name, such as lambdas and functions from a factory.
    for one in written:
        if _is_exact(one.name, one.function) and id(one.function) not in found:
            name = unused(one.name, names)
            names.add(name)
            found[id(one.function)] = Definition(name, one.function)
    for one in written:
        if id(one.function) not in found and one.name not in names:
            found[id(one.function)] = one
            names.add(one.name)
    return list(found.values())


def natives(module: str, held: Mapping[str, Any]) -> list[str]:
    """Return the names of the functions of a module that have no Python code (C, Cython)."""
    return [name for name, value in _bindings(module, held) if _is_native(value, module)]


def _bindings(module: str, held: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield each name in a module and its classes with its value, except for classes."""
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
                continue
            for kind in bases_of(value):
                # Bases too, because a class decorator may return a subclass.
                if id(kind) not in seen and _is_of(kind, module):
                    seen.add(id(kind))
                    own = _path_of(kind, path, held) if kind is value else _qualified(kind)
                    waiting.append((f"{own}.", f"_{name_of(kind).lstrip('_')}", namespace_of(kind)))


def _path_of(kind: type, bound: str, held: Mapping[str, Any]) -> str:
    """Return the name of a class: its qualified name, or the name that it is bound to.

    The qualified name is not usable if another class has it by now, or if a function created the
    class.
    """
    qualified = _qualified(kind)
    if "<" in qualified or held.get(qualified, kind) is not kind:
        return bound
    return qualified


def _is_of(kind: type, module: str) -> bool:
    """Return whether a module defines a class, also if its ``__module__`` names the package."""
    names = namespace_of(kind)
    declared = names.get("__module__")
    if declared == module or type(declared) is not str:
        return declared == module
    return module.startswith(f"{declared}.") and any(
        type(one) is FunctionType and _is_from(one, module) for one in list(names.values())
    )


def _is_from(function: FunctionType, module: str) -> bool:
    """Return whether a function was defined in a module, even if the module is now replaced."""
    return function.__globals__.get("__name__") == module


def _qualified(kind: type) -> str:
    return type.__dict__["__qualname__"].__get__(kind)  # type: ignore[no-any-return]


def _written(
    module: str, name: str, value: Any, depth: int = _DEPTH, exact: bool = False
) -> Iterator[Definition]:
    """Yield the functions of a module that are in ``value``, such as a property or a decorator.

    Args:
        module: the name of the module.
        name: the qualified name of the value.
        value: the value.
        depth: the maximum depth of the search.
        exact: true to yield only functions that were defined with this name, because an object may
            hold any function.
    """
    kind = type(value)
    inside: list[tuple[str, Any]] = []
    if depth == 0 or issubclass(kind, (str, bytes, int, float, type, type(None))):
        return
    if issubclass(kind, FunctionType):
        own = _is_from(value, module) and not _is_generated(value)
        if own and (not exact or _is_exact(name, value)):
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
    elif kind is _CACHED:
        inside.append((name, _attributes(value).get("__wrapped__")))
    elif not issubclass(kind, ModuleType):
        # An object from a decorator: the original is in its attributes or in those of its class.
        exact = True
        inside += [
            (f"{name}{_SUFFIXES.get(attribute, '')}", one)
            for attribute, one in _attributes(value).items()
            if _may_hold(one)
        ]
    for path, one in inside:
        yield from _written(module, path, one, depth - 1, exact)


def _may_hold(value: Any) -> bool:
    return issubclass(type(value), (FunctionType, staticmethod, classmethod, _CACHED, *_WITH_FUNC))


def _wrapped(function: FunctionType) -> Iterator[Any]:
    """Yield the objects that a function may wrap."""
    yield function.__dict__.get("__wrapped__")
    for cell in function.__closure__ or ():
        try:
            content = cell.cell_contents
        except ValueError:  # empty
            continue
        if _may_hold(content):
            yield content


def _implementations(function: FunctionType) -> Iterator[tuple[str, Any]]:
    """Yield the implementations of a `functools.singledispatch` function, by type."""
    registry = function.__dict__.get("registry")
    if type(registry) is MappingProxyType and "dispatch" in function.__dict__:
        for kind, one in registry.items():
            if issubclass(type(kind), type) and kind is not object:
                yield name_of(kind), one


def _attributes(value: Any) -> Mapping[str, Any]:
    """Return the attributes of an object and of its class, without running their code."""
    found: dict[str, Any] = {}
    for base in reversed(bases_of(type(value))):
        if not is_made_in_python(base) and base is not _CACHED:
            continue
        for name, one in list(namespace_of(base).items()):
            if type(one) is MemberDescriptorType:
                try:
                    one = one.__get__(value)
                except AttributeError:  # an empty slot
                    continue
            elif type(one) is GetSetDescriptorType and name == "__dict__":
                found.update(one.__get__(value))
                continue
            found.setdefault(name, one)
    return found


def _is_exact(path: str, function: FunctionType) -> bool:
    qualified = original_code(function.__code__).co_qualname
    if qualified.rpartition(".")[2] == "_":
        return False  # by convention the name of several implementations, such as for dispatch
    return path == qualified or path.startswith(f"{qualified}.")


def _is_generated(function: FunctionType) -> bool:
    """Return whether a method was generated, as `dataclasses` and attrs do."""
    code = original_code(function.__code__)
    return code.co_filename.startswith("<") and code.co_qualname != function.__qualname__


def _is_native(value: Any, module: str) -> bool:
    kind = type(value)
    if issubclass(kind, BuiltinFunctionType):
        return value.__module__ == module  # type: ignore[no-any-return]
    # Functions of Cython have a special class.
    return issubclass(kind, MethodDescriptorType) or name_of(kind) in _CYTHON
