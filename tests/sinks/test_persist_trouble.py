"""A database that is unreachable, full, deleted or shared: no call is lost or written twice."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing, suppress

import pytest
from smartswitch import Switcher
from support import SOAK

pytest.importorskip("sqlalchemy")
from sqlalchemy import func, select

import smartcollect
from smartcollect.database import engine, schema
from smartcollect.database.engine import Database

pytestmark = pytest.mark.once

FOREVER = "1000min"
FORK = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


@pytest.fixture
def work():
    """A handler with the attribute ``switcher``, its collected switcher."""
    api = Switcher("api").plug("collect")

    @api
    def work(value):
        return value

    work.switcher = api
    return work


def told(url):
    """Return the number of calls in the statistics, and the arguments of the written calls."""
    with smartcollect.history(url) as history:
        calls = sorted(call["args"][0] for call in history.calls())
        assert history.stats("work")["calls"] == len(calls)
        return calls


def sound(file):
    """Return whether SQLite considers a file intact."""
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_server_that_is_stopped_and_restarted(postgresql, work, caplog):
    url = postgresql.make()
    postgresql.stop()
    try:
        subscription = work.switcher.collect.persist(url, FOREVER, "all")
        work(1)
        subscription.flush()
        work(2)
        subscription.flush()
        assert subscription.failures == 2
        assert caplog.text.count("DatabaseSink failed") == 1
    finally:
        postgresql.start()
    subscription.flush()
    assert told(url) == [1, 2]
    postgresql.stop()
    postgresql.start()
    work(3)
    subscription.close()
    assert (subscription.failures, told(url)) == (2, [1, 2, 3])


def test_a_connection_that_breaks_during_a_write(postgresql, work, monkeypatch):
    url = postgresql.make()
    subscription = work.switcher.collect.persist(url, FOREVER, "all")
    work(1)
    subscription.flush()
    work(2)
    from smartcollect.sinks import database as sinks

    write = sinks.write_calls

    def broken(connection, *more):
        write(connection, *more)
        number = connection.connection.driver_connection.info.backend_pid
        with Database(url).writing() as other:
            other.execute(select(func.pg_terminate_backend(number)))

    with monkeypatch.context() as patched:
        patched.setattr(sinks, "write_calls", broken)
        subscription.flush()
    assert (subscription.failures, told(url)) == (1, [1])
    subscription.close()
    assert told(url) == [1, 2]


def test_a_database_with_a_limited_encoding_is_refused(postgresql, work):
    url = postgresql.make("LATIN1")
    with pytest.raises(ValueError, match="LATIN1"), Database(url).writing():
        pass


def test_a_full_disk(work, tmp_path, monkeypatch):
    url = f"sqlite:///{tmp_path / 'calls.db'}"
    room = ["PRAGMA max_page_count = 40"]
    write_ahead = engine._write_ahead

    def bounded(connection):
        write_ahead(connection)
        for pragma in room:
            connection.execute(pragma)

    monkeypatch.setattr(engine, "_write_ahead", bounded)
    subscription = work.switcher.collect.persist(url, FOREVER, "all")
    work("first")
    subscription.flush()
    numbers = [f"{number:05}" for number in range(5_000)]
    for number in numbers:
        work(number)
    subscription.flush()
    work("last")
    subscription.flush()
    assert subscription.failures == 2
    assert told(url) == ["first"]
    assert sound(tmp_path / "calls.db")
    room.clear()
    subscription.close()
    assert told(url) == [*numbers, "first", "last"]


def test_a_deleted_file_is_created_again(work, tmp_path):
    url = f"sqlite:///{tmp_path / 'calls.db'}"
    subscription = work.switcher.collect.persist(url, FOREVER, "all")
    work(1)
    subscription.flush()
    (tmp_path / "calls.db").rename(tmp_path / "old.db")
    work(2)
    subscription.close()
    assert told(url) == [2]
    assert told(f"sqlite:///{tmp_path / 'old.db'}") == [1]


def test_a_file_that_is_not_a_database(work, tmp_path, caplog):
    file = tmp_path / "calls.db"
    file.write_text("not a database\n" * 100)
    subscription = work.switcher.collect.persist(f"sqlite:///{file}", FOREVER)
    work(1)
    subscription.close()
    assert "file is not a database" in caplog.text
    assert file.read_text() == "not a database\n" * 100


PROGRAM = """
import os, signal, sys, threading, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # about forks with threads
from smartswitch import Switcher
import smartcollect

url, every = sys.argv[1:3]
sw = Switcher("api").plug("collect")
@sw
def work(value): ...
subscription = sw.collect.persist(url, every, "all")
"""


def start(program, url, every=FOREVER, *arguments, **options):
    command = [sys.executable, "-c", PROGRAM + program, url, every, *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **options)


def test_processes_that_start_together_without_a_database(url):
    program = """
number = int(sys.stdin.readline())
for batch in range(10):
    for one in range(20):
        work(number * 1000 + batch * 20 + one)
    subscription.flush()
subscription.close()
print(subscription.failures, subscription.dropped)
"""
    running = [start(program, url, stdin=subprocess.PIPE) for _ in range(8)]
    for number, process in enumerate(running):
        process.stdin.write(f"{number}\n")
        process.stdin.flush()
    assert [process.communicate()[0] for process in running] == ["0 0\n"] * 8
    assert told(url) == [number * 1000 + one for number in range(8) for one in range(200)]
    with Database(url).reading() as connection:
        assert connection.execute(select(func.count()).select_from(schema.writers)).scalar() == 8
        assert connection.execute(select(func.count()).select_from(schema.handlers)).scalar() == 1


@FORK
def test_forked_children_write_their_own_calls(url):
    program = """
work(1)
subscription.flush()
work(2)
children = []
for number in (3, 4):
    child = os.fork()
    if not child:
        work(number)
        subscription.flush()
        work(number + 10)
        subscription.close()
        os._exit(subscription.failures)
    children.append(child)
work(5)
subscription.flush()
print([os.waitpid(child, 0)[1] for child in children])
work(6)
"""
    process = start(program, url)
    assert (process.communicate()[0], process.returncode) == ("[0, 0]\n", 0)
    assert told(url) == [1, 2, 3, 4, 5, 6, 13, 14]
    with Database(url).reading() as connection:
        assert connection.execute(select(func.count()).select_from(schema.writers)).scalar() == 3


@FORK
def test_persisting_again_in_a_child_counts_once(url):
    program = """
again = lambda: sw.collect.persist(url, every, "all")
work(1)
child = os.fork()
if not child:
    mine = again()
    work(2)
    mine.close()
    after = again()
    work(3)
    after.close()
    os._exit(10 * (mine is not subscription) + (after is subscription))
print(os.waitpid(child, 0)[1], again() is subscription)
"""
    process = start(program, url)
    assert (process.communicate()[0], process.returncode) == ("0 True\n", 0)
    assert told(url) == [1, 2, 3]


@FORK
def test_forks_during_writes(tmp_path):
    file = tmp_path / "calls.db"
    program = """
import random, time
ended = []
def busy():
    number = 0
    while not ended:
        for _ in range(20):
            work(number)
            number += 1
        time.sleep(0.002)
    ended.append(number)
thread = threading.Thread(target=busy)
thread.start()
exits = []
for child in range(20):
    time.sleep(0.03 * random.random())
    pid = os.fork()
    if not pid:
        signal.alarm(60)  # otherwise it could wait forever for stale locks
        for one in range(10):
            work(-child * 10 - one - 1)
        subscription.flush()
        os._exit(subscription.failures)
    exits.append(os.waitpid(pid, 0)[1])
ended.append(True)
thread.join()
subscription.close()
print(sum(exits), subscription.failures, subscription.dropped, ended[1])
"""
    printed, _ = start(program, f"sqlite:///{file}", every="10ms").communicate()
    *faults, number = map(int, printed.split())
    assert faults == [0, 0, 0]
    assert told(f"sqlite:///{file}") == list(range(-200, number))
    assert sound(file)


HELD_OPEN = """
from smartcollect.database import sqlite_forks
from smartcollect.database.engine import Database
work(1)
subscription.flush()
opened, goes_on = threading.Event(), threading.Event()
def read():
    with Database(url).reading():
        opened.set()
        goes_on.wait(20)
        if "nested" in sys.argv:
            with Database(url).reading():
                pass
reading = threading.Thread(target=read)
reading.start()
opened.wait()
"""


@FORK
@pytest.mark.parametrize("connections", ["one", "nested"])
def test_a_fork_waits_for_open_connections(tmp_path, connections):
    url = f"sqlite:///{tmp_path / 'calls.db'}"
    program = """
sqlite_forks._PATIENCE = 5
def go_on():
    while not sqlite_forks.connections._forks:
        pass
    goes_on.set()
threading.Thread(target=go_on, daemon=True).start()
child = os.fork()
waited = goes_on.is_set()
if not child:
    signal.alarm(60)
    work(2)
    subscription.close()
    os._exit(subscription.failures)
print(waited, os.waitpid(child, 0)[1])
goes_on.set()
"""
    process = start(HELD_OPEN + program, url, FOREVER, connections)
    assert process.communicate()[0] == "True 0\n"
    assert told(url) == [1, 2]


@FORK
def test_a_child_forked_with_an_open_connection_reports_it(tmp_path):
    url = f"sqlite:///{tmp_path / 'calls.db'}"
    program = """
sqlite_forks._PATIENCE = 0.01
def forked(body):
    child = os.fork()
    if not child:
        signal.alarm(60)
        body()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
def child():
    for number in range(3):
        work(number)
    subscription.flush()
    print(subscription.failures, subscription.dropped, flush=True)
    forked(grandchild)
    subscription.close()
    print(subscription.failures, subscription.dropped, flush=True)
def grandchild():
    try:
        smartcollect.history(url)
    except OSError as error:
        print(type(error).__name__, flush=True)
forked(child)
goes_on.set()
reading.join()
work(2)
subscription.flush()
"""
    process = start(HELD_OPEN + program, url, stderr=subprocess.PIPE)
    output, errors = process.communicate()
    assert output.split("\n") == ["1 0", "ForkedWhileOpen", "2 3", ""]
    assert "DatabaseSink did not write 3 calls and the statistics of 3 calls" in errors
    assert "calls.db cannot be used in this process: it was forked while its parent" in errors
    assert process.returncode == 0
    assert told(url) == [1, 2]


@FORK
@pytest.mark.parametrize("attempt", range(20 if SOAK > 1 else 3))
def test_a_killed_process_loses_at_most_one_interval(url, attempt):
    program = """
number = 0
while True:
    for _ in range(100 * (1 + os.urandom(1)[0])):
        work(number)
        number += 1
    subscription.flush()
    assert not subscription.failures
    print(number, flush=True)
"""
    process = start(program, url)
    flushed = int(process.stdout.readline())
    # At any point, mostly during a write, since it writes most of the time.
    with suppress(subprocess.TimeoutExpired):
        process.wait(random.Random(attempt).uniform(0, 0.5))
    process.send_signal(signal.SIGKILL)
    flushed = max([flushed, *map(int, process.communicate()[0].split())])
    assert process.returncode == -signal.SIGKILL
    calls = told(url)
    assert calls == list(range(len(calls)))
    assert flushed <= len(calls)
    file = Database(url).file
    assert file is None or sound(file)
    # The next process can continue.
    process = start(f"work({len(calls)})", url)
    assert (process.communicate()[0], process.returncode) == ("", 0)
    assert told(url) == list(range(len(calls) + 1))
