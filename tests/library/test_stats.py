from __future__ import annotations

import json
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartcollect.names import HandlerName, short_names
from smartcollect.reports.stats import Stats
from smartcollect.storage.fields import STATISTICS, Statistics
from smartcollect.storage.histogram import bucket_of, middle_of
from smartcollect.storage.statistics import HandlerStats

times = st.floats(min_value=1e-9, max_value=1e4)


def stats_of(elapsed: list[float]) -> HandlerStats:
    stats = HandlerStats()
    for number, one in enumerate(elapsed):
        stats.add([one], [bucket_of(one)], float(number), one / 2)
        stats.errors += number % 3 == 0
    return stats


@given(times)
def test_the_middle_of_a_bucket_is_near_each_value_in_it(value):
    assert middle_of(bucket_of(value)) == pytest.approx(value, rel=1 / 64)


@given(st.lists(times, min_size=1), st.sampled_from([0.5, 0.95, 0.99]))
def test_percentiles_are_within_two_percent_of_the_exact_ones(elapsed, share):
    exact = sorted(elapsed)[math.ceil(share * len(elapsed)) - 1]
    assert stats_of(elapsed).percentile(share) == pytest.approx(exact, rel=0.02)


@given(st.lists(times), st.lists(times))
def test_merged_statistics_equal_statistics_of_all_calls(one, other):
    merged, added = stats_of(one), stats_of(other)
    errors = merged.errors + added.errors
    last = max((stats.last_call for stats in (merged, added) if stats.calls), default=None)
    merged.merge(added)
    together = stats_of([*one, *other])
    assert merged.calls == together.calls
    assert merged.histogram == together.histogram
    assert (merged.errors, merged.last_call) == (errors, last)
    assert merged.self_time == pytest.approx(together.self_time)
    assert merged.total_time == pytest.approx(together.total_time)
    if one or other:
        assert merged.statistics()["max_time"] == max([*one, *other])
        assert merged.statistics()["min_time"] == min([*one, *other])


@given(st.lists(times))
def test_statistics_survive_json(elapsed):
    stats = stats_of(elapsed)
    again = HandlerStats.from_dict(json.loads(json.dumps(stats.to_dict(), allow_nan=False)))
    assert again.statistics() == stats.statistics()


def test_statistics():
    assert stats_of([1.0, 3.0]).statistics() == {
        "calls": 2,
        "errors": 1,
        "error_rate": 0.5,
        "avg_time": 2.0,
        "steady_time": pytest.approx(1.0, rel=0.02),
        "min_time": 1.0,
        "max_time": 3.0,
        "total_time": 4.0,
        "self_time": 2.0,
        "p50_time": pytest.approx(1.0, rel=0.02),
        "p95_time": pytest.approx(3.0, rel=0.02),
        "p99_time": pytest.approx(3.0, rel=0.02),
        "last_call": 1.0,
    }


def test_statistics_without_calls():
    empty = HandlerStats().statistics()
    assert empty.pop("last_call") is None
    assert set(empty.values()) == {0}


def test_a_call_that_takes_no_time():
    assert stats_of([0.0]).statistics()["p50_time"] == 0.0


def test_each_statistic_is_explained():
    documented = re.findall(r"^ +(\w+): .", Statistics.__doc__, re.M)
    assert documented == list(STATISTICS)


def test_repr():
    assert repr(stats_of([1.0, 2.0])) == "<HandlerStats: 2 calls, 1 error, average 1.50 s>"
    assert repr(HandlerStats()) == "<HandlerStats: 0 calls, 0 errors>"


def test_sort_by():
    stats = Stats(a=stats_of([1.0]).statistics(), b=stats_of([2.0, 2.0]).statistics())
    assert [row["handler"] for row in stats.sort_by("total_time")] == ["a", "b"]
    assert [row["handler"] for row in stats.sort_by("calls", reverse=True)] == ["b", "a"]
    assert [row["handler"] for row in stats.sort_by("handler")] == ["a", "b"]
    assert stats.sort_by("calls")[0] == {"handler": "a", **stats["a"]}


def test_sort_by_an_unknown_field():
    with pytest.raises(
        ValueError, match=f"unknown field 'speed'; choose from handler, {next(iter(STATISTICS))}"
    ):
        Stats().sort_by("speed")


def test_sort_by_a_direction_that_is_not_a_bool():
    with pytest.raises(TypeError, match="reverse must be True or False, not 'desc'"):
        Stats().sort_by("calls", reverse="desc")


def test_the_table_is_sorted_and_readable():
    stats = Stats(fast=stats_of([1e-6]).statistics(), slow=stats_of([2.0]).statistics())
    lines = str(stats).splitlines()
    columns = ["handler", "calls", "total", "self", "avg", "errors", "max", "p95", "steady"]
    assert lines[0].split() == columns
    assert lines[2].split()[:4] == ["slow", "1", "2.00", "s"]
    assert "1.00 µs" in lines[3]


def test_notebooks_show_html():
    stats = Stats({"<b>": stats_of([1.0]).statistics()})
    assert "<table>" in stats._repr_html_()
    assert "&lt;b&gt;" in stats._repr_html_()
    assert Stats()._repr_html_() == "<p>no handler was called</p>"


def test_terminal_escapes_in_names_are_shown():
    assert "\x1b" not in str(Stats({"\x1b[31m": stats_of([1.0]).statistics()}))


def test_short_names():
    names = [HandlerName("a", "f"), HandlerName("b", "f"), HandlerName("b", "g")]
    assert list(short_names(names).values()) == ["a.f", "b.f", "g"]
