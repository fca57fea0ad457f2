"""Suites that patch functions needed for a trace: tests and summary still work."""

from __future__ import annotations

import json

import pytest
from support import plain

APP = "def work(number): ..."
WATCHED = ("--smartcollect-watch=app", "--smartcollect-trace=run.json.gz")
REPLACED = ["json.dumps", "json.loads", "zlib.compress", "zlib.decompress", "zlib.compressobj"]


def trace(path):
    return json.loads(path.read_text("utf-8"))


@pytest.mark.parametrize("name", REPLACED)
def test_suites_that_patch_compression_and_json(pytester, run, name):
    # Patched without undoing it, because the trace is written after the last test.
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


@plain
@pytest.mark.parametrize("option", ["report=run.json", "report=run.html", "trace=run.json"])
def test_the_summary_is_printed_if_a_file_cannot_be_written(pytester, run, option):
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


def test_writing_a_trace_is_announced(pytester):
    pytester.makepyfile(
        app=APP,
        test_it="import app\ndef test_it(): app.work(1)",
        conftest="""
        from contextlib import contextmanager
        from smartcollect_pytest import profiler

        @contextmanager
        def announce(config, what):
            print(f"announced: {what}")
            yield

        profiler.announce = announce
        """,
    )
    result = pytester.runpytest_subprocess("-s", *WATCHED, "--smartcollect-report=run.json")
    result.stdout.fnmatch_lines(["announced: writing run.json", "announced: writing run.json.gz"])


THREADS = """
    import threading
    import pytest
    import app

    class Hostile(threading.Thread):
        @property
        def name(self): raise ValueError("no name")
        @name.setter
        def name(self, name): ...
        ident = property(lambda self: 1 / 0)

    class Text(str):
        def __str__(self): raise ValueError("no text")

    NAMES = ["server", "lone\\ud800", "long" * 100, Text("text"), "two\\nlines"]

    @pytest.fixture(scope="module", autouse=True)
    def threads():
        stopping = threading.Event()

        def run(started):
            app.work(0)
            started.set()
            stopping.wait(60)

        alive = [threading.Thread(target=run) for _ in NAMES] + [Hostile(target=run)]
        for number, one in enumerate(alive):
            one._args = (started := threading.Event(),)
            one._name = NAMES[number] if number < len(NAMES) else "hostile"
            one.start()
            assert started.wait(60)
        yield
        stopping.set()
"""


def test_names_of_threads(pytester, run):
    pytester.makepyfile(app=APP, test_it=f"{THREADS}\n    def test_it(): app.work(1)")
    result = run("--smartcollect-watch=app", "--smartcollect-trace=run.json")
    result.assert_outcomes(passed=1)
    events = trace(pytester.path / "run.json")["traceEvents"]
    names = {one["args"]["name"] for one in events if one["name"] == "thread_name"}
    assert {"MainThread", "server", "hostile", r"lone\ud800", r"two\nlines"} <= names
    (long,) = [name for name in names if name.startswith("long")]
    assert len(long) == 100
    assert "text" not in names


def test_suites_that_patch_threading(pytester, run):
    pytester.makepyfile(
        app=APP,
        test_it="""
        import threading
        import app

        def test_it():
            app.work(1)
            threading.enumerate = threading.main_thread = None

        def test_other(): app.work(2)
        """,
    )
    result = run("--smartcollect-watch=app", "--smartcollect-trace=run.json")
    result.assert_outcomes(passed=2)
