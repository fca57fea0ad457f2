"""Values that misbehave, each made anew by a function."""

from __future__ import annotations

import enum
import io
import time
import weakref
from array import array
from collections import OrderedDict, UserDict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import MappingProxyType, SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

LARGE = 10_000_000


class Broken(Exception):
    """The exception that hostile methods raise."""


def _raising(*_: Any, **__: Any) -> Any:
    raise Broken("hostile")


class ReprRaises:
    __repr__ = __str__ = _raising


class ReprExits:
    def __repr__(self) -> str:
        raise SystemExit(3)


class ReprReturnsNoText:
    def __repr__(self) -> str:
        return 5  # type: ignore[return-value]


class ReprRecurses:
    def __repr__(self) -> str:
        return repr(self)


class ReprWaits:
    def __repr__(self) -> str:
        time.sleep(0.01)
        return "<late>"


class ReprIsHuge:
    def __repr__(self) -> str:
        return "x" * LARGE


class Text(str):
    __len__ = __getitem__ = __iter__ = __eq__ = __contains__ = _raising
    encode = isascii = isprintable = __str__ = __repr__ = __format__ = _raising

    def __hash__(self) -> int:
        return str.__hash__(self)


class ReprReturnsHostileText:
    def __repr__(self) -> str:
        return Text("hostile")


class ClassLies:
    @property
    def __class__(self) -> Any:  # type: ignore[override]
        raise Broken("hostile")


class LiesToBeADict:
    @property
    def __class__(self) -> Any:  # type: ignore[override]
        return dict


class Dict(dict[Any, Any]):
    __len__ = __iter__ = __getitem__ = __contains__ = __eq__ = __repr__ = __bool__ = _raising
    items = keys = values = get = copy = _raising


class List(list[Any]):
    __len__ = __iter__ = __getitem__ = __contains__ = __eq__ = __repr__ = __bool__ = _raising


class Set(set[Any]):
    __len__ = __iter__ = __contains__ = __eq__ = __repr__ = __bool__ = _raising


class Number(int):
    bit_length = __repr__ = __str__ = __eq__ = __lt__ = __le__ = __bool__ = _raising

    def __hash__(self) -> int:
        return 1


class Meta(type):
    __eq__ = __hash__ = __repr__ = __instancecheck__ = __subclasscheck__ = _raising
    __name__ = property(_raising)  # type: ignore[assignment]
    __mro__ = property(_raising)  # type: ignore[assignment]


class OfHostileClass(metaclass=Meta):
    pass


class EverythingRaises:
    __getattr__ = __eq__ = __bool__ = __len__ = __iter__ = __call__ = _raising
    __repr__ = __str__ = __format__ = __reduce_ex__ = __sizeof__ = __dir__ = _raising
    __hash__ = _raising  # type: ignore[assignment]


class GetAttributeRaises:
    __getattribute__ = _raising


class Target:
    pass


class Field(enum.Enum):
    NAME = "name"


@dataclass
class Record:
    inside: Any


class Lazy:
    """An object that builds its content on access, which fails."""

    def __getattr__(self, name: str) -> Any:
        raise Broken("looked at")


def _deep() -> list[Any]:
    value: list[Any] = []
    for _ in range(20_000):
        value = [value]
    return value


def _cycle() -> dict[str, Any]:
    value: dict[str, Any] = {"list": [], "text": "x"}
    value["list"].append(value)
    return value


def _iterator() -> Iterator[int]:
    yield from range(3)


def _chain() -> BaseException:
    error: BaseException = ValueError("first")
    for number in range(1_000):
        following = RuntimeError(f"number {number}")
        following.__cause__ = error
        error = following
    return error


MADE: dict[str, Callable[[], Any]] = {
    "repr raises": ReprRaises,
    "repr exits": ReprExits,
    "repr returns no text": ReprReturnsNoText,
    "repr returns hostile text": ReprReturnsHostileText,
    "repr recurses": ReprRecurses,
    "repr waits": ReprWaits,
    "repr is huge": ReprIsHuge,
    "class raises": ClassLies,
    "class lies": LiesToBeADict,
    "text": lambda: Text("hostile"),
    "dict": lambda: Dict(a=1),
    "list": lambda: List([1]),
    "set": lambda: Set({1}),
    "number": lambda: Number(7),
    "of a hostile class": OfHostileClass,
    "a hostile class": lambda: OfHostileClass,
    "everything raises": EverythingRaises,
    "getattribute raises": GetAttributeRaises,
    "cycle": _cycle,
    "deep": _deep,
    "deep in an object": lambda: SimpleNamespace(inside=_deep()),
    "dead proxy": lambda: weakref.proxy(Target()),
    "long number": lambda: 10**6_000,
    "long negative number": lambda: -(10**6_000),
    "nan": lambda: float("nan"),
    "infinity": lambda: [float("inf"), -float("inf")],
    "surrogate": lambda: "\ud800 lone",
    "nul": lambda: "a\0b",
    "escapes": lambda: "\x1b[31mred\x1b]0;title\x07\x9b2J\u202eright to left",
    "formula": lambda: "=cmd|' /C calc'!A0",
    "long text": lambda: "x" * LARGE,
    "long bytes": lambda: b"x" * LARGE,
    "long bytearray": lambda: bytearray(LARGE),
    "long memoryview": lambda: memoryview(bytearray(LARGE)),
    "long list": lambda: [0] * (LARGE // 8),
    "long tuple": lambda: (0,) * (LARGE // 8),
    "long set": lambda: set(range(LARGE // 64)),
    "long deque": lambda: deque(range(LARGE // 64)),
    "long array": lambda: array("d", bytes(LARGE)),
    "long dict": lambda: dict.fromkeys(range(LARGE // 64)),
    "long view": lambda: dict.fromkeys(range(LARGE // 64)).keys(),
    "odd keys": lambda: {(1, 2): 1, None: 2, Field.NAME: 3, b"x": 4, 1.5: 5, True: 6},
    "colliding keys": lambda: {1: "int", "1": "text", None: "None", "null": "text", "None": 0},
    "hostile keys": lambda: {Text("a"): 1, ReprRaises(): 2, Number(3): 4},
    "ordered": lambda: OrderedDict(a=Dict()),
    "user dict": lambda: UserDict(a=ReprRaises()),
    "mapping proxy": lambda: MappingProxyType({"a": ReprRaises()}),
    "mock": lambda: MagicMock(name="\x1b[31m"),
    "mock of a dict": lambda: MagicMock(spec=dict),
    "lazy": Lazy,
    "iterator": _iterator,
    "file": lambda: io.StringIO("line\n" * 3),
    "record": lambda: Record(ReprRaises()),
    "broken exception": lambda: BrokenText("x"),
    "group": lambda: GROUP("many\x1b[31m", [ValueError(index) for index in range(100)]),
    "chain": _chain,
    "falsy exception": lambda: Falsy("x"),
}


class BrokenText(Exception):
    __str__ = __repr__ = _raising


class Falsy(Exception):
    __bool__ = __len__ = _raising
    __cause__ = __context__ = __traceback__ = property(_raising)  # type: ignore[assignment]


GROUP: Any = getattr(__builtins__, "ExceptionGroup", None) or (
    __builtins__.get("ExceptionGroup") if isinstance(__builtins__, dict) else None
)
if GROUP is None:
    del MADE["group"]

AROUND: dict[str, Callable[[Any], Any]] = {
    "itself": lambda value: value,
    "in a list": lambda value: [1, value, "x"],
    "in a tuple": lambda value: (value,),
    "in a dict": lambda value: {"key": value, "password": "hunter2"},
    "in a record": Record,
    "in a hostile list": lambda value: List([value]),
    "in a hostile dict": lambda value: Dict(key=value),
    "in an exception": lambda value: ValueError(value),
    "twice": lambda value: [value, value],
}
