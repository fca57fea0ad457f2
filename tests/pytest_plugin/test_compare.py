"""Comparison with the report of an earlier run."""

from __future__ import annotations

import json

import pytest
from support import table

SLEEPY = """
    import time
    from smartswitch import Switcher

    api = Switcher("api")

    @api
    def work(): time.sleep({work})

    @api
    def rest(): time.sleep(0.001)

    @api
    def {third}(): ...

    def test_it():
        for _ in range(8):
            work()
            rest()
        {third}()
    """


@pytest.fixture
def sleepy(pytester):
    """Writes the suite, and its report as a baseline."""

    def sleepy(work="0.001", third="old"):
        pytester.makepyfile(test_sleepy=SLEEPY.format(work=work, third=third))

    sleepy()
    pytester.runpytest_subprocess("--smartcollect-report=base.json")
    return sleepy


FAIL = "--smartcollect-compare=base.json", "--smartcollect-compare-fail=avg_time:400%"


def test_a_regression_fails_the_run(sleepy, run):
    sleepy(work="0.05", third="new")
    result = run(*FAIL)
    result.assert_outcomes(passed=1)
    assert result.ret == 1
    lines = ["compared with base.json", "new since then: new", "not called any more: old"]
    result.stdout.fnmatch_lines([*lines, "regression: work: avg_time went from 1.* ms to 5*.* ms"])
    rows = {row[0]: row[1:] for row in compared(result)}
    assert rows["work"][0] == "avg_time"
    assert 10 < float(rows["work"][3]) < 100
    assert float(rows["work"][4]) < 0.01
    assert rows["work"][5] == "regression"
    assert len(rows["rest"]) == 5


def compared(result):
    """The rows of the comparison."""
    return table(result, "handler +statistic")


def test_no_regression(sleepy, run):
    result = run(*FAIL, "-q")
    assert result.ret == 0
    result.stdout.no_fnmatch_line("handler *statistic*")
    result = run("--smartcollect-compare=base.json")
    assert result.ret == 0
    assert {row[0] for row in compared(result)} == {"work", "rest", "old"}


def test_options_in_the_ini_file(sleepy, pytester):
    sleepy(work="0.05")
    pytester.makeini(
        """
        [pytest]
        smartcollect_compare = base.json
        smartcollect_compare_fail =
            calls:0%
            max_time:400%
        """
    )
    result = pytester.runpytest_subprocess("--smartcollect")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["regression: work: max_time went *"])
    result = pytester.runpytest_subprocess("--smartcollect", "--smartcollect-compare-min=1s")
    assert result.ret == 0
    assert pytester.runpytest_subprocess().ret == 0


def test_a_baseline_of_another_machine_fails_nothing(sleepy, pytester, run):
    sleepy(work="0.05")
    path = pytester.path / "base.json"
    plain = json.loads(path.read_text())
    plain["run"]["machine"]["cpu"] = "Z80"
    path.write_text(json.dumps(plain))
    for quiet in ((), ("-q",)):
        result = run(*FAIL, *quiet)
        assert result.ret == 0
        result.stdout.fnmatch_lines(
            ["the baseline is of another machine, so it fails nothing: cpu: Z80 then, * now"]
        )
        assert {row[0] for row in compared(result)} == {"work", "rest", "old"}


def test_an_incomplete_baseline(sleepy, pytester):
    path = pytester.path / "base.json"
    plain = json.loads(path.read_text())
    path.write_text(json.dumps({**plain, "incomplete": ["1 worker lost"]}))
    result = pytester.runpytest_subprocess(*FAIL, "-q")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["the baseline is incomplete: 1 worker lost"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "it cannot be read: No such file or directory"),
        ("{", "it is no JSON, or cut off: *"),
        ("{}", "no smartcollect/profile; accepted: *"),
        (
            '{"schema": "smartcollect/profile", "version": 7}',
            "smartcollect/profile version 7 is not accepted; accepted: 1; *by a newer smartcollect",
        ),
    ],
)
def test_a_bad_baseline_is_a_usage_error(suite, run, text, message):
    if text is not None:
        (suite.path / "old.json").write_text(text)
    result = run("--smartcollect-compare=old.json")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        [f"ERROR: --smartcollect-compare (command line): '*old.json' is not accepted; {message}"]
    )
    assert "Traceback" not in result.stderr.str()


def test_a_rule_needs_a_baseline(suite):
    result = suite.runpytest_subprocess("--smartcollect", "--smartcollect-compare-fail=avg:20%")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --smartcollect-compare-fail (command line): there is no*"])
    suite.makeini("[pytest]\npythonpath = .\nsmartcollect_compare_fail = avg:20%")
    assert suite.runpytest_subprocess("--smartcollect").ret == 0


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (FAIL, "compared with base.json: no regression"),
        (FAIL[:1], "compared with base.json: not judged without --smartcollect-compare-fail"),
    ],
)
def test_a_quiet_run_says_that_nothing_became_slower(sleepy, run, options, line):
    result = run(*options, "-q")
    assert result.ret == 0
    assert [one for one in result.outlines if "base.json" in one] == [line]


def test_a_baseline_without_a_common_handler(sleepy, pytester):
    pytester.makepyfile(test_sleepy="def test_it(): ...")
    result = pytester.runpytest_subprocess("--smartcollect-compare=base.json")
    lines = ["compared with base.json", "not called any more: old, rest, work"]
    result.stdout.fnmatch_lines(lines, consecutive=True)
