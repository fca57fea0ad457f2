from __future__ import annotations

import enum
import functools
from array import array
from collections import Counter, OrderedDict, UserDict, deque, namedtuple
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartcollect.clock import SYSTEM
from smartcollect.values.failure import failure
from smartcollect.values.redaction import Redactor, secret_positions
from smartcollect.values.snapshot import (
    LONG,
    MAX_DEPTH,
    MAX_ITEMS,
    MAX_NODES,
    MAX_TEXT,
    Snapshot,
)

PLAIN = (type(None), bool, int, float, str)


def nodes(value: Any) -> int:
    if isinstance(value, list):
        return 1 + sum(map(nodes, value))
    if isinstance(value, dict):
        return 1 + sum(map(nodes, value.values()))
    return 1


def check_plain(value: Any, depth: int = 0) -> None:
    assert depth <= MAX_DEPTH
    if type(value) is list:
        assert len(value) <= MAX_ITEMS + 1
        for item in value:
            check_plain(item, depth + 1)
    elif type(value) is dict:
        assert len(value) <= MAX_ITEMS + 1
        for key, item in value.items():
            assert type(key) in PLAIN
            check_plain(item, depth + 1)
    else:
        assert type(value) in PLAIN
        if type(value) is str:
            assert len(value) <= MAX_TEXT + 50
        if type(value) is int:
            assert value.bit_length() <= 1024


leaves = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary(), st.just(object())
)
values = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=80),
        st.tuples(inner, inner),
        st.dictionaries(st.one_of(st.text(), st.integers(), st.tuples(st.integers())), inner),
        st.sets(st.one_of(st.integers(), st.text())),
    ),
    max_leaves=200,
)


@given(values)
def test_a_snapshot_is_plain_and_bounded(value):
    taken = Snapshot().value(value)
    check_plain(taken)
    assert nodes(taken) <= 3 * MAX_NODES


plain = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=20)
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=10,
)


@given(plain)
def test_small_plain_data_stays_as_it_is(value):
    assert Snapshot().value([value]) == [value]


def test_later_changes_do_not_show():
    value = {"list": [1]}
    taken = Snapshot().value(value)
    value["list"].append(2)
    assert taken == {"list": [1]}


def test_containers_become_lists_and_dicts():
    Point = namedtuple("Point", "x y")
    assert Snapshot().value((1, Point(2, 3), OrderedDict(a=(4,)), Counter("a"))) == [
        1,
        [2, 3],
        {"a": [4]},
        {"a": 1},
    ]


class Colour(enum.IntEnum):
    RED = 1


@dataclass
class Item:
    name: str


@pytest.mark.parametrize(
    "value", [b"bytes", {1}, frozenset(), set(), 1j, Colour.RED, Item("x"), range(3), UserDict()]
)
def test_other_objects_become_their_repr(value):
    assert Snapshot().value(value) == repr(value)


def test_a_deque_becomes_text():
    assert Snapshot().value(deque([1, "a"])) == "deque([1, 'a'])"


def test_cuts_are_visible():
    snapshot = Snapshot()
    assert snapshot.value("x" * 700) == "x" * 500 + "… (200 more characters)"
    assert snapshot.value(b"x" * 700).endswith("… (200 more bytes)")
    assert snapshot.value(list(range(60)))[-1] == "… 10 more"
    assert snapshot.value({str(n): n for n in range(60)})["…"] == "10 more"
    assert snapshot.value(set(range(60))).endswith("… 10 more}")
    assert snapshot.value(1 << 5000) == "<int of 5,001 bits>"


def test_depth_is_bounded():
    value: list[Any] = []
    for _ in range(20_000):
        value = [value]
    assert str(Snapshot().value(value)).count("[") == MAX_DEPTH


def test_the_number_of_values_is_bounded():
    assert nodes(Snapshot().value([[0] * 50 for _ in range(50)])) <= MAX_NODES + 60


def test_cycles_are_cut():
    value: list[Any] = [1]
    value.append(value)
    table: dict[str, Any] = {}
    table["self"] = table
    assert Snapshot().value([value, table]) == [[1, "<cycle: list>"], {"self": "<cycle: dict>"}]


def test_a_value_that_occurs_twice_is_not_a_cycle():
    value = [1]
    assert Snapshot().value([value, value]) == [[1], [1]]


def test_colliding_keys_are_all_kept():
    class Same:
        def __repr__(self):
            return "same"

    taken = Snapshot().value({Same(): 1, Same(): 2, "same": 3})
    assert sorted(taken.values()) == [1, 2, 3]


def test_iterators_are_not_consumed():
    numbers = iter([1, 2])
    lazy = (number for number in [1])
    Snapshot().value([numbers, lazy])
    assert (list(numbers), list(lazy)) == ([1, 2], [1])


@pytest.mark.parametrize("raised", [ValueError, SystemExit, RecursionError, MemoryError])
def test_a_repr_that_fails_is_contained_and_counted(raised):
    class Hostile:
        def __repr__(self):
            raise raised

    snapshot = Snapshot()
    assert snapshot.value([1, Hostile()]) == [1, f"<Hostile: repr raised {raised.__name__}>"]
    assert snapshot.failures == 1


def test_an_interrupt_in_a_repr_propagates():
    class Slow:
        def __repr__(self):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Snapshot().value(Slow())


def test_a_class_that_lies_about_its_type():
    class Liar:
        @property
        def __class__(self):
            raise RuntimeError

        def __repr__(self):
            return "liar"

    assert Snapshot().value(Liar()) == "liar"


def test_serializers_replace_the_default_for_a_type_and_its_subclasses():
    class Money(int):
        pass

    snapshot = Snapshot({int: lambda number: number + 1, Item: lambda item: {"name": item.name}})
    assert snapshot.value([1, Money(1), True, Item("x")]) == [2, 2, 2, {"name": "x"}]
    assert snapshot.arguments((1,)) == (2,)


def test_a_serializer_that_fails_is_contained():
    snapshot = Snapshot({Item: lambda item: item.missing})
    assert snapshot.value(Item("x")) == "<Item: its serializer raised AttributeError>"


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "PASSWORD",
        "new_password",
        "userApiKey",
        "api_key",
        "apiKey",
        "token",
        "csrf_token",
        "password2",
        "passwords",
        "userApiKeys",
        "refresh_tokens",
        "COOKIES",
        "session_id",
        "jwt",
    ],
)
def test_secret_names(name):
    assert Redactor()(name)


@pytest.mark.parametrize("name", ["tokenize", "keys", "author", "passed", "pinned", "", "x"])
def test_names_that_are_not_secret(name):
    assert not Redactor()(name)


def test_secrets_in_dicts_are_hidden():
    taken = Snapshot(secret=Redactor()).value({"user": {"password": "x", "name": "Ada"}})
    assert taken == {"user": {"password": "***", "name": "Ada"}}


def test_secret_positions():
    def handler(self, name, password, *texts, token=None): ...
    def more(*token): ...

    class Callable:
        def __call__(self, secret): ...

    secret = Redactor()
    assert secret_positions(handler, secret) == ({2}, None)
    assert secret_positions(more, secret) == (set(), 0)
    assert secret_positions(staticmethod(handler), secret) == ({2}, None)
    assert secret_positions(Callable(), secret) == ({0}, None)
    assert secret_positions(Callable().__call__, secret) == ({0}, None)
    assert secret_positions(len, secret) == (set(), None)


def raise_chain() -> None:
    try:
        raise KeyError("inner")
    except KeyError as error:
        raise ValueError("outer") from error


def test_a_failure_is_text_that_reads_like_a_traceback():
    with pytest.raises(ValueError, match="outer") as caught:
        raise_chain()
    made = failure(caught.value, Snapshot())
    text = made.traceback()
    assert (made.type, made.message) == ("ValueError", "outer")
    assert "direct cause" in text
    assert text.index("KeyError: 'inner'") < text.index("ValueError: outer")
    assert 'raise ValueError("outer") from error' in text


def test_a_failure_while_handling_another():
    with pytest.raises(TypeError) as caught:  # noqa: PT012
        try:
            raise KeyError("first")
        except KeyError:
            raise TypeError  # noqa: B904
    text = failure(caught.value, Snapshot()).traceback()
    assert "During handling" in text
    assert text.endswith("TypeError\n")


def test_a_long_chain_and_a_deep_traceback_are_bounded():
    def deep(depth):
        if depth:
            deep(depth - 1)
        raise ValueError(depth)

    error = None
    for number in range(1000):
        link = ValueError(number)
        link.__cause__ = error
        error = link
    with pytest.raises(ValueError, match="0") as caught:
        deep(200)
    made = failure(caught.value, Snapshot())
    assert len(made.frames) == 40
    assert len(failure(error, Snapshot()).traceback()) < 2000


def test_a_broken_str_of_an_exception_is_contained():
    class Broken(Exception):
        def __str__(self):
            raise RuntimeError

    assert failure(Broken(), Snapshot()).message == "<Broken: str raised RuntimeError>"


class Field(enum.Enum):
    PASSWORD = "password"
    NAME = "name"


class Key(str):
    def __eq__(self, other):
        return str.__eq__(self, other)

    __hash__ = str.__hash__


def test_secrets_in_dicts_with_unusual_keys():
    taken = Snapshot(secret=Redactor()).value(
        {Key("api_key"): "x1", Field.PASSWORD: "x2", b"token": "x3", Field.NAME: "kept", 1: "kept"}
    )
    assert list(taken.values()) == ["***", "***", "***", "kept", "kept"]


def test_secrets_at_any_depth():
    value = {"user": ({"login": {"password": "x"}, "rows": [{"pwd": "x"}]},)}
    taken = repr(Snapshot(secret=Redactor()).value(value))
    assert "'x'" not in taken
    assert taken.count("***") == 2


def test_secrets_in_exceptions():
    secret = Snapshot(secret=Redactor())
    error = ValueError({"password": "hunter2"}, "text")
    assert "hunter2" not in repr(secret.value(error))
    assert "hunter2" not in failure(error, secret).message
    assert failure(ValueError("plain"), secret).message == "plain"
    assert failure(KeyError("key"), secret).message == "'key'"
    assert failure(ValueError("a", 1), secret).message == "('a', 1)"
    assert failure(ValueError([1, "a"]), secret).message == "[1, 'a']"
    assert failure(ValueError(), secret).message == ""


def test_a_slow_repr_is_skipped_for_a_while(monkeypatch):
    now = 0.0

    class Slow:
        def __repr__(self):
            nonlocal now
            now += 2 * LONG
            return "<slow>"

    monkeypatch.setattr(
        "smartcollect.values.snapshot.SYSTEM", SYSTEM._replace(monotonic=lambda: now)
    )
    snapshot = Snapshot()
    said = [snapshot.value(Slow()), snapshot.value(Slow()), snapshot.value(ValueError("quick"))]
    assert said == ["<slow>", "<Slow: repr takes too long>", "ValueError('quick')"]
    now += 1_000 * LONG
    assert snapshot.value(Slow()) == "<slow>"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({1: 2}.keys(), "dict_keys([1])"),
        ({1: "a"}.values(), "dict_values(['a'])"),
        ({1: "a"}.items(), "dict_items([{1: 'a'}])"),
        (array("d", [1.0]), "array('d', [1.0])"),
        (type("Mine", (set,), {})({1}), "Mine({1})"),
        (type("Mine", (set,), {"__repr__": lambda self: "mine"})({1}), "mine"),
        (deque(maxlen=3), "deque()"),
    ],
)
def test_builtins_that_may_be_large(value, shown):
    assert Snapshot().value(value) == shown


def test_secret_positions_of_callables_of_all_kinds():
    def inner(session, user, password): ...

    @functools.wraps(inner)
    def login(user, password): ...

    class Base:
        def __init__(self, password): ...

    class Inherits(Base):
        pass

    class Pair(NamedTuple):
        user: str
        password: str

    def passed_on(function):
        @functools.wraps(function)
        def wrapper(*args, **kwargs): ...

        return wrapper

    class Caller:
        @passed_on
        def __call__(self, user, password): ...

        @passed_on
        def enter(self, user, password): ...

    def plain(user, password): ...

    named = functools.update_wrapper(functools.partial(plain, "bob"), plain)
    for function, position in [
        (login, 1),
        (Inherits, 0),
        (Pair, 1),
        (Caller(), 1),
        (Caller().enter, 1),
        (named, 0),
        (functools.partial(inner, None), 1),
    ]:
        assert position in secret_positions(function, Redactor())[0]
    assert secret_positions(functools.partial(plain, "bob", "x"), Redactor()) == (frozenset(), None)


def test_names_in_other_scripts():
    assert Redactor(("пароль",))("новый_пароль")
    assert not Redactor(("пароль",))("имя")


def test_secrets_in_exceptions_of_the_standard_library():
    secret = Snapshot(secret=Redactor())
    for error in (OSError(1, {"password": "hunter2"}), ImportError({"password": "hunter2"})):
        assert "hunter2" not in failure(error, secret).message
        assert "hunter2" not in repr(secret.value(error))
    assert "hunter2" not in secret.value({"password": "hunter2"}.items())
    assert failure(OSError(2, "No such file"), secret).message == "[Errno 2] No such file"


@pytest.mark.parametrize("objects", ["repr", "type"])
@pytest.mark.parametrize("depth", [1, 2, 9])
def test_an_exception_in_an_exception_shows_no_secret(objects, depth):
    error = ValueError({"password": "hunter2"})
    for _ in range(depth):
        error = ValueError(error)
    snapshot = Snapshot(secret=Redactor(), objects=objects)
    assert "hunter2" not in snapshot.message(error)
    assert "hunter2" not in snapshot.value(error)
    assert "hunter2" not in str(snapshot.value([error]))


def test_an_exception_that_contains_itself():
    error = ValueError()
    error.args = (error,)
    assert Snapshot().message(error)
    assert Snapshot().value(error)
