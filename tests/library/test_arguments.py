"""The text of arguments: by name, without objects."""

from __future__ import annotations

import functools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from smartswitch import Switcher

import smartcollect
from smartcollect.values.arguments import arguments, without_objects

OBJECTS = st.sampled_from(["<Connection>", "<sqlite3.Connection object>", "<not recorded>"])
VALUES = st.recursive(
    st.none() | st.integers() | st.text("ab',\"<>([{ \\", max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab<,", max_size=3), inner),
    max_leaves=4,
).filter(lambda value: not (isinstance(value, str) and value[:1] + value[-1:] == "<>"))


@given(st.lists(st.tuples(st.booleans(), OBJECTS, VALUES), max_size=5))
def test_objects_are_left_out_and_nothing_else(drawn):
    args = [text if is_object else value for is_object, text, value in drawn]
    kwargs = {f"name{number}": value for number, value in enumerate(args)}
    others = [value for is_object, _, value in drawn if not is_object]
    named = {name: kwargs[name] for name, one in zip(kwargs, drawn, strict=True) if not one[0]}
    text = arguments(args, kwargs)
    if len(text) < 200:
        assert without_objects(text) == (arguments(others, named) or text)


def test_a_call_with_only_objects_shows_them():
    assert without_objects("db=<Connection>, <Order>") == "db=<Connection>, <Order>"


class Database: ...


def slowest(call, *patterns, objects="type"):
    """Return the arguments of a call as shown in the profile of a log."""
    with smartcollect.collecting(*patterns, objects=objects) as log:
        call()
    (one,) = log.profile().slowest
    return one.arguments


def report(db, days, *, year=2024): ...


def total(db, *prices, currency="EUR"): ...


def of_anything(db, /, **db_and_more): ...


def decorated(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)

    return wrapper


@pytest.mark.parametrize(
    ("function", "args", "kwargs", "shown"),
    [
        (report, (Database(), 3650), {}, "db=<Database>, days=3650, year=2024"),
        (report, (), {"days": 1, "db": None}, "db=None, days=1, year=2024"),
        # Arguments in `*args` have no names, so no argument gets a name.
        (total, (Database(), 1, 2), {}, "<Database>, 1, 2, currency='EUR'"),
        (total, (Database(),), {}, "db=<Database>, currency='EUR'"),
        (of_anything, (1,), {"db": 2}, "1, db=2"),
    ],
)
def test_arguments_of_watched_functions_have_names(function, args, kwargs, shown):
    pattern = f"{__name__}:{function.__name__}"
    assert slowest(lambda: function(*args, **kwargs), pattern) == shown


def test_arguments_of_handlers_have_names_through_decorators():
    api = Switcher("api")

    @api
    @decorated
    def quote(product_id, quantity=1): ...

    assert slowest(lambda: quote(3, 4), api) == "product_id=3, quantity=4"


def test_arguments_of_a_plugged_switcher_have_names_and_keep_secrets():
    api = Switcher("api").plug("collect", objects="type")

    @api
    def login(name, password): ...

    login("ada", "correct horse")
    (one,) = api.collect.profile().slowest
    assert one.arguments == "name='ada', password='***'"


def test_the_table_of_a_failure_has_names_and_no_objects():
    with smartcollect.collecting(f"{__name__}:report", objects="type") as log:
        report(Database(), 3650)
    with pytest.raises(AssertionError, match=r"(?m)^report +\S+ \S+ +days=3650, year=2024$"):
        log.assert_not_called("report")
