"""Hostile values in every position: the caller sees the same as without recording."""

from __future__ import annotations

import csv
import io
import json
import time as real_time
from types import GeneratorType

import hostile
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from smartswitch import Switcher
from support import dispatch

import smartcollect

pytestmark = [pytest.mark.twice, pytest.mark.usefixtures("no_collection")]

SMALL = 40_000  # maximum characters of a few calls in any output
PATIENCE = 60.0  # seconds; generous enough for any machine


class Api:
    """A handler that returns and a handler that raises, plugged or watched."""

    def __init__(self, plugged: bool, **settings):
        self.sw = Switcher("api")
        if plugged:
            self.sw.plug("collect", **settings)
            self.log = self.sw.collect

        @self.sw
        def give(*args, **kwargs):
            return args[0] if args else kwargs["value"]

        @self.sw
        def fail(error, *args):
            raise error

        self.give, self.fail = give, fail
        if not plugged:
            self._watching = smartcollect.collecting(self.sw, **settings)
            self.log = self._watching.__enter__()

    def close(self):
        if hasattr(self, "_watching"):
            self._watching.__exit__(None, None, None)

    def goes_through(self, value):
        """Pass ``value`` in each position, and return the number of calls."""
        watched = type(value) is GeneratorType  # a wrapper drives it
        assert self.give(1, value) == 1
        assert watched or self.give(value) is value
        assert watched or self.give(value=value) is value
        assert dispatch(self.sw, "give")(1, secret=value, value=value) == 1
        error = ValueError(value)
        assert raised_by(self.fail, error, value) is error
        exception = issubclass(type(value), BaseException)
        assert not exception or raised_by(self.fail, value) is value
        return 3 + exception + 2 * (not watched)


def raised_by(function, *args):
    try:
        function(*args)
    except BaseException as error:
        return error
    raise AssertionError("it did not raise")


def check_output(log, folder, calls, hidden=True):
    """Check that every output of the log is valid and small."""
    assert sum(one["calls"] for one in log.stats().values()) == calls
    size = SMALL * calls
    for suffix in ("json", "jsonl", "csv"):
        path = folder / f"log.{suffix}"
        log.export(path)
        assert path.stat().st_size < size
        text = path.read_text("utf-8")
        if suffix == "json":
            plain = json.loads(text, parse_constant=pytest.fail)
            assert len(plain["history"]) == calls
        elif suffix == "jsonl":
            lines = [json.loads(line, parse_constant=pytest.fail) for line in text.splitlines()]
            assert len(lines) == calls
        else:
            rows = list(csv.reader(io.StringIO(text)))
            assert {len(row) for row in rows} == {9}
            assert len(rows) == calls + 1
            assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row)
    with pytest.raises(AssertionError) as shown:
        log.assert_not_called("give")
    assert len(str(shown.value)) < size
    assert printable(str(shown.value))
    assert printable(str(log.stats()))
    assert not hidden or "hunter2" not in text
    json.dumps(log.to_dict(), allow_nan=False)
    json.dumps(log.profile().to_dict(), allow_nan=False)


def printable(text):
    return text.isascii() or all(part.isprintable() for part in text.splitlines())


def positions(name):
    """Return the positions to test a value in; large values are slow to make and get fewer."""
    large = name.startswith("long") or name == "repr is huge"
    return ["itself", "in a list", "in an exception"] if large else list(hostile.AROUND)


@pytest.mark.parametrize(
    ("name", "around"), [(name, around) for name in hostile.MADE for around in positions(name)]
)
def test_the_caller_sees_the_same_as_without_recording(name, around, tmp_path):
    start = real_time.perf_counter()
    for plugged in (False, True):
        api = Api(plugged)
        try:
            value = hostile.AROUND[around](hostile.MADE[name]())
            calls = api.goes_through(value)
            check_output(api.log, tmp_path, calls)
        finally:
            api.close()
    assert real_time.perf_counter() - start < PATIENCE


@pytest.mark.parametrize("name", hostile.MADE)
def test_objects_themselves_are_kept_and_exported(name, tmp_path):
    api = Api(plugged=True, serialize=False)
    value = hostile.MADE[name]()
    calls = api.goes_through(value)
    assert api.log.history(first=1)[0]["args"][-1] is value
    check_output(api.log, tmp_path, calls)


# Recipes and not values, because hypothesis inspects what it draws.
recipes = st.recursive(
    st.sampled_from([name for name in hostile.MADE if positions(name) == list(hostile.AROUND)]),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.tuples(st.sampled_from(list(hostile.AROUND)), inner)
    ),
    max_leaves=12,
)


def made(recipe):
    if isinstance(recipe, str):
        return hostile.MADE[recipe]()
    if isinstance(recipe, list):
        return [made(one) for one in recipe]
    around, inner = recipe
    return hostile.AROUND[around](made(inner))


@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(recipe=recipes)
def test_hostile_values_in_hostile_values(recipe, tmp_path):
    api = Api(plugged=True)
    hidden = "in a record" not in str(recipe)  # whose `repr` shows its content
    check_output(api.log, tmp_path, api.goes_through(made(recipe)), hidden)
