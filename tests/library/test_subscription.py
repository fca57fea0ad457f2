"""Sinks: they receive each call once, in batches, and their failures reach no caller."""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import signal
import subprocess
import sys
import threading
import weakref

import pytest
from smartswitch import Switcher

from smartcollect import Batch, CallLog, CollectPlugin, collecting, merge
from smartcollect.sinks import subscription as subscriptions
from smartcollect.sinks import worker as workers
from smartcollect.sinks.worker import worker
from smartcollect.storage.store import FOLD_AT

pytestmark = pytest.mark.twice

FORK = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
FOREVER = "1000min"  # no write is due by itself


class Keeping:
    """A sink that keeps its batches, with an event for their arrival."""

    def __init__(self):
        self.batches = []
        self.came = threading.Event()
        self.closed = 0

    def write(self, batch):
        self.batches.append(batch)
        self.came.set()

    def close(self):
        self.closed += 1

    @property
    def args(self):
        return [call["args"] for batch in self.batches for call in batch.calls]

    @property
    def counted(self):
        profile = merge(batch.profile for batch in self.batches)
        return sum(stats.calls for stats in profile.handlers.values())


class Async(Keeping):
    """A sink of another framework."""

    async def write(self, batch): ...


class Failing(Keeping):
    """A sink that raises while ``error`` is set."""

    def __init__(self, error=None):
        super().__init__()
        self.error = error or OSError("away")
        self.tried = []

    def write(self, batch):
        self.tried.append(batch)
        if self.error is not None:
            raise self.error
        super().write(batch)


@pytest.fixture(autouse=True)
def nothing_left():
    """Fail a test that leaves a subscription open."""
    gc.collect()
    before = set(worker._tasks)
    yield
    gc.collect()
    for task in set(worker._tasks) - before:
        task.close()
        pytest.fail("a subscription is left")


@pytest.fixture
def subscribe(sw):
    """A function that subscribes sinks to ``sw``; subscriptions are closed at the end."""
    made = []

    def subscribe(sink, every=FOREVER, **options):
        made.append(sw.collect.subscribe(sink, every, **options))
        return made[-1]

    yield subscribe
    for one in made:
        one.close()


def test_a_sink_receives_calls_and_statistics(sw, subscribe):
    sink = Keeping()
    sw.handlers[0](0)
    subscription = subscribe(sink)
    for number in range(1, 1_000):
        sw.handlers[0](number)
    subscription.flush()
    subscription.flush()
    (batch,) = sink.batches
    assert [call["args"][0] for call in batch.calls] == list(range(1, 1_000))
    ((name, stats),) = batch.profile.called().items()
    assert (name.full, stats.calls, batch.dropped) == ("api.process", 999, 0)
    assert batch.history == sw.collect.history(last=999)
    assert sw.collect.stats("process")["calls"] == 1_000


def test_sinks_are_called_after_an_interval_in_separate_threads(sw, subscribe):
    sinks = [Keeping(), Keeping()]
    threads = set()
    for sink in sinks:
        write = sink.write
        sink.write = lambda batch, write=write: (
            threads.add(threading.current_thread()),
            write(batch),
        )
        subscribe(sink, every=0.01)
    sw.handlers[0](1)
    assert all(sink.came.wait(10) for sink in sinks)
    assert [sink.args for sink in sinks] == [[(1,)]] * 2
    assert [(thread.name, thread.daemon) for thread in threads] == [("smartcollect", True)] * 2
    assert threading.current_thread() not in threads


def test_a_slow_sink_does_not_delay_others(sw, subscribe):
    goes_on, works = threading.Event(), Keeping()

    class Slow(Keeping):
        def write(self, batch):
            super().write(batch)
            assert goes_on.wait(60)

    slow = Slow()
    subscribe(slow, every=0.01)
    subscribe(works, every=0.01)
    sw.handlers[0](1)
    assert slow.came.wait(10)
    for number in range(3):
        assert works.came.wait(10)
        works.came.clear()
        sw.handlers[0](number)
    goes_on.set()


def test_a_closed_subscription_ends_its_thread(sw):
    before = set(threading.enumerate())
    subscription = sw.collect.subscribe(Keeping(), FOREVER)
    (thread,) = set(threading.enumerate()) - before
    subscription.close()
    thread.join(10)
    assert not thread.is_alive()


def test_a_sink_of_two_logs_is_called_by_one_thread_at_a_time(sw, subscribe):
    entered, goes_on = threading.Event(), threading.Event()

    class Alone(Keeping):
        inside = 0

        def write(self, batch):
            self.inside += 1
            assert self.inside == 1
            entered.set()
            assert goes_on.wait(60)
            super().write(batch)
            self.inside -= 1

    sink, log = Alone(), CallLog()
    log.attach(sw)
    made = [subscribe(sink), log.subscribe(sink, FOREVER)]
    sw.handlers[0](1)
    threads = [threading.Thread(target=one.flush) for one in made]
    threads[0].start()
    assert entered.wait(10)
    threads[1].start()
    threads[1].join(0.1)
    assert threads[1].is_alive()
    goes_on.set()
    for thread in threads:
        thread.join(10)
    made[1].close()
    assert sink.args == [(1,), (1,)]
    assert [one.failures for one in made] == [0, 0]


def test_all_copies_of_a_plugin_have_the_same_subscribers(sw, subscribe):
    sink = Keeping()
    child = next(iter(sw._children.values()))
    subscription = child.collect.subscribe(sink, FOREVER)
    for handler in sw.handlers:
        handler(1)
    subscription.close()
    assert sink.counted == 3
    assert {call["handler"] for batch in sink.batches for call in batch.calls} == {
        *("process", "other", "users.show")
    }


def test_clear_drain_and_queries_do_not_affect_a_sink(sw, subscribe):
    sink, number = Keeping(), 0
    subscription = subscribe(sink)
    asked = [sw.collect.clear, sw.collect.drain, sw.collect.stats, sw.collect.profile]
    for ask in [*asked, *asked]:
        for _ in range(300):
            sw.handlers[0](number)
            number += 1
        ask()
    subscription.flush()
    assert sink.args == [(number,) for number in range(2_400)]
    assert sink.counted == 2_400


def test_busy_threads_and_two_sinks(sw, subscribe):
    sinks = [Keeping(), Keeping()]
    made = [subscribe(sink, every=0.001, max_queue=100_000) for sink in sinks]

    def busy(thread):
        for number in range(3_000):
            sw.handlers[0]((thread, number))

    threads = [threading.Thread(target=busy, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for subscription, sink in zip(made, sinks, strict=True):
        subscription.close()
        assert sink.counted == 24_000
        assert subscription.dropped == 0
        written = sorted(tuple(args[0]) for args in sink.args)
        assert written == [(thread, number) for thread in range(8) for number in range(3_000)]


def test_dropped_calls_are_counted_and_stay_in_the_profile(sw, subscribe):
    sink = Keeping()
    subscription = subscribe(sink, max_queue=300)
    for number in range(1_000):
        sw.handlers[0](number)
    subscription.flush()
    (batch,) = sink.batches
    assert [call["args"][0] for call in batch.calls] == list(range(300))
    assert subscription.dropped == batch.dropped == 700
    assert sink.counted == 1_000
    sw.handlers[0](1)
    subscription.flush()
    assert sink.batches[1].dropped == 0
    assert len(sink.batches[1].calls) == 1


def test_a_sink_that_raises_is_reported_once_and_tried_again(sw, subscribe, caplog, monkeypatch):
    now = 0.0
    clock = subscriptions.SYSTEM._replace(monotonic=lambda: now)
    for module in (subscriptions, workers):
        monkeypatch.setattr(module, "SYSTEM", clock)
    sink = Failing()
    subscription = subscribe(sink, every="10s")
    pauses = []
    sw.handlers[0](1)
    for number in range(2, 9):
        subscription.work()
        pauses.append(subscription.due - now)
        assert sw.handlers[0](number) == number
    assert pauses == [20, 40, 80, 160, 300, 300, 300]
    assert subscription.failures == 7
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "Failing failed to write calls" in caplog.text
    assert len({id(batch) for batch in sink.tried}) == 1
    sink.error = None
    subscription.work()
    assert sink.args == [(number,) for number in range(1, 9)]
    assert subscription.due == now + 10
    assert (subscription.failures, subscription.dropped) == (7, 0)


def test_a_sink_that_returns_a_coroutine_fails(sw, subscribe, caplog):
    class Forwarding(Keeping):
        def write(self, batch):
            return Async().write(batch)

    subscription = subscribe(Forwarding())
    sw.handlers[0](1)
    subscription.flush()
    assert subscription.failures == 1
    assert "write() returned a coroutine, which nothing awaits" in caplog.text


def test_repr(sw):
    subscription = sw.collect.subscribe(Keeping(), "10s")
    assert (
        repr(subscription) == "<Subscription: Keeping, every 10.0 s, 0 failures, 0 calls dropped>"
    )
    subscription.close()
    assert repr(subscription) == "<Subscription: Keeping, closed, 0 failures, 0 calls dropped>"


def test_the_queue_of_a_failing_sink_is_bounded(sw, subscribe):
    sink = Failing()
    subscription = subscribe(sink, max_queue=10)
    for _ in range(5):
        for number in range(8):
            sw.handlers[0](number)
        subscription.flush()
        sw.collect.stats()  # folds pending calls
    sink.error = None
    subscription.flush()
    assert len(sink.args) == 10
    assert subscription.dropped == 30
    assert sink.counted == 40


def test_calls_that_were_never_written_are_reported_at_the_end(sw, caplog):
    subscription = sw.collect.subscribe(Failing(), FOREVER)
    sw.handlers[0](1)
    subscription.close()
    subscription.close()
    assert "Failing did not write 1 call and the statistics of 1 call" in caplog.text
    assert subscription.dropped == 1


def test_calls_that_were_not_selected_are_not_dropped(sw, caplog):
    @sw
    def fail(number):
        raise ValueError(number)

    def subscribe(calls):
        return sw.collect.subscribe(Failing(), FOREVER, calls=calls)

    failed = subscribe("failed")
    for number in range(6):
        sw.handlers[0](number)
    failed.flush()
    failed.close()
    assert failed.dropped == 0
    assert "Failing did not write the statistics of 6 calls" in caplog.text
    made = [subscribe(calls) for calls in ("none", "failed", "all")]
    for one in (None, *made):  # with and without a failed batch
        sw.handlers[0](1)
        with contextlib.suppress(ValueError):
            fail(2)
        if one is not None:
            one.flush()
    for one in made:
        one.close()
    assert [one.dropped for one in made] == [0, 4, 8]
    assert sw.collect.recorder.store.dropped == 12


@pytest.mark.parametrize("error", [SystemExit(3), GeneratorExit(), ZeroDivisionError()])
def test_exceptions_of_a_sink_stay_in_the_worker(sw, subscribe, error, caplog):
    sink, works = Failing(error), Keeping()
    subscribe(sink, every=0.01)
    subscribe(works, every=0.01)
    sw.handlers[0](1)
    assert works.came.wait(10)
    works.came.clear()
    sw.handlers[0](2)
    assert works.came.wait(10)
    assert sink.tried


def test_handlers_that_a_sink_calls_are_not_recorded(sw, subscribe):
    class Calling(Keeping):
        def write(self, batch):
            sw.handlers[1]("from the sink")
            super().write(batch)

    sink = Calling()
    subscription = subscribe(sink)
    sw.handlers[0](1)
    subscription.flush()
    subscription.flush()
    assert len(sink.batches) == 1
    assert [call["handler"] for call in sw.collect.history()] == ["process"]


def test_closing_writes_all_calls_until_then(sw):
    sink = Keeping()
    subscription = sw.collect.subscribe(sink, FOREVER)
    sw.handlers[0](1)
    subscription.close()
    sw.handlers[0](2)
    subscription.flush()
    sw.collect.stats()
    assert (sink.args, sink.closed) == ([(1,)], 1)
    subscription.close()
    assert sink.closed == 1


def test_a_sink_whose_close_raises(sw, caplog):
    class Bad(Keeping):
        def close(self):
            raise OSError("no")

    subscription = sw.collect.subscribe(Bad(), FOREVER)
    subscription.close()
    assert subscription.failures == 1
    assert "Bad failed to close" in caplog.text


def test_a_block_that_ends_closes_its_subscriptions(sw):
    sink = Keeping()
    with collecting(sw) as log:
        log.subscribe(sink, FOREVER)
        sw.handlers[0](1)
    assert (sink.args, sink.closed) == ([(1,)], 1)


def test_a_deleted_log_closes_its_subscriptions():
    sw, sink = Switcher("api"), Keeping()
    sink.close = sink.came.set

    @sw
    def work(number): ...

    log = CallLog()
    log.attach(sw)
    log.subscribe(sink, FOREVER)
    work(1)
    log.detach(sw)
    gone = weakref.ref(log.recorder)
    sink.came.clear()
    del log
    gc.collect()
    assert gone() is None
    assert sink.came.wait(10)
    assert sink.args == [(1,)]


def test_a_deleted_switcher_closes_the_subscriptions_of_its_plugin():
    sw, sink = Switcher("api").plug(CollectPlugin()), Keeping()
    sink.close = sink.came.set

    @sw
    def work(number): ...

    work(1)
    sw.collect.subscribe(sink, FOREVER)
    work(2)
    del sw, work
    gc.collect()
    assert sink.came.wait(10)
    assert sink.args == [(2,)]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"sink": print}, TypeError, "has no write"),
        ({"sink": Keeping}, TypeError, "sink: .*Keeping.* is a class; pass an instance"),
        ({"sink": Async()}, TypeError, r"sink: write\(\) of <.*Async.*> is an async method"),
        ({"every": "soon"}, ValueError, "every: 'soon' is not a duration"),
        ({"every": 0}, ValueError, "every: 0 is not above zero"),
        ({"max_queue": -1}, ValueError, "max_queue must be .*, not -1"),
        ({"max_queue": "many"}, TypeError, "max_queue must be .*, not 'many'"),
        (
            {"calls": ["slow"]},
            TypeError,
            r"calls must be a string, not \['slow'\]; choose from 'all', 'slow'",
        ),
        ({"calls": None}, TypeError, "calls must be a string, not None"),
    ],
)
def test_bad_arguments_are_refused(sw, arguments, error, message):
    with pytest.raises(error, match=message):
        sw.collect.subscribe(**{"sink": Keeping(), **arguments})


PROGRAM = """
import atexit, os, sys, threading
at_the_end = []
# The function that is registered first runs last.
atexit.register(lambda: [print(*values()) for values in at_the_end])
from smartswitch import Switcher
import smartcollect

class Printer:
    def write(self, batch):
        for call in batch.calls:
            os.write(1, f"{call['args'][0]} ".encode())
    def close(self):
        os.write(1, b"closed ")

sw = Switcher("api").plug("collect")
@sw
def work(who): ...
work("early")
sw.collect.subscribe(Printer(), every="1000min")
work("parent")
"""


def run(program, errors=()):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM + program],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert sorted(done.stderr.splitlines()) == sorted(errors)
    return done.stdout.split()


def test_waiting_calls_are_written_when_the_process_ends():
    assert run("") == ["parent", "closed"]
    assert run("sys.exit(0)") == ["parent", "closed"]


def test_all_sinks_write_concurrently_when_the_process_ends():
    meeting = """
together = threading.Barrier(3)
class Meeting:
    def write(self, batch):
        together.wait(30)
        os.write(1, b"met ")
for _ in range(3):
    sw.collect.subscribe(Meeting(), every="1000min")
work("met")
"""
    assert sorted(run(meeting)) == ["closed", "met", "met", "met", "met", "parent"]


ENDLESS = """
from smartcollect.sinks import worker as workers
workers._PATIENCE = 0.2
class Endless(Printer):
    write = close = lambda *_: threading.Event().wait()
class Closing(Printer):
    close = Endless.close
"""


def test_a_process_ends_despite_endless_sinks_and_counts_the_loss():
    endless = """
made = [sw.collect.subscribe(Endless(), "1000min", calls=calls) for calls in ("all", "none")]
made.append(sw.collect.subscribe(Closing(), "1000min"))
flushing = threading.Thread(target=made[0].flush, daemon=True)
for _ in range(3):
    work("written")
flushing.start()
while not made[0]._unsent:
    pass
for _ in range(2):
    work("written")
at_the_end.append(lambda: [one.dropped for one in made])
at_the_end.append(lambda: [sw.collect.recorder.store.dropped])
"""
    busy = "is still busy, and the process ends without waiting for it"
    assert run(
        ENDLESS + endless,
        [
            f"Endless {busy}: 5 calls and the statistics of 5 calls may be lost",
            f"Endless {busy}: the statistics of 5 calls may be lost",
            f"Closing {busy}",
        ],
    )[-4:] == ["5", "0", "0", "5"]


@FORK
def test_an_interrupted_wait_at_the_end_reports_the_loss():
    interrupted = """
import signal
workers._PATIENCE = 60
class Telling(Endless):
    def write(self, batch):
        while len(workers.worker._tasks) > 1:  # until the other sink is closed
            pass
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        threading.Event().wait()
sw.collect.subscribe(Telling(), "1000min")
work("parent")
def interrupt(*_):
    raise InterruptedError("ctrl-c")
signal.signal(signal.SIGINT, interrupt)
close_all = workers.worker.close_all
atexit.unregister(close_all)
@atexit.register
def end():
    try:
        close_all()
    except InterruptedError as error:
        print(error)
"""
    busy = "Telling is still busy, and the process ends without waiting for it"
    output = run(
        ENDLESS + interrupted, [f"{busy}: 1 call and the statistics of 1 call may be lost"]
    )
    assert output[-1] == "ctrl-c"


@FORK
def test_a_process_of_multiprocessing_ends_despite_endless_sinks():
    endless = """
import multiprocessing
sw.collect.subscribe(Endless(), "1000min")
process = multiprocessing.get_context("fork").Process(target=work, args=["child"])
process.start()
process.join(30)
print(process.exitcode, flush=True)
os._exit(0)
"""
    busy = "Endless is still busy, and the process ends without waiting for it"
    output = run(ENDLESS + endless, [f"{busy}: 1 call and the statistics of 1 call may be lost"])
    assert output == ["child", "closed", "0"]


def test_calls_of_a_sink_without_a_thread_are_written_at_the_end():
    refused = """
@atexit.register
def subscribe():  # some versions of Python cannot start threads any more
    def refuse(thread):
        raise RuntimeError("no more threads")
    threading.Thread.start = refuse
    for _ in range(2):
        sw.collect.subscribe(Printer(), every="1000min")
    work("late")
"""
    message = "cannot start a thread for a sink; its calls wait until the end: no more threads"
    output = run(refused, [message, message])
    assert sorted(output) == ["closed", "closed", "closed", "late", "late", "late", "parent"]


@FORK
def test_a_child_writes_only_its_own_calls():
    forked = """
child = os.fork()
work("child" if child == 0 else "after")
if child:
    os.waitpid(child, 0)
"""
    assert run(forked) == ["child", "closed", "parent", "after", "closed"]


@FORK
def test_the_worker_of_a_child_runs_in_the_child():
    forked = """
came = threading.Event()
class Telling(Printer):
    def write(self, batch):
        super().write(batch)
        if "child" in [call["args"][0] for call in batch.calls]:
            came.set()
sw.collect.subscribe(Telling(), every=0.01)
child = os.fork()
if child == 0:
    work("child")
    os._exit(0 if came.wait(30) else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
os._exit(0)
"""
    assert "child" in run(forked)


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
@pytest.mark.skipif(sys.platform == "win32", reason="needs fork")
def test_a_process_of_multiprocessing_writes_at_its_end(tmp_path, method):
    (tmp_path / "processes.py").write_text(
        PROGRAM
        + f"""
import multiprocessing
def call():
    work("child")
if __name__ == "__main__":
    process = multiprocessing.get_context({method!r}).Process(target=call)
    process.start()
    process.join()
""",
        encoding="utf-8",
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "processes.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    output = done.stdout.split()
    # A spawned process runs the module again, including its first call.
    assert output.count("child") == 1
    assert output.count("parent") == (1 if method == "fork" else 2)
    assert output.count("closed") == 2


class Timeout(BaseException):
    """A BaseException, as gevent, trio and pytest raise for timeouts."""


def test_an_interrupt_of_a_flush_reaches_its_caller_and_loses_nothing(sw, subscribe):
    sink = Failing(Timeout())
    subscription = subscribe(sink)
    sw.handlers[0](1)
    with pytest.raises(Timeout):
        subscription.flush()
    sink.error = None
    sw.handlers[0](2)
    subscription.flush()
    assert sink.args == [(1,), (2,)]
    assert (subscription.failures, subscription.dropped) == (1, 0)


def test_exceptions_of_a_sink_do_not_end_the_worker(sw, subscribe, caplog):
    sink, works = Failing(Timeout()), Keeping()
    subscribe(sink, every=0.01)
    subscribe(works, every=0.01)
    for number in range(3):
        works.came.clear()
        sw.handlers[0](number)
        assert works.came.wait(10)
    sink.error = None


def test_a_sink_may_call_flush_and_close(sw, caplog):
    done = threading.Event()

    class Asking(Keeping):
        def write(self, batch):
            super().write(batch)
            subscription.flush()
            subscription.close()

        def close(self):
            super().close()
            done.set()

    sink = Asking()
    subscription = sw.collect.subscribe(sink, FOREVER)
    sw.handlers[0](1)
    subscription.flush()
    assert done.wait(10)
    assert (sink.args, sink.closed, subscription.closed) == ([(1,)], 1, True)


def test_two_sinks_that_flush_each_other(sw, subscribe):
    made = []

    class Other(Keeping):
        def write(self, batch):
            super().write(batch)
            for one in made:
                one.flush()

    sinks = [Other(), Other()]
    made += [subscribe(sink) for sink in sinks]
    sw.handlers[0](1)
    threads = [threading.Thread(target=one.flush) for one in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    assert [sink.args for sink in sinks] == [[(1,)]] * 2


def test_calls_that_wait_behind_a_failed_batch_are_counted_at_the_end(sw, caplog):
    subscription = sw.collect.subscribe(Failing(), FOREVER)
    sw.handlers[0](1)
    subscription.flush()
    for number in range(5):
        sw.handlers[0](number)
    subscription.close()
    assert subscription.dropped == 6


def test_dropped_and_unwritten_calls_are_counted_once(sw, caplog):
    subscription = sw.collect.subscribe(Failing(), FOREVER, max_queue=10)
    for number in range(100):
        sw.handlers[0](number)
    subscription.close()
    assert subscription.dropped == 100


def test_an_interrupt_of_a_close_reaches_its_caller_and_counts_the_loss(sw, caplog):
    sink = Failing(Timeout())
    subscription = sw.collect.subscribe(sink, FOREVER)
    sw.handlers[0](1)
    with pytest.raises(Timeout):
        subscription.close()
    assert (subscription.dropped, sink.closed) == (1, 1)


def test_a_destructor_in_a_fold_does_not_wait_for_a_sink():
    sw, sink = Switcher("api").plug("collect", serialize=False, max_history=10), Keeping()

    class Flushing:
        def __del__(self):
            subscription.flush()

    @sw
    def work(value): ...

    subscription = sw.collect.subscribe(sink, FOREVER)
    for _ in range(2_000):
        work(Flushing())
    subscription.close()
    assert sink.counted == 2_000


def test_a_closed_subscription_can_be_garbage_collected(sw):
    log, sink = CallLog(), Keeping()
    sink.log = log  # as in a sink that queries its log
    log.subscribe(sink, FOREVER).close()
    gone = weakref.ref(sink), weakref.ref(log)
    del log, sink
    gc.collect()
    assert [one() for one in gone] == [None, None]


def test_a_very_long_pause_does_not_delay_other_sinks(sw, subscribe):
    sink = Keeping()
    subscribe(Keeping(), every=1e10)
    subscribe(sink, every=0.01)
    sw.handlers[0](1)
    assert sink.came.wait(10)


@FORK
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_fork_while_a_sink_is_closed(sw):
    writing, done = threading.Event(), threading.Event()

    class Slow(Keeping):
        def write(self, batch):
            writing.set()
            done.wait(10)

    subscription = sw.collect.subscribe(Slow(), FOREVER)
    sw.handlers[0](1)
    closing = threading.Thread(target=subscription.close)
    closing.start()
    assert writing.wait(10)
    child = os.fork()
    if child == 0:
        signal.alarm(30)
        subscription.flush()
        subscription.close()
        worker.close_all()  # as at the end of the process
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    done.set()
    closing.join()


@FORK
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_fork_while_another_thread_builds_the_calls_of_a_batch(sw):
    making, goes_on = threading.Event(), threading.Event()

    def rows(*, monotonic=False):
        making.set()
        goes_on.wait(60)
        return ()

    batch = Batch(rows, sw.collect.profile(), sw.collect.recorder.rules)
    thread = threading.Thread(target=lambda: batch.rows)
    thread.start()
    assert making.wait(10)
    sw.handlers[0](1)
    child = os.fork()
    if child == 0:
        signal.alarm(30)
        os._exit(len(sw.collect.drain().rows))
    goes_on.set()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
    thread.join()


def test_calls_are_counted_by_the_minute_in_which_they_began(time, sw, subscribe):
    sink = Keeping()
    minute = int(time.clock.wall() // 60) + 1
    time.now += minute * 60 - time.clock.wall()
    subscription = subscribe(sink)
    begun = time.clock.wall()

    @sw
    def wait(seconds):
        time.sleep(seconds)

    for seconds in (59.5, 1.0, 0.25, 100.0, 0.5):
        wait(seconds)
    subscription.flush()
    (batch,) = sink.batches
    counted = {
        number: [
            (name.handler, stats.calls, stats.total_time) for name, stats in one.called().items()
        ]
        for number, one in batch.minutes.items()
    }
    assert counted == {
        minute: [("wait", 2, 60.5)],
        minute + 1: [("wait", 2, 100.25)],
        minute + 2: [("wait", 1, 0.5)],
    }
    assert merge(batch.minutes.values()).to_dict() == batch.profile.to_dict()
    assert (batch.since, batch.until) == (begun, time.clock.wall())
    time.sleep(1)
    wait(1)
    subscription.flush()
    assert sink.batches[1].since == batch.until
    assert sink.batches[1].minutes.keys() == {minute + 2}


def test_minutes_older_than_an_hour_are_counted_together(time, sw, subscribe):
    sink = Keeping()
    subscription = subscribe(sink)
    for _ in range(100):
        sw.handlers[0](1)
        time.sleep(60)
        sw.collect.stats()
    subscription.flush()
    (batch,) = sink.batches
    assert len(batch.minutes) == 60
    calls = [
        sum(one.calls for one in batch.minutes[key].handlers.values())
        for key in sorted(batch.minutes)
    ]
    assert calls == [41, *[1] * 59]


def test_minutes_are_bounded_without_a_flush(time, sw, subscribe):
    sink = Keeping()
    subscription = subscribe(sink, calls="none")
    recent = sw.collect.recorder.store._recent

    def call(times=FOLD_AT):
        for _ in range(times):
            sw.handlers[0](1)

    for _ in range(100):
        call()
        time.sleep(60)
        assert len(recent.tallies) <= 60
    assert sw.collect.recorder.store._recent is recent
    first = min(recent.tallies)
    time.now -= 100 * 60  # calls that began before all others
    call()
    subscription.flush()
    (batch,) = sink.batches
    calls = [
        sum(one.calls for one in batch.minutes[key].handlers.values())
        for key in range(first, first + 60)
    ]
    assert calls == [42 * FOLD_AT, *[FOLD_AT] * 59]
    assert batch.count == 101 * FOLD_AT


@pytest.mark.parametrize(
    ("calls", "given"),
    [
        ("all", ["fast", "slow", "broken", "slow and broken"]),
        ("slow", ["slow", "slow and broken"]),
        ("failed", ["broken", "slow and broken"]),
        ("slow or failed", ["slow", "broken", "slow and broken"]),
        ("none", []),
    ],
)
@pytest.mark.parametrize("max_history", [0, 1000])
def test_a_sink_receives_the_selected_calls(time, subscribe, sw, calls, given, max_history):
    sw.collect.configure.max_history = max_history
    sink = Keeping()
    subscription = subscribe(sink, calls=calls, slower_than="100ms", max_queue=3)

    @sw
    def wait(what):
        time.sleep(0.2 if "slow" in what else 0.1)
        if "broken" in what:
            raise ValueError

    for what in ("fast", "slow", "broken", "slow and broken"):
        with contextlib.suppress(ValueError):
            wait(what)
    subscription.flush()
    assert sink.args == [(what,) for what in given[:3]]
    assert sink.counted == 4
    assert subscription.dropped == len(given[3:])


def test_unknown_selections_are_refused(sw):
    with pytest.raises(ValueError, match="unknown calls 'quick'; choose from 'all', 'slow', "):
        sw.collect.subscribe(Keeping(), calls="quick")
    with pytest.raises(ValueError, match="slower_than: 'soon' is not a duration"):
        sw.collect.subscribe(Keeping(), calls="slow", slower_than="soon")
