from __future__ import annotations

import pytest
from support import plain, table

from smartcollect_pytest.options import OPTIONS


def test_the_help_has_one_group_with_each_option(pytester):
    text = pytester.runpytest("--help").stdout.str()
    group = text[text.index("profile of handlers and functions") :]
    for flag in ("--smartcollect", "--no-smartcollect", *(option.flag for option in OPTIONS)):
        assert flag in group
    for key in ("smartcollect (bool)", *(option.key for option in OPTIONS)):
        assert key in text


@plain
@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("sort", "speed", "choose from total, self"),
        ("rows", "-1", "use a whole number, zero or more"),
        ("rows", "many", "use a whole number, zero or more"),
        ("slowest", "1.5", "use a whole number, zero or more"),
    ],
)
def test_bad_values_are_usage_errors_in_one_line(suite, run, option, value, message):
    flag = f"--smartcollect-{option}"
    result = run(f"{flag}={value}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        [f"ERROR: {flag} (command line): '{value}' is not accepted; {message}*"]
    )
    assert "Traceback" not in result.stderr.str()
    suite.makeini(f"[pytest]\nsmartcollect_{option} = {value}")
    result = run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: smartcollect_{option} (ini file): '{value}' is not*"])


def test_a_bad_switch_in_the_ini_file(suite):
    suite.makeini("[pytest]\nsmartcollect = perhaps")
    result = suite.runpytest()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: smartcollect (ini file): *perhaps*; use true or false"])


def test_options_in_the_ini_file(suite, run):
    suite.makeini(
        "[pytest]\npythonpath = .\nsmartcollect = true\nsmartcollect_rows = 1\n"
        "smartcollect_sort = calls\nsmartcollect_slowest = 0"
    )
    result = run()
    assert [row["handler"] for row in table(result)] == ["users.show"]
    result.stdout.no_fnmatch_line("slowest calls")
    result = run("--smartcollect-sort=handler", "--smartcollect-rows=0")
    assert [row["handler"] for row in table(result)] == ["index", "users.show"]


@plain
@pytest.mark.parametrize("line", ["smartcollect = true", "addopts = --smartcollect"])
def test_no_smartcollect_wins(suite, run, line):
    suite.makeini(f"[pytest]\npythonpath = .\n{line}")
    run().stdout.fnmatch_lines(["*= smartcollect =*"])
    result = run("--no-smartcollect")
    result.assert_outcomes(passed=7)
    result.stdout.no_fnmatch_line("*= smartcollect =*")


@plain
def test_strict_configuration(suite, run):
    # smartswitch itself causes the ignored warning if pydantic is installed.
    strict = [
        "--strict-markers",
        "--strict-config",
        "-W",
        "error",
        "-W",
        "ignore:Support for class",
    ]
    result = run("--smartcollect", *strict)
    result.assert_outcomes(passed=7)


def test_without_the_plugin(suite):
    result = suite.runpytest_subprocess("-p", "no:smartcollect")
    result.assert_outcomes(passed=7)
