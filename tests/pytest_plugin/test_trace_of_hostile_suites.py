"""Suites that replace what a trace is made with: it breaks neither tests nor the summary."""

from __future__ import annotations

import pytest

APP = "def work(number): ..."
WATCHED = ("--smartcollect-watch=app", "--smartcollect-trace=run.json.gz")
REPLACED = ["json.dumps", "json.loads", "zlib.compress", "zlib.decompress", "zlib.compressobj"]


@pytest.mark.parametrize("name", REPLACED)
def test_suites_replace_what_a_trace_could_be_packed_with(pytester, run, name):
    # For good: the trace is written after the last test.
    pytester.makepyfile(
        app=APP,
        test_it=f"""
        import json, zlib
        import pytest
        import app

        @pytest.mark.parametrize("number", range(4))
        def test_it(number):
            app.work(number)
            {name} = lambda *args, **kwargs: "{{"
        """,
    )
    result = run(*WATCHED)
    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines(["-* generated smartcollect trace: run.json.gz (4 calls) -*"])


@pytest.mark.parametrize("option", ["report=run.json", "report=run.html", "trace=run.json"])
def test_a_file_that_cannot_be_made_leaves_the_summary(pytester, run, option):
    pytester.makepyfile(
        app=APP,
        test_it="import app\ndef test_it(): app.work(1)",
        conftest="""
        import os
        import pytest

        @pytest.hookimpl(tryfirst=True)
        def pytest_sessionfinish():
            def replace(*args):
                raise ValueError("not today")
            os.replace = replace
        """,
    )
    result = run("--smartcollect-watch=app", f"--smartcollect-{option}")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    name = option.partition("=")[2]
    result.stdout.fnmatch_lines(["work *", f"*{name}: not written: ValueError: not today"])
    result.stdout.no_fnmatch_line("*INTERNALERROR*")


def test_that_a_trace_is_written_is_said_too(pytester):
    """Somebody waits for a file of a million calls."""
    pytester.makepyfile(
        app=APP,
        test_it="import app\ndef test_it(): app.work(1)",
        conftest="""
        from contextlib import contextmanager
        from smartcollect_pytest import profiler

        @contextmanager
        def telling(config, what):
            print(f"telling: {what}")
            yield

        profiler.telling = telling
        """,
    )
    result = pytester.runpytest_subprocess("-s", *WATCHED, "--smartcollect-report=run.json")
    result.stdout.fnmatch_lines(["telling: writing run.json", "telling: writing run.json.gz"])
