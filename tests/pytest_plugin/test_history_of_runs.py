"""``--smartcollect-history``: adding complete runs to a database, and comparing with them."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess

import pytest
from support import TIMING, plain

pytest.importorskip("sqlalchemy")

from smartcollect import history
from smartcollect.database.kept_runs import KeptRuns

HISTORY = "--smartcollect-history=sqlite:///runs.db"
COMPARE = "--smartcollect-compare=sqlite:///runs.db"
FAIL = "--smartcollect-compare-fail=25%"
APP = """
    from smartswitch import Switcher
    import timing

    api = Switcher("app")

    @api
    def work():
        timing.compute({seconds})

    @api
    def rest():
        timing.compute(0.001)
    """


@pytest.fixture
def timed(pytester, monkeypatch):
    """Write a suite with simulated times, and return a function that sets the time of `work`."""
    # The suite is rewritten within a second, so bytecode would be stale.
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    pytester.makeini("[pytest]\npythonpath = .")
    pytester.makepyfile(
        timing=TIMING,
        conftest="import timing",
        test_app="""
        import app
        import pytest

        @pytest.mark.parametrize("number", range(10))
        def test_work(number):
            app.work()

        def test_rest():
            app.rest()
        """,
    )

    def work(seconds):
        pytester.makepyfile(app=APP.format(seconds=seconds))

    work(0.010)
    return work


def kept(pytester, **where):
    """Return the runs in the database, oldest first."""
    found = KeptRuns(f"sqlite:///{pytester.path}/runs.db?runs=1000")
    with found.database.reading() as connection:
        from smartcollect.database.runs import Chosen, last_runs

        return last_runs(connection, None, Chosen(**where))


def test_complete_runs_are_added_and_used_as_baseline(timed, pytester, run):
    result = run(HISTORY, COMPARE, FAIL)
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        [
            "nothing to compare with: there is no run on this machine in sqlite:///runs.db",
            "*- added smartcollect run 1 to sqlite:///runs.db -*",
        ]
    )
    result = run(HISTORY, COMPARE, FAIL)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["compared with sqlite:///runs.db", "*run 2 to*"])
    timed(0.020)
    result = run(COMPARE, FAIL)
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        [
            "compared with 2 runs: sqlite:///runs.db",
            "regression: work: steady_time went from 9.8? ms to 19.? ms*",
        ]
    )
    first, second = kept(pytester)
    assert {name.handler: stats.calls for name, stats in first.handlers.items()} == {
        "work": 10,
        "rest": 1,
    }
    assert first.run.created < second.run.created
    assert first.run.command[0] == "pytest"
    assert HISTORY in first.run.command
    assert first.tests.keys() == second.tests.keys()
    assert len(first.tests) == 11


@plain
@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["test_app.py::test_rest"], "only selected tests ran (such as test_app.py::test_rest)"),
        (["-k", "rest"], "10 tests deselected"),
        (["-x", "--deselect=test_app.py::test_rest", "--maxfail=1"], "1 test deselected"),
    ],
)
def test_a_partial_run_is_not_added(timed, pytester, run, arguments, why):
    result = run(HISTORY, *arguments)
    assert result.ret == 0
    result.stdout.fnmatch_lines([f"sqlite:///runs.db: this run is not added: {why}"])
    assert kept(pytester) == []


def test_a_run_that_stopped_early_is_not_added(timed, pytester, run):
    pytester.makepyfile(test_b="def test_fails(): assert False", test_c="def test_c(): pass")
    result = run(HISTORY, "-x")
    result.stdout.fnmatch_lines(["sqlite:///runs.db: this run is not added: *"])
    assert kept(pytester) == []
    result = run(HISTORY)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*- added smartcollect run 1 to sqlite:///runs.db -*"])


def test_options_in_the_ini_file_apply_to_profiled_runs(timed, pytester):
    pytester.makeini(
        "[pytest]\npythonpath = .\nsmartcollect_history = sqlite:///kept.db\n"
        "smartcollect_compare = sqlite:///kept.db?runs=3"
    )
    folder = pytester.mkdir("elsewhere")
    command = ("-p", "no:cacheprovider", "--rootdir", str(pytester.path), "-c", "../tox.ini", "..")
    pytester.chdir()
    os.chdir(folder)
    pytester.runpytest_subprocess(*command).stdout.no_fnmatch_line("*= smartcollect =*")
    pytester.runpytest_subprocess(*command, "--smartcollect").assert_outcomes(passed=11)
    assert (pytester.path / "kept.db").exists()  # relative to the ini file
    result = pytester.runpytest_subprocess(*command, "--smartcollect")
    result.stdout.fnmatch_lines(["compared with sqlite:///kept.db[?]runs=3"])


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_branches(timed, pytester, monkeypatch):
    for name in [name for name in os.environ if name.startswith(("GIT_", "GITHUB_", "CI_"))]:
        monkeypatch.delenv(name)

    def git(*words):
        options = ("-c", "user.name=x", "-c", "user.email=x@example.org")
        subprocess.run(["git", *options, *words], check=True, cwd=pytester.path)

    git("init", "-q", "-b", "main")
    git("add", "app.py", "test_app.py")
    git("commit", "-q", "-m", "first")
    pytester.runpytest_subprocess(HISTORY)
    git("checkout", "-q", "-b", "topic")
    timed(0.020)
    pytester.runpytest_subprocess(HISTORY)
    result = pytester.runpytest_subprocess(f"{COMPARE}?branch=main", FAIL)
    assert result.ret == 1
    result = pytester.runpytest_subprocess(f"{COMPARE}?branch=topic&runs=1", FAIL)
    assert result.ret == 0
    result = pytester.runpytest_subprocess(f"{COMPARE}?branch=none", FAIL)
    result.stdout.fnmatch_lines(
        ["nothing to compare with: there is no run on this machine of branch none in sqlite*"]
    )
    first, second = [one.run.revision for one in kept(pytester)]
    assert (first.branch, first.dirty) == ("main", False)
    assert (second.branch, second.dirty, second.commit) == ("topic", True, first.commit)
    assert len(kept(pytester, branch="main")) == 1


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_the_commit_is_read_before_the_tests(timed, pytester, monkeypatch):
    for name in [name for name in os.environ if name.startswith(("GIT_", "GITHUB_", "CI_"))]:
        monkeypatch.delenv(name)
    commit = (
        "import subprocess\nOPTIONS = ['git', '-c', 'user.name=x', '-c', 'user.email=x@x.org']\n"
        "def commit(name):\n"
        "    subprocess.run([*OPTIONS, 'commit', '-q', '--allow-empty', '-m', name], check=True)\n"
    )
    pytester.makepyfile(
        commits=commit,
        test_z="""
        from commits import commit

        def test_commits(): commit("meanwhile")
        """,
    )
    subprocess.run(["git", "init", "-q"], check=True)
    subprocess.run(["git", "add", "."], check=True)
    exec(commit, made := {})
    made["commit"]("first")
    first = subprocess.check_output(["git", "rev-parse", "HEAD"], text=True).strip()
    pytester.runpytest_subprocess(HISTORY)
    (profile,) = kept(pytester)
    assert (profile.run.revision.commit, profile.run.revision.dirty) == (first, True)


def test_runs_of_other_machines_do_not_count(timed, pytester):
    pytester.runpytest_subprocess(HISTORY)
    pytester.makeconftest(
        """
        import timing

        def pytest_smartcollect_machine_info(config):
            return {"disk": "fast"}
        """
    )
    result = pytester.runpytest_subprocess(COMPARE)
    result.stdout.fnmatch_lines(["nothing to compare with: there is no run on this machine in *"])


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (
            "compare=sqlite:///none.db",
            "'sqlite:///none.db' is not accepted; the database * does not exist*",
        ),
        (
            "history=sqlite:///:memory:",
            "*:memory:' is not accepted; url: SQLite in memory cannot be used; name a file*",
        ),
        ("history=sqlite:///", "'sqlite:///' is not accepted; url: * does not name a file*"),
        (
            "history=sqlite:///x.db?rnus=5",
            "*is not accepted; unknown option 'rnus'; choose from runs,*",
        ),
        ("compare=sqlite:///x.db?runs=0", "*is not accepted; runs=0 leaves nothing to compare*"),
        ("history=mysql://db/x?password=secret", "*password=[*][*][*]' is not accepted; *"),
        ("compare=sqlite:///app.py", "'sqlite:///app.py' is not accepted; file is not a database"),
        (
            "compare=sqlite:///other.db",
            "*'sqlite:///other.db' is not accepted; *contains no smartcollect tables; has*",
        ),
        ("history=sqlite:///app.py", "'sqlite:///app.py' is not accepted; file is not a database"),
        ("history=sqlite:////none/x.db", "*is not accepted; unable to open database file"),
        ("history=runs.db", "'runs.db' is not accepted; give the URL of a database*"),
        ("history=mysql://ada:secret@db/x", "'mysql://ada:[*][*][*]@db/x' is not accepted; *"),
        (
            "compare=postgresql://ada:secret@127.0.0.1:1/x",
            "'postgresql*://ada:[*][*][*]@127.0.0.1:1/x' is not accepted; connection failed*",
        ),
        (
            "compare=sqlite:///runs.db?runs=all",
            "*is not accepted; runs must be a number of runs such as*not 'all'*",
        ),
    ],
)
def test_a_database_that_cannot_be_used_is_a_usage_error(timed, pytester, option, message):
    with sqlite3.connect(pytester.path / "other.db") as other:
        other.execute("CREATE TABLE handlers (id)")
    other.close()
    result = pytester.runpytest_subprocess(f"--smartcollect-{option}")
    assert result.ret == 4
    name = option.partition("=")[0]
    result.stderr.fnmatch_lines([f"ERROR: --smartcollect-{name} (command line): {message}"])
    assert "secret" not in result.stdout.str() + result.stderr.str()


def test_a_slower_run_is_not_a_baseline(timed, pytester, run):
    for _ in range(2):
        run(HISTORY)
    timed(0.020)
    for number in (3, 4, 5, 6):
        result = run(HISTORY, COMPARE, FAIL)
        assert result.ret == 1
        result.stdout.fnmatch_lines(
            ["compared with 2 runs: *", f"*run {number} to *; this run was slower *"]
        )
    # A run without --smartcollect-compare-fail is a baseline, however slow it is.
    run(HISTORY)
    assert run(f"{COMPARE}?runs=1", FAIL).ret == 0
    assert len(kept(pytester)) == 7


@plain
def test_only_a_run_makes_a_database(timed, pytester, run):
    run(HISTORY, "--collect-only")
    run(HISTORY, "--help")
    assert not (pytester.path / "runs.db").exists()


@pytest.mark.new_process
def test_workers_do_not_import_sqlalchemy(timed, pytester):
    pytester.makepyfile(
        test_imports="""
        import sys

        def test_imports():
            assert "sqlalchemy" not in sys.modules
        """
    )
    result = pytester.runpytest_subprocess(HISTORY, COMPARE, "-n2")
    assert result.ret == 0
    assert len(kept(pytester)) == 1


def test_passwords_are_not_stored(timed, pytester):
    url = "postgresql://ada:s3cret@127.0.0.1:1/x?sslpassword=s3cret"
    settings = ("-o", f"smartcollect_history={url}", "--no-smartcollect", f"--junit-prefix={url}")
    pytester.runpytest_subprocess(HISTORY, *settings)  # turned off, so it does not connect
    pytester.runpytest_subprocess(HISTORY, "--smartcollect-report=r.json", f"--junit-prefix={url}")
    (profile,) = kept(pytester)
    hidden = "--junit-prefix=postgresql://ada:***@127.0.0.1:1/x?sslpassword=***"
    assert hidden in profile.run.command
    for name in ("r.json", "runs.db"):
        assert b"s3cret" not in (pytester.path / name).read_bytes()


@pytest.mark.parametrize("path", ["$PLACE/kept.db", "~/kept.db"])
def test_paths_in_urls_are_expanded(timed, pytester, monkeypatch, path):
    place = pytester.mkdir("a?b%20c")
    monkeypatch.setenv("PLACE", str(place))
    monkeypatch.setenv("HOME", str(place))
    pytester.runpytest_subprocess(f"--smartcollect-history=sqlite:///{path}").assert_outcomes(11)
    assert (place / "kept.db").exists()


@pytest.mark.parametrize("column", ["profile", "tests", "times"])
def test_a_damaged_run_is_an_error(timed, pytester, column):
    pytester.runpytest_subprocess(HISTORY)
    with sqlite3.connect(pytester.path / "runs.db") as database:
        database.execute(f"UPDATE runs SET {column} = ?", [b"damaged"])
    database.close()
    if column == "profile":
        result = pytester.runpytest_subprocess(COMPARE)
        assert result.ret == 1
        result.stdout.fnmatch_lines(["sqlite:///runs.db: cannot read earlier runs: run 1 is dama*"])
    found = history(f"sqlite:///{pytester.path}/runs.db")
    with pytest.raises(ValueError, match="run 1 is damaged"):
        found.trend() if column == "times" else found.runs()


@plain
def test_a_database_damaged_during_the_run_fails_it(timed, pytester, run):
    run(HISTORY)
    pytester.makepyfile(
        test_last="""
        import os

        def test_last():
            if os.path.exists("runs.db"):
                with open("runs.db", "r+b") as file:
                    file.write(b"x" * 5000)
        """
    )
    result = run(HISTORY, COMPARE)
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        [
            "sqlite:///runs.db: cannot read earlier runs: file is not a database",
            "sqlite:///runs.db: this run was not added: file is not a database",
        ]
    )


@pytest.mark.new_process
def test_without_sqlalchemy(timed, pytester):
    pytester.makepyfile(sqlalchemy="raise ModuleNotFoundError('no sqlalchemy', name='sqlalchemy')")
    result = pytester.runpytest_subprocess(HISTORY)
    assert result.ret == 4
    refused = "--smartcollect-history (command line): 'sqlite:///runs.db' is not accepted"
    result.stderr.fnmatch_lines([f"ERROR: {refused}; *; install smartcollect[[]database]*"])


@plain
def test_the_html_report_shows_trends(timed, pytester, run):
    pytest.importorskip("jinja2")
    report = pytester.path / "report.html"
    for seconds in (0.1, 0.2):
        timed(seconds)
        assert run(HISTORY, "--smartcollect-report=report.html").ret == 0
    text = report.read_text("utf-8")
    assert "steady time in 2 runs: from 100 ms to 200 ms" in text
    assert text.count("<svg class=spark") == 2
    # A run that only compares is not added, but shows the trends, too.
    run(COMPARE, "--smartcollect-report=report.html")
    text = report.read_text("utf-8")
    assert "steady time in 2 runs: from 100 ms to 200 ms" in text
    assert "Compared with 2 runs: sqlite:///runs.db" in text


def test_trends_that_cannot_be_read_are_noted(timed, pytester):
    pytest.importorskip("jinja2")
    assert pytester.runpytest_subprocess(HISTORY).ret == 0
    with sqlite3.connect(pytester.path / "runs.db") as database:
        database.execute("UPDATE runs SET times = ?", [b"damaged"])
    database.close()
    pytester.runpytest_subprocess(HISTORY, "--smartcollect-report=report.html")
    text = (pytester.path / "report.html").read_text("utf-8")
    assert "sqlite:///runs.db: cannot read trends: run 1 is damaged" in text
