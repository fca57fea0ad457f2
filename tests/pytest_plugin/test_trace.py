"""``--smartcollect-trace``: timelines of calls and tests, with one process per worker."""

from __future__ import annotations

import gzip
import json
import os
import sys
from collections import Counter

import pytest
from support import plain, table
from test_attempts import AGAIN, APP, FLAKY
from test_report import numbers
from trace_readers import TROUBLE, perfetto

from smartcollect.profiles import load


def read(path):
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as file:
        return json.load(file)


def begun(path, kind):
    """Return the slices of a kind: name, process, names of enclosing slices, and arguments."""
    events = read(path)["traceEvents"]
    processes = {one["pid"]: one["args"]["name"] for one in events if one["name"] == "process_name"}
    found, stacks = [], {}
    for one in events:
        if one["ph"] not in "Xb":
            continue
        around = ()
        if one["ph"] == "X":
            stack = stacks.setdefault(one["tid"], [])
            while stack and stack[-1]["ts"] + stack[-1]["dur"] <= one["ts"]:
                stack.pop()
            stack.append(one)
            around = tuple(outer["name"] for outer in stack[:-1])
        if one["cat"] == kind:
            found.append((one["name"], processes[one["pid"]], around, one.get("args", {})))
    return found


def test_calls_are_inside_their_tests_and_phases(suite, run):
    result = run("--smartcollect-trace=out/run.json.gz", "--smartcollect-trace=run.speedscope.json")
    result.assert_outcomes(passed=7)
    result.stdout.fnmatch_lines(
        [
            "-* generated smartcollect trace: out/run.json.gz (20 calls) -*",
            "-* generated smartcollect trace: run.speedscope.json (20 calls) -*",
        ]
    )
    path = suite.path / "out/run.json.gz"
    calls = begun(path, "call")
    summary = {row["handler"]: int(row["calls"]) for row in table(result)}
    assert Counter(name for name, *_ in calls) == summary == {"users.show": 19, "index": 1}
    test = "test_two.py::test_index"
    assert Counter(around for name, _, around, _ in calls if test in around) == {
        (test, "setup"): 1,
        (test, "call"): 1,
        (test, "call", "index"): 12,
        (test, "teardown"): 1,
    }
    workers = {"gw0", "gw1"} if "= 2 workers" in result.stdout.str() else None
    processes = {process for _, process, *_ in calls}
    assert processes == (workers or processes)
    # Tests and phases without calls are included.
    assert len(begun(path, "test")) == 7
    assert Counter(name for name, *_ in begun(path, "phase")) == {
        "setup": 7,
        "call": 7,
        "teardown": 7,
    }
    (refused,) = [args for _, _, around, args in calls if "error" in args]
    assert refused == {"arguments": "number=-1", "error": "ValueError: no such user"}
    frames = read(suite.path / "run.speedscope.json")["shared"]["frames"]
    assert {"name": test} in frames
    assert perfetto(path, TROUBLE) == [[]]


def test_each_worker_is_a_process(suite):
    suite.runpytest_subprocess("-n2", "--dist=each", "--tx=2*popen", "--smartcollect-trace=r.json")
    names = Counter(process for _, process, *_ in begun(suite.path / "r.json", "test"))
    assert names == {"gw0": 7, "gw1": 7}


def test_a_trace_changes_no_report(suite, run):
    run("--smartcollect-report=without.json")
    run("--smartcollect-report=with.json", "--smartcollect-trace=run.json")
    one, other = (numbers(load(suite.path / name)) for name in ("without.json", "with.json"))
    assert one == other


@pytest.mark.parametrize(
    ("limit", "shown", "note"),
    [
        (3, 3, "(3 calls; 17 left out by --smartcollect-trace-limit)"),
        (20, 20, "(20 calls)"),
        (0, 20, "(20 calls)"),
    ],
)
def test_the_limit_of_calls(suite, run, limit, shown, note):
    result = run("--smartcollect-trace=run.json", f"--smartcollect-trace-limit={limit}")
    result.stdout.fnmatch_lines([f"-* generated smartcollect trace: run.json {note} -*"])
    path = suite.path / "run.json"
    assert len(begun(path, "call")) == shown
    assert len(begun(path, "test")) == 7
    about = read(path)["otherData"]
    assert (about["calls"], about["left_out"]) == (shown, 20 - shown)
    assert {row["handler"]: int(row["calls"]) for row in table(result)} == {
        "users.show": 19,
        "index": 1,
    }


def test_calls_outside_tests_do_not_count_toward_the_limit(suite):
    suite.makepyfile(
        test_one="""
        import app
        def test_it(): app.show(2)
        """,
        test_two="",
        conftest="""
        def pytest_runtest_logfinish():
            import app
            for number in range(100): app.show(1)
        """,
    )
    suite.makepyfile(test_zzz="import app\ndef test_it(): app.show(3)")
    suite.runpytest_subprocess("--smartcollect-trace=run.json", "--smartcollect-trace-limit=2")
    assert [args for *_, args in begun(suite.path / "run.json", "call")] == [
        {"arguments": "number=2"},
        {"arguments": "number=3"},
    ]


@pytest.mark.parametrize("how", AGAIN)
def test_each_attempt_is_shown_once(pytester, run, how):
    pytester.makeconftest(AGAIN[how])
    pytester.makepyfile(app=APP, test_it=FLAKY)
    run("--smartcollect-trace=run.json").assert_outcomes(passed=1)
    calls = begun(pytester.path / "run.json", "call")
    assert Counter(around for _, _, around, _ in calls) == {
        ("test_it.py::test_it", phase): 3 for phase in ("setup", "call", "teardown")
    }
    assert len(begun(pytester.path / "run.json", "test")) == 1


def test_a_lost_worker_loses_only_its_running_test(suite):
    crash = "import os, app\ndef test_crash():\n    app.index(3)\n    os._exit(1)"
    suite.makepyfile(test_two="", test_zzz=crash)
    suite.runpytest_subprocess("-n2", "--smartcollect-trace=run.json")
    assert Counter(name for name, *_ in begun(suite.path / "run.json", "call")) == {"users.show": 5}
    assert read(suite.path / "run.json")["otherData"]["incomplete"] == ["1 worker lost"]


def test_threads_and_calls_that_span_phases(pytester, run):
    pytester.makepyfile(
        app="""
        import asyncio, threading

        stopping = threading.Event()

        def serve():
            answer("first")
            stopping.wait(60)
            answer("last")

        def answer(what): ...

        def numbers():
            yield 1
            yield 2

        async def wait(turn):
            answer(turn)
            await asyncio.sleep(0)
        """,
        test_app="""
        import asyncio, threading
        import pytest, app

        @pytest.fixture
        def server():
            thread = threading.Thread(target=app.serve, name="server")
            thread.start()
            open_numbers = app.numbers()
            next(open_numbers)
            yield open_numbers
            app.stopping.set()
            thread.join()

        def test_it(server):
            assert list(server) == [2]

            async def both():
                await asyncio.gather(app.wait("a"), app.wait("b"))

            asyncio.run(both())
        """,
    )
    result = run("--smartcollect-watch=app", "--smartcollect-trace=run.json")
    result.assert_outcomes(passed=1)
    path = pytester.path / "run.json"
    calls = begun(path, "call")
    assert Counter(name for name, *_ in calls) == {
        "answer": 4,
        "numbers": 1,
        "serve": 1,
        "wait": 2,
    }
    test = "test_app.py::test_it"
    # Calls that began in another phase, or run step by step, are on their own track and name their
    # test.
    own = {(name, args["test"]) for name, _, around, args in calls if name != "answer"}
    assert own == {("numbers", test), ("serve", test), ("wait", test)}
    answers = {args["arguments"]: around for name, _, around, args in calls if name == "answer"}
    assert answers == {
        "what='first'": (),
        "what='last'": (),
        "what='a'": (test, "call"),
        "what='b'": (test, "call"),
    }
    names, trouble = perfetto(
        path, "select name from thread where name is not null order by name", TROUBLE
    )
    assert [row["name"] for row in names] == ["MainThread", "server"]
    assert trouble == []


@plain
def test_budgets_with_a_trace(suite, run):
    suite.makepyfile(
        test_two="""
        import pytest, app

        @pytest.mark.collect_budget("users.show", calls=2)
        def test_index(): app.index(3)
        """
    )
    result = run("--smartcollect-trace=run.json")
    result.assert_outcomes(passed=5, failed=1)
    assert len(begun(suite.path / "run.json", "call")) == 9


@plain
@pytest.mark.parametrize("name", ["run.txt", "run.gz", "trace"])
def test_a_file_name_without_a_known_suffix_is_refused(suite, run, name):
    result = run(f"--smartcollect-trace={name}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: --smartcollect-trace (command line): '{name}' is not *"])


@plain
def test_a_file_that_cannot_be_written_is_refused_before_the_tests(suite, run):
    (suite.path / "run.json").mkdir()
    result = run("--smartcollect-trace=run.json")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --smartcollect-trace (command line): *run.json' is not *"])


@plain
@pytest.mark.parametrize(
    ("options", "refused"),
    [
        (["report=run.json", "trace=run.json"], "trace"),
        (["trace=run.json.gz", "trace=x/../run.json.gz"], "trace"),
        (["report=run.md", "report=run.md"], "report"),
    ],
    ids=["of both", "other path", "of one"],
)
def test_a_file_cannot_be_written_twice(suite, run, options, refused):
    result = run(*[f"--smartcollect-{option}" for option in options])
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    other = options[0].partition("=")[0]
    why = f"is not accepted; --smartcollect-{other} already writes this file"
    result.stderr.fnmatch_lines([f"ERROR: --smartcollect-{refused} (command line): '*' {why}"])


def test_a_file_that_cannot_be_written_at_the_end_fails_the_run(suite):
    suite.makepyfile(test_zzz="import os\ndef test_it(): os.mkdir('run.json')")
    result = suite.runpytest_subprocess("--smartcollect-trace=run.json")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*run.json: not written: Is a directory"])
    assert not [name for name in os.listdir(suite.path) if name.startswith(".run.json")]


@plain
def test_a_suite_that_calls_nothing(pytester, run):
    pytester.makepyfile(test_it="def test_it(): ...")
    run(
        "--smartcollect-trace=run.json", "--smartcollect-trace=run.speedscope.json"
    ).assert_outcomes(passed=1)
    path = pytester.path / "run.json"
    assert [name for name, *_ in begun(path, "phase")] == ["setup", "call", "teardown"]
    assert perfetto(path, TROUBLE) == [[]]


@pytest.mark.skipif(sys.platform == "win32", reason="needs fork")
def test_tests_in_forks(pytester):
    pytester.makeconftest(
        """
        import os, pickle
        import pytest
        from _pytest.runner import runtestprotocol

        @pytest.hookimpl(tryfirst=True)
        def pytest_runtest_protocol(item, nextitem):
            hook, config = item.ihook, item.config
            read, write = os.pipe()
            if not os.fork():
                made = [
                    config.hook.pytest_report_to_serializable(config=config, report=report)
                    for report in runtestprotocol(item, log=False)
                ]
                os.write(write, pickle.dumps(made))
                os._exit(0)
            os.close(write)
            sent = os.fdopen(read, "rb").read()
            os.wait()
            for one in pickle.loads(sent):
                report = config.hook.pytest_report_from_serializable(config=config, data=one)
                hook.pytest_runtest_logreport(report=report)
            return True
        """
    )
    pytester.makepyfile(
        app=APP, test_it="import app\ndef test_one(): app.work(1)\ndef test_two(): app.work(2)"
    )
    pytester.runpytest_subprocess("--smartcollect-trace=run.json").assert_outcomes(passed=2)
    calls = begun(pytester.path / "run.json", "call")
    assert [around for _, _, around, _ in calls] == [
        ("test_it.py::test_one", "call"),
        ("test_it.py::test_two", "call"),
    ]
