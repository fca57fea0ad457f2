"""The history of runs in SQLite and PostgreSQL: runs come back unchanged; trends; pruning."""

from __future__ import annotations

import math
import random

import pytest

pytest.importorskip("sqlalchemy")

from smartcollect import HandlerName, HandlerStats, Profile, history
from smartcollect.database.kept_runs import KeptRuns
from smartcollect.profiles import Phase, Revision, Run, SlowCall, Usage
from smartcollect.storage.findings import Raised
from smartcollect.storage.histogram import buckets_of, doubles

HERE, THERE = {"cpu": "here", "python": "CPython 3.13"}, {"cpu": "there"}
WORK, WAIT = HandlerName("app", "work"), HandlerName("app", "users.wait")


def stats(*times, errors=0):
    made = HandlerStats()
    made.add(times, buckets_of(doubles(times)), 5.0)
    made.errors = errors
    return made


def run_of(number, machine=HERE, branch="main", **handlers):
    """Return the profile of a run with the given times of each handler."""
    return Profile(
        handlers={HandlerName("app", name): stats(*times) for name, times in handlers.items()},
        run=Run(float(number), ("pytest",), machine, {}, Revision(f"c{number}", branch, False)),
    )


@pytest.fixture
def kept(url):
    return KeptRuns(url)


def test_a_run_comes_back_as_it_was(kept, url):
    text = "NUL \0, lone \ud800, 日本 \"quoted\" {'$tuple': 1}"
    name = HandlerName(text, text)
    profile = Profile(
        handlers={
            name: stats(0.001, 0.002, errors=1),
            WORK: HandlerStats(),  # registered but never called
        },
        slowest=(SlowCall(name, 0.002, text, text, text),),
        raised=(Raised(name, text, text, 1, text),),
        tests={text: {"call": Phase("passed", 0.5, {name: Usage(2, 1, 0.003)})}},
        run=Run(1.5, ("pytest", text), {"cpu": text}, {"python": "3"}, Revision("c", text, True)),
        incomplete=(text,),
    )
    profile.handlers[name].add_readings([0.001, 0.002], 0.003, 0.002, 0.003)
    assert kept.add(profile) == 1
    (found,) = history(url).runs()
    assert found.to_dict() == profile.to_dict()
    with pytest.raises(ValueError, match="profile.run must not be None"):
        kept.add(Profile())


def test_the_last_runs_of_a_machine_and_a_branch(url):
    kept = KeptRuns(url)
    for number in (3, 1, 2):
        kept.add(run_of(number, work=[0.1]))
        kept.add(run_of(10 + number, THERE, work=[0.1]))
        kept.add(run_of(20 + number, branch="topic", work=[0.1]))

    def created(query, machine=HERE):
        return [profile.run.created for profile in KeptRuns(url + query).last(machine)]

    assert created("") == [1.0, 2.0, 3.0, 21.0, 22.0, 23.0]
    assert created("?runs=2") == [22.0, 23.0]
    assert created("?runs=2&branch=main") == [2.0, 3.0]
    assert created("?branch=none") == []
    assert created("", THERE) == [11.0, 12.0, 13.0]
    for number in range(30, 45):
        kept.add(run_of(number, work=[0.1]))
    assert created("") == [float(number) for number in range(35, 45)]
    found = history(url)
    assert [one.run.created for one in found.runs(last=3, branch="topic")] == [21.0, 22.0, 23.0]
    assert len(found.runs(last=100)) == 24


def test_trends(kept, url):
    chance = random.Random(1)
    for number in range(60):
        drift = math.exp(chance.gauss(0, 0.2))
        times = {
            f"other{other}": [0.001 * (1 + other) * drift * math.exp(chance.gauss(0, 0.005))] * 3
            for other in range(8)
        }
        slower = 1.2 if number >= 40 else 1.0
        times["work"] = [0.010 * drift * slower] * 3
        times["users.wait"] = [0.010 * drift] * (4 if number >= 50 else 3)
        kept.add(run_of(number, THERE if number % 7 == 6 else HERE, **times))
    kept.add(run_of(99, branch="topic", work=[5.0]))

    found = history(url).trend(branch="main")
    assert {one.name.handler for one in found} >= {"work", "users.wait", "other0"}
    first, second = found.steps
    assert (first.name, first.field, first.commit) == (WORK, "steady_time", "c40")
    assert first.ratio == pytest.approx(1.2, rel=0.01)
    assert (second.name, second.field, second.commit) == (WAIT, "calls", "c50")
    assert (second.before, second.after, second.created) == (3, 4, 50.0)

    lines = str(found).splitlines()
    heading = ["handler", "statistic", "before", "after", "ratio", "since", "commit"]
    assert lines[0].split() == heading
    cells = ["work steady_time 10.2 ms 12.3 ms 1.20", "1970-01-01 00:00:40 UTC c40"]
    assert " ".join(lines[2].split()) == " ".join(cells)
    assert lines[3].split()[-1] == "c50"

    (work,) = history(url).trend("work", branch="main")
    assert work.steps == (first,)
    assert len(work.times) == 52  # without runs of the other machine
    assert [one.name for one in history(url).trend("users.*")] == [WAIT]
    assert str(history(url).trend("other*", branch="main")) == "no handler changed in 52 runs"
    with pytest.raises(
        KeyError, match="no call of 'works' is in the database; did you mean 'work'"
    ):
        history(url).trend("works")
    with pytest.raises(ValueError, match="has no runs of branch 'none'"):
        history(url).trend(branch="none")


def test_trends_of_another_machine(kept, url):
    for number in range(5):
        kept.add(run_of(number, THERE, work=[0.1]))
    kept.add(run_of(9, HERE, work=[0.2]))
    assert len(history(url).trend()[0].times) == 1  # the machine of the newest run
    assert len(history(url).trend(machine=THERE)[0].times) == 5


def test_pruning(kept, url):
    for number in range(5):
        kept.add(run_of(1_000 * number, work=[0.1]))
    found = history(url)
    assert found.prune_runs(before=2_500.0) == 3
    assert [one.run.created for one in found.runs()] == [3_000.0, 4_000.0]


def test_trends_of_the_last_runs_of_a_machine(kept, monkeypatch):
    monkeypatch.setattr("smartcollect.database.kept_runs.TREND_RUNS", 3)
    for number in (4, 1, 3, 2):
        kept.add(run_of(number, work=[0.1 * number]))
        kept.add(run_of(10 + number, THERE, work=[0.5]))
    (trend,) = kept.trends(HERE)
    assert trend.name == WORK
    assert trend.created == (2.0, 3.0, 4.0)
    assert trend.times == pytest.approx((0.2, 0.3, 0.4), rel=0.02)
    assert kept.trends({}) == []
