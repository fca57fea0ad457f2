"""Phases with several reports or none: each call counts once, each attempt has its own budget."""

from __future__ import annotations

import sys

import pytest
from support import TIMING, table

from smartcollect.profiles import load

APP = """
    from smartswitch import Switcher
    api = Switcher("api")

    @api
    def work(number): ...
    """
SUBTESTS = """
    import pytest
    import app
    import timing

    @pytest.mark.collect_budget("work", calls=3)
    def test_it(subtests):
        for number in range(4):
            with subtests.test(number=number):
                app.work(number)
                timing.compute(0.05)
    """
UNITTEST = """
    import unittest
    import pytest
    import app
    import timing

    @pytest.mark.collect_budget("work", calls=3)
    class TestIt(unittest.TestCase):
        def test_it(self):
            for number in range(4):
                with self.subTest(number=number):
                    app.work(number)
                    timing.compute(0.05)
    """
KINDS = {"subtests": SUBTESTS, "subTest": UNITTEST}


@pytest.fixture(autouse=True)
def timing(pytester):
    pytester.makepyfile(timing=TIMING)
    pytester.makeconftest("import timing")
    pytester.syspathinsert()


def counts(result):
    return {row["handler"]: (int(row["calls"]), int(row["tests"])) for row in table(result)}


@pytest.mark.skipif(int(pytest.__version__.split(".")[0]) < 9, reason="pytest 9 has subtests")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("option", ["--smartcollect", "--no-summary"])
def test_a_budget_covers_all_subtests_together(pytester, run, kind, option):
    pytester.makepyfile(app=APP, test_it=KINDS[kind])
    result = run(option)
    assert result.parseoutcomes()["failed"] == 1
    assert result.ret == 1
    if option == "--smartcollect":
        result.stdout.fnmatch_lines(["*work: calls is 4, the budget is 3"])
        assert counts(result) == {"work": (4, 1)}
        result.stdout.fnmatch_lines(["4 calls to 1 handler in 1 test*"])


@pytest.mark.skipif(int(pytest.__version__.split(".")[0]) < 9, reason="pytest 9 has subtests")
@pytest.mark.parametrize("kind", KINDS)
def test_the_duration_of_a_phase_includes_all_subtests(pytester, run, kind):
    # Without a call in the last subtest, its time is still counted.
    text = KINDS[kind].replace("app.work(number)", "number < 3 and app.work(number)")
    pytester.makepyfile(app=APP, test_it=text)
    result = run("--smartcollect-report=report.json", "--smartcollect-junit", "--junit-xml=it.xml")
    assert result.ret == 0
    (phases,) = load(pytester.path / "report.json").tests.values()
    assert set(phases) == {"call"}
    assert phases["call"].outcome == "passed"
    assert phases["call"].duration == pytest.approx(0.2)
    assert "calls=3 " in (pytester.path / "it.xml").read_text("utf-8")


INSIDE = """
    import pytest

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(item, call):
        report = yield
        if call.when != "call" or not report.failed:
            return report
        report.outcome = "rerun"
        item.ihook.pytest_runtest_logreport(report=report)
        for attempt in range(2):
            item.ihook.pytest_runtest_teardown(item=item, nextitem=None)
            item._initrequest()
            item.ihook.pytest_runtest_setup(item=item)
            again = pytest.CallInfo.from_call(
                lambda: item.ihook.pytest_runtest_call(item=item), when="call"
            )
            made = pytest.TestReport.from_item_and_call(item, again)
            report.outcome, report.longrepr = made.outcome, made.longrepr
            if made.passed:
                break
        return report

    def pytest_report_teststatus(report):
        if report.outcome == "rerun":
            return "rerun", "R", "RERUN"
    """
UNREPORTED = """
    import pytest
    from _pytest.runner import runtestprotocol

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(item, nextitem):
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        for attempt in range(3):
            reports = runtestprotocol(item, log=False, nextitem=None)
            if all(report.passed for report in reports):
                break
        for report in reports:
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True
    """
AGAIN = {"while reporting": INSIDE, "without reports": UNREPORTED}
FLAKY = """
    import pytest
    import app

    attempts = []

    @pytest.fixture
    def around():
        app.work("before")
        yield
        app.work("after")

    @pytest.mark.collect_budget("work", calls=1)
    def test_it(around):
        attempts.append(app.work("it"))
        assert len(attempts) == 3
    """


@pytest.mark.parametrize("how", AGAIN)
def test_each_attempt_counts_once_and_has_its_own_budget(pytester, run, how):
    pytester.makeconftest(AGAIN[how])
    pytester.makepyfile(app=APP, test_it=FLAKY)
    result = run("--smartcollect-report=report.json", "--smartcollect-junit", "--junit-xml=it.xml")
    result.assert_outcomes(passed=1)
    assert counts(result) == {"work": (9, 1)}
    result.stdout.no_fnmatch_line("incomplete*")
    (phases,) = load(pytester.path / "report.json").tests.values()
    calls = {
        when: (phase.outcome, sum(used.calls for used in phase.handlers.values()))
        for when, phase in phases.items()
    }
    assert calls == {"setup": ("passed", 3), "call": ("passed", 3), "teardown": ("passed", 3)}
    assert "calls=3 " in (pytester.path / "it.xml").read_text("utf-8")


@pytest.mark.parametrize("how", AGAIN)
@pytest.mark.parametrize("option", ["--smartcollect", "--no-summary"])
def test_an_attempt_over_its_budget_fails(pytester, run, how, option):
    pytester.makeconftest(AGAIN[how])
    pytester.makepyfile(app=APP, test_it=FLAKY.replace('("it"))', '("it")) or app.work(2)'))
    result = run(option)
    result.assert_outcomes(failed=1)


@pytest.mark.skipif(sys.platform == "win32", reason="needs fork")
@pytest.mark.parametrize("crash", [False, True])
def test_reports_from_another_process(pytester, run, crash):
    pytester.makeconftest(
        """
        import os, pickle
        import pytest
        from _pytest.runner import runtestprotocol

        @pytest.hookimpl(tryfirst=True)
        def pytest_runtest_protocol(item, nextitem):
            ihook = item.ihook
            ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
            read, write = os.pipe()
            if not os.fork():
                hook = item.config.hook
                made = [
                    hook.pytest_report_to_serializable(config=item.config, report=report)
                    for report in runtestprotocol(item, log=False)
                ]
                os.write(write, pickle.dumps(made))
                os._exit(0)
            os.close(write)
            sent = os.fdopen(read, "rb").read()
            os.wait()
            for one in pickle.loads(sent) if sent else []:
                report = ihook.pytest_report_from_serializable(config=item.config, data=one)
                ihook.pytest_runtest_logreport(report=report)
            if not sent:
                report = pytest.TestReport(item.nodeid, item.location, {}, "failed", "died", "???")
                ihook.pytest_runtest_logreport(report=report)
            ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
            return True
        """
    )
    pytester.makepyfile(
        app=APP,
        test_it=f"""
        import os
        import app

        def test_one():
            app.work(1)
            {crash} and os._exit(1)

        def test_two(): app.work(2)
        """,
    )
    result = run("--smartcollect")
    result.assert_outcomes(passed=1 if crash else 2, failed=int(crash))
    assert counts(result) == {"work": (1, 1) if crash else (2, 2)}
    if crash:
        result.stdout.fnmatch_lines(["incomplete: 1 test crashed"])
    else:
        result.stdout.no_fnmatch_line("incomplete*")
