"""A watched function behaves like an unwatched one for callers, tools and the interpreter."""

from __future__ import annotations

import contextlib
import cProfile
import dis
import functools
import gc
import inspect
import io
import pdb
import pickle
import pstats
import subprocess
import sys
import textwrap
import time
import traceback
import types
import warnings
import weakref
from typing import ClassVar

import pytest
from smartswitch import Switcher

from smartcollect import CallLog, collecting

events = pytest.mark.skipif(
    sys.version_info < (3, 12), reason="stand-in code replaces the code of a function"
)


def module_level(first, second=2, *rest, only, more="more", **others):
    return first


class Shown:
    """An object that notes every way in which it is inspected."""

    looks: ClassVar[list[str]] = []

    def __repr__(self):
        self.looks.append("repr")
        return "shown"

    def __eq__(self, other):
        self.looks.append("eq")
        return self is other

    __hash__ = None

    def __len__(self):
        self.looks.append("len")
        return 1

    def __getattr__(self, name):
        self.looks.append(name)
        raise AttributeError(name)


@contextlib.contextmanager
def watched(*functions, **settings):
    """Watch ``functions`` as handlers of a switcher."""
    switcher = Switcher("watched")
    for number, function in enumerate(functions):
        switcher(f"f{number}")(function)
    with collecting(switcher, **settings) as log:
        yield log


def test_the_function_is_unchanged():
    def everything(function):
        return (
            inspect.signature(function),
            inspect.getsource(function),
            inspect.getfullargspec(function),
            inspect.getclosurevars(function),
            function.__code__,
            function.__code__.co_varnames[: function.__code__.co_argcount],
            [(one.opname, one.argval) for one in dis.get_instructions(function)],
            function.__defaults__,
            function.__kwdefaults__,
            function.__annotations__,
            {name: value for name, value in vars(function).items() if "smartswitch" not in name},
            pickle.loads(pickle.dumps(function)) is function,
        )

    before = everything(module_level)
    with watched(module_level):
        now = everything(module_level)
        if sys.version_info >= (3, 12):
            assert now == before
        # Before 3.12 stand-in code has other instructions and constants.
        assert now[:3] == before[:3]
        assert now[7:] == before[7:]
        assert (now[4].co_argcount, now[5]) == (before[4].co_argcount, before[5])
    assert everything(module_level) == before


@pytest.mark.parametrize(
    "call",
    [
        lambda f: f(),
        lambda f: f(1, 2, 3),
        lambda f: f(1, only=1, first=2),
        lambda f: f(only=1, wrong=2),
        lambda f: f(1, 2, only=1, second=3),
    ],
)
def test_wrong_arguments_raise_as_if_unwatched(call):
    with pytest.raises(TypeError) as bare:
        call(module_level)
    with watched(module_level) as log, pytest.raises(TypeError) as raised:
        call(module_level)
    assert str(raised.value) == str(bare.value)
    assert len(raised.traceback) == len(bare.traceback)
    assert log.history() == []  # the call never began


@events
def test_a_traceback_is_as_if_unwatched():
    def fails(number):
        raise ValueError(number)

    def lines():
        try:
            fails(1)
        except ValueError as error:
            return traceback.format_exception(error)

    bare = lines()
    with watched(fails):
        assert lines() == bare


@events
def test_arguments_are_not_kept_alive():
    class Thing: ...

    def drop(thing, /, *things, key):
        references = [weakref.ref(one) for one in (thing, *things, key)]
        del thing, things, key
        return [reference() for reference in references]

    def hold():
        return Thing()

    with watched(drop, hold) as log:
        left = drop(Thing(), Thing(), key=Thing())  # a value in an `assert` lives until its end
        left.append(weakref.ref(hold())())
    assert left == [None] * 4
    assert log.history()[0]["args"][0].startswith("<")


@events
def test_a_frame_that_is_inspected_again_is_complete():
    def look(first, second):
        before = dict(sys._getframe().f_locals)
        third = 3
        return before, locals(), third

    with watched(look):
        before, after, _ = look(1, 2)
    assert before == {"first": 1, "second": 2}
    assert after["third"] == 3


@events
def test_a_closure_is_not_kept_alive():
    class Thing: ...

    thing = Thing()

    def closure_over(thing):
        return lambda number: thing and number

    closure = closure_over(thing)
    reference = weakref.ref(thing)
    switcher = Switcher("watched")
    switcher("f")(closure)
    log = CallLog()
    log.attach(switcher)
    closure(1)
    assert len(log.history()) == 1
    del closure, thing, switcher
    gc.collect()
    assert reference() is None


def test_no_code_of_a_value_runs():
    def take(value, *values, key, **others):
        return value

    def outer(value):
        for _ in range(20):
            take(value, value, key=value, other=[value])

    value = Shown()
    Shown.looks.clear()
    with watched(take, outer, objects="type") as log:
        outer(value)
    assert Shown.looks == []
    assert log.history(last=1, handler="f0")[0]["args"] == ("<Shown>", "<Shown>")


def test_self_is_shown_by_its_class_with_any_objects_setting():
    class Order(Shown):
        def total(self, tax):
            return tax

        @classmethod
        def make(cls, number):
            return number

    Shown.looks.clear()
    with watched(Order.total, vars(Order)["make"].__func__, objects="repr") as log:
        Order().total(2)
        Order.make(3)
    assert [call["args"] for call in log.history()] == [("<Order>", 2), ("<Order>", 3)]
    assert Shown.looks == []


def test_arguments_are_shown_as_bound():
    with watched(module_level) as log:
        module_level(1, only=3)
        module_level(1, 5, 6, 7, only=3, more=4, other=8)
        module_level(only=3, second=4, first=9)
    assert [(call["args"], call["kwargs"]) for call in log.history()] == [
        ((1, 2), {"only": 3, "more": "more"}),
        ((1, 5, 6, 7), {"only": 3, "more": 4, "other": 8}),
        ((9, 4), {"only": 3, "more": "more"}),
    ]


def test_parameters_with_names_that_the_recorder_uses():
    def names(probe, store, args, kwargs, frame, *context, result, **capture):
        before = sys.gettrace()
        sys.settrace(lambda *_: None)
        sys.settrace(before)
        return probe, store, args, kwargs, frame, context, result, capture

    given = (1, 2, 3, 4, 5, 6), {"result": 7, "parent": 8}
    bare = names(*given[0], **given[1])
    with watched(names) as log:
        assert names(*given[0], **given[1]) == bare
    assert log.history()[0]["args"] == given[0]


def test_marks_of_another_decorator_stay_apart():
    def handler(number: int) -> int:
        return number

    @functools.wraps(handler)
    def wrapper(*args, **kwargs):
        return handler(*args, **kwargs)

    with watched(handler, wrapper):
        assert "__signature__" not in vars(handler)
        handler.__signature__ = inspect.Signature()
        handler.__annotations__["number"] = "later"
        del wrapper.__wrapped__
        assert inspect.signature(wrapper) == inspect.Signature(
            [
                inspect.Parameter("args", inspect.Parameter.VAR_POSITIONAL),
                inspect.Parameter("kwargs", inspect.Parameter.VAR_KEYWORD),
            ],
            return_annotation=inspect.signature(wrapper).return_annotation,
        ).replace(return_annotation=inspect.signature(wrapper).return_annotation)
    assert handler.__signature__ == inspect.Signature()
    assert handler.__annotations__["number"] == "later"


@events
@pytest.mark.usefixtures("no_collection")
def test_cprofile_sees_the_function_s_own_time():
    def work(seconds):
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            pass

    profile = cProfile.Profile()
    with watched(work) as log:
        profile.runcall(work, 0.05)
    stats = pstats.Stats(profile, stream=io.StringIO()).get_stats_profile().func_profiles
    assert stats["work"].cumtime > 0.04
    assert log.stats("f0")["calls"] == 1
    assert not any("smartcollect" in one.file_name for one in stats.values())


@events
@pytest.mark.usefixtures("no_collection")
@pytest.mark.parametrize("tool", ["settrace", "setprofile"])
def test_tracers_see_the_same_events(tool):
    def inner(number):
        return number + 1

    def outer(number):
        try:
            raise ValueError
        except ValueError:
            return inner(number)

    def seen():
        found = []

        def trace(frame, event, arg):
            if frame.f_code.co_filename == __file__ and frame.f_code.co_name in ("inner", "outer"):
                found.append((frame.f_code.co_name, event, frame.f_lineno))
            elif "smartcollect" in frame.f_code.co_filename:
                found.append(frame.f_code)
            return trace

        getattr(sys, tool)(trace)
        try:
            outer(1)
        finally:
            getattr(sys, tool)(None)
        return found

    if tool == "settrace" and sys.gettrace() is not None:
        pytest.skip("something traces this run")
    bare = seen()
    with watched(inner, outer) as log:
        assert seen() == bare
    assert len(log.history()) == 2


@events
def test_a_debugger_stops_in_the_body():
    def price(amount):
        total = amount * 2
        return total  # noqa: RET504 - it is looked at

    output = io.StringIO()
    debugger = pdb.Pdb(
        stdin=io.StringIO("n\np amount\np total\nw\nq\n"), stdout=output, nosigint=True
    )
    debugger.use_rawinput = False
    before = sys.gettrace()
    try:
        with watched(price):
            debugger.runcall(price, 21)
    finally:
        sys.settrace(before)
    text = output.getvalue()
    assert "total = amount * 2" in text
    assert "21" in text
    assert "42" in text
    assert "smartcollect" not in text


def test_libraries_that_read_parameter_names_from_the_code():
    def half(n: int) -> int:
        return n // 2

    def names(function):
        code = function.__code__
        return code.co_varnames[: code.co_argcount + code.co_kwonlyargcount], code.co_flags & 0x0C

    bare = names(half), names(module_level)
    with watched(half, module_level):
        assert (names(half), names(module_level)) == bare


@events
def test_frames_of_callers_are_as_if_unwatched():
    def caller():
        return sys._getframe(1).f_code.co_name, len(inspect.stack(0))

    def calls():
        return caller()

    bare = calls()
    with watched(caller, calls):
        assert calls() == bare


@events
def test_the_stack_is_as_deep_as_if_unwatched():
    def down(number):
        return down(number + 1) if number < 900 else number

    limit = sys.getrecursionlimit()
    with watched(down) as log:
        sys.setrecursionlimit(len(inspect.stack(0)) + 1000)
        try:
            assert down(0) == 900
        finally:
            sys.setrecursionlimit(limit)
    assert log.stats("f0")["calls"] == 901


def test_a_coroutine_is_not_wrapped():
    async def work():
        return 1

    def agen():
        yield 1

    with watched(work, agen):
        made = work()
        assert made.cr_code.co_name == "work"
        assert type(made) is types.CoroutineType
        made.close()
        assert inspect.getgeneratorstate(agen()) == "GEN_CREATED"


@events
def test_a_warning_shows_the_line_that_made_the_call():
    def old():
        warnings.warn("old", DeprecationWarning, stacklevel=2)

    def calls():
        old()

    def line():
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always")
            calls()
        return found[0].filename, found[0].lineno

    bare = line()
    with watched(old, calls):
        assert line() == bare


@events
def test_as_many_references_as_if_unwatched():
    def count(value, *values, key):
        return sys.getrefcount(value), sys.getrefcount(values[0]), sys.getrefcount(key)

    def counts():
        return count(object(), object(), key=object())

    bare = counts()
    with watched(count, counts, objects="type"):
        assert counts() == bare
    with watched(count, counts):
        assert counts() == bare


@events
def test_code_that_is_marshalled_and_loaded_again():
    import marshal

    bare = marshal.dumps(module_level.__code__)
    with watched(module_level):
        assert marshal.loads(marshal.dumps(module_level.__code__)) == marshal.loads(bare)


@events
def test_calls_while_the_interpreter_exits():
    script = """
        import atexit, threading, time
        from smartswitch import Switcher
        from smartcollect import CallLog

        switcher = Switcher("x")

        @switcher
        def numbers(count):
            try:
                yield from range(count)
            finally:
                work(count)

        @switcher
        def work(number):
            return number

        log = CallLog()
        log.attach(switcher)
        waiting = numbers(3)
        next(waiting)
        threading.Thread(target=lambda: [work(1) for _ in iter(int, 1)], daemon=True).start()
        atexit.register(work, 2)
        time.sleep(0.01)
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")
