"""``objects="type"``: recording never runs code of the application, for any values."""

from __future__ import annotations

import datetime
import decimal
import enum
import fractions
import functools
import pathlib
import uuid
import zoneinfo
from array import array
from collections import OrderedDict, UserDict, defaultdict, deque, namedtuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from smartswitch import Switcher

from smartcollect import CollectPlugin, collecting
from smartcollect.values.snapshot import Snapshot

RAN: list[str] = []


def telling(name):
    def method(self, *args, **kwargs):
        RAN.append(name)
        raise AssertionError(f"{name} ran")

    return method


SPECIAL = [
    *("__repr__", "__str__", "__format__", "__bytes__", "__len__", "__iter__", "__bool__"),
    *("__getattr__", "__getattribute__", "__eq__", "__ne__", "__lt__", "__contains__"),
    *("__getitem__", "__int__", "__index__", "__float__", "__call__", "__enter__", "__dir__"),
    *("__reduce_ex__", "__copy__", "__length_hint__", "__fspath__", "__next__", "__await__"),
]
METHODS = {name: telling(name) for name in SPECIAL}
Telling = type("Telling", (), {**METHODS, "__class__": property(telling("__class__"))})


class Meta(type):
    __repr__ = __str__ = __len__ = __iter__ = __bool__ = telling("metaclass")
    __getattribute__ = telling("metaclass attribute")
    __eq__ = __instancecheck__ = __subclasscheck__ = telling("metaclass check")
    __hash__ = telling("metaclass hash")


class OfMeta(metaclass=Meta):
    __repr__ = telling("__repr__")


class Text(str):
    __slots__ = ()
    __repr__ = __str__ = __len__ = __format__ = __eq__ = __iter__ = telling("text")
    __hash__ = str.__hash__


class Items(list):
    __repr__ = __len__ = __iter__ = __getitem__ = __bool__ = telling("items")


class Mapped(dict):
    __repr__ = __len__ = __iter__ = __getitem__ = items = keys = telling("mapped")


class Number(int):
    __repr__ = __str__ = __index__ = __eq__ = telling("number")
    __hash__ = int.__hash__


class Zone(datetime.tzinfo):
    utcoffset = tzname = dst = __repr__ = telling("zone")


class Color(enum.Enum):
    RED = 1
    __repr__ = __str__ = telling("color")


class Fault(Exception):
    __str__ = __repr__ = telling("fault")


VALUES = {
    "object": Telling(),
    "of a metaclass": OfMeta(),
    "class": OfMeta,
    "text": Text("t"),
    "list": Items([1, Telling()]),
    "dict": Mapped({"a": Telling()}),
    "nested": [{"a": (Telling(), [Telling()])}],
    "number": Number(3),
    "enum": Color.RED,
    "date with a zone": datetime.datetime(2026, 1, 2, tzinfo=Zone()),
    "time with a zone": datetime.time(1, tzinfo=Zone()),
    "partial": functools.partial(Telling(), Telling()),
    "bound method": Items([1]).append,
    "method": functools.partial(print).__call__,
    "exception": ValueError(Telling()),
    "own exception": Fault(Telling()),
    "deque": deque([Telling()]),
    "user dict": UserDict(),
    "tuple": namedtuple("Pair", "a b")(Telling(), 1),
    "ordered": OrderedDict(a=Telling()),
    "default": defaultdict(telling("factory"), a=1),
    "slice": slice(Telling(), Telling()),
    "range": range(3),
    "views": {"a": Telling()}.items(),
    "property": property(telling("getter")),
    "memory": memoryview(b"abc"),
}


@pytest.fixture(autouse=True)
def nothing_ran():
    RAN.clear()
    yield
    assert RAN == []


# By name, because pytest inspects the values of parameters.
@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("how", ["attach", "plug"])
def test_no_code_of_the_application_runs(name, how):
    value = VALUES[name]
    sw, plugin = Switcher("api"), CollectPlugin(objects="type")
    if how == "plug":
        sw.plug(plugin)

    @sw
    def give(first, *, second):
        return first

    @sw
    def fail(first):
        raise ValueError(first)

    @sw
    def outer():
        for _ in range(12):
            give(value, second=value)

    if how == "attach":
        plugin.attach(sw)
    outer()
    with pytest.raises(ValueError):  # noqa: PT011 - matching its text would run it
        fail(value)
    assert plugin.stats("give")["calls"] == 12
    assert len(plugin.errors()) == 1
    assert plugin.profile().raised[0].type == "ValueError"
    assert plugin.recording_failures == 0
    with pytest.raises(AssertionError, match="took longer"):
        plugin.assert_none_slower_than(0, handler="give")
    if how == "attach":
        plugin.detach(sw)


def test_no_code_of_an_exception_runs():
    sw = Switcher("api")

    @sw
    def fail():
        raise Fault("order", 7)

    with collecting(sw, objects="type") as log, pytest.raises(Fault):
        fail()
    assert log.errors()[0]["exception"]["message"] == "('order', 7)"


SHOWN = {
    "<Telling>": Telling(),
    "Color.RED": Color.RED,
    "2026-01-02": datetime.date(2026, 1, 2),
    "2026-01-02 03:04:00": datetime.datetime(2026, 1, 2, 3, 4),
    "2026-01-02 00:00:00+00:00": datetime.datetime(2026, 1, 2, tzinfo=zoneinfo.ZoneInfo("UTC")),
    "2026-01-02 00:00:00 <Zone>": datetime.datetime(2026, 1, 2, tzinfo=Zone()),
    "1:00:00": datetime.timedelta(hours=1),
    "1.50": decimal.Decimal("1.50"),
    "00000000-0000-0000-0000-000000000007": uuid.UUID(int=7),
    "/tmp/x": pathlib.PurePosixPath("/tmp/x"),
    "<Fraction>": fractions.Fraction(1, 2),
    "1j": 1j,
    "b'abc'": b"abc",
    "array('i', [1, 2])": array("i", [1, 2]),
    "{1}": {1},
    "<class int>": int,
    "<built-in function len>": len,
    "<built-in function append>": [].append,
    "<function telling>": telling,
    "<function telling.<locals>.method>": telling("x"),
    "ValueError('x', 1)": ValueError("x", 1),
}


@pytest.mark.parametrize("text", SHOWN)
def test_shown_values(text):
    assert Snapshot(objects="type").value(SHOWN[text]) == text


MESSAGES = {
    "('no', 7)": ValueError("no", 7),
    "k": KeyError("k"),
    "": ValueError(),
    "[Errno 2] No such file: 'a.txt'": OSError(2, "No such file", "a.txt"),
    "only text": OSError("only text"),
    "(2, 'No such file')": OSError(2, "No such file", Telling()),
    "<Telling>": ValueError(Telling()),
}


@pytest.mark.parametrize("message", MESSAGES)
def test_messages_of_exceptions(message):
    assert Snapshot(objects="type").message(MESSAGES[message]) == message


@given(st.dates() | st.datetimes() | st.decimals() | st.uuids() | st.timedeltas() | st.times())
def test_values_of_the_standard_library_are_shown_by_repr(value):
    assert Snapshot(objects="type").value(value) == str(value)


def test_serializers_work_with_types():
    snapshot = Snapshot({Telling: lambda value: "mine"}, objects="type")
    assert snapshot.value([Telling()]) == ["mine"]


class Plain:
    pass


class Slotted:
    __slots__ = ()


SAME = {
    "one object": (lambda: [Telling()] * 12, True),
    "objects": (lambda: [Telling() for _ in range(12)], False),
    "passing objects": (lambda: (Plain() for _ in range(12)), False),
    "without weak references": (lambda: (Slotted() for _ in range(12)), False),
    "number": (lambda: [7] * 12, True),
    "numbers": (lambda: range(12), False),
    "list": (lambda: [[1]] * 12, True),
}


@pytest.mark.parametrize(("values", "same"), SAME.values(), ids=SAME)
@pytest.mark.parametrize("kind", ["function", "generator", "coroutine"])
def test_repeated_calls_compare_objects_by_identity(values, same, kind):
    sw = Switcher("api")

    @sw("function")
    def function(value): ...

    @sw("generator")
    def generator(value):
        yield

    @sw("coroutine")
    async def coroutine(value): ...

    @sw
    def parent():
        for value in values():
            if kind == "function":
                function(value)
            elif kind == "generator":
                list(generator(value))
            else:
                with pytest.raises(StopIteration):
                    coroutine(value).send(None)

    with collecting(sw, objects="type") as log:
        parent()
    (found,) = log.profile().repeats
    assert (found.child.handler, found.times, found.same) == (kind, 12, same)
