from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import replace

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import FakeTime

from smartcollect import HandlerName, HandlerStats, Profile, merge
from smartcollect.clock import Clock
from smartcollect.profiles import Phase, Revision, Run, Usage, Waiting, schema
from smartcollect.profiles.parts import SLOWEST, SlowCall
from smartcollect.profiles.revision import revision
from smartcollect.storage.findings import Edge, Raised, Repeat
from smartcollect.storage.histogram import bucket_of
from smartcollect.storage.ranking import EACH
from smartcollect.storage.rows import Call, Details
from smartcollect.storage.store import Store
from smartcollect.values.failure import Failure

A, B, C = (HandlerName("api", name) for name in "abc")


def profile_of(calls, test=""):
    """Return the profile of (handler, elapsed) pairs."""
    handlers: dict[HandlerName, HandlerStats] = {}
    slowest = []
    for name, elapsed in calls:
        handlers.setdefault(name, HandlerStats()).add([elapsed], [bucket_of(elapsed)], 0.0)
        slowest.append(SlowCall(name, elapsed, "1", "", ""))
    slowest.sort(key=lambda call: -call.elapsed)
    made = Profile(handlers, tuple(slowest[:SLOWEST]), repeats=(Repeat(A, B, 10, 1, True),))
    return made.in_test(test, "call", "passed", 1.0) if test else made


some = st.lists(st.tuples(st.sampled_from([A, B]), st.sampled_from([0.0, 0.5, 1.0, 2.0])))


def counts(profile):
    return (
        {name: (stats.calls, stats.histogram) for name, stats in profile.handlers.items()},
        [call.elapsed for call in profile.slowest],
        profile.tests,
    )


@given(st.lists(st.tuples(some, st.sampled_from(["one", "two"])), max_size=5), st.randoms())
def test_the_order_of_a_merge_does_not_matter(parts, random):
    profiles = [profile_of(calls, test) for calls, test in parts]
    merged = merge(profiles)
    random.shuffle(profiles)
    assert counts(merge(profiles)) == counts(merged)
    split = merge([merge(profiles[:2]), merge(profiles[2:])])
    assert counts(split) == counts(merged)
    together = [call for calls, _ in parts for call in calls]
    assert {name: stats.calls for name, stats in merged.handlers.items()} == {
        name: stats.calls for name, stats in profile_of(together).handlers.items()
    }


@given(
    st.lists(
        st.lists(st.tuples(st.sampled_from([A, B, C]), st.integers(0, 20)), max_size=60), max_size=5
    )
)
def test_the_slowest_calls_of_all_and_of_each_handler_are_merged(parts):
    merged = merge(Profile(slowest=slow_calls(calls)) for calls in parts)
    again = merge([merged, Profile(), merge([Profile(slowest=slow_calls(())), merged])])
    calls = [(name, float(elapsed)) for part in parts for name, elapsed in part]
    assert [one.elapsed for one in merged.slowest] == sorted(
        (one.elapsed for one in merged.slowest), reverse=True
    )
    every = sorted((elapsed for _, elapsed in calls), reverse=True)
    assert [one.elapsed for one in merged.slowest[:SLOWEST]] == every[:SLOWEST]
    for name in (A, B, C):
        own = sorted((elapsed for one, elapsed in calls if one == name), reverse=True)
        kept = [one.elapsed for one in merged.slowest if one.name == name]
        assert kept[:EACH] == own[:EACH]
    assert len(merged.slowest) <= SLOWEST + 3 * EACH
    assert [one.elapsed for one in again.slowest][:1] == every[:1]


def test_the_slowest_calls_of_a_handler_that_is_never_among_the_slowest_are_merged():
    many = [(A, 100)] * SLOWEST
    parts = [[*many, (B, 7), (B, 5), (B, 3)], [(B, 6), (B, 4), (B, 2), (B, 1)]]
    merged = merge(Profile(slowest=slow_calls(calls)) for calls in parts)
    assert [one.elapsed for one in merged.slowest if one.name == B] == [7, 6, 5, 4, 3]


class SlowerSeen:
    """Bounds of a log whose slowest calls overall took ten seconds, and those of A five."""

    def of_all(self):
        return 10.0

    def of(self, name):
        return 5.0 if name == A else 20.0


@pytest.mark.parametrize("subscribed", [False, True])
def test_calls_must_exceed_the_bounds_of_another_log_to_be_among_the_slowest(subscribed):
    store = Store(max_history=10, top=5)
    if subscribed:
        store.subscribe(Keeping(store))
    store.rank_after(SlowerSeen())
    for name, elapsed in [(A, 4.0), (A, 6.0), (B, 6.0), (B, 11.0), (B, 9.0), (A, 5.0)]:
        store.add(Call(name, 0.0, elapsed, (), {}, None, thread=0))
    assert [(call.name, call.elapsed) for call in store.summary().slowest] == [(B, 11.0), (A, 6.0)]


class Keeping:
    """A subscriber that ignores calls, and keeps their tallies."""

    def __init__(self, store):
        self.minutes = store.new_minutes()

    def put(self, calls): ...

    def forget(self): ...


def test_a_subscriber_does_not_change_the_summary_of_a_store():
    found = []
    for subscribed in (False, True):
        store = Store(max_history=10, top=5, clock=FakeTime().clock)
        if subscribed:
            store.subscribe(Keeping(store))
        failed = Details(1.0, failure=Failure("ValueError", "no", ()), caller=B)
        store.add(Call(A, 0.0, 1.0, (), {}, None, 0, tuple(failed)))
        store.note_repeats([Repeat(A, B, 10, 1, True)])
        handlers, slowest, *findings = store.summary()
        found.append(findings)
        assert handlers[A].errors == 1
        assert [call.elapsed for call in slowest] == [1.0]
    assert found[0] == found[1]
    assert all(found[0])


def slow_calls(calls):
    ranked = sorted(calls, key=lambda one: -one[1])
    return tuple(SlowCall(name, float(elapsed), "1", "", "") for name, elapsed in ranked)


@given(some)
def test_a_profile_survives_json(calls):
    profile = profile_of(calls, "test_it")
    again = Profile.from_dict(json.loads(json.dumps(profile.to_dict(), allow_nan=False)))
    assert again.to_dict() == profile.to_dict()
    assert counts(again) == counts(profile)


def test_a_profile_in_a_test_keeps_its_other_parts():
    raised = Raised(A, "ValueError", "no", 1)
    whole = replace(
        profile_of([(A, 1.0)]),
        raised=(raised,),
        edges=(Edge(A, B, 1, 1.0),),
        run=Run(1.0, ("pytest",), {}, {}),
        incomplete=("interrupted",),
        waiting=Waiting(1.0, 4.0),
    )
    found = whole.in_test("test_it", "call", "passed", 2.0)
    assert found == replace(
        whole,
        slowest=(SlowCall(A, 1.0, "1", "", "test_it"),),
        raised=(raised._replace(test="test_it"),),
        repeats=(Repeat(A, B, 10, 1, True, "test_it"),),
        tests={"test_it": {"call": Phase("passed", 2.0, {A: Usage(1, 0, 1.0)})}},
    )


def test_repeats_merge():
    parts = [
        Profile(repeats=(Repeat(A, B, times, 1, same),))
        for times, same in [(10, True), (12, False)]
    ]
    assert merge(parts).repeats == (Repeat(A, B, 12, 2, False),)


def test_the_profile_of_nothing():
    assert merge([]) == Profile()
    assert Profile().uncalled() == []


@pytest.mark.parametrize(
    ("plain", "message"),
    [
        ([], "not a smartcollect/profile"),
        ({"schema": "other"}, "not a smartcollect/profile"),
        (
            {"schema": "smartcollect/profile", "version": 99},
            "version 99 cannot be read, only version 1",
        ),
        ({"schema": "smartcollect/profile", "version": 1}, "damaged .*run"),
        ({**Profile().to_dict(), "slowest": [{"elapsed": "x"}]}, "damaged"),
        ({**Profile().to_dict(), "tests": 5}, "damaged"),
    ],
)
def test_invalid_data_is_rejected(plain, message):
    with pytest.raises(ValueError, match=message):
        Profile.from_dict(plain)


def test_the_store_is_bounded(monkeypatch):
    monkeypatch.setattr("smartcollect.storage.tally.MAX_HANDLERS", 3)
    store = Store(max_history=2, top=2)
    for number in range(1000):
        name = HandlerName("api", str(number))
        store.add(Call(name, 0.0, float(number), (), {}, None, thread=0))
    assert [call.elapsed for call in store.calls()] == [998, 999]
    handlers, slowest, *_ = store.summary()
    assert sum(stats.calls for stats in handlers.values()) == 1000
    assert set(handlers) == {
        *(HandlerName("api", str(number)) for number in range(3)),
        HandlerName("(other)", "(handlers)"),
    }
    # The slowest calls of all, and the slowest of each handler with its own statistics.
    assert [call.elapsed for call in slowest] == [999, 998, 2, 1, 0]
    assert isinstance(slowest[0], Call)


def test_of_equally_slow_calls_the_earlier_one_is_kept():
    store = Store(max_history=10, top=1)
    other = HandlerName("api", "other")
    for name, elapsed in [(A, 1.0), (other, 2.0), (A, 2.0)]:
        store.add(Call(name, 0.0, elapsed, (), {}, None, thread=0))
    assert [call.name for call in store.summary().slowest] == [other, A]


def test_setting_the_wall_clock_affects_only_later_calls():
    time = FakeTime()
    ahead = 0.0
    store = Store(max_history=10, clock=Clock(lambda: time.now, lambda: time.now + ahead))
    for now, set_to in [(1.0, 1000.0), (2.0, 1000.0002), (3.0, 5000.0), (4.0, 2000.0)]:
        time.now, ahead = now, set_to
        store.add(Call(A, now, 0.5, (), {}, None, thread=0))
        store.calls()
    assert [call.start for call in store.calls()] == [1001.0, 1002.0, 5003.0, 2004.0]


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """Make a repository with one commit, and return a function that runs git in it."""
    for name in [name for name in os.environ if name.startswith(("GIT_", "GITHUB_", "CI_"))]:
        monkeypatch.delenv(name)

    def git(*words):
        options = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
        done = subprocess.run(
            ["git", *options, *words], cwd=tmp_path, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    git("init", "-q", "-b", "main")
    (tmp_path / "app.py").write_text("1")
    git("add", "app.py")
    git("commit", "-q", "-m", "first")
    return git


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_the_revision_of_the_code(repository, tmp_path, monkeypatch):
    commit = repository("rev-parse", "HEAD")
    (tmp_path / "notes.txt").write_text("not tracked by git")
    (tmp_path / "folder").mkdir()
    assert revision(tmp_path / "folder") == (commit, "main", False)
    (tmp_path / "app.py").write_text("2")
    assert revision(tmp_path) == (commit, "main", True)
    repository("checkout", "-q", "--detach")
    assert revision(tmp_path) == (commit, "", True)
    monkeypatch.setenv("GITHUB_HEAD_REF", "")
    monkeypatch.setenv("GITHUB_REF_NAME", "topic")
    assert revision(tmp_path) == (commit, "topic", True)
    repository("checkout", "-q", "--orphan", "empty")
    assert revision(tmp_path) is None
    monkeypatch.setenv("PATH", "")
    assert revision(tmp_path) is None


def test_reports_hold_the_revision():
    run = Run(1.0, ("pytest",), {"cpu": "x"}, {}, Revision("abc", "main", True))
    profile = Profile(run=run)
    written = profile.to_dict()
    assert written["run"]["revision"] == {"commit": "abc", "branch": "main", "dirty": True}
    assert Profile.from_dict(written) == profile
    jsonschema.validate(written, schema())
    del written["run"]["revision"]
    assert Profile.from_dict(written).run == run._replace(revision=None)
    jsonschema.validate(written, schema())
    written["run"]["revision"] = {"commit": 7, "branch": "", "dirty": False}
    with pytest.raises(ValueError, match="damaged smartcollect/profile"):
        Profile.from_dict(written)
