from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartcollect import HandlerName, HandlerStats, Profile
from smartcollect.profiles import Rule, Run, compare, load, slower
from smartcollect.profiles import parse_rule as parse
from smartcollect.profiles.machine import fingerprint
from smartcollect.storage.histogram import bucket_of

A, B = HandlerName("api", "a"), HandlerName("api", "b")
HERE = Run(0.0, ("pytest",), fingerprint(), {})
SLOWER = parse("avg_time:20%")


def profile(run=HERE, **handlers):
    """Return a profile of handlers from the times of their calls, in seconds."""
    made = {}
    for name, times in handlers.items():
        stats = made[HandlerName("api", name)] = HandlerStats()
        for time in times:
            stats.add([time], [bucket_of(time)], 0.0)
    return Profile(made, run=run)


def regressions(old, new, *rules, **more):
    found = compare(old, new, rules or [SLOWER], **more)
    return [(change.name.handler, change.field) for change in found.regressions]


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("avg_time:20%", Rule("avg_time", 20)),
        (" p95:7.5 ", Rule("p95_time", 7.5)),
        ("calls:0%", Rule("calls", 0)),
        ("25%", Rule("steady_time", 25)),
        ("7.5", Rule("steady_time", 7.5)),
        ("drift:30%", Rule("drift", 30)),
    ],
)
def test_parse(text, rule):
    assert parse(text) == rule
    assert parse(str(rule)) == rule


@pytest.mark.parametrize(
    "text",
    [
        "",
        "%",
        "avg_time",
        "avg_time:",
        "avg_time:x%",
        "-1%",
        "inf%",
        "speed:2%",
        "calls:nan",
        ":20%",
    ],
)
def test_invalid_rules(text):
    with pytest.raises(ValueError, match=r"write PERCENT% or FIELD:PERCENT%, such as 25%"):
        parse(text)


def test_a_regression_is_shown_with_its_ratio_and_p():
    old, new = profile(a=[0.25] * 20, b=[0.25] * 20), profile(a=[0.75] * 20, b=[0.25] * 20)
    slow, same = compare(old, new, [SLOWER]).changes
    assert (slow.name, slow.field, slow.before, slow.after) == (A, "avg_time", 0.25, 0.75)
    assert slow.regression
    assert slow.ratio == 3
    assert slow.p is not None
    assert slow.p < 1e-6
    assert (same.name, same.regression, same.ratio) == (B, False, 1)
    assert same.p == pytest.approx(1)
    assert slow.why.startswith(
        "+200 % (20 % allowed), 500 ms more, p < 0.0001, 20 calls before, 20 now"
    )
    assert same.why == "+0 %, 20 % allowed"


def test_faster_is_not_a_regression():
    assert regressions(profile(a=[0.03] * 20), profile(a=[0.01] * 20)) == []


@pytest.mark.parametrize(("now", "found"), [(1.25, []), (1.26, [("a", "avg_time")])])
def test_the_percentage_itself_is_allowed(now, found):
    assert regressions(profile(a=[1.0] * 20), profile(a=[now] * 20), parse("avg_time:25%")) == found


@pytest.mark.parametrize(("minimum", "found"), [(0.02, [("a", "avg_time")]), (0.0201, [])])
def test_growth_below_the_minimum_is_not_a_regression(minimum, found):
    old, new = profile(a=[0.01] * 20), profile(a=[0.03] * 20)
    assert regressions(old, new, minimum=minimum) == found


def test_noise_is_not_a_regression():
    # One very slow call of twenty doubles the mean; the other calls are as fast as before.
    old, new = profile(a=[0.01] * 20), profile(a=[*[0.01] * 19, 0.21])
    assert regressions(old, new) == []
    (change,) = compare(old, new, [SLOWER]).changes
    assert change.why.startswith("+100 %, but may be chance: p = 0.")


@pytest.mark.parametrize("rule", ["20%", "p50_time:20%"])
@pytest.mark.parametrize(("quickest", "found"), [(1.0, []), (1.1, []), (1.22, ["a"])])
def test_all_quartiles_must_grow_if_there_are_few_runs(rule, quickest, found):
    old, new = profile(a=[0.01] * 20), profile(a=[0.01 * quickest] * 8 + [0.02] * 12)
    (change,) = compare(old, new, [parse(rule)]).changes
    assert ["a"] * change.regression == found
    doubt = "but not all calls are slower: one quartile changed by +"
    assert (doubt in change.why) == (not found)
    # A mean grows with some of the calls.
    assert regressions(old, new, parse("avg_time:20%")) == [("a", "avg_time")]


@pytest.mark.parametrize(("then", "now"), [(2, 20), (20, 2), (1, 1)])
def test_two_calls_are_too_few_to_judge(then, now):
    found = compare(profile(a=[0.01] * then), profile(a=[0.03] * now), [SLOWER])
    (change,) = found.changes
    few = min(then, now)
    assert change.why == f"{few} call{'s' * (few > 1)}, too few to judge"
    assert (change.p, change.regression, found.judged) == (None, False, 0)


def test_three_calls_are_enough_to_judge():
    found = compare(profile(a=[0.01] * 3), profile(a=[0.03] * 3), [SLOWER])
    assert found.changes[0].regression
    assert found.judged == 1


def test_growth_below_a_tenth_of_a_millisecond_is_not_a_regression():
    old = profile(a=[0.0001] * 20)
    assert regressions(old, profile(a=[0.00019] * 20)) == []
    assert regressions(old, profile(a=[0.00021] * 20)) == [("a", "avg_time")]
    (change,) = compare(old, profile(a=[0.00019] * 20), [SLOWER]).changes
    assert change.why == "+90 %, but by less than 100 µs"


def test_counts_are_exact():
    old, new = profile(a=[0.0] * 10), profile(a=[0.0] * 11)
    rule = parse("calls:5%")
    (change,) = compare(old, new, [rule]).changes
    assert change.p is None
    assert change.regression
    assert regressions(old, new, parse("calls:10%")) == []
    assert regressions(profile(a=[0.0]), profile(a=[0.0]), parse("errors:0%")) == []


def test_more_calls_make_the_total_a_regression():
    old, new = profile(a=[0.01] * 10), profile(a=[0.01] * 20)
    (change,) = compare(old, new, [parse("total_time:20%")]).changes
    assert change.regression
    assert change.why == "+100 % (20 % allowed), +100 % calls"
    assert regressions(old, new, parse("avg_time:20%")) == []


def test_a_larger_total_of_as_many_calls_may_be_chance():
    old, new = profile(a=[0.01] * 20), profile(a=[*[0.01] * 19, 0.21])
    (change,) = compare(old, new, [parse("total_time:20%")]).changes
    assert not change.regression
    assert change.why.startswith("+100 %, but may be chance: p = 0.")


def test_of_several_rules_for_a_statistic_the_strictest_counts():
    old, new = profile(a=[0.01] * 10), profile(a=[0.01] * 13)
    rules = [parse(f"calls:{percent}%") for percent in (50, 20, 40)]
    (change,) = compare(old, new, rules).changes
    assert (change.why, change.regression) == ("+30 %, 20 % allowed", True)


def test_errors_that_are_new():
    old, new = profile(a=[0.01] * 10), profile(a=[0.01] * 10)
    new.handlers[A].errors = 1
    (change,) = compare(old, new, [parse("errors:10%")]).changes
    assert (change.why, change.regression) == ("up from 0, 10 % allowed", True)


def test_each_rule_has_its_rows_and_regressions_come_first():
    old, new = profile(a=[1.0] * 9, b=[1.0] * 9), profile(a=[1.25] * 9, b=[4.0] * 9)
    found = compare(old, new, [parse("max_time:50%"), parse("avg_time:50%")]).changes
    assert [change.regression for change in found] == [True, True, False, False]
    assert [(change.name, change.field) for change in found] == [
        (B, "max_time"),
        (B, "avg_time"),
        (A, "max_time"),
        (A, "avg_time"),
    ]
    without_rules = compare(old, new).changes
    assert [(change.field, change.why) for change in without_rules] == [("p50_time", "")] * 2


def test_handlers_that_were_added_and_removed():
    found = compare(profile(a=[1.0]), profile(b=[1.0]))
    assert (found.added, found.removed, found.changes) == ((B,), (A,), ())
    # The comparison leaves out handlers that are registered but never called.
    assert compare(profile(a=[]), profile(b=[])).added == ()


@pytest.mark.parametrize("run", [None, HERE._replace(machine={**HERE.machine, "cpu": "other"})])
def test_a_different_machine_does_not_fail_the_run(run):
    old, new = profile(a=[0.01] * 20, run=run), profile(a=[0.03] * 20)
    found = compare(old, new, [SLOWER])
    assert found.regressions == ()
    assert found.changes[0].ratio == pytest.approx(3)
    if run is None:
        assert found.elsewhere == ("a report does not name its machine",)
    else:
        assert found.elsewhere == (f"cpu: other before, {HERE.machine['cpu']} now",)


def test_incomplete_runs_of_another_machine_are_compared_if_there_are_no_others():
    elsewhere = HERE._replace(machine={**HERE.machine, "cpu": "other"})
    old = replace(profile(a=[0.01] * 20, run=elsewhere), incomplete=("interrupted",))
    found = compare([old], profile(a=[0.03] * 20), [SLOWER])
    assert (found.runs, found.incomplete, found.regressions) == (1, ("interrupted",), ())
    assert found.changes[0].ratio == pytest.approx(3)


def test_a_property_that_only_one_machine_has():
    found = compare(
        profile(run=HERE._replace(machine={"cpu": "x", "gpu": "y"})),
        profile(run=HERE._replace(machine={"cpu": "x", "disk": "z"})),
    )
    assert found.elsewhere == ("disk: unknown before, z now", "gpu: y before, unknown now")


def test_the_processor_is_the_one_that_linux_reports(monkeypatch):
    text = "processor\t: 0\nmodel name\t: Xeon 3 \nstepping\t: 7\n"
    asked = []
    monkeypatch.setattr("pathlib.Path.read_text", lambda path, *_: asked.append(path) or text)
    assert fingerprint()["cpu"] == "Xeon 3"
    assert list(map(str, asked)) == [str(Path("/proc/cpuinfo"))]


def test_the_ratio_to_a_time_of_zero():
    found = compare(profile(a=[0.0]), profile(a=[0.5]))
    assert math.isinf(found.changes[0].ratio)
    assert compare(profile(a=[0.0]), profile(a=[0.0])).changes[0].ratio == 1


histograms = st.lists(st.integers(0, 6), min_size=1, max_size=12)


@given(histograms, histograms)
def test_the_rank_test_counts_pairs(old, new):
    """The result matches the textbook: the share of pairs in which the new call is slower."""
    wins = sum((b > a) + (b == a) / 2 for a in old for b in new)
    mean = len(old) * len(new) / 2
    size = len(old) + len(new)
    ties = sum(count**3 - count for count in Counter(old + new).values())
    deviation = math.sqrt(len(old) * len(new) / 12 * (size + 1 - ties / (size * (size - 1))))
    p = slower(Counter(old), Counter(new))
    if deviation == 0:
        assert p == 1
    else:
        expected = math.erfc((wins - mean - 0.5) / deviation / math.sqrt(2)) / 2
        assert p == pytest.approx(expected, abs=1e-12)


def test_the_rank_test_is_close_to_the_exact_one():
    """The exact p is the share of all ways to deal eight ranks that look as slow or slower."""
    ranks = range(8)
    sums = [sum(chosen) for chosen in combinations(ranks, 4)]
    for chosen in [(4, 5, 6, 7), (3, 5, 6, 7), (2, 3, 6, 7), (0, 1, 2, 3)]:
        exact = sum(one >= sum(chosen) for one in sums) / len(sums)
        others = [rank for rank in ranks if rank not in chosen]
        assert slower(Counter(others), Counter(chosen)) == pytest.approx(exact, abs=0.02)


def test_known_values():
    # scipy.stats.mannwhitneyu(new, old, alternative="greater", method="asymptotic")
    assert slower(Counter([1, 2, 3, 3, 5]), Counter([3, 3, 4, 9])) == pytest.approx(
        0.12480773574511855
    )


def test_load(tmp_path):
    path = tmp_path / "old.json"
    path.write_text(json.dumps(profile(a=[0.25]).to_dict()))
    assert load(path).handlers[A].calls == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "the file cannot be read: No such file"),
        ("", "the file is not valid JSON, or is cut off"),
        ('{"schema": "smartcollect/pro', "the file is not valid JSON, or is cut off"),
        ("SQLite format 3\0\x10", r"a SQLite database; use its URL, sqlite:////.*/old\.json$"),
        ("[" * 100_000, "the file is not valid JSON: nested too deep"),
        ('{"schema": NaN}', "NaN is not a valid number"),
        ("\udcff", "the file is not valid JSON, or is cut off"),
        ("{}", "not a smartcollect/profile"),
        ('{"schema": "smartcollect/log"}', "an exported log is not .*; write log.profile"),
        ('{"schema": "smartcollect/profile", "version": 2}', "by a newer smartcollect"),
        ('{"schema": "smartcollect/profile", "version": 1, "run": 5}', "damaged"),
    ],
)
def test_load_rejects_other_files_in_one_line(tmp_path, text, message):
    path = tmp_path / "old.json"
    if text is not None:
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ValueError, match=message) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_growth_just_over_the_limit_shows_why_it_fails():
    old, new = profile(a=[0.01] * 1000), profile(a=[0.01] * 1254)
    (change,) = compare(old, new, [parse("calls:25%")]).changes
    assert (change.regression, change.why) == (True, "+25.4 %, 25 % allowed")


def test_an_error_rate_that_grew_is_a_regression():
    old, new = profile(a=[0.01] * 20), profile(a=[0.01] * 20)
    old.handlers[A].errors, new.handlers[A].errors = 2, 3
    (change,) = compare(old, new, [parse("error_rate:20%")]).changes
    assert change.why == "+50 %, 20 % allowed"
    assert (change.before, change.after, change.p, change.regression) == (0.1, 0.15, None, True)
    assert not compare(old, new, [parse("error_rate:50%")]).regressions
