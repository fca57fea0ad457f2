from __future__ import annotations

import re

import pytest
from smartswitch import Switcher

import smartcollect


@pytest.fixture
def api(time):
    """A switcher with a log, whose handler ``work`` takes as many seconds as you pass."""
    sw = Switcher("api").plug("collect", max_history=50)

    @sw
    def work(seconds, fail=False):
        time.sleep(seconds)
        if fail:
            raise ValueError("broken")

    @sw
    def idle(): ...

    sw.work = work
    return sw


def failing(message):
    return pytest.raises(AssertionError, match=message)


def test_none_slower_than(api):
    api.work(1)
    api.collect.assert_none_slower_than(1)
    api.collect.assert_none_slower_than("1s", handler="work")
    api.work(3)
    with failing("work took longer than 2.00 s; the slowest call took 3.00 s") as caught:
        api.collect.assert_none_slower_than("2s")
    table = str(caught.value).splitlines()[1:]
    assert table[0].split() == ["handler", "elapsed", "arguments"]
    assert table[2].split() == ["work", "3.00", "s", "seconds=3"]
    assert len(table) == 3


def test_calls_that_the_history_no_longer_holds(api):
    api.work(3)
    for _ in range(60):
        api.work(0)
    with failing("3.00 s .*\n.the history no longer holds these calls"):
        api.collect.assert_none_slower_than(1)


def test_long_tables_are_cut(api):
    for _ in range(30):
        api.work(3)
    with failing("… 20 more"):
        api.collect.assert_none_slower_than(1)


@pytest.mark.parametrize(
    "judge",
    [
        lambda log: log.assert_none_slower_than(1),
        lambda log: log.assert_no_errors(),
    ],
)
def test_assertions_without_any_call_fail(api, judge):
    with failing("no handler was called, so there are no calls to check"):
        judge(api.collect)


@pytest.mark.parametrize(
    "judge",
    [
        lambda log: log.assert_none_slower_than(1, handler="idle"),
        lambda log: log.assert_no_errors("idle"),
        lambda log: log.assert_called("idle"),
    ],
)
def test_a_handler_that_was_never_called_fails(api, judge):
    with failing("idle was never called; no other handler was called"):
        judge(api.collect)
    api.work(0)
    with failing("idle was never called; called: work"):
        judge(api.collect)


@pytest.mark.parametrize(
    "judge",
    [
        lambda log: log.assert_none_slower_than(1, handler="wrok"),
        lambda log: log.assert_no_errors("wrok"),
        lambda log: log.assert_called("wrok"),
        lambda log: log.assert_called("wrok", times=0),
        lambda log: log.assert_not_called("wrok"),
        lambda log: log.assert_budget("wrok", calls=1),
    ],
)
def test_an_unknown_name_fails_with_the_nearest(api, judge):
    with failing("no handler is named 'wrok'; did you mean 'work'"):
        judge(api.collect)


def test_no_handlers_at_all():
    with smartcollect.collecting() as log:
        pass
    for judge in (log.assert_no_errors, lambda: log.assert_called("work")):
        with failing("no handlers are registered; register .*, or name .* in smartcollect_watch"):
            judge()


def test_called(api):
    api.work(0)
    api.work(0)
    api.collect.assert_called("work")
    api.collect.assert_called("api.work", times=2)
    api.collect.assert_called("idle", times=0)
    with failing("work was called 2 times, not once\n"):
        api.collect.assert_called("work", times=1)
    with failing("idle was called 0 times, not once; called: work"):
        api.collect.assert_called("idle", times=1)
    with failing(re.escape("'wor*' is a pattern; pass one name, such as 'work'")):
        api.collect.assert_called("wor*")


@pytest.mark.parametrize(
    ("times", "error"), [(-1, ValueError), (1.0, TypeError), (True, TypeError)]
)
def test_invalid_times(api, times, error):
    with pytest.raises(error, match=f"times must be .*, not {times!r}"):
        api.collect.assert_called("work", times=times)


def test_not_called(api):
    api.collect.assert_not_called("work")
    api.work(0)
    api.collect.assert_not_called("idle")
    with failing("work was called once\n"):
        api.collect.assert_not_called("work")


def test_no_errors(api):
    api.work(0)
    api.collect.assert_no_errors()
    api.collect.assert_no_errors("work")
    with pytest.raises(ValueError, match="broken"):
        api.work(1, fail=True)
    with failing("work raised once\n") as caught:
        api.collect.assert_no_errors()
    assert "ValueError: broken" in str(caught.value)
    assert "1, fail=True" in str(caught.value)


def test_budget(api):
    for _ in range(3):
        api.work(2)
    api.collect.assert_budget("work", calls=3, max_time="2s", errors=0)
    api.collect.assert_budget("w*", total_time=6)
    with failing(
        "work: max_time is 2.00 s, the budget is 1.00 s\nwork: calls is 3, the budget is 2"
    ):
        api.collect.assert_budget("work", calls=2, max_time=1)


def test_a_budget_without_calls_fails(api):
    with failing("idle was never called"):
        api.collect.assert_budget("idle", calls=3)
    api.collect.assert_budget("idle", calls=0)
    with failing("users.* was never called"):
        api.collect.assert_budget("users.*", calls=3)


def test_an_ambiguous_name_fails(api):
    other = Switcher("other").plug(api.collect)
    other("work")(lambda: None)()
    with failing("'work' matches 'api.work', 'other.work'; use one of these full names"):
        api.collect.assert_called("work")
    api.collect.assert_called("other.work", times=1)


def test_frames_of_the_assertions_are_hidden(pytester):
    pytester.makepyfile(
        """
        from smartswitch import Switcher

        sw = Switcher("api")

        @sw
        def work(number): ...

        def test_work(collect):
            work(1)
            collect.assert_called("work", times=2)
        """
    )
    result = pytester.runpytest("-p", "no:cacheprovider")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*AssertionError: work was called once, not 2 times"])
    assert "assertions.py" not in result.stdout.str()
