"""Calls recorded through events, for every kind of function, thread and process."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import subprocess
import sys
import textwrap
import threading
import types
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest
from smartswitch import Switcher
from support import FakeTime

from smartcollect import CallLog, collecting
from smartcollect.recording import tool

pytestmark = pytest.mark.skipif(
    sys.version_info < (3, 12), reason="sys.monitoring came with Python 3.12"
)


def switcher_of(*functions, name="api"):
    switcher = Switcher(name)
    for function in functions:
        switcher(function.__qualname__.rpartition(".")[2])(function)
    return switcher


class Calls(list):
    def write(self, batch):
        self.extend(batch.calls)


@contextlib.contextmanager
def traced(*functions):
    """Record the calls of ``functions``; the list is filled at the end of the block."""
    calls = Calls()
    with collecting(switcher_of(*functions)) as log:
        subscription = log.subscribe(calls)
        yield calls
        subscription.close()


def summary(log):
    return [
        (call["handler"], call["exception"]["type"] if "exception" in call else call["result"])
        for call in log.history()
    ]


def family(log_calls):
    """Return the name of each call and of the call that made it."""
    names = {call["id"]: call["handler"] for call in log_calls if call["id"] is not None}
    return sorted((call["handler"], names.get(call["parent"])) for call in log_calls)


def tool_is_released():
    gc.collect()
    return "smartcollect" not in map(sys.monitoring.get_tool, range(6))


@pytest.fixture(autouse=True)
def clean():
    assert tool_is_released()
    yield
    assert tool_is_released()


# -- generators -----------------------------------------------------------------------------------


def numbers(count):
    yield from range(count)
    return "end"


def guarded(events):
    try:
        yield 1
        yield 2
    except KeyError:
        events.append("caught")
        yield 3
    finally:
        events.append("finally")


def stubborn():
    try:
        yield 1
    finally:
        yield 2


def nested_generators(depth):
    if depth:
        yield from nested_generators(depth - 1)
    yield depth


def drop(made):
    next(made)
    del made


@pytest.mark.parametrize(
    ("use", "expected"),
    [
        (lambda: list(numbers(3)), [("numbers", "end")]),
        (lambda: next(numbers(3)), [("numbers", None)]),
        (lambda: drop(numbers(3)), [("numbers", None)]),
        (lambda: list(zip(numbers(3), range(1), strict=False)), [("numbers", None)]),
        (lambda: numbers(3), []),
        (lambda: numbers(3).close(), []),
        (lambda: any(one > 0 for one in numbers(3)), [("numbers", None)]),
    ],
    ids=["whole", "next", "dropped", "zip", "never begun", "closed before", "any"],
)
def test_a_generator_counts_from_its_first_step_to_its_end(use, expected):
    with collecting(switcher_of(numbers)) as log:
        use()
        gc.collect()
        assert summary(log) == expected
        assert log.stats("numbers")["calls"] == len(expected)


def test_a_generator_that_waits_does_not_count_yet():
    with collecting(switcher_of(numbers)) as log:
        made = numbers(2)
        next(made)
        assert log.history() == []
        assert list(made) == [1]
        assert summary(log) == [("numbers", "end")]
        other = numbers(2)
        next(other)
        assert len(log.history()) == 1
        other.close()
        assert len(log.history()) == 2


def test_many_generators_that_vanish_are_distinguished():
    with collecting(switcher_of(numbers)) as log:
        kept = [numbers(5) for _ in range(10)]
        for made in kept:
            next(made)
        for _ in range(100):
            next(numbers(5))
        assert log.stats("numbers")["calls"] == 100
        for made in kept[:5]:
            list(made)
        assert log.stats("numbers")["calls"] == 105
        kept.clear()
        assert log.stats("numbers")["calls"] == 110


def test_a_vanished_frame_whose_address_another_code_uses():
    def letters():
        yield "a"
        yield "b"

    def digits():
        yield 1
        yield 2

    def made():
        return digits()

    with collecting(switcher_of(digits, letters, made)) as log:
        for _ in range(10):  # each frame is as large as the one before, and gets its address
            drop(digits())
            drop(letters())
        assert log.stats("digits")["calls"] == log.stats("letters")["calls"] == 10
        for _ in range(10):
            drop(letters())
            drop(made())
        assert log.stats("letters")["calls"] == log.stats("digits")["calls"] == 20
        assert log.stats("made")["calls"] == 10


def test_throw_and_close():
    events = []
    with collecting(switcher_of(guarded, stubborn)) as log:
        made = guarded(events)
        next(made)
        assert made.throw(KeyError) == 3
        with pytest.raises(LookupError):
            made.throw(LookupError)
        made = guarded(events)
        next(made)
        made.close()
        made = stubborn()
        next(made)
        with pytest.raises(RuntimeError, match="ignored GeneratorExit"):
            made.close()
        with pytest.raises(GeneratorExit):
            next(made)
        with pytest.raises(ValueError, match="before"):
            guarded(events).throw(ValueError("before"))
    assert events == ["caught", "finally", "finally"]
    assert summary(log) == [("guarded", "LookupError"), ("guarded", None), ("stubborn", None)]


def test_a_generator_is_timed_while_it_runs():
    time = FakeTime()

    def slow():
        time.sleep(1)
        yield
        time.sleep(2)

    log = CallLog()
    log.recorder.store.clock, log.recorder.store.now = time.clock, time.clock.monotonic
    switcher = switcher_of(slow)
    log.attach(switcher)
    for _ in slow():
        time.sleep(10)
    log.detach(switcher)
    assert log.history()[0]["elapsed"] == 3


def test_generators_inside_generators():
    with collecting(switcher_of(nested_generators)) as log:
        assert list(nested_generators(150)) == list(range(151))
    assert log.stats("nested_generators")["calls"] == 151
    stats = log.stats("nested_generators")
    assert 0 < stats["self_time"] <= stats["total_time"]


# -- coroutines -----------------------------------------------------------------------------------


async def leaf(number):
    await asyncio.sleep(0)
    return number


async def branch(number):
    return await leaf(number) + await leaf(number)


async def tree(number):
    return sum(await asyncio.gather(branch(number), branch(number)))


async def group(number):
    async with asyncio.TaskGroup() as tasks:
        made = [tasks.create_task(leaf(number)) for _ in range(3)]
    return [one.result() for one in made]


def plain(number):
    return number


async def in_a_thread(number):
    return await asyncio.to_thread(plain, number)


async def items(count):
    for number in range(count):
        await asyncio.sleep(0)
        yield number


async def loop(count):
    return [number async for number in items(count)]


@pytest.mark.parametrize("eager", [False, True])
@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (branch, [("branch", None), ("leaf", "branch"), ("leaf", "branch")]),
        (tree, [*[("branch", "tree")] * 2, *[("leaf", "branch")] * 4, ("tree", None)]),
        (group, [("group", None), *[("leaf", "group")] * 3]),
        (in_a_thread, [("in_a_thread", None), ("plain", "in_a_thread")]),
        (loop, [("items", "loop"), ("loop", None)]),
    ],
)
def test_calls_of_tasks_know_what_they_were_made_by(function, expected, eager):
    async def main():
        if eager:
            asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        return await function(3)

    with traced(leaf, branch, tree, group, plain, in_a_thread, items, loop) as calls:
        asyncio.run(main())
    assert family(calls) == expected


def test_a_plain_function_that_runs_a_loop_is_the_parent_of_its_tasks():
    def main():
        return asyncio.run(branch(2))

    with traced(main, branch, leaf) as calls:
        main()
    assert family(calls) == [
        ("branch", "main"),
        ("leaf", "branch"),
        ("leaf", "branch"),
        ("main", None),
    ]


def test_coroutines_that_are_cancelled_closed_or_never_awaited():
    async def wait():
        await asyncio.sleep(60)

    async def main():
        task = asyncio.ensure_future(wait())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        started = wait()
        started.send(None)
        started.close()
        wait().close()

    with collecting(switcher_of(wait)) as log:
        asyncio.run(main())
        with pytest.warns(RuntimeWarning, match=r"wait.* was never awaited"):
            wait()
    assert summary(log) == [("wait", "CancelledError"), ("wait", "GeneratorExit")]


def test_awaits_and_yields_of_an_asynchronous_generator_differ():
    time = FakeTime()

    async def wait(seconds):
        await asyncio.sleep(0)
        time.sleep(seconds)

    async def slow():
        await wait(1)
        yield
        await wait(2)

    async def main():
        async for _ in slow():
            await asyncio.sleep(0)
            time.sleep(10)

    log = CallLog()
    log.recorder.store.clock, log.recorder.store.now = time.clock, time.clock.monotonic
    switcher = switcher_of(slow)
    log.attach(switcher)
    asyncio.run(main())
    log.detach(switcher)
    assert log.history()[0]["elapsed"] == 3


def test_asynchronous_generators_that_their_consumers_leave():
    async def main():
        async for _ in items(3):
            break
        made = items(3)
        await anext(made)
        await made.aclose()
        made = items(3)
        await anext(made)
        with pytest.raises(ValueError, match="thrown"):
            await made.athrow(ValueError("thrown"))
        await asyncio.sleep(0)

    with collecting(switcher_of(items)) as log:
        asyncio.run(main())
        gc.collect()
        assert sorted(map(str, summary(log))) == sorted(
            map(str, [("items", None), ("items", None), ("items", "ValueError")])
        )


def test_the_context_is_unchanged_after_a_call():
    import contextvars

    async def main():
        before = len(contextvars.copy_context())
        await leaf(1)
        async for _ in items(2):
            assert len(contextvars.copy_context()) == before
        return len(contextvars.copy_context()) - before

    with collecting(switcher_of(leaf, items, plain)):
        plain(1)
        assert asyncio.run(main()) == 0


# -- functions that return a coroutine or generator -----------------------------------------------


def bridge(made):
    return made


@pytest.mark.parametrize("watch_both", [False, True])
def test_a_returned_coroutine_or_generator_is_not_wrapped(watch_both):
    functions = [bridge, *([numbers, leaf, items] if watch_both else [])]
    with collecting(switcher_of(*functions)) as log:
        for made, drive in [
            (numbers(3), list),
            (leaf(3), asyncio.run),
            (items(3), lambda made: asyncio.run(collect(made))),
        ]:
            assert bridge(made) is made
            assert not [one for one in log.history() if one["handler"] == "bridge"]
            drive(made)
            (call,) = [one for one in log.history() if one["handler"] == "bridge"]
            assert call["result"] == {"generator": "end", "coroutine": 3}.get(type(made).__name__)
            log.clear()


@pytest.mark.parametrize("end", ["close", "throw"])
@pytest.mark.parametrize("make", [lambda: numbers(3), lambda: leaf(3), lambda: items(3)])
def test_what_is_returned_and_ended_before_its_first_step_does_not_count(make, end):
    with collecting(switcher_of(bridge, numbers, leaf, items)) as log:
        made = bridge(make())
        name, values = (end, []) if end == "close" else (end, [LookupError("thrown")])
        with contextlib.suppress(LookupError, StopIteration):
            if isinstance(made, types.AsyncGeneratorType):
                getattr(made, f"a{name}")(*values).send(None)
            else:
                getattr(made, name)(*values)
        assert log.stats() == {}


async def collect(made):
    return [one async for one in made]


def test_calls_of_a_returned_coroutine_are_inside_the_call_that_returned_it():
    def fetch(number):
        return branch(number)

    with traced(fetch, leaf) as calls:
        assert asyncio.run(fetch(2)) == 4
    assert family(calls) == [("fetch", None), ("leaf", "fetch"), ("leaf", "fetch")]


def test_one_generator_that_several_calls_return():
    made = numbers(2)
    with collecting(switcher_of(bridge)) as log:
        assert bridge(made) is bridge(made) is made
        next(made)
        assert bridge(made) is made
        list(made)
        assert bridge(made) is made  # the generator has ended
        assert summary(log) == [("bridge", "end")] * 3 + [("bridge", None)]


def test_a_returned_generator_is_not_closed():
    closed = []

    def watched_close():
        try:
            yield 1
            yield 2
        finally:
            closed.append(True)

    made = watched_close()
    with collecting(switcher_of(bridge)) as log:
        bridge(made)
        next(made)
    assert closed == []
    assert log.history() == []
    assert list(made) == [2]


def test_a_generator_that_returns_itself():
    def find():
        return holder[0]

    def own():
        yield find()

    holder = [None]
    with collecting(switcher_of(find, own)) as log:
        made = holder[0] = own()
        assert list(made) == [made]
    assert sorted(call["handler"] for call in log.history()) == ["find", "own"]


# -- functions that share code --------------------------------------------------------------------


def adder(step):
    def add(number):
        return number + step

    return add


def test_a_plugged_switcher_of_static_methods_is_garbage_once_it_is_gone():
    api = Switcher("api")

    class Orders:
        @api
        @staticmethod
        def place():
            return 1

    api.plug("collect")
    assert Orders.place() == 1
    assert api.collect.stats("place")["calls"] == 1
    # The fixture `clean` checks that nothing is watched afterwards.


def test_closures_count_separately():
    one, two, three = adder(1), adder(2), adder(3)
    first, second = Switcher("first"), Switcher("second")
    first("add")(one)
    second("add")(two)
    own = one.__code__
    with collecting(first, second) as log:
        later = adder(4)
        assert [one(1), two(1), three(1), later(1), later(2)] == [2, 3, 4, 5, 6]
        assert one.__code__ == own
        assert hash(one.__code__) == hash(own)
        assert later.__code__ is three.__code__ is own
    assert [call["switcher"] for call in log.history()] == ["first", "second"]
    assert one.__code__ is two.__code__ is own


def test_a_function_with_unshared_code_keeps_it():
    namespace = {}
    exec("def alone(number): return number", namespace)
    alone = namespace["alone"]
    own = id(alone.__code__)
    with collecting(switcher_of(alone)) as log:
        assert id(alone.__code__) == own
        alone(1)
    assert len(log.history()) == 1
    assert id(alone.__code__) == own


def test_wrappers_of_decorators_count_separately():
    import functools

    def twice(function):
        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            return function(*args, **kwargs)

        return wrapper

    @twice
    def first(number):
        return number

    @twice
    def second(number):
        return first(number)

    with collecting(switcher_of(first)) as log:
        second(1)
    assert [(call["handler"], call["args"]) for call in log.history()] == [("first", (1,))]


# -- watching that begins or ends during calls ----------------------------------------------------


def test_watching_begins_and_ends_in_the_middle_of_calls():
    log, switcher = CallLog(), Switcher("api")

    @switcher
    def outer(then):
        return then()

    @switcher
    def inner(number):
        return number

    def begin():
        log.attach(switcher)
        return outer(lambda: inner(1))

    def end():
        log.detach(switcher)
        return outer(lambda: inner(2))

    outer(begin)
    assert summary(log) == [("inner", 1), ("outer", 1)]  # the outer call began earlier
    log.clear()
    outer(end)
    assert log.history() == []
    log.attach(switcher)
    outer(lambda: inner(3))
    log.detach(switcher)
    assert summary(log) == [("inner", 3), ("outer", 3)]


def test_watching_that_ends_and_begins_again_during_a_call():
    log, switcher = CallLog(), Switcher("api")

    @switcher
    def down(steps):
        if steps:
            steps[0]()
            down(steps[1:])
        return len(steps)

    watch, leave = (lambda: log.attach(switcher)), (lambda: log.detach(switcher))
    watch()
    down([leave, watch, lambda: None, lambda: None])
    leave()
    # Only calls during which the log watched all the time.
    assert sorted(call["result"] for call in log.history()) == [0, 1, 2]
    log.clear()
    watch()
    down([])
    leave()
    assert log.stats("down")["calls"] == 1
    assert log.history()[0]["result"] == 0


def test_generators_that_began_before_watching():
    made, other = numbers(3), leaf(1)
    next(made)
    other.send(None)
    switcher = switcher_of(numbers, leaf)
    with collecting(switcher) as log:
        list(made)
        other.close()
        later = numbers(3)
        next(later)
    list(later)
    with collecting(switcher) as again:
        list(numbers(1))
    assert log.history() == []
    assert len(again.history()) == 1


def test_one_of_two_logs_leaves_in_the_middle():
    switcher, log = Switcher("api"), CallLog()

    @switcher
    def outer(then):
        then()
        return inner(1)

    @switcher
    def inner(number):
        return number

    with collecting(switcher) as stays:
        log.attach(switcher)
        outer(lambda: log.detach(switcher))
        outer(lambda: log.attach(switcher))
        log.detach(switcher)
    assert summary(stays) == [("inner", 1), ("outer", 1)] * 2
    assert summary(log) == [("inner", 1)]


def test_plug_beside_attach():
    switcher = Switcher("api").plug("collect")

    @switcher
    def outer(number):
        return inner(number)

    @switcher
    def inner(number):
        return number

    with collecting(switcher) as log:
        assert switcher["outer"](1) == 1
    assert summary(log) == summary(switcher.collect) == [("inner", 1), ("outer", 1)]


# -- threads and processes ------------------------------------------------------------------------


def test_threads_have_separate_stacks():
    meet = threading.Barrier(2)

    def outer(number):
        meet.wait()
        return plain(number)

    with traced(outer, plain) as calls, ThreadPoolExecutor(2) as pool:
        assert list(pool.map(outer, range(20))) == list(range(20))
    assert family(calls) == [("outer", None)] * 20 + [("plain", "outer")] * 20
    assert all(
        parent["args"] == call["args"]
        for call in calls
        for parent in calls
        if call["parent"] is not None and parent["id"] == call["parent"]
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_fork_in_the_middle_of_a_call():
    def split():
        child = os.fork()
        plain(1)
        return child

    with collecting(switcher_of(split, plain)) as log:
        child = split()
        if child == 0:
            os._exit(0 if len(log.history()) == 2 else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert [call["handler"] for call in log.history()] == ["plain", "split"]


# -- other tools ----------------------------------------------------------------------------------


@pytest.fixture
def taken(request):
    """The tool ids that other tools use."""
    identities = [one for one in request.param if sys.monitoring.get_tool(one) is None]
    for identity in identities:
        sys.monitoring.use_tool_id(identity, "other")
    yield
    for identity in identities:
        sys.monitoring.free_tool_id(identity)


@pytest.mark.parametrize("taken", [(4,), (4, 3), (4, 3, 5)], indirect=True)
def test_the_first_free_tool_id(taken):
    with collecting(switcher_of(plain)) as log:
        plain(1)
        assert "smartcollect" in map(sys.monitoring.get_tool, range(6))
    assert len(log.history()) == 1


def test_no_free_tool_id():
    """Runs in its own process, because the warning comes only once."""
    script = """
        import sys, warnings
        from smartswitch import Switcher
        from smartcollect import collecting
        for tool in (2, 3, 4, 5):
            sys.monitoring.use_tool_id(tool, "other")
        switcher = Switcher("api")

        @switcher
        def double(number):
            return 2 * number

        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always")
            for _ in range(2):
                with collecting(switcher) as log:
                    double(21)
        print([one["result"] for one in log.history()], len(found), found[0].message)
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert output.startswith("[42] 1 ")
    assert "sys.monitoring" in output


def test_another_tool_sees_the_same_events():
    monitoring, seen = sys.monitoring, []
    monitoring.use_tool_id(3, "other")
    try:
        monitoring.register_callback(
            3, monitoring.events.PY_START, lambda code, offset: seen.append(code.co_name)
        )
        monitoring.set_local_events(3, plain.__code__, monitoring.events.PY_START)
        with collecting(switcher_of(plain)) as log:
            plain(1)
            # An equal copy of the code may run.
            monitoring.set_local_events(3, plain.__code__, monitoring.events.PY_START)
            plain(2)
        plain(3)
        assert len(log.history()) == 2
        assert seen.count("plain") >= 2
    finally:
        monitoring.set_local_events(3, plain.__code__, 0)
        monitoring.register_callback(3, monitoring.events.PY_START, None)
        monitoring.free_tool_id(3)


def test_other_interpreters_are_not_watched():
    interpreters = pytest.importorskip(
        "_interpreters" if sys.version_info >= (3, 13) else "_xxsubinterpreters"
    )
    with collecting(switcher_of(plain)) as log, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        other = interpreters.create()
        try:
            interpreters.run_string(other, "def plain(number): return number\nplain(1)")
        finally:
            interpreters.destroy(other)
        plain(1)
    assert len(log.history()) == 1


def test_coroutines_and_generators_keep_their_types():
    with collecting(switcher_of(numbers, leaf, items)):
        made = numbers(1), leaf(1), items(1)
        assert [type(one) for one in made] == [
            types.GeneratorType,
            types.CoroutineType,
            types.AsyncGeneratorType,
        ]
        made[1].close()


def test_the_last_watcher_goes_while_the_next_one_comes(monkeypatch):
    """The garbage collector may free the last watched code at any time."""
    before, after = Switcher("before"), Switcher("after")

    @before
    def first(): ...

    @after
    def second(): ...

    old = CallLog()
    old.attach(before)
    acquire = tool.acquire

    def acquire_and_lose(callbacks):
        found = acquire(callbacks)
        monkeypatch.undo()
        old.detach(before)
        return found

    monkeypatch.setattr(tool, "acquire", acquire_and_lose)
    with collecting(after) as log:
        second()
    assert log.stats()["second"]["calls"] == 1
