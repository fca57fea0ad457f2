from __future__ import annotations

import re

import pytest
from support import plain, table


def counts(result):
    """Return the calls, errors and tests of each handler."""
    return {
        row["handler"]: (int(row["calls"]), int(row["errors"]), int(row["tests"]))
        for row in table(result)
    }


def test_the_summary_counts_what_tests_call(suite, run):
    result = run("--smartcollect")
    result.assert_outcomes(passed=7)
    assert counts(result) == {"users.show": (19, 1, 6), "index": (1, 0, 1)}
    result.stdout.fnmatch_lines(
        [
            "*= smartcollect =*",
            "20 calls to 2 handlers in 6 tests; *",
            "N+1: one call to index made 12 calls to users.show",
            "",
            "slowest calls",
            "errors",
            "users.show *1 *ValueError *no such user *test_one.py::test_refused",
            "",
            "repeated calls under one call",
            "index *users.show *12 *different *test_two.py::test_index",
            "different arguments: get all results with one call",
            "",
            "never called: users.delete",
            "never called with an error: index",
        ]
    )


@plain
def test_without_the_option_nothing_is_printed(suite, run):
    result = run()
    result.assert_outcomes(passed=7)
    result.stdout.no_fnmatch_line("*smartcollect =*")


def test_the_slowest_calls_show_their_test(suite, run):
    result = run("--smartcollect", "--smartcollect-slowest=50", "-k", "test_show")
    rows = table(result, "elapsed")
    assert sorted(row["test"] for row in rows) == [f"test_one.py::test_show[{n}]" for n in range(4)]
    assert sorted(row["arguments"] for row in rows) == [f"number={n}" for n in range(4)]


@plain
def test_a_failed_slow_call_shows_its_exception(suite, run):
    result = run("--smartcollect", "-k", "test_refused")
    result.stdout.fnmatch_lines(["* users.show *number=-1 *test_one.py::test_refused *ValueError"])


@plain
@pytest.mark.parametrize("field", ["calls", "errors", "tests", "total", "total_time", "avg", "max"])
def test_sort(suite, run, field):
    rows = table(run("--smartcollect", f"--smartcollect-sort={field}"))
    if field in ("calls", "errors", "tests"):
        assert [row["handler"] for row in rows] == ["users.show", "index"]
    assert len(rows) == 2


@plain
def test_sort_by_handler(suite, run):
    rows = table(run("--smartcollect", "--smartcollect-sort=handler"))
    assert [row["handler"] for row in rows] == ["index", "users.show"]


@plain
def test_rows(suite, run):
    result = run("--smartcollect", "--smartcollect-rows=1", "--smartcollect-sort=calls")
    assert [row["handler"] for row in table(result)] == ["users.show"]
    result.stdout.fnmatch_lines(["… 1 more handler; --smartcollect-rows=0 shows all"])
    assert len(table(run("--smartcollect", "--smartcollect-rows=0"))) == 2
    assert len(table(run("--smartcollect", "--smartcollect-rows=1", "-v"))) == 2


@plain
def test_no_slowest_calls(suite, run):
    run("--smartcollect", "--smartcollect-slowest=0").stdout.no_fnmatch_line("slowest calls")


@plain
def test_quiet_shows_only_the_table(suite, run):
    result = run("--smartcollect", "-q")
    assert counts(result)["users.show"] == (19, 1, 6)
    result.stdout.no_fnmatch_line("slowest calls")
    result.stdout.no_fnmatch_line("never called*")


def test_a_suite_without_handlers(pytester, run):
    pytester.makepyfile("def test_it(): ...")
    result = run("--smartcollect")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["no handlers found: nothing was registered *; *-watch=PACKAGE"])
    assert result.ret == 0


def test_no_test_calls_a_handler(suite, run):
    result = run("--smartcollect", "-k", "test_nothing")
    result.stdout.fnmatch_lines(["no handler was called", "never called: index, users.delete, us*"])


def test_a_failing_suite_keeps_its_exit_status(suite, run):
    suite.makepyfile(test_three="def test_it(): assert False")
    assert run("--smartcollect").ret == 1
    assert run("--smartcollect", "-k", "nothing_like_it").ret == 5


@pytest.mark.parametrize("option", ["--collect-only", "--setup-plan"])
def test_no_summary_if_no_tests_run(suite, run, option):
    result = run("--smartcollect", option, "-q")
    assert result.ret == 0
    result.stdout.no_fnmatch_line("*= smartcollect =*")


@pytest.mark.parametrize("option", ["--fixtures", "--fixtures-per-test", "--markers", "--version"])
def test_no_summary_with_options_that_only_print_information(suite, option):
    result = suite.runpytest_subprocess("--smartcollect", option)
    assert result.ret == 0
    result.stdout.no_fnmatch_line("*= smartcollect =*")


def test_terminal_off(suite):
    result = suite.runpytest("--smartcollect", "-p", "no:terminal")
    assert result.ret == 0


def test_failing_phases_are_counted(pytester, run):
    pytester.makepyfile(
        """
        import pytest
        from smartswitch import Switcher

        sw = Switcher("api")

        @sw
        def work(): ...

        @pytest.fixture
        def broken():
            work()
            raise ValueError

        @pytest.fixture
        def broken_at_the_end():
            yield
            work()
            raise ValueError

        def test_setup(broken): ...
        def test_teardown(broken_at_the_end): ...
        def test_skip():
            work()
            pytest.skip()
        def test_xfail():
            work()
            pytest.xfail()
        """
    )
    assert counts(run("--smartcollect")) == {"work": (4, 0, 4)}


def test_an_interrupted_test_counts(pytester):
    pytester.makepyfile(
        """
        from smartswitch import Switcher

        sw = Switcher("api")

        @sw
        def work(): ...

        def test_one(): work()

        def test_two():
            work()
            raise KeyboardInterrupt
        """
    )
    result = pytester.runpytest_subprocess("--smartcollect")
    assert result.ret == 2
    assert counts(result) == {"work": (2, 0, 2)}


def test_calls_after_the_last_test_do_not_count(suite, run):
    suite.makeconftest(
        """
        def pytest_sessionfinish():
            import app
            app.show(0)
        """
    )
    assert counts(run("--smartcollect")) == {"users.show": (19, 1, 6), "index": (1, 0, 1)}


def test_switchers_that_exist_before_pytest_starts(pytester):
    pytester.makepyfile(
        early="""
        from smartswitch import Switcher
        sw = Switcher("early")
        @sw
        def work(): ...
        """,
        test_it="""
        import early
        def test_it(): early.sw._methods["work"]._wrapped()
        """,
    )
    pytester.syspathinsert()
    result = pytester.runpytest_subprocess("-p", "early", "--smartcollect")
    assert counts(result) == {"work": (1, 0, 1)}


@plain
def test_a_coroutine_and_a_generator(pytester, run):
    pytester.makepyfile(
        """
        import asyncio
        from smartswitch import Switcher

        sw = Switcher("api")

        @sw
        async def late(): await asyncio.sleep(0.01)

        @sw
        def stream():
            yield 1

        def test_it():
            asyncio.run(late())
            assert list(stream()) == [1]
        """
    )
    result = run("--smartcollect")
    assert counts(result) == {"late": (1, 0, 1), "stream": (1, 0, 1)}
    assert re.fullmatch(r"1\d\.\d ms", table(result)[0]["total"])


@plain
def test_the_applications_own_collector_is_not_disturbed(pytester, run):
    pytester.makepyfile(
        """
        import smartcollect
        from smartswitch import Switcher

        sw = Switcher("api").plug("collect")

        @sw
        def work(): ...

        def test_it(collect):
            work()
            assert sw.collect.stats("work")["calls"] == 1
            collect.assert_called("work", times=1)
        """
    )
    result = run("--smartcollect")
    result.assert_outcomes(passed=1)
    assert counts(result) == {"work": (1, 0, 1)}
