"""Comparison with reports of earlier runs."""

from __future__ import annotations

import itertools
import json

import pytest
from support import TIMING, plain, table

SUITE = """
    import timing
    from smartswitch import Switcher

    api = Switcher("api")

    @api
    def work(): timing.compute({work} * {machine})

    @api
    def rest():
        timing.compute(0.001 * {machine})
        timing.wait_for_a_processor({delay})

    @api
    def {third}(): ...

    others = [
        api(f"other{{number}}")(eval("lambda: timing.compute(0.002 * {machine})"))
        for number in range({others})
    ]

    def test_it():
        for _ in range(8):
            work()
            rest()
            for other in others:
                other()
        {third}()
    """


@pytest.fixture
def timed(pytester, monkeypatch):
    """Write a suite and its baseline, and return a function that rewrites it with other times."""

    def write(work=0.001, third="old", delay=0.0, others=0, machine=1.0):
        suite = SUITE.format(work=work, third=third, delay=delay, others=others, machine=machine)
        pytester.makepyfile(timing=TIMING, test_timed=suite)

    # The file is rewritten within a second and with the same size, so bytecode would be stale.
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    pytester.makeconftest("import timing")
    pytester.makeini("[pytest]\npythonpath = .")
    write()
    pytester.runpytest_subprocess("--smartcollect-report=base.json")
    return write


FAIL = "--smartcollect-compare=base.json", "--smartcollect-compare-fail=20%"


def test_a_regression_fails_the_run(timed, run):
    timed(work=0.002, third="new", delay=0.009)
    result = run(*FAIL)
    result.assert_outcomes(passed=1)
    assert result.ret == 1
    lines = ["compared with base.json", "new since then: new", "no longer called: old"]
    ending = "+100 % (20 % allowed), 992 µs more, p = 0.00??, 8 calls before, 8 now"
    verdict = f"regression: work: steady_time went from 9?? µs to 1.9? ms: {ending}"
    result.stdout.fnmatch_lines([*lines, verdict])
    rows = {row["handler"]: [*row.values()][1:] for row in compared(result)}
    assert rows["work"][:5] == ["steady_time", "992 µs", "1.98 ms", "2.00", "regression"]
    assert float(rows["work"][5]) < 0.01
    # Waiting for a processor does not count.
    assert rows["rest"] == ["steady_time", "992 µs", "992 µs", "1.00", "", "1.0000"]


def compared(result):
    """Return the rows of the comparison table."""
    return table(result, "handler +statistic")


def test_no_regression(timed, run):
    result = run(*FAIL, "-q")
    assert result.ret == 0
    result.stdout.no_fnmatch_line("handler *statistic*")
    result = run("--smartcollect-compare=base.json")
    assert result.ret == 0
    assert {row["handler"] for row in compared(result)} == {"work", "rest", "old"}


def test_options_in_the_ini_file(timed, pytester):
    timed(work=0.05)
    pytester.makeini(
        """
        [pytest]
        pythonpath = .
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


@plain
def test_a_baseline_of_another_machine_does_not_fail_the_run(timed, pytester, run):
    timed(work=0.05)
    path = pytester.path / "base.json"
    plain = json.loads(path.read_text())
    plain["run"]["machine"]["cpu"] = "Z80"
    path.write_text(json.dumps(plain))
    for quiet in ((), ("-q",)):
        result = run(*FAIL, *quiet)
        assert result.ret == 0
        line = "the baseline comes from a different machine; differences do not fail the run: "
        result.stdout.fnmatch_lines([f"{line}cpu: Z80 before, * now"])
        assert {row["handler"] for row in compared(result)} == {"work", "rest", "old"}


def test_an_incomplete_baseline(timed, pytester):
    path = pytester.path / "base.json"
    plain = json.loads(path.read_text())
    path.write_text(json.dumps({**plain, "incomplete": ["1 worker lost"]}))
    result = pytester.runpytest_subprocess(*FAIL, "-q")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["the baseline is incomplete: 1 worker lost"])


@plain
@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            None,
            "the file cannot be read: No such file *; write it first with *-report=old.json",
        ),
        ("{", "the file is not valid JSON, or is cut off: *"),
        ("{}", "not a smartcollect/profile; use a report*"),
        (
            '{"schema": "smartcollect/profile", "version": 7}',
            (
                "smartcollect/profile version 7 cannot be read, only version 1; "
                "it was written by a newer smartcollect"
            ),
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


@plain
@pytest.mark.parametrize(
    ("options", "line"),
    [
        (FAIL, "compared with base.json: no regression"),
        (FAIL[:1], "compared with base.json: not judged without --smartcollect-compare-fail"),
    ],
)
def test_a_quiet_run_prints_one_line_without_regressions(timed, run, options, line):
    result = run(*options, "-q")
    assert result.ret == 0
    assert [one for one in result.outlines if "base.json" in one] == [line]


def test_a_baseline_without_a_common_handler(timed, pytester):
    pytester.makepyfile(test_timed="def test_it(): ...")
    result = pytester.runpytest_subprocess("--smartcollect-compare=base.json")
    lines = ["compared with base.json", "no longer called: old, rest, work"]
    result.stdout.fnmatch_lines(lines, consecutive=True)


# -- several runs --------------------------------------------------------------------------------


@pytest.fixture
def kept(timed, pytester):
    """Write reports of four runs of the same code, on a machine that drifts, to a folder."""
    (pytester.path / "kept").mkdir()
    for number, machine in enumerate([1.0, 1.3, 0.9, 1.1]):
        timed(others=6, machine=machine)
        pytester.runpytest_subprocess(f"--smartcollect-report=kept/{number}.json")
    return timed


def test_a_folder_of_runs(kept, run):
    kept(work=0.0012, others=6, machine=1.0)
    result = run("--smartcollect-compare=kept", "--smartcollect-compare-fail=10%")
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        [
            "compared with 4 runs: kept",
            "corrected for the drift of the machine: this run took 0.9? times as long (8 handlers)",
            "regression: work: steady_time went from *, 4 earlier runs with a spread of *",
        ]
    )
    rows = {row["handler"]: row for row in table(result, "handler +statistic .* spread")}
    assert float(rows["work"]["ratio"]) == pytest.approx(1.2, abs=0.03)
    assert float(rows["work"]["spread"].strip("± %")) >= 1
    assert rows["work"]["judged"] == "regression"
    assert rows["other1"]["judged"] == ""


@plain
def test_several_files(kept, run):
    files = [f"--smartcollect-compare=kept/{number}.json" for number in range(3)]
    kept(others=6, machine=2.0)
    result = run(*files, "--smartcollect-compare-fail=10%", "-q")
    assert result.ret == 0
    line = "everything is slower, this run took 2.?? times as long (8 handlers)"
    result.stdout.fnmatch_lines([f"compared with 3 runs: kept/0.json, *: {line}"])


@plain
@pytest.mark.parametrize("action", ["compute", "wait"])
def test_a_slow_function_is_no_drift_of_its_callers(pytester, run, action, monkeypatch):
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")  # as in `timed`
    pytester.makeini("[pytest]\npythonpath = .\nsmartcollect_watch = app")
    pytester.makepyfile(
        timing=TIMING.replace(
            "def compute(", "def wait(seconds): Time.now += seconds\n\n    def compute("
        ),
        conftest="import timing",
        test_app="""
        import app
        import pytest

        @pytest.mark.parametrize("number", range(10))
        def test_it(number):
            app.view()
        """,
    )
    calls = ["view", "page", "user", "load", "query"]
    for seconds, options in ((0.002, ["--smartcollect-report=base.json"]), (0.02, FAIL)):
        functions = [f"def {one}(): {other}()" for one, other in itertools.pairwise(calls)]
        last = f"def query(): timing.{action}({seconds})"
        pytester.makepyfile(app="\n".join(["import timing", *functions, last]))
        result = run(*options)
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        [
            "not corrected for the drift of the machine: *, more than a machine causes",
            "regression: query: steady_time went from 1.98 ms to 19.8 ms: *",
        ]
    )


@pytest.mark.parametrize(("rule", "fails"), [("20%", 0), ("drift:20%", 1)])
def test_drift_has_its_own_line_and_rule(kept, run, rule, fails):
    kept(others=6, machine=2.0)
    result = run("--smartcollect-compare=kept", f"--smartcollect-compare-fail={rule}")
    assert result.ret == fails
    result.stdout.fnmatch_lines(
        [
            "corrected for the drift of the machine: this run took 1.?? times as long (8 handlers)",
            "everything is slower: either the machine or something all handlers share*",
        ]
    )
    failed = result.stdout.str().count("everything is slower: this run took 1.")
    assert failed == fails


@plain
def test_with_few_handlers_drift_is_not_taken_out(timed, run):
    timed(work=0.002)
    result = run(*FAIL)
    told = "measuring it takes 5 handlers that mostly compute, and this run has 2"
    result.stdout.fnmatch_lines([f"not corrected for the drift of the machine: {told}"])


@plain
def test_handlers_with_too_few_calls_are_noted(timed, run):
    result = run(*FAIL)
    result.stdout.fnmatch_lines(["old: 1 call, too few to judge"])


@plain
def test_an_empty_folder(timed, pytester, run):
    (pytester.path / "none").mkdir()
    result = run("--smartcollect-compare=none", "--smartcollect-compare-fail=25%", "-q")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["nothing to compare with: there is no report in *none"])


@plain
def test_a_folder_with_a_file_that_is_not_a_report(timed, pytester, run):
    (pytester.path / "kept").mkdir()
    (pytester.path / "kept" / "other.json").write_text("{}")
    result = run("--smartcollect-compare=kept")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: *kept' is not accepted; other.json: not a smartcollect/*"])


@plain
def test_a_report_of_the_first_version(timed, pytester, run):
    path = pytester.path / "base.json"
    plain = json.loads(path.read_text())
    del plain["waiting"]
    for one in plain["handlers"]:
        for name in ("steady", "steady_total", "ran_total", "read_total", "steady_time"):
            del one[name]
    path.write_text(json.dumps(plain))
    timed(work=0.002)
    result = run(*FAIL)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["regression: work: p50_time went from 1.00 ms to 2.00 ms*"])


# -- a busy machine ------------------------------------------------------------------------------


def test_the_summary_shows_how_busy_the_machine_was(timed, run):
    timed(delay=0.003)
    result = run("--smartcollect")
    # Eight times 2 ms of work and 3 ms of waiting.
    result.stdout.fnmatch_lines(["60 % of the run was spent waiting for a processor"])
    timed(delay=0.00005)
    run("--smartcollect").stdout.no_fnmatch_line("*waiting for a processor")


def test_a_budget_on_the_steady_time(timed, pytester, run):
    pytester.makeini("[pytest]\npythonpath = .\nsmartcollect_test_budgets = rest steady_time<=2ms")
    timed(delay=0.009)
    assert run().ret == 0
    timed(delay=0.009, work=0.5)
    pytester.makeini("[pytest]\npythonpath = .\nsmartcollect_budgets = work steady_time<=20ms")
    result = run("--smartcollect")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["over budget: work: steady_time is 500 ms*"])
