"""Traces: slices nest, no call is lost, and Perfetto and speedscope can read the files."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import random
import threading
import time
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from smartswitch import Switcher
from support import dispatch
from trace_readers import TROUBLE, perfetto, speedscope

from smartcollect import HandlerName
from smartcollect.reports.traces.files import write_trace
from smartcollect.reports.traces.slices import CallSlice, pack, unpack
from smartcollect.reports.traces.timeline import Timeline, Window, lay_out
from smartcollect.storage.buffer import Buffer

pytestmark = pytest.mark.once

NAME = HandlerName("shop", "find")


def call(number, start, end, thread=1, steps=False):
    return CallSlice(NAME, start, end, end - start, end - start, thread, steps, str(number), "", "")


def parents(slices):
    """Return the number of the call that encloses each call; fail if two calls cross."""
    found, open_calls = {}, []
    for one in slices:
        while open_calls and open_calls[-1].end <= one.start < one.end:
            open_calls.pop()
        while open_calls and open_calls[-1].end < one.end:
            assert open_calls.pop().end <= one.start
        assert not open_calls or open_calls[-1].start <= one.start
        found[one.args] = open_calls[-1].args if open_calls else None
        open_calls.append(one)
    return found


moments = st.integers(0, 12)


@given(st.lists(st.tuples(moments, moments, st.integers(1, 2), st.booleans()), max_size=20))
def test_calls_that_cross_are_drawn_nested_and_none_is_lost(given_calls):
    ends = sorted(given_calls, key=lambda one: one[0] + one[1])
    calls = [
        call(number, start, start + took, thread, steps)
        for number, (start, took, thread, steps) in enumerate(ends)
    ]
    drawn = list(lay_out(calls, since=2, until=24))
    assert sorted(int(one.args) for one, _ in drawn) == list(range(len(calls)))
    for thread in (1, 2):
        parents([one for one, track in drawn if track == thread])
    for one, track in drawn:
        was = calls[int(one.args)]
        if track is None:
            assert one == was
        else:
            assert not was.steps
            assert was.start >= 2
            assert abs(one.start - was.start) <= 1
            assert abs(one.end - was.end) <= 1


@st.composite
def nested(draw):
    """Return nested calls, in the order in which they end, and the parent of each.

    The self time of a call is at least three nanoseconds. Its end may be off by one.
    """
    calls, found, clock = [], {}, [0]

    def run(depth):
        clock[0] += draw(st.integers(0, 2))
        start, inside = clock[0], []
        clock[0] += draw(st.integers(3, 5))
        for _ in range(draw(st.integers(0, 3 if depth < 3 else 0))):
            inside.append(run(depth + 1))
        clock[0] += draw(st.integers(0, 2))
        number = str(len(calls))
        calls.append(call(number, start, clock[0] + draw(st.integers(-1, 1))))
        found.update(dict.fromkeys(inside, number))
        found[number] = None
        return number

    for _ in range(draw(st.integers(1, 3))):
        run(0)
    return calls, found


@given(nested())
def test_calls_of_a_thread_are_drawn_inside_their_callers(made):
    calls, found = made
    drawn = list(lay_out(calls, 0, max(one.end for one in calls)))
    assert {track for _, track in drawn} == {1}
    assert parents([one for one, _ in drawn]) == found


def test_of_two_calls_with_equal_times_the_one_that_ended_first_is_inside():
    inner, outer = call("inner", 5, 5), call("outer", 5, 5)
    assert [one.args for one, _ in lay_out([inner, outer], 0, 9)] == ["outer", "inner"]


texts = st.text(max_size=5)
slices = st.builds(
    CallSlice,
    st.builds(HandlerName, texts, texts),
    *[st.integers(0, 10**18)] * 5,
    st.booleans(),
    *[texts] * 3,
)


@given(st.lists(slices, max_size=5))
def test_unpack_returns_the_packed_slices(some):
    assert unpack(pack(some)) == some


def test_the_buffer_keeps_only_calls_that_will_be_drawn():
    api = Switcher("api").plug("collect", max_history=0)
    api("ping")(lambda number: None)
    store = api.collect.recorder.store
    buffer = Buffer(store, 3)
    for wanted, kept in ((False, 0), (True, 3), (True, 0)):
        for number in range(10):
            dispatch(api, "ping")(number)
        assert sum(map(len, store.settle(lambda wanted=wanted: buffer.take(wanted)))) == kept
    assert api.collect.stats("ping")["calls"] == 30


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("limit", [float("inf"), 20_000])
def test_the_buffer_of_a_fork_stays_small_until_it_is_taken(limit):
    api = Switcher("api").plug("collect", max_history=0)
    api("ping")(lambda: None)
    store = api.collect.recorder.store
    buffer = Buffer(store, limit)
    dispatch(api, "ping")()
    read, write = os.pipe()
    if not os.fork():
        kept = []
        try:
            for number in (30_000, 8_000, 8_000):
                for _ in range(number):
                    dispatch(api, "ping")()
                kept.append(sum(map(len, store.settle(buffer.take))))
        finally:
            os.write(write, json.dumps([kept, api.collect.stats("ping")["calls"]]).encode())
            os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as told:
        kept, called = json.load(told)
    os.wait()
    assert called == 46_001
    assert kept == ([5_000, 8_000, 8_000] if limit > 20_000 else [5_000, 8_000, 6_999])
    assert sum(map(len, store.settle(buffer.take))) == 1


# -- reading with the real tools -----------------------------------------------------------------


def timeline(least=0):
    """Return a timeline of tests of two workers, with calls at equal and crossing times.

    Calls take at least ``least`` nanoseconds, and are at least that far apart if they do not cross.
    """
    random.seed(7)
    windows, moment = [], 10**15
    for number in range(120):
        calls, since = [], moment
        for _ in range(40):
            start = moment + least + random.randrange(3)
            inner = start + least + random.choice((0, 0, 1, 1_001, 12_345_678))
            end = inner + least + random.choice((0, 1, 999))
            thread, steps = random.choice((1, 1, 1, 2, 3)), random.random() < 0.2
            calls.append(call(len(calls), start, inner, thread, steps))
            calls.append(call(len(calls), start, end, thread))
            moment = random.choice((start, end, end, end + 1, end + 10**9))
        moment = max(moment, *(one.end for one in calls))
        phase = ("setup", "call", "teardown")[number % 3]
        windows.append(
            Window(
                process=f"gw{number % 2 * 10}",
                to_wall=0,
                since=since,
                until=moment,
                first=since,
                main=1,
                threads=[(1, "MainThread"), (3, "pool")],
                test=f"test_{number // 6}",
                phase=phase,
                outcome="passed",
                number=len(calls),
                packs=[pack(calls[:30]), pack(calls[30:])],
            )
        )
        moment += 10**11
    return Timeline(windows, {NAME: "find"})


def test_perfetto_reads_a_whole_trace(tmp_path):
    path = tmp_path / "run.json.gz"
    write_trace(path, timeline(), {})
    trouble, kinds, times, processes, threads = perfetto(
        path,
        TROUBLE,
        "select category, count(*) as n from slice group by category order by category",
        # No child extends beyond its parent, and times are exact.
        "select count(*) as n, sum(s.ts < p.ts or s.ts + s.dur > p.ts + p.dur) as outside, "
        "min(s.dur) as least, max(s.ts + s.dur) - min(s.ts) as took "
        "from slice s left join slice p on s.parent_id = p.id",
        "select name from process where name is not null order by upid",
        "select distinct thread.name from thread_track join thread using (utid) order by 1",
    )
    assert trouble == []
    drawn = list(timeline().slices())
    counted = Counter(one.kind for one in drawn)
    assert {row["category"]: row["n"] for row in kinds} == counted
    assert counted["call"] == 120 * 80
    took = max(one.end for one in drawn)
    assert times == [{"n": len(drawn), "outside": 0, "least": 0, "took": took}]
    assert [row["name"] for row in processes] == ["gw0", "gw10"]
    # The name of the second thread of each process is unknown.
    assert {row["name"].rstrip("23") for row in threads} == {"MainThread", "pool", "thread "}


@pytest.mark.parametrize(
    ("event", "error"),
    [
        ({"ph": "X", "ts": -5, "dur": 1}, "trace_sorter_negative_timestamp_dropped"),
        ({"ph": "X", "ts": 5, "dur": 10}, "slice_drop_overlapping_complete_event"),
        ({"ph": "b", "ts": 5}, "json_parser_failure"),
    ],
)
def test_perfetto_reports_a_broken_trace(tmp_path, event, error):
    path = tmp_path / "run.json"
    good = {"ph": "X", "name": "find", "pid": 1, "tid": 1, "ts": 1, "dur": 9}
    path.write_text(json.dumps({"traceEvents": [good, {**good, **event}]}))
    assert [row["name"] for row in perfetto(path, TROUBLE)[0]] == [error]


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_speedscope_reads_a_whole_trace(tmp_path, suffix):
    path = tmp_path / f"run.speedscope.json{suffix}"
    write_trace(path, timeline(least=2), {})
    # With `least`, since speedscope joins adjacent calls of the same name.
    saved = speedscope(path, tmp_path)
    frames = [frame["name"] for frame in saved["shared"]["frames"]]
    opened = Counter(
        frames[event["frame"]]
        for profile in saved["profiles"]
        for event in profile["events"]
        if event["type"] == "O"
    )
    assert opened == Counter(one.name for one in timeline(least=2).slices())
    names = {profile["name"].rstrip("0123456789") for profile in saved["profiles"]}
    tracks = ("MainThread", "pool", "thread ", "async ")
    assert names == {f"{process} {track}" for process in ("gw0", "gw10") for track in tracks}


# -- exports of a log ----------------------------------------------------------------------------


@pytest.fixture
def log():
    """Return a log with nested calls, calls in a thread, concurrent coroutines and a generator."""
    api = Switcher("api").plug("collect")

    @api
    def leaf(value):
        if value == "fail":
            raise ValueError("no \ud800 here")

    @api
    def items(count):
        for number in range(count):
            yield leaf(number)

    @api
    async def fetch(number):
        leaf(number)
        await asyncio.sleep(0)

    @api
    def work():
        async def both():
            await asyncio.gather(fetch(1), fetch(2))

        asyncio.run(both())
        assert list(items(2)) == [None, None]
        thread = threading.Thread(target=leaf, args=("thread",))
        thread.start()
        thread.join()

    work()
    with pytest.raises(ValueError, match="here"):
        leaf("fail")
    return api.collect


def events_of(path):
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as file:

        def refuse(constant):
            raise AssertionError(constant)

        return json.load(file, parse_constant=refuse)["traceEvents"]


def test_an_export_for_perfetto(log, tmp_path):
    path = tmp_path / "calls.json"
    log.export(path, "trace")
    events = events_of(path)
    begun = [event for event in events if event["ph"] in "Xb"]
    assert Counter(event["name"] for event in begun) == {
        name: statistics["calls"] for name, statistics in log.stats().items()
    }
    own = [event for event in events if event["ph"] == "b"]
    assert Counter(event["name"] for event in own) == {"fetch": 2, "items": 1}
    assert len({event["id2"]["local"] for event in own}) == 3
    fetched = next(event for event in own if event["name"] == "fetch")
    assert fetched["args"]["arguments"] == "number=1"
    assert fetched["args"]["task"].startswith("Task-")
    (failed,) = [event for event in begun if "error" in event["args"]]
    assert failed["args"] == {"arguments": "value='fail'", "error": r"ValueError: no \ud800 here"}
    assert {event["tid"] for event in begun if event["name"] == "work"} == {1}
    threads = {
        event["tid"]
        for event in begun
        if event.get("args", {}).get("arguments") == "value='thread'"
    }
    assert threads == {2}
    trouble, nested = perfetto(
        path,
        TROUBLE,
        "select s.name, p.name as parent from slice s left join slice p on s.parent_id = p.id "
        "where s.name = 'leaf'",
    )
    assert trouble == []
    assert sorted(str(row["parent"]) for row in nested) == ["None"] * 2 + ["work"] * 4


def test_the_self_time_of_a_call(log, tmp_path):
    log.export(tmp_path / "calls.json", "trace")
    (work,) = [event for event in events_of(tmp_path / "calls.json") if event["name"] == "work"]
    assert work["args"]["self_us"] == pytest.approx(log.stats("work")["self_time"] * 1e6, abs=0.001)


@pytest.mark.parametrize(
    ("name", "format"),
    [
        ("calls.json", "trace"),
        ("calls.json.gz", "trace"),
        ("calls", "trace"),
        ("calls.speedscope.json", None),
        ("calls.speedscope.json.gz", None),
        ("CALLS.SpeedScope.JSON", "trace"),
    ],
)
def test_the_file_name_selects_the_format_of_a_trace(log, tmp_path, name, format):
    path = tmp_path / name
    log.export(path, format)
    content = path.read_bytes()
    if name.endswith(".gz"):
        content = gzip.decompress(content)
    assert ("profiles" in json.loads(content)) == ("speedscope" in name.lower())


@pytest.mark.parametrize(
    ("name", "first"),
    [("calls.json.gz", b"{"), ("calls.jsonl.gz", b"{"), ("calls.csv.gz", b"switcher")],
)
def test_exports_are_compressed_if_their_names_end_in_gz(log, tmp_path, name, first):
    log.export(tmp_path / name)
    log.export(tmp_path / name.removesuffix(".gz"))
    content = gzip.decompress((tmp_path / name).read_bytes())
    assert content == (tmp_path / name.removesuffix(".gz")).read_bytes()
    assert content.startswith(first)


def test_a_drained_batch_can_be_exported(log, tmp_path):
    log.export(tmp_path / "log.json", "trace")
    log.drain().export(tmp_path / "batch.json", "trace")
    assert events_of(tmp_path / "batch.json") == events_of(tmp_path / "log.json")


def test_an_export_counts_the_calls_that_it_leaves_out(tmp_path):
    api = Switcher("api").plug("collect", max_history=3)
    api("ping")(lambda: None)
    for _ in range(10):
        dispatch(api, "ping")()
    api.collect.export(tmp_path / "log.json", "trace")
    api.collect.export(tmp_path / "log.speedscope.json")
    api.collect.drain().export(tmp_path / "batch.json", "trace")
    for name in ("log.json", "batch.json"):
        about = json.loads((tmp_path / name).read_text("utf-8"))["otherData"]
        assert (about["calls"], about["left_out"]) == (3, 7)
    about = json.loads((tmp_path / "log.speedscope.json").read_text("utf-8"))["smartcollect"]
    assert about["left_out"] == 7


def test_a_log_without_calls(tmp_path):
    api = Switcher("api").plug("collect")
    api.collect.export(tmp_path / "calls.json", "trace")
    api.collect.export(tmp_path / "calls.speedscope.json")
    assert [event["ph"] for event in events_of(tmp_path / "calls.json")] == ["M"] * 4
    about = json.loads((tmp_path / "calls.json").read_text("utf-8"))["otherData"]
    assert about["begin"] == pytest.approx(time.time(), abs=600)
    assert (about["calls"], about["left_out"]) == (0, 0)
