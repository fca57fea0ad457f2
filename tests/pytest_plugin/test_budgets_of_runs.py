"""Budgets of marked tests, of every test and of the whole run."""

from __future__ import annotations

import pytest
from support import plain

from smartcollect.profiles import LIMITED
from smartcollect_pytest.marker import signature

MARKED = """
    import pytest
    import app

    def show(times):
        for number in range(times):
            app.show(number)

    @pytest.mark.collect_budget("users.show", calls=3)
    def test_kept():
        show(3)

    @pytest.mark.collect_budget("users.show", calls=3)
    def test_broken():
        show(4)

    @pytest.mark.collect_budget("users.*", calls=9, max_time="1ns")
    def test_too_slow():
        show(1)

    @pytest.mark.collect_budget("users.delete", max_time="1s")
    def test_never_called():
        show(1)

    @pytest.mark.collect_budget("users.delete", calls=0)
    def test_no_call_allowed_and_none_made(): ...

    @pytest.mark.collect_budget("users.shwo", calls=0)
    def test_misspelt():
        show(1)

    @pytest.fixture
    def shown():
        show(5)
        yield
        show(5)

    @pytest.mark.collect_budget("users.show", calls=1)
    def test_fixtures_do_not_count(shown):
        show(1)

    @pytest.mark.collect_budget("users.show", calls=9)
    @pytest.mark.collect_budget("users.show", calls=3)
    def test_all_markers_of_a_test_apply():
        show(4)

    @pytest.mark.collect_budget("users.show", calls=1)
    class TestNearer:
        def test_farther(self):
            show(2)

        @pytest.mark.collect_budget("users.show", calls=2)
        def test_nearer(self):
            show(2)

    @pytest.mark.collect_budget("users.show", calls=0)
    def test_its_own_failure_comes_first():
        show(1)
        assert not "its own"

    @pytest.mark.xfail(strict=True)
    @pytest.mark.collect_budget("users.show", calls=0)
    def test_expected_to_break():
        show(1)

    @pytest.mark.collect_budget("users.show", calls=0)
    def test_skipped():
        show(1)
        pytest.skip()

    def test_unmarked():
        show(100)
    """


@pytest.mark.parametrize("option", [(), ("--smartcollect",)], ids=["alone", "profiled"])
def test_the_marker(suite, run, option):
    suite.makepyfile(test_marked=MARKED)
    result = run("test_marked.py", *option)
    result.assert_outcomes(passed=5, failed=7, xfailed=1, skipped=1)
    assert result.ret == 1
    lines = result.stdout.str()
    for expected in [
        "users.show: calls is 4, the budget is 3",
        "users.show: max_time is ",
        "users.delete was never called; the budget is users.delete max_time<=1.00 s",
        "no handler is named 'users.shwo'; did you mean 'users.show'?",
        "users.show: calls is 2, the budget is 1",
        "its own",
    ]:
        assert expected in lines
    result.stdout.fnmatch_lines(
        [
            "*_ test_broken _*",
            "users.show: calls is 4, the budget is 3",
            "handler * elapsed * arguments * where",
            "-*",
            "users.show * number=[0-3] * test_marked.py:6",
        ]
    )
    assert "Traceback" not in lines
    failed = {line.split()[1] for line in result.outlines if line.startswith("FAILED")}
    assert failed == {
        f"test_marked.py::{name}"
        for name in [
            "test_broken",
            "test_too_slow",
            "test_never_called",
            "test_misspelt",
            "test_all_markers_of_a_test_apply",
            "TestNearer::test_farther",
            "test_its_own_failure_comes_first",
        ]
    }


@plain
def test_no_smartcollect_turns_markers_and_test_budgets_off(suite, run):
    suite.makepyfile(
        test_marked="""
        import pytest
        import app

        @pytest.mark.collect_budget("users.show", calls=0)
        def test_it(): app.show(1)

        @pytest.mark.collect_budget("users.show", nonsense=0)
        def test_wrong(): ...
        """
    )
    options = "--smartcollect", "--smartcollect-test-budgets=users.show calls<=0"
    run("test_marked.py", *options, "--no-smartcollect").assert_outcomes(passed=2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            "'users.show'",
            (
                "users.show: the budget has no limit; add one such as calls<=3, "
                "on any of calls, errors"
            ),
        ),
        ("calls=3", "pass one handler, then limits such as calls=3"),
        ("'users.show', 3", "pass one handler, then limits such as calls=3"),
        ("3, calls=3", "pass one handler, then limits such as calls=3"),
        ("'users.show', max_tme=3", "unknown statistic 'max_tme'"),
        ("'users.show', calls='x'", "calls must be a whole number, zero or more, not 'x'"),
        ("'users.show', max_time='soon'", "max_time: 'soon' is not a duration"),
        ("'users.show', max_time=None", "max_time: None is not a duration"),
    ],
)
def test_wrong_arguments_of_the_marker_are_an_error_of_the_test(suite, arguments, message):
    suite.makepyfile(
        test_marked=f"""
        import pytest

        @pytest.mark.collect_budget({arguments})
        def test_it(): raise SystemExit("it ran")
        """
    )
    result = suite.runpytest_subprocess("test_marked.py", "--strict-markers")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"@pytest.mark.collect_budget(*): *{message}*"])
    result.stdout.no_fnmatch_line("*it ran*")


def test_the_marker_is_registered_with_each_statistic(suite):
    (line,) = [line for line in suite.runpytest("--markers").outlines if "collect_budget(" in line]
    assert line.startswith(f"@pytest.mark.{signature(whole=True).partition(')')[0]}")
    for field in LIMITED:
        assert f"{field}," in line or f"{field})" in line


@plain
def test_a_marker_that_a_fixture_adds(suite, run):
    suite.makepyfile(
        test_marked="""
        import pytest
        import app

        @pytest.fixture(autouse=True)
        def budget(request):
            request.node.add_marker(pytest.mark.collect_budget("users.show", calls=1))

        def test_it():
            app.show(1)
            app.show(2)
        """
    )
    result = run("test_marked.py")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*users.show: calls is 2, the budget is 1"])


def test_budgets_of_each_test(suite, run):
    suite.makepyfile(
        test_three="""
        import pytest
        import app

        @pytest.mark.collect_budget("users.show", calls=12)
        def test_the_marker_beats_the_option():
            app.index(12)
        """
    )
    suite.makeini(
        """
        [pytest]
        pythonpath = .
        smartcollect_test_budgets =
            users.show calls<=11
            index errors<=0
        """
    )
    result = run()
    result.assert_outcomes(passed=7, failed=1)
    result.stdout.fnmatch_lines(
        [
            "*test_index*",
            "users.show: calls is 12, the budget is 11 (smartcollect_test_budgets)",
            "FAILED test_two.py::test_index*",
        ]
    )
    run("--smartcollect").assert_outcomes(passed=7, failed=1)
    run("--smartcollect-test-budgets=* calls<=12").assert_outcomes(passed=8)


def test_budgets_of_the_run(suite, run):
    suite.makeini(
        """
        [pytest]
        pythonpath = .
        smartcollect_budgets =
            users.* calls<=18
            index max_time<=1min
        """
    )
    result = run("--smartcollect")
    result.assert_outcomes(passed=7)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["over budget: users.show: calls is 19, the budget is 18"])


def test_budgets_of_the_run_are_checked_in_a_profiled_run(suite):
    def status(*options):
        return suite.runpytest_subprocess(*options).ret

    strict, loose = (f"--smartcollect-budgets=users.show calls<={count}" for count in (18, 19))
    assert status("--smartcollect", loose) == 0
    assert status(strict) == status(strict, "-p", "no:terminal") == status(strict, loose) == 1
    assert status(strict, "--no-smartcollect") == 0
    quiet = suite.runpytest_subprocess(strict, "-q")
    quiet.stdout.fnmatch_lines(["over budget: users.show: calls is 19, the budget is 18"])
    suite.makeini("[pytest]\npythonpath = .\nsmartcollect_budgets = users.show calls<=18")
    assert status() == 0
    assert status("--smartcollect") == 1
    assert status("--smartcollect", loose) == 0


def test_a_broken_budget_is_red(suite):
    option = "--smartcollect-budgets=users.show calls<=18"
    result = suite.runpytest_subprocess(option, "--color=yes")
    red = ("\x1b[31m\x1b[1m", "\x1b[1m\x1b[31m")
    first, row, last = [line for line in result.outlines if line.startswith(red)]
    assert "1 failure: over budget: users.show" in first
    assert "users.show  " in row
    assert "over budget: users.show: calls is 19" in last


def test_budgets_of_a_handler_that_was_never_called(suite, run):
    option = "--smartcollect-budgets=users.delete max_time<=1s"
    result = run("--smartcollect", option)
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        [
            (
                "unused budget: users.delete was never called; "
                "the budget is users.delete max_time<=1.00 s"
            )
        ]
    )
    result = run("--smartcollect", option, "-k", "test_show")
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        ["not judged, since 3 tests deselected: unused budget: users.delete was never called*"]
    )


@pytest.mark.parametrize("status", [1, 2, 5])
def test_a_broken_budget_does_not_change_other_exit_statuses(suite, status):
    suite.makepyfile(
        test_three="""
        import app
        def test_fails():
            app.show(1)
            assert False
        def test_interrupted(): raise KeyboardInterrupt
        """
    )
    chosen = {1: "test_fails", 2: "test_interrupted or test_show", 5: "nothing_like_it"}[status]
    option = "--smartcollect-budgets=users.show calls<=0"
    result = suite.runpytest_subprocess("--smartcollect", option, "-k", chosen)
    assert result.ret == status


@pytest.mark.parametrize("name", ["budgets", "test_budgets"])
def test_bad_budgets_are_usage_errors(suite, name):
    suite.makeini(f"[pytest]\nsmartcollect_{name} =\n  users.* calls<=3\n  users.* max_tme<=3")
    result = suite.runpytest_subprocess()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        [f"ERROR: smartcollect_{name} (ini file, value 2): 'users.* max_tme<=3' is not accepted*"]
    )
    result.stderr.fnmatch_lines(["*; unknown statistic 'max_tme'; *'max_time'?"])
    flag = f"--smartcollect-{name.replace('_', '-')}"
    result = suite.runpytest_subprocess(f"{flag}=users.* calls")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        [f"ERROR: {flag} (command line): 'users.* calls' is not accepted; write a *with <=*"]
    )


@pytest.mark.parametrize(("limit", "exit"), [("6%", 0), ("5%", 1)])
def test_a_budget_of_the_error_rate(suite, run, limit, exit):
    budget = f"smartcollect_budgets = users.show error_rate<={limit}"
    suite.makeini(f"[pytest]\npythonpath = .\n{budget}")
    result = run("--smartcollect")
    assert result.ret == exit
    if exit:
        line = "over budget: users.show: error_rate is 5.26 %, the budget is 5 %"
        result.stdout.fnmatch_lines([line])
