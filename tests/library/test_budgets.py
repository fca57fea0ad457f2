from __future__ import annotations

import pytest

from smartcollect import HandlerName, HandlerStats, Profile
from smartcollect.profiles import Expectations, judge
from smartcollect.profiles.budgets import LIMITED, budget, over, unreached
from smartcollect.profiles.budgets import parse_budget as parse
from smartcollect.storage.histogram import bucket_of


def test_parse():
    assert parse("users.* max_time<=100ms calls <= 3") == budget(
        "users.*", {"max_time": 0.1, "calls": 3}
    )


@pytest.mark.parametrize("field", LIMITED)
def test_each_statistic_can_be_limited(field):
    assert dict(parse(f"* {field}<=1").limits) == {field: 1}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "write a handler, then limits with <="),
        ("users.*", "users.*: the budget has no limit; add one"),
        ("users.* calls", "write a handler, then limits with <="),
        ("users.* calls<3", "write a handler, then limits with <="),
        ("users.* calls<=", "write a handler, then limits with <="),
        ("users.* calls<=x", "calls must be a whole number, zero or more, not 'x'"),
        ("users.* calls<=-1", "calls must be a whole number, zero or more, not '-1'"),
        ("users.* calls<=1.5", "calls must be a whole number, zero or more, not '1.5'"),
        ("users.* max_tme<=1s", "unknown statistic 'max_tme'; .*; did you mean 'max_time'"),
        ("users.* last_call<=1", "a budget cannot limit 'last_call'"),
        ("users.* max_time<=soon", "max_time: 'soon' is not a duration"),
        ("users.* calls<=1 calls<=2", "limits calls twice"),
    ],
)
def test_invalid_budgets(text, message):
    with pytest.raises(ValueError, match=message):
        parse(text)


@pytest.mark.parametrize("value", [True, 1.5, -1, "x", None, float("nan"), float("inf")])
def test_counts_are_whole_numbers(value):
    with pytest.raises(ValueError, match="calls must be a whole number, zero or more, not "):
        budget("*", {"calls": value})


def lines(violations):
    return [str(one) for one in violations]


@pytest.fixture
def handlers():
    stats = HandlerStats()
    stats.add([2.0], [bucket_of(2.0)], 0.0)
    stats.errors += 1
    return {
        HandlerName("api", "a"): stats,
        HandlerName("api", "b"): stats,
        HandlerName("api", "idle"): HandlerStats(),
    }


def test_over(handlers):
    assert over([[parse("* calls<=1 max_time<=2s")]], handlers) == []
    assert over([[parse("idle calls<=5")]], handlers) == []
    assert lines(over([[parse("[ab] errors<=0"), parse("api.a max_time<=1")]], handlers)) == [
        "a: errors is 1, the budget is 0",
        "b: errors is 1, the budget is 0",
        "a: max_time is 2.00 s, the budget is 1.00 s",
    ]


def test_budgets_of_the_same_rank_all_apply(handlers):
    strict, loose = parse("a calls<=0"), parse("* calls<=1")
    for rank in ([strict, loose], [loose, strict]):
        assert lines(over([rank], handlers)) == ["a: calls is 1, the budget is 0"]


def test_an_earlier_rank_overrides_later_ranks(handlers):
    far = [parse("* calls<=0 errors<=0")]
    assert lines(over([[parse("a calls<=5")], far], handlers)) == [
        "a: errors is 1, the budget is 0",
        "b: calls is 1, the budget is 0",
        "b: errors is 1, the budget is 0",
    ]
    assert lines(over([far, [parse("a calls<=5")]], handlers))[0] == (
        "a: calls is 1, the budget is 0"
    )


def test_unreached(handlers):
    reached = [parse("a calls<=5"), parse("idle calls<=0")]
    assert unreached(reached, handlers) == []
    found = unreached([*reached, parse("idle calls<=5"), parse("aidle calls<=0")], handlers)
    assert lines(found) == [
        "idle was never called; the budget is idle calls<=5",
        (
            "aidle was never called; the budget is aidle calls<=0; no handler is named 'aidle'; "
            "did you mean 'idle'?"
        ),
    ]
    (line,) = lines(unreached([parse("boks.* calls<=1")], handlers))
    assert "; no handler matches 'boks.*'; registered: a, " in line


def test_a_run_over_budget_fails_with_the_largest_excess_first(handlers):
    budgets = parse("b calls<=0"), parse("* max_time<=1s"), parse("a max_time<=0.5s calls<=0")
    verdict = judge(Profile(handlers), Expectations(budgets=budgets))
    assert verdict.failures == (
        "over budget: a: calls is 1, the budget is 0",
        "over budget: b: calls is 1, the budget is 0",
        "over budget: a: max_time is 2.00 s, the budget is 500 ms",
        "over budget: a: max_time is 2.00 s, the budget is 1.00 s",
        "over budget: b: max_time is 2.00 s, the budget is 1.00 s",
    )


def test_failures_tell_handlers_of_the_same_name_apart(handlers):
    (first, stats), *_ = handlers.items()
    both = {first: stats, HandlerName("other", first.handler): stats}
    verdict = judge(Profile(both), Expectations(budgets=(parse("other.a calls<=0"),)))
    assert verdict.failures == ("over budget: other.a: calls is 1, the budget is 0",)


def test_an_unused_budget_of_tests_is_a_note(handlers):
    unused = parse("aidle calls<=5")
    verdict = judge(Profile(handlers), Expectations(test_budgets=(parse("a calls<=5"), unused)))
    assert verdict.failures == ()
    (note,) = verdict.notes
    assert note.startswith("unused test budget: aidle was never called; the budget is aidle calls")


@pytest.mark.parametrize("limit", ["10%", "0.1", 0.1, " 10 % "])
def test_a_share_is_a_number_or_percent(limit):
    assert budget("f", {"error_rate": limit}).limits == {"error_rate": 0.1}


@pytest.mark.parametrize(
    ("limit", "error"),
    [
        *[("110%", ValueError), (2, ValueError), (-0.1, ValueError), ("x", ValueError)],
        *[(True, TypeError), (None, TypeError), (float("nan"), ValueError)],
    ],
)
def test_invalid_shares(limit, error):
    with pytest.raises(error, match="error_rate: .* is not a share"):
        budget("f", {"error_rate": limit})


def test_the_error_rate_is_shown_in_percent():
    stats = HandlerStats()
    stats.add([0.1] * 8, [bucket_of(0.1)] * 8, 0.0)
    stats.errors = 1
    handlers = {HandlerName("api", "f"): stats}
    assert over([[parse("f error_rate<=12.5%")]], handlers) == []
    (broken,) = over([[parse("f error_rate<=10%")]], handlers)
    assert str(broken) == "f: error_rate is 12.5 %, the budget is 10 %"
    assert str(broken.budget) == "f error_rate<=10 %"
