"""Calls in a database: written with `persist` and read with `history`."""

from __future__ import annotations

import asyncio
import math
import time as clock
from datetime import UTC, datetime

import pytest
from smartswitch import Switcher

pytest.importorskip("sqlalchemy")
from sqlalchemy import func, select

import smartcollect
from smartcollect import CallLog, HandlerName
from smartcollect.database import pruning, schema
from smartcollect.database.engine import Database
from smartcollect.sinks.database import DatabaseSink

FOREVER = "1000min"  # no write is due by itself


@pytest.fixture
def api():
    """A collected switcher with handlers that return, raise, call another and wait."""
    api = Switcher("api").plug("collect")

    @api
    def show(value, **options):
        return value

    @api
    def fail(value):
        raise LookupError(value)

    @api
    def call(handler, value):
        return handler(value)

    @api
    async def wait(value):
        return value

    api.handlers = show, fail, call, wait
    return api


@pytest.fixture
def persist(api, url):
    """A function that persists the calls of ``api``; subscriptions are closed at the end."""
    made = []

    def persist(log=api.collect, **options):
        made.append(log.persist(url, **{"every": FOREVER, "calls": "all", **options}))
        return made[-1]

    yield persist
    for one in made:
        one.close()


def count(url, table):
    with Database(url).reading() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar()


def test_calls_and_statistics_come_back(api, persist, url):
    show, fail, call, wait = api.handlers
    subscription = persist()
    batches = []
    api.collect.subscribe(type("Sink", (), {"write": lambda _, batch: batches.append(batch)})())
    for number in range(700):
        show(number, key="x") if number % 3 else show(number)
        call(show, number)
    with pytest.raises(LookupError):
        call(fail, "no")
    asyncio.run(wait(1))
    subscription.flush()
    next(iter(api.collect.recorder.subscriptions - {subscription})).close()
    with smartcollect.history(url) as history:
        assert sorted(history.calls(), key=lambda call: call["end"]) == batches[0].calls
        assert history.stats() == api.collect.stats()
        assert history.stats("show") == history.stats("api.show") == api.collect.stats("show")
        assert history.handlers() == [
            HandlerName("api", name) for name in ("call", "fail", "show", "wait")
        ]
        assert history.profile().handlers.keys() == batches[0].profile.called().keys()
        failed = [(one["handler"], one["args"][-1]) for one in history.calls(errors=True)]
        assert failed == [("call", "no"), ("fail", "no")]
        assert [call["args"] for call in history.calls("show", errors=False, last=1)] == [(699,)]
        assert history.calls("show", last=1)[0]["handler"] == "show"
    with pytest.raises(ValueError, match="closed"):
        history.stats()


HOSTILE = [
    "NUL \0", "\ud800", "\ud83d\ude00", "𝄞 é \\ \" ' % {} :name", '"quoted"', "", "\n\t\u2028",
    math.inf, -math.inf, 1e-323, 0.1 + 0.2, -0.0, 2**1_000, -(2**63), True, None,
    [1, [2.5, None], {"a": [True]}], {}, {"$float": "nan"}, {"$x": 1}, {1: "int", "1": "text"},
    {None: 1, True: 2, 1.5: 3, "\0": 4, "\udcff": 5}, {"a": {"$dict": [[1, 2]]}}, "<Order>",
]  # fmt: skip


def test_hostile_values_come_back_equal(api, persist, url):
    show, fail, *_ = api.handlers
    subscription = persist()
    for value in HOSTILE:
        show(value, option=value, **{"$tuple": value})
        with pytest.raises(LookupError):
            fail(value)
    show(math.nan)
    subscription.flush()
    assert subscription.failures == 0
    *calls, last = smartcollect.history(url).calls()
    recorded = api.collect.history()[:-1]
    assert len(calls) == 2 * len(HOSTILE)
    for call, entry in zip(calls, recorded, strict=True):
        assert {key: call[key] for key in entry} == entry
        assert str(call) == str({**entry, **call})  # 1, 1.0 and True are equal
    assert math.isnan(last["result"])


def test_minutes_merge_exactly_over_batches_and_processes(api, persist, url):
    show, *_ = api.handlers
    # Two writers of one log stand for two processes.
    another = api.collect.subscribe(DatabaseSink(url), FOREVER, calls="slow")
    subscriptions = [persist(calls="none"), another]
    for number in range(5):
        for _ in range(50):
            show(number)
        for subscription in subscriptions[: 1 + number % 2]:
            subscription.flush()
    for subscription in subscriptions:
        subscription.flush()
    another.close()
    both = smartcollect.history(url).profile().handlers[HandlerName("api", "show")]
    (mine,) = (stats for stats in api.collect.profile().called().values())
    assert both.calls == 2 * mine.calls == 500
    assert both.histogram == {bucket: 2 * calls for bucket, calls in mine.histogram.items()}
    assert (both.min_time, both.max_time) == (mine.min_time, mine.max_time)
    assert math.isclose(both.total_time, 2 * mine.total_time)
    assert count(url, schema.writers) == 2
    assert smartcollect.history(url).calls() == []


def test_queries_for_a_span_of_time(time, url):
    api = Switcher("api").plug("collect")

    @api
    def wait(seconds):
        time.sleep(seconds)

    subscription = api.collect.persist(url, FOREVER, "all", keep=None, slower_than=0)
    for seconds in (1, 59, 30, 40):
        wait(seconds)
    subscription.close()
    start = 1_000_100.0
    with smartcollect.history(url) as history:
        assert history.stats("wait")["calls"] == 4
        assert history.stats("wait", since=start)["total_time"] == 130
        assert history.stats("wait", start + 1, start + 30)["total_time"] == 60
        assert history.stats("wait", since=start + 60)["total_time"] == 70
        assert history.stats("wait", since="1h")["calls"] == 0
        assert history.stats(since="1h") == {}
        assert history.calls(since="1h") == []
        first, last = history.calls()[0], history.calls(last=1)[0]
        assert (first["timestamp"], first["end"], last["timestamp"]) == (
            start,
            start + 1,
            start + 90,
        )
        between = history.calls("wait", start + 1, datetime.fromtimestamp(start + 90, UTC))
        assert [call["args"] for call in between] == [(59,), (30,)]
        assert [call["args"] for call in history.calls(slower_than="35s")] == [(59,), (40,)]
        aware = datetime.fromtimestamp(start + 61, UTC)
        assert len(history.calls(since=aware)) == len(history.calls(since=str(aware))) == 1
        naive = datetime.fromtimestamp(start + 61)
        assert len(history.calls(since=naive)) == len(history.calls(since=str(naive))) == 1


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"handler": "shwo"}, KeyError, "no call of 'shwo' is in the database; .* mean 'show'"),
        ({"handler": "wait"}, KeyError, "no call of 'wait' is in .*; in the database: show"),
        ({"since": "yesterday"}, ValueError, "since: 'yesterday' is not a time"),
        ({"until": True}, TypeError, "until: True is not a time"),
        ({"since": 2.0, "until": 1.0}, ValueError, "since=2.0 must not be later than until=1.0"),
    ],
)
def test_bad_queries(api, persist, url, arguments, error, message):
    subscription = persist()
    api.handlers[0](1)
    subscription.flush()
    for ask in (smartcollect.history(url).stats, smartcollect.history(url).calls):
        with pytest.raises(error, match=message):
            ask(**arguments)


def test_errors_must_be_a_bool(api, persist, url):
    subscription = persist()
    api.handlers[0](1)
    subscription.flush()
    with pytest.raises(TypeError, match="errors must be True, False or None, not 'yes'"):
        smartcollect.history(url).calls(errors="yes")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"url": 5}, TypeError, "url must be a string, not 5"),
        ({"url": "calls.db"}, ValueError, "url: 'calls.db' is not the URL of a database"),
        ({"url": "mysql://host/base"}, ValueError, "'mysql://host/base' is not supported"),
        ({"url": "sqlite://"}, ValueError, "does not name a file"),
        ({"url": "sqlite:///:memory:"}, ValueError, "url: SQLite in memory cannot be used; name"),
        ({"url": "sqlite:///file:x.db?uri=true"}, ValueError, "does not name a file"),
        (
            {"url": "sqlite://calls.db"},
            ValueError,
            "a file needs three slashes: sqlite:///calls.db$",
        ),
        (
            {"url": "sqlite:////no/such/folder/calls.db"},
            FileNotFoundError,
            "the folder '/no/such/folder' does not exist",
        ),
        ({"calls": "some"}, ValueError, "unknown calls 'some'; choose from 'all', 'slow', "),
        (
            {"calls": ["slow"]},
            TypeError,
            r"calls must be a string, not \['slow'\]; choose from 'all', 'slow'",
        ),
        ({"keep": "a month"}, ValueError, "keep: 'a month' is not a duration"),
        ({"keep": 0}, ValueError, "keep=0 would keep nothing"),
        ({"every": 0}, ValueError, "every: 0"),
        ({"slower_than": "x"}, ValueError, "slower_than: 'x'"),
    ],
)
def test_bad_arguments_are_refused(tmp_path, arguments, error, message):
    with pytest.raises(error, match=message):
        CallLog().persist(**{"url": f"sqlite:///{tmp_path / 'x.db'}", **arguments})


def test_messages_hide_the_password():
    for url in ("postgresql+asyncpg://me:secret@host/x", "post gres://me:secret@host/x"):
        with pytest.raises(ValueError, match=r"me:\*\*\*@host") as caught:
            CallLog().persist(url)
        assert "secret" not in str(caught.value)


def test_persisting_twice_counts_once(api, persist, url):
    subscription = persist()
    assert persist() is persist(every=60_000, slower_than=0.1, keep=30 * 86_400) is subscription
    api.handlers[0](1)
    subscription.flush()
    assert smartcollect.history(url).stats("show")["calls"] == count(url, schema.calls) == 1
    other = CallLog()
    assert persist(other) is not subscription
    subscription.close()
    again = persist(calls="slow")
    assert again is not subscription
    assert persist(calls="slow") is again


@pytest.mark.parametrize(
    ("other", "named"),
    [
        ({"every": "5s"}, "every=60000.0;"),
        ({"calls": "slow", "keep": None}, "calls='all', keep=2592000.0;"),
        ({"max_queue": 5}, "max_queue=100000;"),
        ({"slower_than": "1s"}, "slower_than=0.1;"),
    ],
)
def test_persisting_with_other_arguments_is_refused(api, persist, url, other, named):
    subscription = persist()
    with pytest.raises(ValueError, match="this log is already written to .* with") as refused:
        persist(**other)
    assert f"with {named} pass the same values, or close()" in str(refused.value)
    subscription.close()
    persist(**other)


def test_two_paths_of_the_same_file_share_a_subscription(tmp_path, monkeypatch):
    log = CallLog()
    (tmp_path / "link").symlink_to(tmp_path)
    monkeypatch.chdir(tmp_path)
    urls = ["sqlite:///calls.db", f"sqlite:///{tmp_path / 'link' / 'calls.db'}?timeout=5"]
    subscriptions = {log.persist(url) for url in urls}
    (subscription,) = subscriptions
    subscription.close()


def test_the_same_server_with_and_without_a_password():
    log = CallLog()
    urls = ["postgresql://me:secret@host/x", "postgresql+psycopg://me@host/x"]
    subscriptions = {log.persist(url, FOREVER) for url in urls}
    other = log.persist("postgresql://me@host/y", FOREVER)
    (subscription,) = subscriptions
    assert other is not subscription
    for one in (subscription, other):
        one.close()


def test_old_calls_are_pruned_in_small_steps(api, persist, url, monkeypatch):
    monkeypatch.setattr(pruning, "STEP", 10)
    monkeypatch.setattr(pruning, "_AT_LEAST", 30)
    show, *_ = api.handlers
    subscription = persist(keep=None)
    for number in range(100):
        show(number)
    subscription.close()
    deleted = []
    executed = pruning._step
    monkeypatch.setattr(pruning, "_step", lambda *of: deleted.append(executed(*of)) or deleted[-1])
    now = clock.time() + 40 * 86_400
    with Database(url).writing() as connection:
        assert pruning.prune(connection, now - 30 * 86_400, written=10) == 50
        assert deleted == [10] * 5
        assert count(url, schema.calls) == 50
        assert smartcollect.history(url).calls(last=1)[0]["args"] == (99,)
        assert [call["args"] for call in smartcollect.history(url).calls()[:2]] == [(50,), (51,)]
        for _ in range(3):
            pruning.prune(connection, now - 30 * 86_400)
    assert max(deleted) == 10
    for table in (schema.calls, schema.minutes, schema.writers):
        assert count(url, table) == 0
    assert len(smartcollect.history(url).handlers()) == 1


def test_a_write_prunes_rows_older_than_keep(api, persist, url):
    show, *_ = api.handlers
    kept = persist(keep=None)
    show("old")
    kept.flush()
    with Database(url).writing() as connection, connection.begin():
        day = 86_400
        table = schema.calls
        connection.execute(table.update().values(timestamp=table.c.timestamp - 8 * day))
        table = schema.minutes
        connection.execute(table.update().values(minute=table.c.minute - 8 * 1440))
    kept.close()
    lasting = persist(keep="9d")
    show("new")
    lasting.flush()
    assert {call["args"] for call in smartcollect.history(url).calls()} == {("old",), ("new",)}
    lasting.close()
    short = persist(keep="7d")
    show("newer")
    short.flush()
    assert {call["args"] for call in smartcollect.history(url).calls()} == {("new",), ("newer",)}
    assert smartcollect.history(url).stats("show", until="2d")["calls"] == 0


def test_a_batch_whose_commit_was_not_acknowledged_is_not_written_twice(api, persist, url):
    show, *_ = api.handlers
    subscription = persist()
    sink = subscription._sink
    write, losing = sink.write, [True, True]

    def lose(batch):
        write(batch)
        sink._batch = batch  # as if the connection broke in the middle of the commit
        if losing.pop():
            raise ConnectionError("lost")

    sink.write = lose
    for number in range(3):
        show(number)
    subscription.flush()
    assert (subscription.failures, count(url, schema.calls)) == (1, 3)
    losing[:] = [False, False]
    show(3)
    subscription.flush()
    assert [call["args"] for call in smartcollect.history(url).calls()] == [(0,), (1,), (2,), (3,)]
    assert smartcollect.history(url).stats("show")["calls"] == 4


def test_calls_are_written_once_even_if_pruning_fails(api, persist, url, monkeypatch):
    monkeypatch.setattr("smartcollect.sinks.database.prune", lambda *_: 1 / 0)
    subscription = persist()
    for number in range(3):
        api.handlers[0](number)
        subscription.flush()
    subscription.flush()
    assert subscription.failures == 3
    assert [call["args"] for call in smartcollect.history(url).calls()] == [(0,), (1,), (2,)]


def test_a_batch_is_written_whole_or_not_at_all(api, persist, url, monkeypatch):
    show, *_ = api.handlers
    subscription = persist()
    show(1)
    subscription.flush()
    show(2)
    with monkeypatch.context() as patched:
        patched.setattr("smartcollect.sinks.database.write_calls", lambda *_: 1 / 0)
        subscription.flush()
    assert subscription.failures == 1
    assert smartcollect.history(url).stats("show")["calls"] == count(url, schema.calls) == 1
    subscription.flush()
    assert smartcollect.history(url).stats("show")["calls"] == count(url, schema.calls) == 2


def test_dropped_calls_are_counted(api, persist, url):
    subscription = persist(max_queue=3)
    for number in range(10):
        api.handlers[0](number)
    subscription.flush()
    with Database(url).reading() as connection:
        (writer,) = connection.execute(select(schema.writers))
    assert (writer.dropped, writer.batch, count(url, schema.calls)) == (7, 1, 3)
    assert smartcollect.history(url).stats("show")["calls"] == 10


def test_names_too_long_for_an_index(url):
    names = [f"{'é' * 3_000}{number}" for number in range(2)] + ["nul \0", '"']
    log = CallLog()
    subscription = log.persist(url, FOREVER, "all")
    for name in names:
        log.recorder.store.add((HandlerName("api", name), 0.0, 0.5, (), {}, None, 1, None))
    subscription.close()
    assert subscription.failures == 0
    with smartcollect.history(url) as history:
        found = history.handlers()
        assert len(set(found)) == 4
        assert {HandlerName("api", "nul \0"), HandlerName("api", '"')} < set(found)
        assert sum(one["calls"] for one in history.stats().values()) == 4
