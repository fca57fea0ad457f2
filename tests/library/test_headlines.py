"""The first lines of the summary."""

from __future__ import annotations

from types import MappingProxyType

import pytest

from smartcollect import HandlerName, HandlerStats, Profile
from smartcollect.profiles.budgets import parse_budget
from smartcollect.profiles.parts import Waiting
from smartcollect.profiles.verdict import Expectations, Verdict, judge
from smartcollect.reports.headlines import bar, headlines, shares
from smartcollect.reports.summary import Layout, sections
from smartcollect.reports.terminal import lines
from smartcollect.storage.findings import Repeat
from smartcollect.storage.histogram import buckets_of, doubles

SLOW, QUICK, IDLE = (HandlerName("shop", name) for name in ("slow", "quick", "idle"))


def stats(*elapsed, own=None):
    made = HandlerStats()
    if elapsed:
        made.add(elapsed, buckets_of(doubles(elapsed)), 1.7e9, own)
    return made


def profile(**more):
    handlers = {SLOW: stats(0.5, 0.5, own=0.75), QUICK: stats(0.25), IDLE: stats()}
    return Profile(MappingProxyType(handlers), **more)


def first_lines(run, *budgets, **expected):
    verdict = judge(run, Expectations(tuple(map(parse_budget, budgets)), **expected))
    return [
        text for text, _ in headlines(run, verdict, {name: name.handler for name in run.handlers})
    ]


def test_at_most_five_lines_the_most_important_first():
    run = profile(
        incomplete=("1 worker lost", "stopped early"),
        repeats=(Repeat(SLOW, QUICK, 12, 1, True), Repeat(QUICK, SLOW, 10, 1, True)),
        waiting=Waiting(1.0, 4.0),
    )
    assert first_lines(run, "quick calls<=0", "slow max_time<=1ms", repeat_threshold=11) == [
        "3 failures: over budget: quick, slow; repeated: quick",
        "incomplete: 1 worker lost and 1 more",
        "3 calls to 2 handlers in 0 tests; 1.00 s, 75 % in slow",
        "N+1: one call to slow made 12 calls to quick; 1 more",
        "25 % of the run was spent waiting for a processor",
    ]


def test_the_causes_add_up_to_the_failures():
    first, *_ = first_lines(profile(), "slow calls<=0 max_time<=1ms", "quick calls<=0")
    assert first == "3 failures: over budget: quick, slow (2)"


def test_an_unremarkable_run_has_one_line():
    assert first_lines(profile()) == ["3 calls to 2 handlers in 0 tests; 1.00 s, 75 % in slow"]


def test_the_first_line_names_one_cause_of_an_incomplete_run_and_the_end_all():
    causes = [f"cause {number}" for number in range(40)]
    run = profile(incomplete=tuple(causes))
    assert first_lines(run)[0] == "incomplete: cause 0 and 39 more"
    *_, last = sections(run, Verdict(), Layout(), whole=False)
    assert last.lines == [f"incomplete: {cause}" for cause in causes]
    assert last.essential
    one = sections(profile(incomplete=("cause",)), Verdict(), Layout(), whole=False)
    assert sum("incomplete: cause" in line for part in one for line in part.lines) == 1


def test_a_partial_run():
    expected = Expectations((parse_budget("nothing calls<=1"),), fail_uncalled=True)
    verdict = judge(profile(), expected, partial=lambda: "only -k slow ran")
    (first, *_) = headlines(profile(), verdict, {SLOW: "slow"})
    assert first.text == "partial: only -k slow ran; 2 expectations not judged"


def test_failures_of_other_kinds_are_counted():
    run = profile()
    verdict = judge(run, Expectations((parse_budget("slow calls<=1"),))).failing("a disk is full")
    (first, *_) = headlines(run, verdict, {SLOW: "slow", QUICK: "quick"})
    assert first.text == "2 failures: over budget: slow; 1 more"
    (first, *_) = headlines(
        run, Verdict(failures=("a disk is full",)), {SLOW: "slow", QUICK: "quick"}
    )
    assert first.text == "1 failure: see the end"


def test_shares_are_of_self_time_and_add_up_to_one():
    assert shares(profile()) == {SLOW: 0.75, QUICK: 0.25}
    assert shares(Profile()) == {}


@pytest.mark.parametrize("share", [number / 40 for number in range(41)])
def test_a_bar_grows_with_the_share(share):
    assert len(bar(share)) == -(-round(share * 40) // 8)


def test_notable_rows_have_a_tone():
    run = profile(repeats=(Repeat(QUICK, SLOW, 12, 1, True),))
    verdict = judge(run, Expectations((parse_budget("slow calls<=1"),)))
    said = list(lines(sections(run, verdict, Layout(), whole=False), 80))
    tones = {
        line.text.split()[0]: line.tone for line in said if line.text[:5] in ("slow ", "quick")
    }
    assert tones == {"slow": "failure", "quick": "warning"}
    assert [line.tone for line in said[:3]] == ["failure", "", "warning"]
    assert said[-1].tone == "failure"


def test_failures_are_repeated_at_the_end_with_their_numbers():
    verdict = judge(profile(), Expectations((parse_budget("slow calls<=1"),)))
    said = [line.text for line in lines(sections(profile(), verdict, Layout(), whole=False), 80)]
    assert said[0] == "1 failure: over budget: slow"
    assert said[-1] == "over budget: slow: calls is 2, the budget is 1"
