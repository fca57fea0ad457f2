"""Together with plugins that repeat or fork tests: each attempt counts once."""

from __future__ import annotations

import pytest
from support import table

APP = """
    from smartswitch import Switcher
    api = Switcher("api")

    @api
    def work(number): ...
    """
AGAIN = {
    "pytest_retry": ("-p no:flaky -p no:rerunfailures", "@pytest.mark.flaky(retries=2)"),
    "flaky": ("-p no:pytest-retry -p no:rerunfailures", "@flaky.flaky(max_runs=3)"),
    "pytest_rerunfailures": ("-p no:flaky -p no:pytest-retry", "@pytest.mark.flaky(reruns=2)"),
}


def counts(result):
    return {row["handler"]: (int(row["calls"]), int(row["tests"])) for row in table(result)}


@pytest.fixture
def only(monkeypatch):
    def only(options):
        monkeypatch.setenv("PYTEST_ADDOPTS", f"-p no:hypothesispytest -p no:randomly {options}")

    return only


@pytest.mark.parametrize("plugin", AGAIN)
@pytest.mark.parametrize("option", ["--smartcollect", "--no-summary"])
def test_each_attempt_counts_once_and_is_judged_alone(pytester, run, only, plugin, option):
    pytest.importorskip(plugin)
    options, again = AGAIN[plugin]
    only(options)
    pytester.makepyfile(
        app=APP,
        test_it=f"""
        import pytest
        import {plugin}
        import app

        attempts, broken = [], []

        @pytest.fixture
        def around():
            app.work("before")
            yield
            app.work("after")

        {again}
        @pytest.mark.collect_budget("work", calls=1)
        def test_again(around):
            attempts.append(app.work(1))
            assert len(attempts) == 3

        {again}
        @pytest.mark.collect_budget("work", calls=1)
        def test_budget():
            broken.append(1)
            for _ in range(4 - len(broken)):
                app.work(2)
        """,
    )
    result = run(option)
    assert result.parseoutcomes()["passed"] == 2
    assert result.ret == 0
    if option == "--smartcollect":
        assert counts(result) == {"work": (9 + 6, 2)}
        result.stdout.no_fnmatch_line("incomplete*")


@pytest.mark.parametrize("crash", ["", "os.kill(os.getpid(), 9)", "os._exit(3)"])
def test_forked(pytester, run, only, crash):
    pytest.importorskip("pytest_forked")
    only("-p no:flaky -p no:pytest-retry -p no:rerunfailures")
    pytester.makepyfile("def test_it(): ...")
    if pytester.runpytest_subprocess("--forked", "-p", "no:smartcollect").ret != 0:
        pytest.skip("this pytest-forked does not work with this pytest")
    next(pytester.path.glob("test_*.py")).unlink()
    pytester.makepyfile(
        app=APP,
        test_it=f"""
        import os
        import app

        def test_one():
            app.work(1)
            {crash}

        def test_two(): app.work(2)
        """,
    )
    result = run("--smartcollect", "--forked")
    if crash:
        result.stdout.fnmatch_lines(["incomplete: 1 test crashed"])
    else:
        result.assert_outcomes(passed=2)
        assert counts(result) == {"work": (2, 2)}
        result.stdout.no_fnmatch_line("incomplete*")


def test_repeat(pytester, run, only):
    pytest.importorskip("pytest_repeat")
    only("-p no:flaky -p no:pytest-retry")
    pytester.makepyfile(app=APP, test_it="import app\ndef test_it(): app.work(1)")
    result = run("--smartcollect", "--count=3")
    result.assert_outcomes(passed=3)
    assert counts(result) == {"work": (3, 3)}


@pytest.mark.parametrize("plugin", ["pytest_split", "pytest_html"])
def test_shards_and_pages(pytester, run, only, plugin):
    pytest.importorskip(plugin)
    only("-p no:flaky -p no:pytest-retry")
    pytester.makepyfile(
        app=APP + "\n    @api\n    def idle(): ...",
        test_it="""
        import app
        def test_one(): app.work(1)
        def test_two(): app.work(2)
        """,
    )
    split = plugin == "pytest_split"
    options = ("--splits=2", "--group=1") if split else ("--html=page.html",)
    result = run("--smartcollect-fail-uncalled", *options)
    assert result.ret == (0 if split else 1)
    assert counts(result) == {"work": (1, 1) if split else (2, 2)}
