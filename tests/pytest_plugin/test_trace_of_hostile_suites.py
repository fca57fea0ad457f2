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
