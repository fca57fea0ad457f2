"""``smartcollect history``: the runs in a database."""

from __future__ import annotations

from dataclasses import replace

import pytest
from made_reports import profile_of

pytest.importorskip("sqlalchemy", reason="comes with the extra database")

from smartcollect import history
from smartcollect.database.kept_runs import KeptRuns
from smartcollect.database.runs import add_run

DAY = 86_400.0


@pytest.fixture
def url(tmp_path, monkeypatch):
    """Return the URL of a database of ten daily runs; from the sixth on, ``get`` has 5 calls."""
    monkeypatch.chdir(tmp_path)
    kept = KeptRuns("sqlite:///runs.db")
    for day in range(10):
        calls = {"get": [0.001] * (4 if day < 5 else 5), "put": [0.002]}
        made = profile_of(calls, DAY * day, {"test_get": "get"}, commit=f"{day:x}" * 40)
        kept.add(made)
    return "sqlite:///runs.db"


def test_runs_are_listed(url, smartcollect):
    result = smartcollect("history", "list", "--db", url)
    assert (result.exit_code, result.stderr) == (0, "")
    rows = [line.split() for line in result.stdout.splitlines()]
    assert rows[0] == ["when", "commit", "branch", "tests", "calls", "total"]
    assert len(rows) == 12
    assert rows[2][:3] == ["1970-01-01", "00:00:00", "UTC"]
    assert rows[-1][3:] == ["9" * 12, "main", "1", "6", "7.00", "ms"]
    result = smartcollect("history", "list", "--last", 2, env={"SMARTCOLLECT_DB": url})
    assert len(result.stdout.splitlines()) == 4
    result = smartcollect("history", "list", "--db", url, "--branch", "topic")
    assert result.stdout == "there are no runs of branch topic\n"


def test_trends_are_shown(url, smartcollect):
    result = smartcollect("history", "trend", "g*", "--db", url)
    assert result.exit_code == 0
    assert "1970-01-06 00:00:00 UTC" in result.stdout
    assert "5" * 12 in result.stdout
    result = smartcollect("history", "trend", "--db", url)
    assert "get" in result.stdout
    result = smartcollect("history", "trend", "gets", "--db", url)
    assert result.exit_code == 2
    assert "did you mean 'get'?" in result.stderr


@pytest.mark.parametrize(
    ("words", "left"),
    [
        ("--keep 4", 4),
        ("--keep 40", 10),
        ("--before 1970-01-04T00:00+00:00", 7),
        ("--older-than 1970-01-04T00:00+00:00 --keep 9", 9),
        ("--older-than 30d", 0),
        ("--keep 0", 0),
    ],
)
def test_old_runs_are_deleted(words, left, url, smartcollect):
    words = ["history", "prune", "--db", url, *words.split()]
    many = f"{10 - left} run{'s' * (10 - left != 1)}"
    result = smartcollect(*words, "--dry-run")
    assert (result.exit_code, result.stdout) == (0, f"{many} would be deleted\n")
    assert len(history(url).runs(None)) == 10
    result = smartcollect(*words)
    assert (result.exit_code, result.stdout) == (0, f"{many} deleted\n")
    found = history(url).runs(None)
    assert [run.run.created for run in found] == [DAY * day for day in range(10 - left, 10)]


def test_many_runs_are_deleted_at_once(tmp_path):
    url = f"sqlite:///{tmp_path / 'runs.db'}"
    kept = KeptRuns(url)
    with kept.database.writing() as connection, connection.begin():
        for number in range(1_100):
            add_run(connection, profile_of({}, float(number)))
    assert history(url).prune_runs(keep=1) == 1_099


@pytest.mark.parametrize(
    ("words", "refusal"),
    [
        ("list", "Missing option '--db'"),
        ("list --db gone.db", "'gone.db' is not the URL of a database"),
        ("list --db sqlite:///gone.db", "gone.db' does not exist"),
        ("list --db postgresql://ada:secret@127.0.0.1:1/runs", "ada:***@127.0.0.1:1/runs"),
        ("list --db sqlite:///runs.db --last many", "'many' is not accepted"),
        ("prune --db sqlite:///runs.db", "use --keep N, --before TIME, or both"),
        ("prune --db sqlite:///runs.db --before yesterday", "'yesterday' is not a time"),
        ("trend --db sqlite:///runs.db --branch topic", "has no runs of branch 'topic'"),
    ],
)
def test_errors_are_one_line(words, refusal, url, smartcollect):
    result = smartcollect("history", *words.split())
    assert (result.exit_code, result.stdout) == (2, "")
    [line] = result.stderr.splitlines()
    assert line.startswith("smartcollect: error: ")
    assert refusal in line
    assert "secret" not in line


def test_a_run_is_checked_against_the_history(url, written, smartcollect):
    written("new.json", {"get": [0.001] * 6, "put": [0.002]}, created=DAY * 11)
    words = ("check", "new.json", "--compare", f"{url}?runs=3", "--compare-fail", "calls:0%")
    result = smartcollect(*words)
    assert result.exit_code == 1
    assert "regression: get: calls went from 5 to 6" in result.stdout


def test_a_run_is_added_once(written, smartcollect):
    words = ("check", "run.json", "--history", "sqlite:///runs.db")
    written("run.json", {"get": [0.001]})
    assert "added run 1 to sqlite:///runs.db" in smartcollect(*words).stdout
    result = smartcollect(*words)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1] == "sqlite:///runs.db: this run was already added"
    written("run.json", {"get": [0.002]})
    assert "added run 2 to" in smartcollect(*words).stdout


@pytest.mark.parametrize("what", ["database", "run"])
def test_the_verdict_is_printed_even_if_the_run_cannot_be_added(what, written, smartcollect):
    made = profile_of({"get": [0.001]})
    written("run.json", made if what == "database" else replace(made, run=None))
    url = "sqlite:///gone/runs.db" if what == "database" else "sqlite:///runs.db"
    result = smartcollect("check", "run.json", "--budget", "get calls<=0", "--history", url)
    assert result.exit_code == 2
    assert result.stdout == "over budget: get: calls is 1, the budget is 0\n"
    [line] = result.stderr.splitlines()
    assert line.startswith(f"smartcollect: error: {url}: ")


def test_a_checked_run_is_added_if_it_is_complete(url, written, smartcollect):
    calls = {"get": [0.001] * 6, "put": [0.002]}
    written("new.json", calls, created=DAY * 11)
    words = ("check", "new.json", "--history", url, "--compare", url, "--compare-fail", "calls:0%")
    result = smartcollect(*words)
    assert result.exit_code == 1
    assert f"added run 11 to {url}; this run was slower than allowed, so later" in result.stdout
    # A run with a regression is not in the baseline of the next run.
    written("new.json", calls, created=DAY * 12)
    assert smartcollect(*words).exit_code == 1
    written("new.json", calls, created=DAY * 13, incomplete=("1 of 2 shards is missing",))
    result = smartcollect("check", "new.json", "--history", url)
    assert f"{url}: this run is not added: 1 of 2 shards is missing" in result.stdout
    assert len(history(url).runs(None)) == 12
