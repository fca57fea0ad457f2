"""Together with popular pytest plugins: our numbers and theirs are correct."""

from __future__ import annotations

import re

import pytest
from support import table

pytest.importorskip("pytest_asyncio")
pytest.importorskip("pytest_cov")

API = """
    import asyncio
    from smartswitch import Switcher

    api = Switcher("api")

    @api
    async def late(seconds=0.001):
        await asyncio.sleep(seconds)
        return seconds

    @api
    def soon(number=0):
        if number < 0:
            return "negative"
        return number
    """


def counts(result):
    return {
        row["handler"]: (int(row["calls"]), int(row["errors"]), int(row["tests"]))
        for row in table(result)
    }


@pytest.mark.parametrize("first", ["--cov=covered", "--smartcollect"])
def test_cov(pytester, run, first):
    """A covered module keeps its 100 %, and an uncovered module does not reach it."""
    pytester.makepyfile(
        covered=API,
        test_it="""
        import asyncio
        import covered

        def test_it(collect):
            assert asyncio.run(covered.late()) == 0.001
            assert covered.soon(1) == 1
            assert covered.soon(-1) == "negative"
            collect.assert_called("soon", times=2)
        """,
    )
    result = run(first, "--cov=covered", "--cov-branch", "--cov-report=term", "--smartcollect")
    result.assert_outcomes(passed=1)
    assert counts(result) == {"late": (1, 0, 1), "soon": (2, 0, 1)}
    result.stdout.re_match_lines([r"covered\.py +12 +0 +2 +0 +100%"])
    pytester.makepyfile(
        test_it="""
        import covered
        def test_it(): assert covered.soon(1) == 1
        """
    )
    result = run(first, "--cov=covered", "--cov-branch", "--cov-report=term", "--smartcollect")
    result.stdout.re_match_lines([r"covered\.py +12 +3 +2 +1 +71%"])


@pytest.mark.parametrize("mode", ["auto", "strict"])
def test_asyncio(pytester, run, mode):
    mark = "@pytest.mark.asyncio" if mode == "strict" else ""
    pytester.makepyfile(
        app=API,
        test_it=f"""
        import asyncio
        import pytest
        import app

        {mark}
        async def test_alone(collect):
            await app.late(0.01)
            collect.assert_called("late", times=1)
            assert 0.009 < collect.stats("late")["max_time"]

        {mark}
        async def test_together(collect):
            await asyncio.gather(app.late(0.01), app.late(0.02))
            collect.assert_called("late", times=2)

        {mark}
        @pytest.mark.collect_budget("late", calls=1)
        async def test_budget():
            await app.late()
            await app.late()
        """,
    )
    result = run("--smartcollect", f"--asyncio-mode={mode}")
    result.assert_outcomes(passed=2, failed=1)
    assert counts(result) == {"late": (5, 0, 3)}
    result.stdout.fnmatch_lines(["late: calls is 2, the budget is 1"])


def test_anyio(pytester, run):
    pytest.importorskip("trio")
    pytester.makepyfile(
        app="""
        import anyio
        from smartswitch import Switcher

        api = Switcher("api")

        @api
        async def late():
            await anyio.sleep(0.001)
        """,
        test_it="""
        import anyio
        import pytest
        import app

        @pytest.fixture(params=["asyncio", "trio"])
        def anyio_backend(request): return request.param

        @pytest.mark.anyio
        async def test_it(collect):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(app.late)
                tasks.start_soon(app.late)
            collect.assert_called("late", times=2)
        """,
    )
    result = run("--smartcollect", "-p", "no:asyncio")
    result.assert_outcomes(passed=2)
    assert counts(result) == {"late": (4, 0, 2)}


@pytest.mark.parametrize("seed", [1, 2])
def test_randomly(suite, run, seed):
    pytest.importorskip("pytest_randomly")
    result = run("--smartcollect", f"--randomly-seed={seed}")
    result.assert_outcomes(passed=7)
    assert counts(result) == {"users.show": (19, 1, 6), "index": (1, 0, 1)}


def test_recording_uses_no_random_numbers(pytester):
    """Recording draws no numbers from the generators that a suite seeds."""
    pytest.importorskip("pytest_randomly")
    pytester.makepyfile(
        app=API,
        test_it="""
        import random
        import app

        def test_it():
            app.soon(1)
            print("drawn", random.random())
        """,
    )
    drawn = set()
    for option in ("--smartcollect", "--no-smartcollect"):
        result = pytester.runpytest_subprocess("-s", "--randomly-seed=1", option)
        drawn.add(re.search(r"drawn ([\d.]+)", result.stdout.str())[1])
    assert len(drawn) == 1


def test_rerunfailures(pytester, run):
    pytester.makepyfile(
        app=API,
        test_it="""
        import pytest
        import app

        attempts = []

        @pytest.mark.flaky(reruns=3)
        def test_flaky():
            attempts.append(app.soon(1))
            assert len(attempts) == 3

        broken = []

        @pytest.mark.flaky(reruns=1)
        @pytest.mark.collect_budget("soon", calls=1)
        def test_budget():
            broken.append(1)
            for _ in range(3 - len(broken)):
                app.soon(2)
        """,
    )
    result = run("--smartcollect")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*2 passed, *3 rerun*"])
    assert counts(result) == {"soon": (6, 0, 2)}


def test_timeout(pytester, run):
    pytester.makepyfile(
        app=API,
        test_it="""
        import time
        import app
        from smartswitch import Switcher

        api = Switcher("slow")

        @api
        def hang(): time.sleep(30)

        def test_hangs(collect):
            app.soon(1)
            hang()

        def test_goes_on(collect):
            app.soon(2)
            collect.assert_called("soon", times=1)
        """,
    )
    result = run("--smartcollect", "--timeout=1", "--timeout-method=signal")
    result.assert_outcomes(passed=1, failed=1)
    assert counts(result) == {"hang": (1, 1, 1), "soon": (2, 0, 2)}


def test_freezegun(pytester, run):
    pytester.makepyfile(
        app=API,
        test_it="""
        from freezegun import freeze_time
        from smartswitch import Switcher
        import app

        api = Switcher("api2")

        @api
        def work(): sum(range(100_000))

        @freeze_time("2001-01-01")
        def test_it(collect):
            work()
            assert 0.0001 < collect.stats("work")["max_time"] < 10
            assert collect.history()[0]["timestamp"] > 1_700_000_000
        """,
    )
    result = run("--smartcollect")
    result.assert_outcomes(passed=1)
    assert counts(result) == {"work": (1, 0, 1)}


def test_all_plugins_with_warnings_as_errors(suite, run):
    result = run(
        *("--smartcollect", "--strict-markers", "--strict-config", "-vv"),
        *("-W", "error", "-W", "ignore:Support for class"),
        *("--cov=app", "--cov-report=", "--timeout=60", "--reruns=1", "-o", "asyncio_mode=auto"),
        *("-o", "asyncio_default_fixture_loop_scope=function"),
    )
    result.assert_outcomes(passed=7)
    assert counts(result) == {"users.show": (19, 1, 6), "index": (1, 0, 1)}
