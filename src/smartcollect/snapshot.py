"""Values to small plain data at the moment of a call, and the redaction of secrets."""

from __future__ import annotations

import re
import traceback
import weakref
from array import array
from asyncio import CancelledError
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from types import CodeType, FunctionType, MethodType, TracebackType
from typing import Any, NamedTuple

from .clock import SYSTEM
from .nesting import suspended

MAX_TEXT = 500
"""Characters kept of a string or of a ``repr``."""
MAX_ITEMS = 50
"""Items kept of one list or dict."""
MAX_DEPTH = 6
"""Containers inside containers that are followed."""
MAX_NODES = 500
"""Values kept of one argument or result, its nested ones counted."""
MAX_FRAMES = 40
"""Frames kept of a traceback."""
MAX_NAME = 200
"""Characters kept of the name of an exception's class."""
MAX_CHAIN = 5
"""Exceptions kept of a chain of causes."""
LONG = 0.1
"""Seconds. Where a ``repr`` or serializer takes longer, its type is left alone for a while."""
_SILENCE = 100
_MAX_SILENT = 1_000

UNKNOWN = "<not recorded>"
"""Stands in for what could not be recorded."""
REDACTED = "***"
SECRET_NAMES = (
    "access_key",
    "api_key",
    "apikey",
    "auth",
    "authorization",
    "card_number",
    "cookie",
    "credential",
    "credentials",
    "credit_card",
    "csrf",
    "cvv",
    "encryption_key",
    "passphrase",
    "passwd",
    "password",
    "private_key",
    "pwd",
    "secret",
    "secret_key",
    "session_key",
    "signing_key",
    "ssn",
    "token",
)
"""The parameter names that are redacted unless ``redact=`` says otherwise."""

SCALARS = (type(None), bool, float, int, str, bytes)
"""Types whose values refer to nothing else."""
MAX_BITS = 1024
"""Of the largest int that is kept as it is. CPython refuses to print one of over 4,300 digits."""
_CUT = "…"
WATCHED = "<watched>"
"""Marks code that stands in for a function's own, which is the constant after this one."""
# What may be contained without taking a KeyboardInterrupt or a test's time-out from its owner.
CONTAINED = (Exception, SystemExit, GeneratorExit, CancelledError)


# A class is compared by identity, and asked for its own parts in `type`'s way: a metaclass may lie,
# raise or take its time in `__eq__`, `__hash__`, `__name__` and `__mro__`.
_name_of: Callable[[type], str] = type.__dict__["__name__"].__get__
_bases_of: Callable[[type], tuple[type, ...]] = type.__dict__["__mro__"].__get__
_namespace_of: Callable[[type], Mapping[str, Any]] = type.__dict__["__dict__"].__get__
# The same of an exception, whose truth is its own too.
_args_of, _cause_of, _context_of, _is_suppressed, _traceback_of = (
    BaseException.__dict__[name].__get__
    for name in ("args", "__cause__", "__context__", "__suppress_context__", "__traceback__")
)


def _atomic(kind: type) -> bool:
    """Whether all values of a type are small and plain."""
    return kind is float or kind is bool or kind is type(None)


class Redactor:
    """Tells which names are secret.

    A name is secret when its words hold the words of one of ``names`` in a row: ``new_password``
    and ``userApiKey`` are, ``tokenize`` is not.

    Args:
        names: the secret names, in snake_case.
    """

    _WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
    _REMEMBERED = 10_000
    _LONGEST = 100

    def __init__(self, names: Iterable[str] = SECRET_NAMES) -> None:
        self.names = tuple(names)
        self._patterns = tuple(self._words(name) for name in self.names)
        self._known: dict[str, bool] = {}

    @classmethod
    def _words(cls, name: str) -> str:
        return f"_{'_'.join(cls._WORDS.findall(name)).lower()}_"

    def __call__(self, name: str) -> bool:
        """Whether ``name`` names a secret."""
        if type(name) is not str:
            name = str.__getitem__(name, slice(None))
        known = self._known.get(name)
        if known is None:
            words = self._words(name[:MAX_TEXT])
            known = any(pattern in words for pattern in self._patterns)
            if len(self._known) < self._REMEMBERED and len(name) <= self._LONGEST:
                self._known[name] = known
        return known


def cut(text: str, limit: int = MAX_TEXT) -> str:
    """``text``, or its beginning and how much is missing."""
    length = str.__len__(text)
    if length <= limit:
        return text if type(text) is str else str.__getitem__(text, slice(None))
    return f"{str.__getitem__(text, slice(limit))}{_CUT} ({length - limit:,} more characters)"


def small(values: Iterable[Any]) -> bool:
    """Whether all are scalars that need no snapshot: they are plain data, and not large."""
    for value in values:
        kind = type(value)
        if not (
            (kind is int and value.bit_length() <= MAX_BITS)
            or (kind is str and len(value) <= MAX_TEXT)
            or _atomic(kind)
        ):
            return False
    return True


class Snapshot:
    """Turns values into plain data: scalars, lists, dicts, and text for all else.

    What it returns holds none of the objects it was given but scalars, and is bounded in length,
    items, depth and number of values, cut visibly. Nothing that a value's own methods do comes
    out of it: a ``repr`` that raises or exits leaves a note in its place and is counted.

    Args:
        serializers: functions that replace the default for a type and its subclasses.
        secret: tells which dict keys hide their values.
    """

    def __init__(
        self,
        serializers: Mapping[type, Callable[[Any], Any]] | None = None,
        secret: Callable[[str], bool] = lambda name: False,
    ) -> None:
        self._serializers = dict(serializers or {})
        self._by_id = {id(kind): function for kind, function in self._serializers.items()}
        self._secret = secret
        # By the identity of a type, when its methods may be called again.
        self._silent: dict[int, tuple[weakref.ref[type], float]] = {}
        self.by_default = not self._serializers
        """Whether no type has a serializer."""
        self.failures = 0
        """Values whose own methods, or whose serializer, failed."""

    def arguments(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """Each of ``args`` as plain data."""
        if not self._serializers and small(args):
            return args
        return tuple([self.value(value) for value in args])

    def keywords(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        """Each value of ``kwargs`` as plain data; secret ones as ``"***"``."""
        return {
            cut(name): REDACTED if self._secret(name) else self.arguments((value,))[0]
            for name, value in kwargs.items()
        }

    def value(self, value: Any) -> Any:
        """``value`` as plain data."""
        return _Walk(self).plain(value, 0)

    def serializer(self, kind: type) -> Callable[[Any], Any] | None:
        """The serializer for ``kind``: its own, or the nearest base's."""
        found = (self._by_id[id(base)] for base in _bases_of(kind) if id(base) in self._by_id)
        return next(found, None)

    def message(self, error: BaseException) -> str:
        """What an exception says, bounded."""
        args = _args_of(error)
        if _definer(type(error), "__str__") is BaseException and any(map(_holds, args)):
            # Nothing large is built whole, and no secret of a dict is told.
            plain = self.arguments(args)
            return cut(str(plain[0] if len(plain) == 1 else plain))
        return cut(self.call(str, error, "str"))

    def note_failure(self, error: BaseException) -> str:
        """Counts a failure of the recorder's own, and returns what stands in for the value."""
        self.failures += 1
        return f"<not recorded: {_name_of(type(error))}>"

    def call(self, function: Callable[[Any], Any], value: Any, what: str) -> Any:
        """``function(value)``, or a note of how it failed, or that it takes too long.

        One that takes long is not called again for its type for a hundred times as long: it would
        stop a handler that is called again and again.
        """
        kind, start = type(value), SYSTEM.monotonic()
        name = _name_of(kind)
        silent = self._silent.get(id(kind))
        if silent is not None and silent[0]() is kind and start < silent[1]:
            return f"<{name}: {what} takes too long>"
        try:
            return suspended(function, value)
        except CONTAINED as error:
            self.failures += 1
            return f"<{name}: {what} raised {_name_of(type(error))}>"
        finally:
            end = SYSTEM.monotonic()
            if end - start > LONG:
                if len(self._silent) >= _MAX_SILENT:
                    self._silent.clear()
                self._silent[id(kind)] = weakref.ref(kind), end + _SILENCE * (end - start)


class _Walk:
    """One value's snapshot: what its nested values share."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._left = MAX_NODES
        self._path: set[int] = set()

    def plain(self, value: Any, depth: int, serialized: bool = False) -> Any:
        kind = type(value)
        self._left -= 1
        if self._snapshot._serializers and not serialized:
            serializer = self._snapshot.serializer(kind)
            if serializer is not None:
                done = self._snapshot.call(serializer, value, "its serializer")
                return self.plain(done, depth, serialized=True)
        if _atomic(kind):
            return value
        # `issubclass(type(x), …)`, not `isinstance`: a `__class__` may lie or raise.
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
            return f"<cycle: {_name_of(kind)}>"
        if depth >= MAX_DEPTH:
            return f"<{_name_of(kind)}: deeper than {MAX_DEPTH}>"
        self._path.add(id(value))
        try:
            if issubclass(kind, dict):
                return self._dict(value, depth)
            base = list if issubclass(kind, list) else tuple
            length = base.__len__(value)
            kept = [
                self.plain(item, depth + 1)
                for item in list(islice(base.__iter__(value), MAX_ITEMS))
                if self._left > 0
            ]
            if length > len(kept):
                kept.append(f"{_CUT} {length - len(kept):,} more")
            return kept
        finally:
            self._path.discard(id(value))

    def _dict(self, value: dict[Any, Any], depth: int) -> dict[Any, Any]:
        length = dict.__len__(value)
        kept: dict[Any, Any] = {}
        # One call of C code takes the items, so that no other thread changes the dict meanwhile.
        for key, item in list(islice(dict.items(value), MAX_ITEMS)):
            if self._left <= 0:
                break
            kind = type(key)
            scalar = kind is int or issubclass(kind, str) or _atomic(kind)
            name = self.plain(key, depth, serialized=True) if scalar else self.text(key, depth)
            hidden = type(name) is str and self._snapshot._secret(name)
            kept[unused(name, kept)] = REDACTED if hidden else self.plain(item, depth + 1)
        if length > len(kept):
            kept[unused(_CUT, kept)] = f"{length - len(kept):,} more"
        return kept

    def text(self, value: Any, depth: int) -> str:
        """A bounded ``repr`` of ``value``; one of a large builtin is never built whole."""
        kind = type(value)
        if issubclass(kind, str):
            return cut(value)
        if issubclass(kind, (bytes, bytearray)):
            base: Any = bytes if issubclass(kind, bytes) else bytearray
            length = base.__len__(value)
            start = repr(bytes(base.__getitem__(value, slice(MAX_TEXT))))
            return (
                start if length <= MAX_TEXT else f"{start}{_CUT} ({length - MAX_TEXT:,} more bytes)"
            )
        written = _definer(kind, "__repr__")
        if written in _COLLECTIONS:
            return cut(self._collection(value, written, _name_of(kind), depth))
        if written is array and array.__len__(value) > MAX_ITEMS:
            start = repr(array.__getitem__(value, slice(MAX_ITEMS)))
            return f"{start}{_CUT} ({array.__len__(value) - MAX_ITEMS:,} more items)"
        if written is BaseException and any(map(_holds, _args_of(value))):
            shown = [self.plain(one, depth + 1) for one in _args_of(value)[:MAX_ITEMS]]
            return cut(f"{_name_of(kind)}({', '.join(map(repr, shown))})")
        return cut(self._snapshot.call(repr, value, "repr"))

    def _collection(self, value: Any, base: Any, name: str, depth: int) -> str:
        opening, closing = _COLLECTIONS[base]
        if id(value) in self._path or depth >= MAX_DEPTH:
            return f"{name}({_CUT})"
        self._path.add(id(value))
        try:
            length = base.__len__(value)
            parts = []
            for item in list(islice(base.__iter__(value), MAX_ITEMS)):
                if self._left <= 0:
                    break
                plain = self.plain(item, depth + 1)
                scalar = type(item) is str or type(item) is int or type(plain) is not str
                parts.append(repr(plain) if scalar else plain)
        finally:
            self._path.discard(id(value))
        if length > len(parts):
            parts.append(f"{_CUT} {length - len(parts):,} more")
        inside = ", ".join(parts)
        if name == "set" and parts:
            return f"{{{inside}}}"
        return f"{name}({opening}{inside}{closing})" if parts else f"{name}()"


_COLLECTIONS: dict[Any, tuple[str, str]] = {
    set: ("{", "}"),
    frozenset: ("{", "}"),
    deque: ("[", "]"),
    type({}.keys()): ("[", "]"),
    type({}.values()): ("[", "]"),
    type({}.items()): ("[", "]"),
}
"""Builtins whose ``repr`` would be built whole, and what that puts around their items."""


def _definer(kind: type, method: str) -> type:
    """The class that objects of class ``kind`` have ``method`` from."""
    return next(base for base in _bases_of(kind) if method in _namespace_of(base))


def _holds(value: object) -> bool:
    """Whether ``value`` is a builtin that may be large."""
    kind = type(value)
    if issubclass(kind, (list, tuple, dict, bytes, bytearray)):
        return True
    return _definer(kind, "__repr__") in (*_COLLECTIONS, array)


def unused(key: Any, taken: Mapping[Any, Any]) -> Any:
    """``key``, or ``key`` with a number after it where ``taken`` has it already."""
    candidate, number = key, 1
    while candidate in taken:
        number += 1
        candidate = f"{key} #{number}"
    return candidate


class Failure(NamedTuple):
    """An exception as text: nothing of it keeps a frame or an object alive.

    Attributes:
        type: the name of its class.
        message: its ``str``, bounded.
        frames: (file, line, function) of the frames it went through, outermost first.
        cause: the failure it was raised from, or raised while handling.
        explicit: whether the cause was given with ``raise … from``.
    """

    type: str
    message: str
    frames: tuple[tuple[str, int, str], ...]
    cause: Failure | None = None
    explicit: bool = False

    def traceback(self) -> str:
        """The text that Python would print, source lines looked up now."""
        lines = []
        if self.cause is not None:
            between = (
                "The above exception was the direct cause of the following exception:"
                if self.explicit
                else "During handling of the above exception, another exception occurred:"
            )
            lines += [self.cause.traceback(), f"\n{between}\n\n"]
        if self.frames:
            summary = traceback.StackSummary.from_list(
                [traceback.FrameSummary(*frame, lookup_line=False) for frame in self.frames]
            )
            lines += ["Traceback (most recent call last):\n", *summary.format()]
        lines.append(f"{self.type}: {self.message}\n" if self.message else f"{self.type}\n")
        return "".join(lines)


def failure(error: BaseException, snapshot: Snapshot, own_files: frozenset[str]) -> Failure:
    """What is kept of ``error``.

    Args:
        error: the exception, while it is handled.
        snapshot: runs its ``__str__``.
        own_files: files whose frames are left out.
    """
    chain: list[BaseException] = []
    link: BaseException | None = error
    seen: set[int] = set()
    while link is not None and id(link) not in seen and len(chain) < MAX_CHAIN:
        seen.add(id(link))
        chain.append(link)
        cause = _cause_of(link)
        link = cause if cause is not None or _is_suppressed(link) else _context_of(link)
    made: Failure | None = None
    for link in reversed(chain):
        message = snapshot.message(link)
        made = Failure(
            cut(_name_of(type(link)), MAX_NAME),
            message,
            _frames(_traceback_of(link), own_files),
            made,
            _cause_of(link) is not None,
        )
    assert made is not None
    return made


def _frames(
    trace: TracebackType | None, own_files: frozenset[str]
) -> tuple[tuple[str, int, str], ...]:
    # The innermost frames say most; the deque forgets the outer ones of a deep recursion.
    kept: deque[tuple[str, int, str]] = deque(maxlen=MAX_FRAMES)
    while trace is not None:
        code = trace.tb_frame.f_code
        if code.co_filename not in own_files and plain_code(code) is code:
            kept.append((code.co_filename, trace.tb_lineno or 0, code.co_name))
        trace = trace.tb_next
    return tuple(kept)


def secret_positions(
    function: Any, secret: Callable[[str], bool]
) -> tuple[frozenset[int], int | None]:
    """Which positional arguments of ``function`` are secret by their parameter's name.

    Returns:
        The secret positions, and the position from which ``*args`` are secret, if they are.
    """
    code, skipped = _code(function)
    if code is None:
        return frozenset(), None
    count = code.co_argcount
    names = code.co_varnames
    positions = frozenset(index - skipped for index in range(count) if secret(names[index]))
    if code.co_flags & 0x04 and secret(names[count + code.co_kwonlyargcount]):  # CO_VARARGS
        return positions, count - skipped
    return positions, None


def _code(function: Any) -> tuple[CodeType | None, int]:
    """The code that names the parameters, and how many of its first ones are bound already."""
    for _ in range(100):
        if isinstance(function, (staticmethod, classmethod)):
            function = function.__func__
        inner = getattr(function, "__wrapped__", None)
        if inner is None:
            break
        function = inner
    skipped = 0
    if isinstance(function, type):
        function, skipped = vars(function).get("__init__"), 1
    elif not isinstance(function, (FunctionType, MethodType)):
        function, skipped = getattr(type(function), "__call__", None), 1  # noqa: B004
    if isinstance(function, MethodType):
        function, skipped = function.__func__, 1
    if not isinstance(function, FunctionType):
        return None, 0
    return plain_code(function.__code__), skipped


def plain_code(code: CodeType) -> CodeType:
    """A function's own code, where ``code`` stands in for it."""
    if code.co_consts[-2:-1] == (WATCHED,):
        plain = code.co_consts[-1]
        assert isinstance(plain, CodeType)
        return plain
    return code
