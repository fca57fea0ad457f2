"""Values to small plain data at the moment of a call, and the redaction of secrets."""

from __future__ import annotations

import re
import traceback
from asyncio import CancelledError
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from types import CodeType, FunctionType, MethodType, TracebackType
from typing import Any, NamedTuple

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
MAX_CHAIN = 5
"""Exceptions kept of a chain of causes."""

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

ATOMS = frozenset({type(None), bool, float})
"""Types whose values are all small and plain."""
MAX_BITS = 1024
"""Of the largest int that is kept as it is. CPython refuses to print one of over 4,300 digits."""
_CUT = "…"
WATCHED = "<watched>"
"""Marks code that stands in for a function's own, which is the constant after this one."""
# What may be contained without taking a KeyboardInterrupt or a test's time-out from its owner.
CONTAINED = (Exception, SystemExit, GeneratorExit, CancelledError)


class Redactor:
    """Tells which names are secret.

    A name is secret when its words hold the words of one of ``names`` in a row: ``new_password``
    and ``userApiKey`` are, ``tokenize`` is not.

    Args:
        names: the secret names, in snake_case.
    """

    _WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
    _REMEMBERED = 10_000

    def __init__(self, names: Iterable[str] = SECRET_NAMES) -> None:
        self.names = tuple(names)
        self._patterns = tuple(self._words(name) for name in self.names)
        self._known: dict[str, bool] = {}

    @classmethod
    def _words(cls, name: str) -> str:
        return f"_{'_'.join(cls._WORDS.findall(name)).lower()}_"

    def __call__(self, name: str) -> bool:
        """Whether ``name`` names a secret."""
        known = self._known.get(name)
        if known is None:
            words = self._words(name[:MAX_TEXT])
            known = any(pattern in words for pattern in self._patterns)
            if len(self._known) < self._REMEMBERED:
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
            kind in ATOMS
            or (kind is int and value.bit_length() <= MAX_BITS)
            or (kind is str and len(value) <= MAX_TEXT)
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
        self._by_type: dict[type, Callable[[Any], Any] | None] = {}
        self._secret = secret
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
            name: REDACTED if self._secret(name) else self.arguments((value,))[0]
            for name, value in kwargs.items()
        }

    def value(self, value: Any) -> Any:
        """``value`` as plain data."""
        return _Walk(self).plain(value, 0)

    def serializer(self, kind: type) -> Callable[[Any], Any] | None:
        """The serializer for ``kind``: its own, or the nearest base's."""
        try:
            return self._by_type[kind]
        except KeyError:
            found = next(
                (self._serializers[base] for base in kind.__mro__ if base in self._serializers),
                None,
            )
            if len(self._by_type) < 10_000:
                self._by_type[kind] = found
            return found

    def note_failure(self, error: BaseException) -> str:
        """Counts a failure of the recorder's own, and returns what stands in for the value."""
        self.failures += 1
        return f"<not recorded: {type(error).__name__}>"

    def call(self, function: Callable[[Any], Any], value: Any, what: str) -> Any:
        """``function(value)``, or a note of how it failed."""
        try:
            return suspended(function, value)
        except CONTAINED as error:
            self.failures += 1
            return f"<{type(value).__name__}: {what} raised {type(error).__name__}>"


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
        if kind in ATOMS:
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
            return f"<cycle: {kind.__name__}>"
        if depth >= MAX_DEPTH:
            return f"<{kind.__name__}: deeper than {MAX_DEPTH}>"
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
            if kind is str:
                name: Any = cut(key)
                hidden = self._snapshot._secret(key)
            else:
                name = key if kind in ATOMS or kind is int else self.text(key, depth)
                if kind is int:
                    name = self.plain(key, depth, serialized=True)
                hidden = False
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
        if kind in (set, frozenset, deque):
            return cut(self._collection(value, kind, depth))
        return cut(self._snapshot.call(repr, value, "repr"))

    def _collection(self, value: Any, kind: type, depth: int) -> str:
        if id(value) in self._path or depth >= MAX_DEPTH:
            return f"{kind.__name__}({_CUT})"
        self._path.add(id(value))
        try:
            length = len(value)
            parts = []
            for item in list(islice(value, MAX_ITEMS)):
                if self._left <= 0:
                    break
                plain = self.plain(item, depth + 1)
                parts.append(
                    plain if type(item) not in (str, int) and type(plain) is str else repr(plain)
                )
        finally:
            self._path.discard(id(value))
        if length > len(parts):
            parts.append(f"{_CUT} {length - len(parts):,} more")
        opening, closing = ("[", "]") if kind is deque else ("{", "}")
        inside = ", ".join(parts)
        if kind is set and parts:
            return f"{{{inside}}}"
        return f"{kind.__name__}({opening}{inside}{closing})" if parts else f"{kind.__name__}()"


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
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
    made: Failure | None = None
    for link in reversed(chain):
        message = snapshot.call(str, link, "str")
        made = Failure(
            type(link).__name__,
            cut(message),
            _frames(link.__traceback__, own_files),
            made,
            link.__cause__ is not None,
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
