"""``smartcollect check`` and ``compare``: judge reports as pytest judges a run."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from made_reports import MACHINE, profile_of

from smartcollect import HandlerName
from smartcollect.profiles import Repeat

CALLS = {"users.get": [0.001] * 4, "users.list": [0.5], "users.delete": []}


@pytest.mark.parametrize(
    ("words", "failures"),
    [
        ("--budget 'users.* calls<=4'", []),
        (
            "--budget 'users.* calls<=3' --budget 'users.list max_time<=100ms'",
            [
                # The largest excess comes first.
                "over budget: users.list: max_time is 500 ms, the budget is 100 ms",
                "over budget: users.get: calls is 4, the budget is 3",
            ],
        ),
        (
            "--budget 'user.get calls<=4'",
            ["unused budget: user.get was never called; .* did you mean 'users.get'?"],
        ),
        ("--fail-uncalled", ["never called: users.delete"]),
        ("--fail-uncalled --allow-uncalled 'users.d*'", []),
        ("--repeat-threshold 13", []),
        (
            "--repeat-threshold 12",
            ["repeated: one call to users.list made 12 calls to users.get; 12 or more fail$"],
        ),
        ("--repeat-threshold 12 --allow-repeats 'users.list>users.get'", []),
        ("--compare old.json --compare-fail calls:100%", []),
        (
            "--compare old.json --compare-fail calls:99%",
            ["regression: users.get: calls went from 2 to 4"],
        ),
    ],
)
def test_a_report_is_judged(words, failures, written, smartcollect):
    repeat = Repeat(
        HandlerName("shop", "users.list"), HandlerName("shop", "users.get"), 12, 1, True
    )
    written("new.json", replace(profile_of(CALLS, created=2.0), repeats=(repeat,)))
    written("old.json", {**CALLS, "users.get": [0.001] * 2})
    result = smartcollect("check", "new.json", *shlex.split(words))
    assert (result.exit_code, result.stderr) == (1 if failures else 0, "")
    if not failures:
        assert result.stdout.splitlines()[-1] == "new.json: no failures"
        return
    lines = result.stdout.splitlines()[-len(failures) :]
    assert all(map(re.match, failures, lines)), result.stdout


def test_an_incomplete_report_fails_and_missing_calls_are_not_judged(written, smartcollect):
    written("whole.json", CALLS, incomplete=("1 of 2 shards is missing", "interrupted"))
    words = ("check", "whole.json", "--fail-uncalled", "--budget", "orders.* calls<=1")
    result = smartcollect(*words)
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[:2] == ["incomplete: 1 of 2 shards is missing", "incomplete: interrupted"]
    start = "not judged, since 1 of 2 shards is missing: "
    assert [line.startswith(start) for line in lines] == [False, False, True, True, False]
    assert lines[-1] == "the report is incomplete; --allow-incomplete accepts it"
    result = smartcollect(*words, "--allow-incomplete")
    assert (result.exit_code, result.stdout.splitlines()[:4]) == (0, lines[:4])
    # Calls that were made are judged.
    words = ("check", "whole.json", "--allow-incomplete", "--budget", "users.* calls<=1")
    assert smartcollect(*words).exit_code == 1


@pytest.mark.parametrize(
    "words", ["--fail-uncalled", "--compare old.json --compare-fail 25%", "--repeat-threshold 9"]
)
def test_a_report_without_handlers_does_not_pass(words, written, smartcollect):
    written("old.json", CALLS)
    written("empty.json", {}, created=2.0)
    result = smartcollect("check", "empty.json", *words.split())
    assert result.exit_code == 1
    assert result.stdout.splitlines()[-1].startswith("nothing to judge: no handlers were found;")
    assert smartcollect("check", "empty.json").exit_code == 0


def test_the_output_says_what_was_not_judged(written, smartcollect):
    written("new.json", CALLS)
    written("old.json", {**CALLS, "users.get": [0.001] * 2}, machine={**MACHINE, "cpus": "64"})
    result = smartcollect("check", "new.json")
    assert result.exit_code == 0
    assert result.stdout == "new.json: nothing was judged except completeness\n"
    result = smartcollect("check", "new.json", "--compare", "old.json")
    assert "nothing was judged" in result.stdout
    words = ("check", "new.json", "--compare", "old.json", "--compare-fail", "calls:1%")
    result = smartcollect(*words)
    assert result.exit_code == 0
    assert "cpus: 64 before, 2 now" in result.stdout
    Path("empty").mkdir()
    result = smartcollect("check", "new.json", "--compare", "empty", "--compare-fail", "calls:1%")
    assert result.stdout.startswith("nothing to compare with: there is no run in empty\n")


def test_copies_of_a_run_count_once(written, smartcollect):
    for name in ("runs/a.json", "runs/b.json", "runs/c.json", "other.json"):
        written(name, CALLS)
    written("runs/d.json", {**CALLS, "users.get": [0.002] * 4})
    written("new.json", CALLS, created=2.0)
    for words in (("compare", "runs", "new.json"), ("check", "new.json", "--compare", "runs")):
        result = smartcollect(*words)
        assert "compared with 2 runs: runs" in result.stdout
        assert "left out: 2 runs given more than once" in result.stdout
    result = smartcollect("compare", "other.json", "runs/a.json", "new.json")
    assert "left out: 1 run given more than once" in result.stdout


@pytest.mark.parametrize(
    ("words", "refusal"),
    [
        ("check new.json --budget users.get", "the budget has no limit; add one such as calls<=3"),
        ("check new.json --budget 'users.get speed<=3'", "unknown statistic 'speed'; choose from"),
        (
            "check new.json --repeat-threshold x",
            "'x' is not accepted; use a whole number, zero or more",
        ),
        (
            "check new.json --allow-repeats 'a b'",
            "'a b' is not accepted; use the name of a handler",
        ),
        ("check new.json --compare-fail 25%", "--compare-fail: there is no baseline"),
        ("check new.json --compare new.json --compare-fail x", "write PERCENT% or FIELD:"),
        ("check new.json --compare-min 1parsec", "'1parsec' is not a duration"),
        ("check new.json --compare gone.json", "'gone.json' does not exist"),
        ("check new.json --compare sqlite:///gone.db", "gone.db' does not exist"),
        ("check new.json --compare mysql://ada:secret@db/runs", r"mysql://ada:\*\*\*@db/runs"),
        ("check gone.json", "'gone.json' does not exist"),
        ("check .", "'.' is a directory"),
        ("compare new.json", "Missing argument"),
        ("compare new.json . --fail 1%", "'.' is a directory"),
        ("compare empty new.json", "there is no report in empty"),
        ("show new.json --sort speed", "'speed' is not accepted; choose from total, "),
        ("show new.json --handler user.get", "did you mean 'users.get'"),
        ("show new.json --format xml", "'xml' is not one of 'table', 'md', 'json', 'html'"),
    ],
)
def test_errors_are_one_line(words, refusal, written, smartcollect):
    if "sqlite:" in words:
        pytest.importorskip("sqlalchemy", reason="comes with the extra database")
    written("new.json", CALLS)
    Path("empty").mkdir()
    result = smartcollect(*shlex.split(words))
    assert (result.exit_code, result.stdout) == (2, "")
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith("smartcollect: error: ")
    assert re.search(refusal, result.stderr), result.stderr
