"""Totals over processes stay exact when processes end, fork or clear, or files are damaged."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest
from smartswitch import Switcher

pytest.importorskip("prometheus_client")

from prometheus_client import CollectorRegistry

from smartcollect import CallLog, collecting
from smartcollect.sinks import process_files
from smartcollect.sinks.prometheus import Collector, write_totals
from smartcollect.sinks.worker import worker

FORK = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
FORKS = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
LOCKS = pytest.mark.skipif(sys.platform == "win32", reason="needs flock")
FOREVER = "1000min"
DURATION = "smartcollect_call_duration_seconds"


class Sum:
    """The metrics of a folder, as a scrape shows them."""

    def __init__(self, folder):
        self.registry = CollectorRegistry()
        self.registry.register(Collector.multiprocess(folder))

    def __call__(self, name="smartcollect_calls_total", handler="pay", **labels):
        if handler is not None:
            labels |= {"handler": handler, "switcher": "shop"}
        if name == "smartcollect_calls_total":
            labels = {"outcome": "ok"} | labels
        return self.registry.get_sample_value(name, labels)

    @property
    def unreadable(self):
        return self("smartcollect_unreadable_files", None)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "metrics"


@pytest.fixture
def shop():
    shop = Switcher("shop").plug("collect")

    @shop
    def pay(error=None):
        if error is not None:
            raise error

    @shop
    def cancel(): ...

    shop.pay = pay
    return shop


@pytest.fixture
def written(shop, folder):
    """The subscription that writes the totals of the shop."""
    subscription = write_totals(shop.collect, folder, FOREVER)
    yield subscription
    subscription.close()


def forked(work):
    """Do work in a forked process until its regular end, and return its exit status."""
    return ended(begun(work))


def begun(work):
    """Do work in a forked process, and return its process id."""
    child = os.fork()
    if child == 0:
        try:
            work()
            worker.close_all()  # as `atexit` does
        except BaseException as error:
            print(repr(error), file=sys.stderr)
            os._exit(1)
        os._exit(0)
    return child


def ended(child, wait=True):
    """Return the exit status of a process, or ``None`` while it is running."""
    number, status = os.waitpid(child, 0 if wait else os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if number else None


def flush_all():
    for task in list(worker._tasks):
        task.flush()


def files(folder):
    return sorted(name for name in os.listdir(folder) if name.endswith(".json"))


def test_a_process_writes_its_totals(shop, written, folder):
    found = Sum(folder)
    assert found() == 0
    assert found(handler="cancel") == 0
    for _ in range(100):
        shop.pay()
    with pytest.raises(LookupError):
        shop.pay(LookupError())
    written.flush()
    assert found() == 100
    assert found(outcome="error") == 1
    assert found(f"{DURATION}_count") == 101
    assert found(f"{DURATION}_bucket", le="+Inf") == 101
    assert found(f"{DURATION}_sum") == pytest.approx(
        shop.collect.stats("pay")["total_time"], abs=1e-9
    )
    assert found("smartcollect_sample_rate") == 1
    assert found.unreadable == 0


def test_earlier_calls_do_not_count(shop, folder):
    shop.pay()
    subscription = write_totals(shop.collect, folder, FOREVER)
    shop.pay()
    subscription.close()
    assert Sum(folder)() == 1


def test_clear_and_drain_do_not_reset_totals(shop, written, folder):
    shop.pay()
    shop.collect.clear()
    shop.pay()
    shop.collect.drain()
    shop.pay()
    written.flush()
    assert Sum(folder)() == 3


@FORK
@FORKS
def test_forked_processes_count_separately(shop, written, folder):
    def work(calls=250):
        for _ in range(calls):
            shop.pay()

    work(7)
    assert [forked(work) for _ in range(4)] == [0] * 4
    assert forked(lambda: None) == 0
    written.flush()
    assert Sum(folder)() == 7 + 4 * 250


@FORK
@FORKS
def test_forked_processes_that_run_concurrently(shop, written, folder):
    begin, go = os.pipe()

    def work():
        os.close(go)
        os.read(begin, 1)  # wait until all processes have started
        for _ in range(50):
            for _ in range(10):
                shop.pay()
            flush_all()

    children = [begun(work) for _ in range(8)]
    found, seen = Sum(folder), []
    os.close(begin)
    os.close(go)
    while children:
        seen.append(found())
        exits = {child: ended(child, wait=False) for child in children}
        assert set(exits.values()) <= {0, None}
        children = [child for child, status in exits.items() if status is None]
    assert seen == sorted(seen)
    assert len(set(seen)) > 2  # it was read meanwhile
    assert (found(), found.unreadable) == (8 * 500, 0)


@FORK
@FORKS
def test_a_fork_of_a_fork(shop, written, folder):
    def work():
        shop.pay()
        flush_all()
        assert forked(shop.pay) == 0

    assert forked(work) == 0
    assert Sum(folder)() == 2


@FORK
@FORKS
def test_processes_of_multiprocessing(shop, written, folder):
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=shop.pay) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert Sum(folder)() == 3


SCRIPT = """
    import sys
    from smartswitch import Switcher
    from smartcollect.sinks.prometheus import write_totals

    shop = Switcher("shop").plug("collect")

    @shop
    def pay(): ...

    subscription = write_totals(shop.collect, sys.argv[1], "1000min")
    for _ in range(int(sys.argv[2])):
        pay()
    if len(sys.argv) > 3:
        subscription.flush()
        print("ready", flush=True)
        sys.stdin.read()
    """


def started(folder, calls, *more, **options):
    script = textwrap.dedent(SCRIPT)
    command = [sys.executable, "-c", script, os.fspath(folder), str(calls), *more]
    return subprocess.Popen(command, **options)


@LOCKS
def test_ended_processes_share_one_file(folder):
    running = [started(folder, calls) for calls in (100, 20, 3)]
    assert [process.wait() for process in running] == [0, 0, 0]
    assert started(folder, 1000).wait() == 0  # merges the files that concurrent ends have left
    assert files(folder) == ["ended.json"]
    assert Sum(folder)() == 1123


def test_a_killed_process_still_counts(folder):
    process = started(folder, 5, "wait", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with process:
        process.stdout.readline()
        process.kill()
    assert started(folder, 2).wait() == 0
    assert Sum(folder)() == 7
    assert any(name.startswith(f"{process.pid}-") for name in files(folder))


KILLED = """
    import os, signal, sys
    from smartswitch import Switcher
    from smartcollect.sinks.prometheus import write_totals

    shop = Switcher("shop").plug("collect")
    subscription = write_totals(shop.collect, sys.argv[1], "1000min")

    @shop
    def pay(): ...

    pay()
    os.fsync = lambda file: os.kill(os.getpid(), signal.SIGKILL)
    subscription.flush()
    """


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs kill -9")
@pytest.mark.parametrize("forks", [False, pytest.param(True, marks=[FORK, FORKS])])
def test_temporary_files_of_a_killed_process_are_removed(shop, folder, forks):
    subscription = write_totals(shop.collect, folder, FOREVER)
    killed = [sys.executable, "-c", textwrap.dedent(KILLED), os.fspath(folder)]
    for _ in range(2):
        assert subprocess.run(killed).returncode == -signal.SIGKILL
    old, new = [folder / name for name in os.listdir(folder) if ".json." in name]
    other = folder / ".notes.json.old"
    other.touch()
    for path in (old, other):
        os.utime(path, (1.0, 1.0))
    if forks:
        assert forked(shop.pay) == 0
    else:
        write_totals(CallLog(), folder, FOREVER).close()
    assert [path.exists() for path in (old, new, other)] == [False, True, True]
    assert new.read_text()
    subscription.close()
    assert Sum(folder)() == forks


def test_a_reused_process_id_gets_a_new_file(shop, folder):
    for calls in (1, 10):
        subscription = write_totals(shop.collect, folder, FOREVER)
        before = set(files(folder))
        for _ in range(calls):
            shop.pay()
        subscription.flush()
        assert before == set(files(folder))
        subscription.close()
    assert Sum(folder)() == 11


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "",
        lambda text: "[]",
        lambda text: "[" * 100_000,
        lambda text: "\0" * len(text),
        lambda text: text.replace('"version":1', '"version":99'),
        lambda text: text.replace('"pay",1.0,3', '"pay",1.0,4'),
        lambda text: text.replace('"pay",1.0,3', '"pay",1.0,-3'),
        lambda text: text.replace('"pay",1.0,3', '"pay",1.0,true'),
        lambda text: text.replace('"shop"', "17"),
        lambda text: text.replace('"handlers":', '"handled":'),
    ],
)
def test_a_damaged_file_is_reported(shop, written, folder, damage, caplog):
    for _ in range(3):
        shop.pay()
    written.flush()
    (file,) = folder.glob("*.json")
    good = file.read_text()
    bad = damage(good)
    assert bad != good
    seen, fresh = Sum(folder), Sum(folder)
    assert seen() == 3
    other = folder / f"1-{'0' * 32}.json"
    other.write_text(good)
    file.write_text(bad)
    caplog.clear()
    # A collector that has read the file before keeps its totals, so that no counter goes down.
    assert (seen(), seen()) == (6, 6)
    assert seen.unreadable == 1
    (record,) = caplog.records
    assert record.name == "smartcollect"
    assert str(file) in record.getMessage()
    assert fresh() == 3
    assert fresh.unreadable == 1
    shop.pay()
    written.flush()
    assert (seen(), fresh(), fresh.unreadable) == (7, 7, 0)


def test_a_damaged_sum_file_is_left_alone(shop, folder, caplog):
    folder.mkdir()
    (folder / "ended.json").write_text("{")
    subscription = write_totals(shop.collect, folder, FOREVER)
    shop.pay()
    subscription.close()
    assert "ended.json cannot be read" in caplog.text
    assert (folder / "ended.json").read_text() == "{"
    found = Sum(folder)
    assert (found(), found.unreadable) == (1, 1)


@LOCKS
@pytest.mark.parametrize("step", ["write", "unlink"])
def test_the_sum_is_right_after_a_crash_at_any_step(shop, folder, monkeypatch, step, caplog):
    crashed = {"write": (process_files, "write"), "unlink": (Path, "unlink")}[step]
    subscription = write_totals(shop.collect, folder, FOREVER)
    shop.pay()
    subscription.flush()
    with monkeypatch.context() as patch:

        def crash(path, *args, **kwargs):
            if step == "unlink" or Path(path).name == "ended.json":
                raise OSError("crash")
            return write(path, *args, **kwargs)

        write = process_files.write
        patch.setattr(*crashed, crash)
        subscription.close()
    assert "failed to close" in caplog.text
    assert len(files(folder)) == {"write": 1, "unlink": 2}[step]
    found = Sum(folder)
    assert found() == 1
    subscription = write_totals(shop.collect, folder, FOREVER)
    shop.pay()
    subscription.close()
    assert found() == 2
    assert files(folder) == ["ended.json"]


@LOCKS
def test_a_scrape_during_a_merge(shop, folder, monkeypatch):
    """Two processes end one after the other, after their files were read but not the sum file."""
    found, reading = Sum(folder), process_files._read
    with collecting(shop) as log:
        subscriptions = [write_totals(one, folder, FOREVER) for one in (shop.collect, log)]
        shop.pay()

        def merging(path):
            if path.name == "ended.json":
                monkeypatch.setattr(process_files, "_read", reading)
                for subscription in subscriptions:
                    subscription.close()
            return reading(path)

        for subscription in subscriptions:
            subscription.flush()
        monkeypatch.setattr(process_files, "_read", merging)
        assert found() == 2
    assert files(folder) == ["ended.json"]


@LOCKS
def test_another_process_is_merging(shop, folder):
    subscription = write_totals(shop.collect, folder, FOREVER)
    shop.pay()
    with process_files._locked(folder) as is_locked:
        assert is_locked
        subscription.close()
    assert len(files(folder)) == 1
    assert Sum(folder)() == 1
    write_totals(shop.collect, folder, FOREVER).close()
    assert files(folder) == ["ended.json"]
    assert Sum(folder)() == 1


def test_a_file_that_cannot_be_written_counts_once(shop, written, folder, monkeypatch, caplog):
    with monkeypatch.context() as patch:

        def full(*args):
            raise OSError(28, "No space left on device")

        patch.setattr(process_files, "write", full)
        shop.pay()
        written.flush()
        shop.pay()
        written.flush()
    assert written.failures == 2
    written.flush()
    assert Sum(folder)() == 2


def test_a_folder_that_was_removed(shop, written, folder, caplog):
    found = Sum(folder)
    shop.pay()
    written.flush()
    assert found() == 1
    (file,) = folder.glob("*.json")
    file.unlink()
    folder.rmdir()
    assert (found(), found.unreadable) == (None, 1)
    shop.pay()
    written.flush()
    assert (found(), found.unreadable) == (2, 0)


def test_a_folder_that_cannot_be_made(shop, tmp_path, caplog):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        write_totals(shop.collect, tmp_path / "file" / "metrics")
    with pytest.raises(OSError, match="file"):
        Collector.multiprocess(tmp_path / "file")
    assert not [task for task in worker._tasks if task._store is shop.collect.recorder.store]


@FORK
@FORKS
def test_writing_twice_counts_once(shop, written, folder):
    def work():
        assert write_totals(shop.collect, folder) is written
        shop.pay()

    work()
    assert forked(work) == 0
    written.flush()
    assert Sum(folder)() == 2
    written.close()
    again = write_totals(shop.collect, folder, FOREVER)
    assert again is not written
    again.close()


def test_what_is_not_a_log(folder):
    with pytest.raises(TypeError, match="'api' is not a log"):
        write_totals("api", folder)


@pytest.mark.parametrize("ask", [lambda of: write_totals(CallLog(), of), Collector.multiprocess])
@pytest.mark.parametrize("folder", [None, 5, ["metrics"]])
def test_what_is_not_a_folder(ask, folder):
    with pytest.raises(TypeError, match="folder must be a path, not"):
        ask(folder)


def test_the_log_can_be_garbage_collected(folder):
    shop = Switcher("shop").plug("collect")

    @shop
    def pay(): ...

    subscription = write_totals(shop.collect, folder, FOREVER)
    pay()
    closed = threading.Event()
    close, subscription._sink.close = subscription._sink.close, closed.set
    del shop, pay
    gc.collect()
    assert closed.wait(10)
    close()
    assert Sum(folder)() == 1


def test_the_newest_sample_rate_and_the_earliest_beginning(shop, folder):
    first = write_totals(shop.collect, folder, FOREVER)
    shop.pay()
    first.close()
    begin = Sum(folder)("smartcollect_calls_created", outcome="ok")
    shop.collect.configure.sample_rate = 0.5
    second = write_totals(shop.collect, folder, FOREVER)
    second.close()
    found = Sum(folder)
    assert found("smartcollect_sample_rate") == 0.5
    assert found("smartcollect_calls_created", outcome="ok") == begin


def test_dropped_calls_of_all_processes(shop, folder, caplog):
    class Never:
        def write(self, batch):
            raise OSError("away")

    full = shop.collect.subscribe(Never(), FOREVER, max_queue=0)
    shop.pay()
    shop.collect.stats()
    subscription = write_totals(shop.collect, folder, FOREVER)
    for _ in range(5):
        shop.pay()
    subscription.close()
    full.close()
    assert Sum(folder)("smartcollect_dropped_total", None) == 5


@FORK
@FORKS
def test_dropped_calls_of_a_forked_process(shop, folder, caplog):
    class Never:
        def write(self, batch):
            raise OSError("away")

    subscription = write_totals(shop.collect, folder, FOREVER)
    full = shop.collect.subscribe(Never(), FOREVER, max_queue=0)
    shop.pay()
    shop.collect.stats()
    assert forked(shop.pay) == 0
    subscription.close()
    full.close()
    assert Sum(folder)("smartcollect_dropped_total", None) == 2


def test_no_counter_goes_down_when_files_are_merged(folder):
    """Sums of floats depend on their order, and a counter that loses an ulp looks like a reset."""
    shops = [Switcher("shop").plug("collect") for _ in range(8)]
    subscriptions = []
    for number, shop in enumerate(shops):

        @shop
        def pay(): ...

        subscriptions.append(write_totals(shop.collect, folder, FOREVER))
        for _ in range(number + 1):
            pay()
        subscriptions[-1].flush()
    found, names = Sum(folder), (f"{DURATION}_sum", "smartcollect_self_seconds_total")
    before = [found(name) for name in names]
    for subscription in subscriptions:
        subscription.close()
        assert [found(name) for name in names] == before
