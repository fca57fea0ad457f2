"""``smartcollect combine``: one report from many shards."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_reports import MACHINE, profile_of

from smartcollect import Profile, merge
from smartcollect.profiles import load
from smartcollect.profiles.shards import Shard, combine
from smartcollect.reports.report_file import report

times = st.lists(st.floats(0, 10), max_size=4)
tests = st.dictionaries(st.sampled_from(["one", "two", "three"]), st.just("get"), max_size=2)
shards = st.builds(
    profile_of,
    st.dictionaries(st.sampled_from(["get", "put", "list"]), times, max_size=3),
    # Some shards have the same time.
    st.sampled_from([1.0, 2.0, 3.0]),
    tests,
    incomplete=st.sampled_from([(), ("interrupted",), ("1 test crashed",)]),
)


def text_of(profile):
    return "".join(report(profile))


@given(st.lists(shards, min_size=1, max_size=6, unique_by=text_of), st.randoms())
def test_the_order_of_shards_does_not_change_a_byte(profiles, random):
    given = [Shard(str(number), profile) for number, profile in enumerate(profiles)]
    made = combine(given)
    random.shuffle(given)
    again = combine(given)
    assert text_of(again.profile) == text_of(made.profile)
    assert again.notes == made.notes
    whole = merge(profiles)
    called = {name: (stats.calls, stats.histogram) for name, stats in whole.handlers.items()}
    assert {
        name: (stats.calls, stats.histogram) for name, stats in made.profile.handlers.items()
    } == called
    assert made.profile.tests.keys() == whole.tests.keys()


@given(st.lists(shards, min_size=1, max_size=4, unique_by=text_of), st.data())
def test_equal_shards_are_found(profiles, data):
    again = json.loads(text_of(data.draw(st.sampled_from(profiles))))
    given = [Shard(str(number), profile) for number, profile in enumerate(profiles)]
    with pytest.raises(ValueError, match="are the same shard"):
        combine([*given, Shard("again", Profile.from_dict(again))])


def test_shards_are_combined_into_a_report(written, smartcollect):
    one = written("one.json", {"get": [0.1], "put": []}, tests={"test_get": "get"})
    two = written("two.json", {"get": [0.2], "put": [1.0]}, created=2.0, tests={"test_put": "put"})
    before = one.read_bytes(), two.read_bytes()
    result = smartcollect("combine", two, one, "-o", "made/whole.json", "--expect", 2)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == f"combined 2 shards with 2 tests: {Path('made/whole.json')}\n"
    whole = load("made/whole.json")
    assert {name.handler: stats.calls for name, stats in whole.handlers.items()} == {
        "get": 2,
        "put": 1,
    }
    assert whole.run.created == 1.0
    assert whole.run.command == ("pytest",)
    assert dict(whole.run.machine) == MACHINE
    assert (one.read_bytes(), two.read_bytes()) == before
    smartcollect("combine", one, two, "--output", "again.json")
    assert Path("again.json").read_bytes() == Path("made/whole.json").read_bytes()


def test_a_missing_shard_makes_the_result_incomplete(written, smartcollect):
    written("shards/one.json", {"get": [0.1]})
    written("shards/two.json", {"get": [0.1]}, created=2.0, incomplete=("interrupted",))
    result = smartcollect("combine", "shards", "-o", "whole.json", "--expect", 5)
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        f"smartcollect: {Path('shards/two.json')} is incomplete: interrupted",
        "smartcollect: incomplete: 3 of 5 shards are missing",
    ]
    assert load("whole.json").incomplete == ("3 of 5 shards are missing", "interrupted")
    assert smartcollect("combine", "shards", "-o", "whole.json").exit_code == 0
    assert load("whole.json").incomplete == ("interrupted",)


def test_the_result_keeps_what_the_runs_of_shards_share(written, smartcollect):
    def made(number, cpu, commit):
        return written(
            f"{number}.json",
            {"get": [0.1]},
            created=number,
            machine={**MACHINE, "cpu": cpu},
            commit=commit,
            command=("pytest", f"--group={number}"),
        )

    files = made(1, "Xeon", "a" * 40), made(2, "EPYC", "a" * 40), made(3, "EPYC", "a" * 40)
    result = smartcollect("combine", *files, "-o", "whole.json")
    assert result.stderr == ""
    run = load("whole.json").run
    assert run.command == ()
    assert run.revision.commit == "a" * 40
    assert dict(run.machine) == {
        "cpus": "2",
        "mixed": "cpu: EPYC, Xeon",
        "platform": "Linux x86_64",
        "python": "CPython 3.11",
    }
    # Each run may assign tests to other machines, so times do not compare.
    result = smartcollect("compare", "whole.json", "whole.json", "--fail", "1%")
    assert result.exit_code == 0
    assert "shards of this run ran on different machines (cpu: EPYC, Xeon)" in " ".join(
        result.stdout.split()
    )
    result = smartcollect("combine", files[0], made(2, "EPYC", "b" * 40), "-o", "whole.json")
    assert result.stderr == (
        f"smartcollect: the shards come from different commits: {'a' * 12}, {'b' * 12}\n"
    )
    assert load("whole.json").run.revision is None


def test_shards_keep_the_versions_that_they_share(written, smartcollect):
    def made(number, machine, **versions):
        profile = profile_of({"get": [0.1]}, created=number, machine=machine)
        run = profile.run._replace(versions=versions)
        return written(f"{number}.json", replace(profile, run=run))

    files = (
        made(1, MACHINE, pytest="9.0", xdist="3.8", numpy="2.0"),
        made(2, {**MACHINE, "gpu": "none"}, pytest="9.0", xdist="3.9"),
    )
    assert smartcollect("combine", *files, "-o", "whole.json").exit_code == 0
    run = load("whole.json").run
    assert dict(run.versions) == {"pytest": "9.0"}
    assert run.machine["mixed"] == "gpu: none, unknown"


def test_tests_in_two_shards_cause_a_warning(written, smartcollect):
    same = {f"test_{number}": "get" for number in range(3)}
    written("shard-2.json", {"get": [0.1] * 3}, tests=same)
    written("shard-2-again.json", {"get": [0.1] * 4}, created=2.0, tests={**same, "test_x": "get"})
    result = smartcollect("combine", "shard-2.json", "shard-2-again.json", "-o", "whole.json")
    assert result.exit_code == 0
    assert result.stderr == (
        "smartcollect: 3 tests are in more than one shard and counted each time, such as "
        "test_0 (shard-2.json, shard-2-again.json)\n"
    )
    assert load("whole.json").tests["test_0"]["call"].duration == 1.0
    one = profile_of({"get": [0.1]}, tests={"test_x": "get"})
    other = profile_of({"get": [0.1]}, created=2.0, tests={"test_x": "get", "test_y": "get"})
    assert combine([Shard("a", one), Shard("b", other)]).notes == (
        "1 test is in more than one shard and counted each time, such as test_x (a, b)",
    )


@pytest.mark.parametrize(
    ("words", "refusal"),
    [
        ("one.json one.json -o whole.json", "one.json is given twice"),
        ("shards shards/two.json -o whole.json", "two.json is given twice"),
        ("one.json copy.json -o whole.json", "copy.json and one.json are the same shard"),
        ("one.json recoded.json -o whole.json", "one.json and recoded.json are the same shard"),
        ("one.json shards -o one.json", "one.json is also a shard"),
        (
            "shards -o shards/whole.json",
            "shards/whole.json would count as a shard of shards next time",
        ),
        ("one.json -o whole.html", "'whole.html' does not end in .json"),
        ("one.json shards -o whole.json --expect 1", "there are 2 shards, but only 1 expected"),
        ("empty -o whole.json", "empty: there is no .json file in this folder"),
        ("one.json gone.json -o whole.json", "'gone.json' does not exist"),
        (
            "one.json damaged.json -o whole.json",
            "damaged.json: the file is not valid JSON, or is cut off",
        ),
        ("one.json newer.json -o whole.json", "newer.json: .*written by a newer smartcollect"),
        ("one.json -o one.json/whole.json", "whole.json: the report cannot be written: "),
        ("one.json -o whole.json --expect 0", "Invalid value for '--expect'"),
        ("one.json", "Missing option '-o'"),
        ("-o whole.json", "Missing argument 'SHARD...'"),
    ],
)
def test_errors_are_one_line(words, refusal, written, smartcollect):
    one = written("one.json", {"get": [0.1]}, tests={"test_get": "get"})
    written("shards/two.json", {"get": [0.2]}, created=2.0)
    Path("empty").mkdir()
    shutil.copy(one, "copy.json")
    Path("recoded.json").write_text(json.dumps(json.loads(one.read_text()), sort_keys=True))
    Path("damaged.json").write_text(one.read_text()[:100])
    Path("newer.json").write_text(one.read_text().replace('"version": 1', '"version": 2'))
    result = smartcollect("combine", *words.split())
    assert (result.exit_code, result.stdout) == (2, "")
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith("smartcollect: error: ")
    assert re.search(refusal, result.stderr.replace("\\", "/"))
    assert not Path("whole.json").exists()
