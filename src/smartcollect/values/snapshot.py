"""Snapshots: small plain data in place of values, made at the time of a call."""

from __future__ import annotations

import weakref
from array import array
from asyncio import CancelledError
from collections import deque
from collections.abc import Callable, Container, Iterable, Mapping
from itertools import islice
from typing import Any, NamedTuple

from ..clock import SYSTEM
from ..text import CUT, MAX_TEXT, cut
from .known import (
    bases_of,
    is_made_in_python,
    is_shown_by_type,
    known_text,
    name_of,
    namespace_of,
    os_error_text,
    type_text,
)
from .redaction import REDACTED
from .references import is_referable

MAX_ITEMS = 50
"""Maximum number of items to keep of a list or dict."""
MAX_DEPTH = 6
"""Maximum depth of nested containers."""
MAX_NODES = 500
"""Maximum number of values to keep of one argument or result, including nested values."""
MAX_NODES_BY_TYPE = 60
"""The same if objects are shown by type, as in test suites, which make more calls."""
LONG = 0.1
"""Seconds. After a longer ``repr`` or serializer, objects of the type are skipped for a while."""
_SILENCE = 100
_MAX_CLASSES = 1_000

UNKNOWN = "<not recorded>"
"""The placeholder for values that could not be recorded."""
MAX_BITS = 1024
"""The largest int to keep, in bits. CPython refuses to print more than 4,300 digits."""
# Exceptions to contain. KeyboardInterrupt and the time-outs of tests must propagate.
CONTAINED = (Exception, SystemExit, GeneratorExit, CancelledError)


# An exception class may define a property named `args`.
_args_of: Callable[[BaseException], tuple[Any, ...]] = BaseException.__dict__["args"].__get__


def _atomic(kind: type) -> bool:
    """Return whether all values of a type are small and plain."""
    return kind is float or kind is bool or kind is type(None)


def small(values: Iterable[Any]) -> bool:
    """Return whether all values are small scalars, which need no snapshot."""
    for value in values:
        kind = type(value)
        if not (
            (kind is int and value.bit_length() <= MAX_BITS)
            or (kind is str and len(value) <= MAX_TEXT)
            or _atomic(kind)
        ):
            return False
    return True


class ShownByType(NamedTuple):
    """A class whose objects are shown only by type.

    Attributes:
        kind: the class.
        text: the text for its objects.
        referable: see `is_referable`.
    """

    kind: weakref.ref[type]
    text: str
    referable: bool


class Snapshot:
    """Turns values into plain data: scalars, lists, dicts, and text for everything else.

    The result holds no objects of the input except scalars. Text, items, depth and the number of
    values are limited, and cuts are visible. Failures of a value's methods are contained: a
    ``repr`` that raises or exits is replaced by a note and counted.

    Args:
        serializers: functions that replace the default for a type and its subclasses.
        secret: a function that recognizes the dict keys whose values are redacted.
        objects: the way to show objects that are neither scalars nor builtin containers:
            ``"repr"``, or ``"type"`` for the type only, which runs no code of the application.
        run: a function that calls a function with a value. The recorder passes one that keeps the
            calls of the value's methods from being recorded.
    """

    def __init__(
        self,
        serializers: Mapping[type, Callable[[Any], Any]] | None = None,
        secret: Callable[[str], bool] = lambda name: False,
        objects: str = "repr",
        run: Callable[[Callable[[Any], Any], Any], Any] = lambda function, value: function(value),
    ) -> None:
        self._serializers = dict(serializers or {})
        self._by_id = {id(kind): function for kind, function in self._serializers.items()}
        self._secret = secret
        self.calls_repr = objects == "repr"
        """Whether objects are shown by ``repr``."""
        self._run = run
        self._shown_by_type: dict[int, ShownByType] = {}
        self.max_nodes = MAX_NODES if self.calls_repr else MAX_NODES_BY_TYPE
        # A list of this many scalars is kept whole.
        self._few = min(MAX_ITEMS, self.max_nodes - 1)
        # By the ``id`` of a type: the time from which its methods may be called again.
        self._silent: dict[int, tuple[weakref.ref[type], float]] = {}
        self.by_default = not self._serializers
        """Whether there are no serializers."""
        self.failures = 0
        """The number of values whose methods or serializer failed."""

    def arguments(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return each of ``args`` as plain data."""
        if not self._serializers and small(args):
            return args
        return tuple([self.value(value) for value in args])

    def keywords(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        """Return each value of ``kwargs`` as plain data, and secret values as ``"***"``."""
        return {
            cut(name): REDACTED if self._secret(name) else self.arguments((value,))[0]
            for name, value in kwargs.items()
        }

    def value(self, value: Any) -> Any:
        """Return ``value`` as plain data."""
        kind = type(value)
        entry = self.shown_by_type(kind)
        if entry is not None:
            return entry.text
        if (kind is list or kind is tuple) and self.by_default and len(value) <= self._few:
            # Check the copy, because another thread may change the original.
            items = list(value)
            if len(items) <= self._few and small(items):
                return items
        return _Walk(self).copy(value, 0)

    def shown_by_type(self, kind: type) -> ShownByType | None:
        """Return the entry of a class that is known to be shown only by type, or ``None``."""
        known = self._shown_by_type.get(id(kind))
        return known if known is not None and known.kind() is kind else None

    def serializer(self, kind: type) -> Callable[[Any], Any] | None:
        """Return the serializer of ``kind`` or of its nearest base, or ``None``."""
        found = (self._by_id[id(base)] for base in bases_of(kind) if id(base) in self._by_id)
        return next(found, None)

    def message(self, error: BaseException) -> str:
        """Return the message of an exception, with a maximum length."""
        args = _args_of(error)
        builtin = not is_made_in_python(_definer(type(error), "__str__"))
        if not self.calls_repr and builtin and issubclass(type(error), OSError):
            text = os_error_text(error)  # type: ignore[arg-type]
            if text is not None:
                return cut(text)
        if not self.calls_repr or (builtin and any(map(_holds, args))):
            # Snapshots avoid building large text, and redact secrets in dicts.
            kept = self.arguments(args)
            return cut(str(kept[0] if len(kept) == 1 else kept or ""))
        return cut(self.call(str, error, "str"))

    def object_text(self, value: Any) -> str:
        """Return the text for an object that is neither a scalar nor a builtin container."""
        if self.calls_repr:
            return cut(self.call(repr, value, "repr"))
        known = known_text(value)
        if known is not None:
            return cut(known)
        kind = type(value)
        if self.by_default and is_shown_by_type(kind):
            if len(self._shown_by_type) >= _MAX_CLASSES:
                self._shown_by_type.clear()
            entry = ShownByType(weakref.ref(kind), type_text(value), is_referable(kind))
            self._shown_by_type[id(kind)] = entry
        return type_text(value)

    def note_failure(self, error: BaseException) -> str:
        """Count a failure of the recorder, and return a placeholder for the value."""
        self.failures += 1
        return f"<not recorded: {name_of(type(error))}>"

    def call(self, function: Callable[[Any], Any], value: Any, what: str) -> Any:
        """Return ``function(value)``, or a note that it failed or takes too long.

        After a slow call, the function is not called again with this type for a hundred times as
        long, because it would block a handler that is called often.
        """
        kind, start = type(value), SYSTEM.monotonic()
        name = name_of(kind)
        silent = self._silent.get(id(kind))
        if silent is not None and silent[0]() is kind and start < silent[1]:
            return f"<{name}: {what} takes too long>"
        try:
            return self._run(function, value)
        except CONTAINED as error:
            self.failures += 1
            return f"<{name}: {what} raised {name_of(type(error))}>"
        finally:
            end = SYSTEM.monotonic()
            if end - start > LONG:
                if len(self._silent) >= _MAX_CLASSES:
                    self._silent.clear()
                self._silent[id(kind)] = weakref.ref(kind), end + _SILENCE * (end - start)


class _Walk:
    """The state that the nested values of one snapshot share."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._left = snapshot.max_nodes
        self._path: set[int] = set()

    def copy(self, value: Any, depth: int, serialized: bool = False) -> Any:
        kind = type(value)
        self._left -= 1
        entry = self._snapshot.shown_by_type(kind)
        if entry is not None:
            return entry.text
        if self._snapshot._serializers and not serialized:
            serializer = self._snapshot.serializer(kind)
            if serializer is not None:
                done = self._snapshot.call(serializer, value, "its serializer")
                return self.copy(done, depth, serialized=True)
        if _atomic(kind):
            return value
        # Not `isinstance`, because a `__class__` property may lie or raise.
        if kind is str:
            return cut(value)
        if kind is int:
            if value.bit_length() <= MAX_BITS:
                return value
            return f"<int of {value.bit_length():,} bits>"
        if issubclass(kind, (list, tuple, dict)):
            return self._container(value, kind, depth)
        return self.text(value, depth)

    def _container(self, value: Any, kind: type, depth: int) -> Any:
        if id(value) in self._path:
            return f"<cycle: {name_of(kind)}>"
        if depth >= MAX_DEPTH:
            return f"<{name_of(kind)}: deeper than {MAX_DEPTH}>"
        self._path.add(id(value))
        try:
            if issubclass(kind, dict):
                return self._dict(value, depth)
            base = list if issubclass(kind, list) else tuple
            length = base.__len__(value)
            items = list(islice(base.__iter__(value), MAX_ITEMS))
            if self._snapshot.by_default and len(items) <= self._left and small(items):
                self._left -= len(items)
                kept = items
            else:
                kept = [self.copy(item, depth + 1) for item in items if self._left > 0]
            if length > len(kept):
                kept.append(f"{CUT} {length - len(kept):,} more")
            return kept
        finally:
            self._path.discard(id(value))

    def _dict(self, value: dict[Any, Any], depth: int) -> dict[Any, Any]:
        length = dict.__len__(value)
        kept: dict[Any, Any] = {}
        # A single call of C code takes the items, so no other thread can change the dict meanwhile.
        for key, item in list(islice(dict.items(value), MAX_ITEMS)):
            if self._left <= 0:
                break
            kind = type(key)
            scalar = kind is int or issubclass(kind, str) or _atomic(kind)
            name = self.copy(key, depth, serialized=True) if scalar else self.text(key, depth)
            hidden = type(name) is str and self._snapshot._secret(name)
            kept[unused(name, kept)] = REDACTED if hidden else self.copy(item, depth + 1)
        if length > len(kept):
            kept[unused(CUT, kept)] = f"{length - len(kept):,} more"
        return kept

    def text(self, value: Any, depth: int) -> str:
        """Return a limited ``repr`` of ``value``, without building that of a large builtin."""
        kind = type(value)
        if issubclass(kind, str):
            return cut(value)
        if issubclass(kind, (bytes, bytearray)):
            base: Any = bytes if issubclass(kind, bytes) else bytearray
            length = base.__len__(value)
            start = repr(bytes(base.__getitem__(value, slice(MAX_TEXT))))
            return (
                start if length <= MAX_TEXT else f"{start}{CUT} ({length - MAX_TEXT:,} more bytes)"
            )
        written = _definer(kind, "__repr__")
        if id(written) in _COLLECTIONS:
            return cut(self._collection(value, written, name_of(kind), depth))
        if written is array:
            start = repr(array.__getitem__(value, slice(MAX_ITEMS)))
            more = array.__len__(value) - MAX_ITEMS
            return start if more <= 0 else f"{start}{CUT} ({more:,} more items)"
        if (
            not is_made_in_python(written)
            and issubclass(kind, BaseException)
            and (not self._snapshot.calls_repr or any(map(_holds, _args_of(value))))
        ):
            if id(value) in self._path or depth >= MAX_DEPTH:
                return f"{name_of(kind)}({CUT})"
            self._path.add(id(value))
            try:
                shown = [self.copy(one, depth + 1) for one in _args_of(value)[:MAX_ITEMS]]
            finally:
                self._path.discard(id(value))
            return cut(f"{name_of(kind)}({', '.join(map(repr, shown))})")
        return self._snapshot.object_text(value)

    def _collection(self, value: Any, base: Any, name: str, depth: int) -> str:
        opening, closing = _COLLECTIONS[id(base)]
        if id(value) in self._path or depth >= MAX_DEPTH:
            return f"{name}({CUT})"
        self._path.add(id(value))
        try:
            length = base.__len__(value)
            parts = []
            for item in list(islice(base.__iter__(value), MAX_ITEMS)):
                if self._left <= 0:
                    break
                if base is _ITEMS:
                    item = {item[0]: item[1]}  # a dict, so that secret keys are redacted
                kept = self.copy(item, depth + 1)
                scalar = type(item) is str or type(item) is int or type(kept) is not str
                parts.append(repr(kept) if scalar else kept)
        finally:
            self._path.discard(id(value))
        if length > len(parts):
            parts.append(f"{CUT} {length - len(parts):,} more")
        inside = ", ".join(parts)
        if name == "set" and parts:
            return f"{{{inside}}}"
        return f"{name}({opening}{inside}{closing})" if parts else f"{name}()"


_ITEMS: Any = type({}.items())
_COLLECTIONS: dict[int, tuple[str, str]] = {
    id(set): ("{", "}"),
    id(frozenset): ("{", "}"),
    id(deque): ("[", "]"),
    id(type({}.keys())): ("[", "]"),
    id(type({}.values())): ("[", "]"),
    id(_ITEMS): ("[", "]"),
}
"""The brackets in the ``repr`` of builtin collections, by the ``id`` of the class.

By ``id``, because hashing or comparing other classes could run code of their metaclass.
"""


def _definer(kind: type, method: str) -> type:
    """Return the class in the MRO of ``kind`` that defines ``method``."""
    return next(base for base in bases_of(kind) if method in namespace_of(base))


def _holds(value: object, depth: int = MAX_DEPTH) -> bool:
    """Return whether ``value`` is a builtin that may be large, or an exception that holds one."""
    kind = type(value)
    if issubclass(kind, (list, tuple, dict, bytes, bytearray)):
        return True
    if issubclass(kind, BaseException):
        # Stop at a depth that is not shown anyway, because an exception may contain itself.
        args = _args_of(value)  # type: ignore[arg-type]
        return depth == 0 or any(_holds(one, depth - 1) for one in args)
    written = _definer(kind, "__repr__")
    return written is array or id(written) in _COLLECTIONS


def unused(key: Any, taken: Container[Any]) -> Any:
    """Return ``key``, with a number appended if it is in ``taken``."""
    candidate, number = key, 1
    while candidate in taken:
        number += 1
        candidate = f"{key} #{number}"
    return candidate
