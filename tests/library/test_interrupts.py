"""Interrupts and lack of memory or stack at any point: they propagate, and the log stays usable."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import sys

import pytest
from smartswitch import Switcher
from support import SlowerCallsSeen, dispatch
from ticks import EVENTS, ticking

from smartcollect import collecting
from smartcollect.recording import nesting

pytestmark = pytest.mark.twice

# Opcodes, or calls.
STEP, ENOUGH = (1, 30) if EVENTS else (7, 100)
FILES = ("standin", "recorder", "snapshot", "store", "ring", "stats", "nesting", "<smartcollect>")


class Interrupt:
    """Raises at the n-th point in the recorder at which a signal could interrupt it."""

    def __init__(self, error, at):
        self.error = error
        self.at = at
        self.seen = 0

    def __enter__(self):
        self.tracing = None if EVENTS else sys.gettrace()
        if EVENTS:
            self.replaced = list(ticking(self.tick))
        else:
            sys.settrace(self.trace)

    def __exit__(self, *_):
        if EVENTS:
            for function, code in self.replaced:
                function.__code__ = code
        else:
            sys.settrace(self.tracing)

    def tick(self, value=None):
        self.seen += 1
        if self.seen == self.at:
            raise self.error
        return value

    def trace(self, frame, event, arg):
        code = frame.f_code
        own = any(name in code.co_filename for name in FILES) or code.co_consts[-2:-1] == (
            "<watched>",
        )
        if not own:
            return None
        frame.f_trace_opcodes = True
        if event in ("line", "opcode"):
            self.tick()
        return self.trace


@pytest.fixture(params=[1_000, 0], ids=["history", "no history"])
def watching(request):
    """Watch a switcher, with a history or so that only the time of most calls is kept."""

    @contextlib.contextmanager
    def watch(api):
        with collecting(api, max_history=request.param) as log:
            log.recorder.store.rank_after(SlowerCallsSeen(60))
            yield log

    return watch


@pytest.fixture
def api():
    sw = Switcher("api")

    @sw
    def outer(values, *, more):
        return inner(values[0]) + more

    @sw
    def inner(number):
        return number + 1

    return sw


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_between_any_two_instructions(api, watching, error):
    """An interrupted call is an error or not recorded; later calls are recorded as usual."""
    for at in itertools.count(1, STEP):
        with watching(api) as log:
            result, interrupt = 3, Interrupt(error("now"), at)
            try:
                with interrupt:
                    result = dispatch(api, "outer")([1], more=1)
            except error as caught:
                result = caught
            assert result in (3, interrupt.error)
            assert nesting.current.get() is None
            assert len(nesting.running.stack) == 1
            calls = {name: one["calls"] for name, one in log.stats().items()}
            if EVENTS:
                # The interrupted call began, so it counts once.
                assert calls in ({"outer": 1}, {"outer": 1, "inner": 1})
            log.clear()
            for _ in range(300):
                assert dispatch(api, "outer")([1], more=1) == 3
            assert [one["calls"] for one in log.stats().values()] == [300, 300]
            assert all(one["errors"] == 0 for one in log.stats().values())
        if interrupt.seen < at:
            break
    assert at > ENOUGH


@pytest.mark.parametrize("error", [MemoryError, RecursionError])
def test_no_memory_or_stack_for_the_recorder(api, watching, error):
    """Failures inside the recorder never reach the caller."""
    missed = 0
    for at in itertools.count(1, STEP):
        with watching(api) as log:
            interrupt = Interrupt(error(), at)
            try:
                with interrupt:
                    result = dispatch(api, "outer")([1], more=1)
            except error:
                missed += 1
            else:
                assert result == 3
            nesting.current.set(None)
            log.clear()
            assert dispatch(api, "outer")([1], more=1) == 3
            assert [one["calls"] for one in log.stats().values()] == [1, 1]
        if interrupt.seen < at:
            break
    assert at > ENOUGH
    # A line of the hot path itself can be hit; the calls that it makes are what may fail.
    assert missed < at / STEP / 2


@pytest.mark.usefixtures("no_collection")
def test_recursion_to_the_limit(api):
    @api
    def down(number):
        return down(number + 1)

    @api
    def deep(number):
        try:
            return deep(number + 1)
        except RecursionError:
            return number

    with collecting(api) as log:
        for _ in range(3):
            with pytest.raises(RecursionError):
                down(0)
            assert deep(0) > 50
        for name in ("down", "deep"):
            stats = log.stats(name)
            assert stats["calls"] > 150
        assert dispatch(api, "inner")(1) == 2
        assert log.stats("inner") == {**log.stats("inner"), "calls": 1, "errors": 0}
    assert nesting.current.get() is None


def test_a_coroutine_that_is_closed_and_one_that_is_cancelled(api):
    @api
    async def wait():
        await asyncio.sleep(60)

    async def main():
        task = asyncio.ensure_future(wait())
        await asyncio.sleep(0)
        task.cancel("why")
        with pytest.raises(asyncio.CancelledError) as raised:
            await task
        assert raised.value.args == ("why",)
        started = wait()
        started.send(None)
        started.close()

    with collecting(api) as log:
        asyncio.run(main())
    assert [call["exception"]["type"] for call in log.errors("wait")] == [
        "CancelledError",
        "GeneratorExit",
    ]


@pytest.mark.usefixtures("no_collection")
@pytest.mark.parametrize("before", range(246, 258))
def test_a_fold_at_the_recursion_limit(before):
    sw = Switcher("api").plug("collect")

    @sw
    def ok(): ...

    @sw
    def down():
        return dispatch(sw, "down")()

    for _ in range(before):
        ok()
    with pytest.raises(RecursionError):
        down()
    stats = sw.collect.stats()
    assert stats["ok"]["calls"] == before == len(sw.collect.history(handler="ok"))
    assert stats["down"]["calls"] == stats["down"]["errors"]
    assert stats["down"]["calls"] == len(sw.collect.history(handler="down"))


@pytest.mark.skipif(not EVENTS, reason="only events find an interrupt by its traceback")
def test_an_exception_of_a_signal_handler_propagates(api, watching):
    """At any point of a call: the exception may be a time limit of the application."""
    for at in itertools.count(1):
        with watching(api) as log:
            interrupt = Interrupt(TimeoutError("late"), at)
            try:
                with interrupt:
                    dispatch(api, "outer")([1], more=1)
            except TimeoutError:
                assert log.stats("outer")["calls"] == 1
            else:
                assert interrupt.seen < at
                break
    assert at > ENOUGH


def test_an_application_that_redefines_builtins():
    namespace = {"__name__": "app"}
    exec(
        "def type(_): raise RuntimeError\n"
        "len = isinstance = int = str = Exception = BaseException = StopAsyncIteration = None\n"
        "def plain(number, *, more=0): return [number]\n"
        "def some(number): yield number\n"
        "async def late(number): return number\n",
        namespace,
    )
    switcher = Switcher("app")
    for name in ("plain", "some", "late"):
        switcher(name)(namespace[name])
    with collecting(switcher) as log:
        assert namespace["plain"](1, more=2) == [1]
        assert list(namespace["some"](1)) == [1]
        assert asyncio.run(namespace["late"](1)) == 1
    assert [one["calls"] for one in log.stats().values()] == [1, 1, 1]
