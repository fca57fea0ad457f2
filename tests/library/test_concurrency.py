"""Exact counts, no deadlock and no crash with calls from many threads, tasks and processes."""

from __future__ import annotations

import asyncio
import contextvars
import multiprocessing
import os
import subprocess
import sys
import threading
import time as real_time
from concurrent.futures import ThreadPoolExecutor

import pytest
from smartswitch import Switcher
from support import SOAK, dispatch

from smartcollect import CallLog, collecting
from smartcollect.storage.rows import WIDTH

pytestmark = pytest.mark.twice

# Multiplies the number of calls, for longer runs.
THREADS = 8
CALLS = 2_000 * SOAK
PATIENCE = 60.0 * SOAK  # seconds; a deadlock fails the test instead of hanging it

FORKS = [method for method in ("fork", "spawn", "forkserver") if hasattr(os, "fork")]


@pytest.fixture(autouse=True)
def often():
    """Let threads switch a thousand times as often as usual."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(5e-6)
    yield
    sys.setswitchinterval(before)


def at_once(work, meanwhile=lambda: None):
    """Run ``work`` in eight threads, and repeat ``meanwhile`` until they are done."""
    begin = threading.Barrier(THREADS + 1)
    failures = []

    def run(number):
        begin.wait()
        try:
            for one in range(CALLS):
                work(number, one)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(one,), daemon=True) for one in range(THREADS)]
    for thread in threads:
        thread.start()
    begin.wait()
    until = real_time.monotonic() + PATIENCE
    while any(thread.is_alive() for thread in threads):
        assert real_time.monotonic() < until, "a deadlock, or far too slow"
        meanwhile()
        real_time.sleep(0)
    assert failures == []


@pytest.fixture
def api():
    sw = Switcher("api")

    @sw
    def outer(number):
        return inner(number)

    @sw
    def inner(number):
        if number % 10 == 0:
            raise ValueError(number)
        return number

    sw.inner = inner
    return sw


def call(api):
    def work(_, number):
        try:
            dispatch(api, "outer")(number)
        except ValueError:
            assert number % 10 == 0

    return work


def check_counts(log, calls=THREADS * CALLS, errors=THREADS * CALLS // 10):
    assert {name: (one["calls"], one["errors"]) for name, one in log.stats().items()} == {
        "outer": (calls, errors),
        "inner": (calls, errors),
    }


def test_queries_while_eight_threads_call(api, tmp_path):
    with collecting(api, max_history=500) as log:

        def ask():
            assert len(log.history()) <= 500
            log.slowest(5)
            log.slower_than(0)
            log.uncalled()
            log.profile().to_dict()
            log.export(tmp_path / "log.json")

        at_once(call(api), ask)
        check_counts(log)
        assert log.stats("outer")["self_time"] <= log.stats("outer")["total_time"]


def test_clear_while_eight_threads_call(api):
    cleared = 0
    with collecting(api) as log:

        def clear():
            nonlocal cleared
            taken = log.recorder.store.take()
            if taken is not None:
                cleared += sum(stats.calls for stats in taken.handlers.values())

        at_once(call(api), clear)
        clear()
        assert cleared == 2 * THREADS * CALLS
        assert log.history() == []


def test_attach_and_detach_while_eight_threads_call(api):
    code = api.inner.__code__
    with collecting(api) as steady:
        log = CallLog()

        def come_and_go():
            log.attach(api)
            log.detach(api)

        at_once(call(api), come_and_go)
        check_counts(steady)
    assert api.inner.__code__ is code


def test_configure_while_eight_threads_call():
    sw = Switcher("api").plug("collect")

    @sw
    def work(number, token="x"):
        return number

    settings = [
        ("serialize", False),
        ("serialize", True),
        ("max_history", 10),
        ("max_history", 1000),
        ("redact", ("number",)),
        ("redact", ("token",)),
        ("serializers", {int: str}),
        ("serializers", None),
    ]
    turn = 0

    def configure():
        nonlocal turn
        setattr(sw.collect.configure, *settings[turn % len(settings)])
        turn += 1

    at_once(lambda _, number: work(number, token="y"), configure)
    assert sw.collect.stats("work")["calls"] == THREADS * CALLS


def test_handlers_registered_while_others_are_called(api):
    with collecting() as log:

        def register(_, number):
            if number % 100 == 0:
                Switcher(f"more{number}")("handler")(lambda: None)
            dispatch(api, "inner")(1)

        at_once(register)
        assert log.stats("api.inner")["calls"] == THREADS * CALLS


def test_tasks_and_threads_below_a_coroutine(api, time):
    @api
    async def root():
        async def one(number):
            await asyncio.sleep(0)
            return await asyncio.to_thread(dispatch(api, "inner"), number)

        await asyncio.gather(*(one(number) for number in range(1, 10)))

    with collecting(api) as log:
        asyncio.run(root())
        asyncio.run(root())
    assert log.stats("inner")["calls"] == 18
    (repeat,) = log.recorder.store.summary().repeats or [None]
    assert repeat is None  # nine children are below the threshold


def test_a_task_group_that_fails(api):
    @api
    async def wait():
        await asyncio.sleep(PATIENCE)

    async def main():
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(wait()) for _ in range(20)]
            await asyncio.sleep(0)
            group.create_task(asyncio.to_thread(dispatch(api, "inner"), 0))
        return tasks

    with collecting(api) as log:
        with pytest.raises(BaseExceptionGroup) as raised:
            asyncio.run(main())
        assert [type(one) for one in raised.value.exceptions] == [ValueError]
    assert log.stats("wait")["errors"] == log.stats("wait")["calls"] == 20
    assert {call["exception"]["type"] for call in log.errors("wait")} == {"CancelledError"}


def test_a_context_that_two_threads_share(api):
    with collecting(api) as log:

        @api
        async def spread(number):
            contexts = [contextvars.copy_context() for _ in range(12)]
            with ThreadPoolExecutor(4) as pool:
                return list(pool.map(lambda one: one.run(dispatch(api, "inner"), number), contexts))

        assert asyncio.run(spread(3)) == [3] * 12
    (repeat,) = log.profile().repeats
    assert (repeat.parent.handler, repeat.child.handler, repeat.times) == ("spread", "inner", 12)


def child(log_of, calls):
    """Run in a process that was forked or spawned while another thread makes calls."""
    sw = Switcher("child").plug("collect")

    @sw
    def work(number):
        return number

    for number in range(calls):
        work(number)
    if log_of is not None:
        for number in range(1, 10):
            dispatch(log_of, "inner")(number)
    assert sw.collect.stats("work")["calls"] == calls


@pytest.mark.parametrize("method", FORKS)
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_processes_started_during_calls(api, method):
    context = multiprocessing.get_context(method)
    stop = threading.Event()

    def busy():
        while not stop.is_set():
            dispatch(api, "inner")(1)

    with collecting(api) as log:
        threads = [threading.Thread(target=busy, daemon=True) for _ in range(3)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(3):
                # Only a fork has the switcher: functions inside a test cannot be pickled.
                given = api if method == "fork" else None
                process = context.Process(target=child, args=(given, 600))
                process.start()
                process.join(PATIENCE)
                assert process.exitcode == 0
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        before = log.stats("inner")["calls"]
        dispatch(api, "inner")(1)
        assert log.stats("inner")["calls"] == before + 1


def test_a_first_call_while_secrets_are_set():
    for _ in range(300):
        sw = Switcher("api").plug("collect", redact=())

        @sw
        def work(a, b, c, pin): ...

        thread = threading.Thread(target=work, args=(1, 2, 3, 4))
        thread.start()
        sw.collect.configure.redact = ("pin",)
        thread.join()
        work(1, 2, 3, 4)
        assert sw.collect.history(last=1)[0]["args"] == (1, 2, 3, "***")


def test_threads_that_register_on_one_switcher():
    with collecting():
        for _ in range(50):
            sw, begin = Switcher("api"), threading.Barrier(4)
            wrong = []

            def register(number, sw=sw, begin=begin, wrong=wrong):
                begin.wait()
                for one in range(5):

                    def handler(): ...

                    if sw(f"handler{number}_{one}")(handler) is not handler:
                        wrong.append(number)

            threads = [threading.Thread(target=register, args=(one,)) for one in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert wrong == []
            assert len(sw._methods) == 20


def test_threads_inside_one_call(api):
    @api
    async def spread():
        begin = threading.Barrier(4)

        def work():
            begin.wait()
            for _ in range(5):
                api.inner(1)

        threads = [
            threading.Thread(target=contextvars.copy_context().run, args=(work,)) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    with collecting(api) as log:
        for _ in range(100):
            asyncio.run(spread())
    (repeat,) = log.profile().repeats
    assert (repeat.child.handler, repeat.parents) == ("inner", 100)


def test_the_slowest_while_others_call():
    sw = Switcher("api").plug("collect", max_history=10)

    @sw
    def work(number): ...

    at_once(work_of(work), lambda: check_ten(sw.collect))


def work_of(handler):
    return lambda _, number: handler(number)


def check_ten(log):
    log.history()
    if log.stats() and log.stats("work")["calls"] >= 10:
        assert len(log.slowest(10)) == 10


def test_pending_calls_stay_bounded_with_many_threads(api):
    @api
    def work(): ...

    done, most = threading.Event(), 0

    def busy():
        while not done.is_set():
            work()

    with collecting(api, max_history=0) as log:
        threads = [threading.Thread(target=busy) for _ in range(8)]
        for thread in threads:
            thread.start()
        store = log.recorder.store
        while log.stats("work")["calls"] < 300_000:
            most = max(most, len(store.pending) // WIDTH)
        done.set()
        for thread in threads:
            thread.join()
    assert most < 20_000


def test_a_thread_that_begins_once_greenlet_is_loaded(tmp_path):
    pytest.importorskip("greenlet")
    (tmp_path / "app.py").write_text("def work(): return 1\n", "utf-8")
    program = """
import threading, greenlet, app
from smartcollect import collecting
answers = []
with collecting("app") as log:
    for _ in range(3):
        thread = threading.Thread(target=lambda: answers.append(app.work()))
        thread.start()
        thread.join()
print(answers, log.stats("work")["calls"])
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[1, 1, 1] 3", done.stderr
