"""Lost xdist workers, and runs that stop early."""

from __future__ import annotations

import json

import pytest
from support import table

from smartcollect.profiles import load

CRASHING = """
    import os, signal
    import app

    def test_crash():
        app.index(3)
        {death}
    """


def calls(result):
    return {row["handler"]: int(row["calls"]) for row in table(result)}


@pytest.mark.parametrize("death", ["os._exit(1)", "os.kill(os.getpid(), signal.SIGKILL)"])
def test_a_lost_worker_loses_only_its_running_test(suite, death):
    # The crash is in the last test, because xdist cannot send tests to a worker that just died.
    suite.makepyfile(test_two="", test_zzz=CRASHING.format(death=death))
    result = suite.runpytest_subprocess(
        "-n2", "--smartcollect-fail-uncalled", "--smartcollect-report=profile.json"
    )
    result.assert_outcomes(passed=5, failed=1)
    assert result.ret == 1
    assert calls(result) == {"users.show": 5}
    result.stdout.fnmatch_lines(["incomplete: 1 worker lost", "not judged, since 1 worker lost: *"])
    plain = json.loads((suite.path / "profile.json").read_text())
    assert (plain["complete"], plain["incomplete"]) == (False, ["1 worker lost"])
    assert load(suite.path / "profile.json").incomplete == ("1 worker lost",)


@pytest.mark.parametrize(
    "way", [("--dist", "load"), ("--dist", "loadgroup"), ("--dist", "loadscope"), ("--maxfail=3",)]
)
def test_the_same_numbers_with_each_distribution(suite, way):
    result = suite.runpytest_subprocess("-n2", "--smartcollect", *way)
    assert calls(result) == {"users.show": 19, "index": 1}
    result.stdout.fnmatch_lines(["20 calls to 2 handlers in 6 tests; *"])
    result.stdout.no_fnmatch_line("incomplete*")


@pytest.mark.parametrize("way", [(), ("-n0",), ("-n1",)])
def test_a_run_that_stops_early_is_incomplete(suite, way):
    suite.makepyfile(
        test_one="""
        import app
        def test_passes(): app.show(1)
        def test_fails():
            app.show(2)
            assert False
        def test_not_reached(): app.show(3)
        def test_nor_this(): app.show(3)
        """,
        test_two="",
    )
    result = suite.runpytest_subprocess("-x", "--smartcollect-fail-uncalled", *way)
    assert result.ret in (1, 2)
    if way != ("-n1",):  # xdist may have started one more test
        assert calls(result) == {"users.show": 2}
    result.stdout.re_match_lines([r"incomplete: (stopped early|interrupted)", "not judged, since "])


def test_a_test_that_ends_the_run(suite):
    suite.makepyfile(
        test_three="""
        import pytest
        def test_exit(): pytest.exit("enough", returncode=0)
        def test_not_reached(): ...
        """
    )
    result = suite.runpytest_subprocess("--smartcollect-fail-uncalled")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["incomplete: stopped early", "not judged, since stopped early: *"])


def test_a_failure_of_the_last_test_is_not_an_early_stop(suite):
    suite.makepyfile(test_zzz="def test_it(): assert False")
    result = suite.runpytest_subprocess("-x", "--smartcollect-fail-uncalled")
    assert result.ret == 1
    result.stdout.no_fnmatch_line("incomplete*")


def test_a_collection_error_makes_a_run_incomplete(suite, run):
    suite.makepyfile(test_one="import nothing_of_this_name")
    result = run("--smartcollect", "--continue-on-collection-errors")
    result.stdout.fnmatch_lines(["incomplete: collection failed"])
    assert calls(result) == {"users.show": 14, "index": 1}
    result = run("--smartcollect")
    assert result.ret in (1, 2)  # with and without xdist
    result.stdout.no_fnmatch_line("no handlers found*")
    assert "INTERNALERROR" not in result.stdout.str()
