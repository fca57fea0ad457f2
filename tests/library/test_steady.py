"""Steady time: the time of a call without waiting for a processor."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import importlib.util
import os
import random
import sys
import threading
import time as real_time

import pytest
from smartswitch import Switcher
from support import FakeTime

from smartcollect import CallLog, Profile
from smartcollect.clock import SYSTEM
from smartcollect.processor import MOST_FILES
from smartcollect.profiles.packing import pack, unpack
from smartcollect.recording.settings import LogSettings
from smartcollect.storage.histogram import bucket_of

EVENTS = sys.version_info >= (3, 12)
MS = 0.001


class App:
    """Handlers that compute, sleep and wait for a processor for given times."""

    def __init__(self, time: FakeTime, max_history: int = 1000) -> None:
        self.time = time
        self.api = api = Switcher("api")
        self.log = CallLog(LogSettings(max_history=max_history), time.clock)

        @api
        def work(compute=0.0, sleep=0.0, delay=0.0):
            time.compute(compute)
            time.sleep(sleep)
            time.wait_for_a_processor(delay)

        self.work = work
        self.log.attach(api)

    def stats(self, handler="work"):
        return self.log.stats()[handler]

    def read(self, handler="work"):
        """Return the number of calls with readings."""
        found = self.log.profile().to_dict()["handlers"]
        (steady,) = [one["steady"] for one in found if one["handler"] == handler]
        return sum(calls for _, calls in steady)


@pytest.fixture(params=[1000, 0], ids=["history", "statistics"])
def app(request):
    app = App(FakeTime(), request.param)
    yield app
    app.log.detach(app.api)


def about(seconds):
    return pytest.approx(seconds, rel=0.02)


def test_the_time_without_waiting_for_a_processor(app):
    for delay in (0.0, 7 * MS, 3 * MS, 9 * MS, 4 * MS):
        app.work(compute=2 * MS, sleep=1 * MS, delay=delay)
    stats = app.stats()
    assert stats["steady_time"] == about(3 * MS)
    assert stats["p50_time"] == about(7 * MS)
    (handler,) = app.log.profile().handlers.values()
    assert handler.computing == pytest.approx(2 / 3)


def test_it_is_the_median(app):
    for compute in (5, 1, 2, 9, 3, 4):
        app.work(compute=compute * MS)
    # The first call has no reading, because the handler was not known to be slow.
    assert app.stats()["steady_time"] == about(3 * MS)


def test_short_calls_read_no_clocks(app):
    before = app.time.readings
    for _ in range(100):
        app.work(compute=0.4 * MS)
    assert app.time.readings == before
    assert app.read() == 0
    assert app.stats()["steady_time"] == about(0.4 * MS)


def test_reading_takes_a_small_share_of_the_time(app):
    for _ in range(1_000):
        app.work(compute=0.8 * MS)
    assert app.read() == 999
    for _ in range(1_000):
        app.work(compute=0.1 * MS)
    # The remaining credit is used up by some short calls.
    assert 999 < app.read() < 1_250
    before = app.time.readings
    for _ in range(1_000):
        app.work(compute=0.01 * MS)
    assert app.time.readings == before


def test_alternating_long_and_short_calls(app):
    for number in range(40):
        app.work(compute=(0.2 if number % 2 else 10) * MS, delay=1 * MS)
    assert app.read() == 39
    times = app.log.profile().handlers[("api", "work")]
    assert sorted(times.steady.values()) == [19, 20]


def test_untypical_calls_do_not_represent_all(app):
    """A burst of long calls has all the readings: the median of all calls is reported."""
    for _ in range(200):
        app.work(compute=0.1 * MS)
    for _ in range(12):
        app.work(compute=5 * MS)
    (stats,) = app.log.profile().handlers.values()
    assert stats.steady.total() == 11
    assert not stats.is_steady
    assert app.stats()["steady_time"] == about(0.1 * MS)


def test_many_short_steps_are_not_measured():
    app = App(FakeTime())

    @app.api
    def numbers(count, work):
        for _ in range(count):
            app.time.compute(work)
            yield

    app.log.attach(app.api)
    for _ in range(5):
        list(numbers(10, 1 * MS))
    assert app.read("numbers") == 4
    before = app.time.readings
    for _ in range(5):
        list(numbers(1_000, 0.01 * MS))
    assert app.read("numbers") == 4
    assert app.time.readings < before + 5 * 20


def test_a_call_that_raises_counts():
    app = App(FakeTime())

    @app.api
    def broken():
        app.time.compute(1 * MS)
        app.time.wait_for_a_processor(5 * MS)
        raise ValueError("broken")

    app.log.attach(app.api)
    for _ in range(5):
        with pytest.raises(ValueError, match="broken"):
            broken()
    assert app.stats("broken")["steady_time"] == about(1 * MS)


def test_nested_calls():
    app = App(FakeTime())

    @app.api
    def outer():
        app.work(compute=1 * MS, delay=3 * MS)
        app.time.wait_for_a_processor(2 * MS)

    app.log.attach(app.api)
    for _ in range(5):
        outer()
    assert app.stats("outer")["steady_time"] == about(1 * MS)
    assert app.stats()["steady_time"] == about(1 * MS)


def test_two_logs_have_the_same_readings():
    time = FakeTime()
    one = App(time)
    other = CallLog(LogSettings(), time.clock)
    other.attach(one.api)
    for _ in range(5):
        one.work(compute=1 * MS, delay=4 * MS)
    for log in (one.log, other):
        assert log.stats()["work"]["steady_time"] == about(1 * MS)
    other.detach(one.api)


def test_a_kernel_that_reports_too_much_delay(app):
    for _ in range(5):
        app.time.delayed += 50 * MS
        app.work(compute=2 * MS, delay=1 * MS)
        app.time.delayed += 50 * MS
    assert app.stats()["steady_time"] == about(2 * MS)
    for _ in range(20):
        app.time.compute(2 * MS)
        app.work(compute=2 * MS)
    assert app.stats()["steady_time"] == about(2 * MS)


def test_without_delays_it_is_the_time_on_a_processor(app):
    app.time.delayed = None
    for delay in (0.0, 0.0, 0.0, 3 * MS, 3 * MS, 3 * MS, 3 * MS):
        app.work(compute=2 * MS, delay=delay)
    assert app.stats()["steady_time"] == about(2 * MS)
    assert app.stats()["p50_time"] == about(5 * MS)


def test_without_delays_a_handler_that_waits_has_none(app):
    app.time.delayed = None
    for _ in range(6):
        app.work(compute=1 * MS, sleep=4 * MS)
    assert app.read() == 0
    assert app.stats()["steady_time"] == about(5 * MS) == about(app.stats()["p50_time"])


def generators(app):
    @app.api
    def numbers():
        for delay in (1, 2):
            app.time.compute(1 * MS)
            app.time.wait_for_a_processor(delay * MS)
            yield delay

    @app.api
    async def later():
        for delay in (1, 2):
            app.time.compute(1 * MS)
            app.time.wait_for_a_processor(delay * MS)
            await asyncio.sleep(0)
        app.time.sleep(1 * MS)

    app.log.attach(app.api)
    return numbers, later


def test_a_generator_counts_while_it_works():
    app = App(FakeTime())
    numbers, _ = generators(app)
    for _ in range(5):
        for _ in numbers():
            # The time of the consumer does not count for the generator.
            app.time.compute(7 * MS)
            app.time.wait_for_a_processor(7 * MS)
    assert app.stats("numbers")["p50_time"] == about(5 * MS)
    assert app.stats("numbers")["steady_time"] == about(2 * MS)
    assert app.log.profile().handlers[("api", "numbers")].computing == pytest.approx(1)


def test_a_coroutine_waits_for_delays_of_its_event_loop():
    app = App(FakeTime())
    _, later = generators(app)

    delay = 0.0

    async def other(done):
        while not done.is_set():
            app.time.compute(4 * MS)
            app.time.wait_for_a_processor(delay)
            await asyncio.sleep(0)

    async def main():
        nonlocal delay
        done = asyncio.Event()
        task = asyncio.ensure_future(other(done))
        for number in range(9):
            await later()
            delay = 4 * MS if number > 1 else 0.0
        done.set()
        await task

    asyncio.run(main())
    # Two steps of the other task run while it waits: their 8 ms of processor time count too.
    assert app.stats("later")["p50_time"] == about(22 * MS)
    assert app.stats("later")["steady_time"] == about(11 * MS)
    # Before Python 3.12 waits are not reported, so no processor time counts.
    computing = app.log.profile().handlers[("api", "later")].computing
    assert computing == pytest.approx(2 / 11 if EVENTS else 0)


@pytest.mark.skipif(not EVENTS, reason="waits are not reported")
def test_a_timer_runs_on_while_its_thread_is_late():
    """Awaiting takes at least as long as the shortest wait."""
    app = App(FakeTime())

    @app.api
    async def waits():
        app.time.compute(1 * MS)
        await asyncio.sleep(0)

    app.log.attach(app.api)
    for late in (0, 0, 0, 2, 6, 6, 9):
        call = waits()
        call.send(None)
        # The timer of four milliseconds may end while the thread waits for a processor.
        app.time.wait_for_a_processor(late * MS)
        app.time.sleep(max(0, 4 - late) * MS)
        with contextlib.suppress(StopIteration):
            call.send(None)
    stats = app.log.profile().handlers[("api", "waits")]
    assert stats.max_time == about(10 * MS)
    assert stats.steady.total() == 6
    assert stats.steady.keys() == {bucket_of(5 * MS)}


def test_a_coroutine_without_known_delays():
    app = App(FakeTime())
    app.time.delayed = None
    _, later = generators(app)

    async def main():
        for _ in range(6):
            await asyncio.gather(later(), later())

    asyncio.run(main())
    # Each waits for the other, so neither computes all the time.
    assert app.read("later") == 0


def test_a_coroutine_that_continues_in_another_thread_is_not_read():
    app = App(FakeTime())
    _, later = generators(app)

    def step(made):
        with contextlib.suppress(StopIteration):
            made.send(None)

    for _ in range(4):
        made = later()
        contextvars.copy_context().run(step, made)
        for _ in range(2):
            thread = threading.Thread(target=step, args=(made,))
            thread.start()
            thread.join()
    assert app.stats("later")["calls"] == 4
    assert app.read("later") == 0


def test_a_layer_measures_it_too(time):
    api = Switcher("api").plug("collect")
    log = api.collect

    @api
    def work():
        time.compute(1 * MS)
        time.wait_for_a_processor(5 * MS)

    for _ in range(5):
        work()
    assert log.stats()["work"]["steady_time"] == about(1 * MS)


def test_it_is_merged_and_survives_json(app):
    for _ in range(10):
        app.work(compute=1 * MS, delay=3 * MS)
    profile = app.log.profile()
    (stats,) = profile.handlers.values()
    for again in (Profile.from_dict(profile.to_dict()), unpack(pack(profile))):
        (found,) = again.handlers.values()
        assert found.steady == stats.steady
        assert found.statistics() == stats.statistics()
    merged = stats.copy()
    merged.merge(stats)
    assert merged.steady.total() == 18
    assert merged.computing == stats.computing


@pytest.mark.parametrize("known", [True, False])
def test_every_report_is_read_again(known):
    """Rounded sums of floating-point numbers are accepted."""
    draw = random.Random(1)
    for _ in range(100):
        app = App(FakeTime())
        app.time.delayed = 0.0 if known else None
        for _ in range(8):
            app.work(compute=draw.uniform(1, 2) * MS)
        document = app.log.profile().to_dict()
        assert Profile.from_dict(document).to_dict() == document
        app.log.detach(app.api)


def test_a_report_without_steady_times_is_read(app):
    app.work(compute=1 * MS)
    document = app.log.profile().to_dict()
    for one in document["handlers"]:
        for key in ("steady", "steady_total", "ran_total", "read_total", "steady_time"):
            del one[key]
    del document["waiting"]
    (stats,) = Profile.from_dict(document).handlers.values()
    assert stats.statistics()["steady_time"] == about(1 * MS)


@pytest.mark.parametrize(
    "damage",
    [{"steady": [[-1, 1]]}, {"steady": 5}, {"ran_total": -5.0}, {"steady_total": "x"}],
)
def test_a_damaged_report_is_rejected(app, damage):
    for _ in range(3):
        app.work(compute=1 * MS)
    document = app.log.profile().to_dict()
    document["handlers"][0].update(damage)
    with pytest.raises(ValueError, match="damaged"):
        Profile.from_dict(document)


# -- the real clock ------------------------------------------------------------------------------

LINUX = os.path.exists("/proc/thread-self/schedstat")
needs_schedstat = pytest.mark.skipif(not LINUX, reason="no /proc/thread-self/schedstat here")


def later_than(reading):
    """Return a reading that is new, and not the cached last one."""
    while True:
        now = SYSTEM.monotonic()
        if now - reading > 0.001:
            return SYSTEM.thread(now)


def descriptors():
    found = set()
    for number in os.listdir("/proc/self/fd"):
        try:
            if os.readlink(f"/proc/self/fd/{number}").endswith("schedstat"):
                found.add(int(number))
        except OSError:  # the descriptor of the listing itself
            pass
    return found


@needs_schedstat
def test_the_system_reports_processor_time_and_delay():
    start = SYSTEM.monotonic()
    first = SYSTEM.thread(start)
    while SYSTEM.monotonic() - start < 0.02:
        pass
    spent = SYSTEM.thread(SYSTEM.monotonic()).since(first)
    passed = SYSTEM.monotonic() - start
    assert spent.delayed is not None
    assert spent.delayed >= 0  # some kernels report too much
    assert 0 < spent.ran <= passed


@needs_schedstat
def test_sleeping_is_not_waiting_for_a_processor():
    start = SYSTEM.monotonic()
    first = SYSTEM.thread(start)
    real_time.sleep(0.05)
    spent = later_than(start).since(first)
    assert spent.ran < 0.025


@needs_schedstat
def test_a_thread_leaves_no_open_descriptor():
    SYSTEM.thread(SYSTEM.monotonic())
    before = descriptors()
    inside = []

    def run():
        SYSTEM.thread(SYSTEM.monotonic())
        inside.append(descriptors())

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert len(inside[0]) == len(before) + 1
    assert descriptors() == before


@needs_schedstat
def test_a_fork_has_its_own_clocks():
    """A child that kept the file of its parent would read the parent's times."""
    SYSTEM.thread(SYSTEM.monotonic())
    mine = {os.fstat(number).st_ino for number in descriptors()}
    assert mine
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        later_than(SYSTEM.monotonic())
        text = " ".join(str(os.fstat(number).st_ino) for number in descriptors())
        os.write(writer, text.encode())
        os._exit(0)
    os.waitpid(child, 0)
    found = os.read(reader, 1_000).split()
    os.close(reader)
    os.close(writer)
    assert found
    assert not mine & set(map(int, found))


@needs_schedstat
def test_few_threads_keep_a_file_open():
    go, ready = threading.Event(), threading.Barrier(51)

    def run():
        SYSTEM.thread(SYSTEM.monotonic())
        ready.wait(60)
        go.wait(60)

    threads = [threading.Thread(target=run) for _ in range(50)]
    for thread in threads:
        thread.start()
    ready.wait(60)
    opened = len(descriptors())
    go.set()
    for thread in threads:
        thread.join()
    # Threads that begin at the same moment may exceed the limit by a few.
    assert MOST_FILES <= opened < MOST_FILES + 8
    assert len(descriptors()) < MOST_FILES


@needs_schedstat
def test_repeated_imports_leave_no_open_descriptor():
    before = descriptors()
    for _ in range(5):
        spec = importlib.util.find_spec("smartcollect.clock")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        module.SYSTEM.thread(module.SYSTEM.monotonic())
        del module, spec
    gc.collect()
    assert descriptors() == before


@needs_schedstat
@pytest.mark.parametrize("name", ["open", "close", "fstat", "pread"])
def test_suites_may_replace_functions_of_os(monkeypatch, name):
    def refuse(*_):
        raise AssertionError("replaced by the suite")

    readings = []
    thread = threading.Thread(target=lambda: readings.append(SYSTEM.thread(SYSTEM.monotonic())))
    with monkeypatch.context() as patch:
        patch.setattr(os, name, refuse)
        thread.start()
        thread.join()
    assert readings[0].delayed is not None


@needs_schedstat
def test_an_application_that_closes_all_descriptors(tmp_path):
    """The files of the application are left alone, and processor time is still reported."""
    child = os.fork()
    if not child:
        ok = False
        try:
            SYSTEM.thread(SYSTEM.monotonic())
            mine = descriptors()
            os.closerange(3, 1000)
            opened = [os.open(tmp_path / "own", os.O_RDWR | os.O_CREAT) for _ in range(30)]
            times = later_than(SYSTEM.monotonic())

            def run():
                SYSTEM.thread(SYSTEM.monotonic())
                os.closerange(33, 1000)
                opened.extend(os.open(tmp_path / "own", os.O_RDWR) for _ in range(30))

            thread = threading.Thread(target=run)
            thread.start()
            thread.join()
            for number in opened:
                os.fstat(number)
            ok = bool(mine) and times.ran > 0
        finally:
            os._exit(not ok)
    assert os.waitpid(child, 0)[1] == 0
