"""Report files: the full profile as JSON, the summary as Markdown, the report as HTML."""

from __future__ import annotations

import json

import jsonschema
import pytest
from support import TIMING, plain

from smartcollect import HandlerName, Profile
from smartcollect.profiles import load, schema

SCHEMA = schema()


def numbers(profile):
    """Return the parts of a profile that are the same in each run, which excludes times."""
    return {
        "handlers": {name: (one.calls, one.errors) for name, one in profile.handlers.items()},
        "tests": {
            test: {
                when: (
                    phase.outcome,
                    {name: (one.calls, one.errors) for name, one in phase.handlers.items()},
                )
                for when, phase in phases.items()
            }
            for test, phases in profile.tests.items()
        },
        "raised": profile.raised,
        "repeats": profile.repeats,
        "edges": {one[:2]: one.calls for one in profile.edges},
        "slowest": sorted(
            (one.name, one.arguments, one.error, one.test) for one in profile.slowest
        ),
        "incomplete": profile.incomplete,
    }


def test_the_json_report_has_the_full_profile(suite, run):
    result = run("--smartcollect", "--smartcollect-report=out/profile.json")
    result.stdout.fnmatch_lines(["-* generated smartcollect report: out/profile.json -*"])
    path = suite.path / "out/profile.json"
    plain = json.loads(path.read_text("utf-8"))
    jsonschema.validate(plain, SCHEMA)
    profile = load(path)
    index, show, delete = (
        HandlerName("shop", name) for name in ("index", "users.show", "users.delete")
    )
    found = numbers(profile)
    assert found["handlers"] == {index: (1, 0), show: (19, 1), delete: (0, 0)}
    assert found["tests"]["test_two.py::test_index"] == {
        "setup": ("passed", {show: (1, 0)}),
        "call": ("passed", {index: (1, 0), show: (12, 0)}),
        "teardown": ("passed", {show: (1, 0)}),
    }
    assert len(found["tests"]) == 6
    (raised,) = profile.raised
    assert raised == (show, "ValueError", "no such user", 1, "test_one.py::test_refused")
    (repeat,) = profile.repeats
    assert repeat == (index, show, 12, 1, False, "test_two.py::test_index")
    assert found["edges"] == {(index, show): 12}
    assert len(profile.slowest) == 20
    assert plain["uncalled"] == [{"switcher": "shop", "handler": "users.delete"}]
    assert plain["complete"] is True
    run_of = profile.run
    assert run_of.command[-2:] == ("--smartcollect", "--smartcollect-report=out/profile.json")
    assert set(run_of.machine) == {"cpu", "cpus", "platform", "python"}
    assert {"pytest", "python", "smartcollect", "smartswitch"} <= set(run_of.versions)
    assert Profile.from_dict(plain).to_dict() == plain
    for phases in profile.tests.values():
        for phase in phases.values():
            assert phase.duration >= sum(one.total_time for one in phase.handlers.values()) * 0.01


def test_the_same_numbers_with_and_without_xdist(suite):
    found = []
    for way in ("-p", "no:xdist"), ("-n0",), ("-n2",), ("-n2", "--dist", "loadfile"):
        suite.runpytest_subprocess("--smartcollect-report=profile.json", *way)
        found.append(numbers(load(suite.path / "profile.json")))
    assert found[0] == found[1] == found[2] == found[3]


def test_the_slowest_calls_of_each_handler_with_and_without_xdist(pytester):
    pytester.makepyfile(
        timing=TIMING,
        app="""
        from smartswitch import Switcher
        from timing import compute

        api = Switcher("api")

        @api
        def slow(number):
            compute(100 + number)

        @api
        def quick(number):
            compute(number / 2**20)  # so short that the call is only counted
            if number == 3:
                raise ValueError
        """,
        conftest="import timing",
        test_all="""
        import contextlib
        import app, pytest

        @pytest.mark.parametrize("test", range(40))
        def test_one(test):
            for number in range(4):
                app.slow(test * 4 + number)
            for number in range(400):
                with contextlib.suppress(ValueError):
                    app.quick((number * 7 + test) % 200 + (test == 30))
        """,
    )
    pytester.makeini("[pytest]\npythonpath = .")
    for way in ("-p", "no:xdist"), ("-n0",), ("-n2",):
        pytester.runpytest_subprocess("--smartcollect-report=profile.json", *way)
        slowest = load(pytester.path / "profile.json").slowest
        found = [(call.name.handler, round(call.elapsed * 2**20)) for call in slowest]
        assert found == [
            *(("slow", number * 2**20) for number in range(259, 209, -1)),
            *(("quick", number) for number in (200, 200, 199, 199, 199)),
        ]


def test_more_than_one_report(suite, run):
    suite.makeini("[pytest]\npythonpath = .\nsmartcollect_report =\n  out/one.json\n  out/two.MD\n")
    assert run("--smartcollect").ret == 0
    assert load(suite.path / "out/one.json").called()
    assert (suite.path / "out/two.MD").read_text().startswith("## smartcollect\n")
    run("--smartcollect-report=three.json", "--smartcollect-report=four.md")
    assert (suite.path / "three.json").exists()
    assert (suite.path / "four.md").exists()


@plain
def test_markdown(suite, run):
    suite.makepyfile(
        test_three="""
        import pytest
        import app

        def test_it(): app.show(2)

        def test_hostile():
            with pytest.raises(TypeError):
                app.show("<b>|_x_` @you")
        """
    )
    result = run(
        "--smartcollect-report=summary.md",
        "--smartcollect-budgets=users.show calls<=1",
        "--smartcollect-slowest=100",
    )
    assert result.ret == 1
    text = (suite.path / "summary.md").read_text("utf-8")
    lines = text.splitlines()
    assert lines[:2] == ["## smartcollect", ""]
    assert lines[2] == "**1 failure: over budget: users.show**"
    head = next(line for line in lines if line.startswith("| handler"))
    columns = "handler calls total self share avg errors max p95 steady tests"
    assert [cell.strip() for cell in head.split("|")[1:-1]] == columns.split()
    assert "### slowest calls" in lines
    assert "never called: users.delete" in lines
    assert "**over budget: users.show: calls is 21, the budget is 1**" in lines
    assert r"'\<b\>\|\_x\_\` @you'" in text
    assert "test_three.py::test_hostile" in text
    for line in lines:
        assert not line.startswith("| ") or line.replace("\\|", "").count("|") in (6, 7, 12)


def test_the_report_of_a_suite_without_handlers(pytester):
    pytester.makepyfile("def test_it(): ...")
    result = pytester.runpytest_subprocess("--smartcollect-report=profile.json")
    assert result.ret == 0
    assert load(pytester.path / "profile.json").handlers == {}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "report.txt",
            "'report.txt' is not accepted; give a file name that ends in .json, .md or .html",
        ),
        (
            "report",
            "'report' is not accepted; give a file name that ends in .json, .md or .html",
        ),
        ("", "'' is not accepted; give a file name"),
        ("folder.json", "folder.json' is not accepted; it is a directory; give a file name"),
        ("app.py/x.json", "app.py/x.json' is not accepted; '*app.py' is not a directory"),
    ],
)
def test_reports_that_cannot_be_written(suite, name, message):
    suite.mkdir("folder.json")
    result = suite.runpytest_subprocess(f"--smartcollect-report={name}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: --smartcollect-report (command line): *{message}*"])
    assert "Traceback" not in result.stderr.str()


def test_a_disk_that_fills_up_fails_the_run(suite):
    suite.makeconftest(
        """
        import errno, os

        def pytest_sessionfinish():
            def fsync(descriptor): raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync = fsync
        """
    )
    result = suite.runpytest_subprocess("--smartcollect-report=profile.json")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*profile.json: not written: No space left on device"])
    result.stdout.no_fnmatch_line("*generated*")
    assert not (suite.path / "profile.json").exists()


def test_no_report_if_no_tests_run(suite):
    for option in ("--collect-only", "--setup-plan"):
        result = suite.runpytest_subprocess(option, "--smartcollect-report=profile.json")
        assert result.ret == 0
        result.stdout.no_fnmatch_line("*= smartcollect =*")
    assert not (suite.path / "profile.json").exists()


def test_report_and_no_smartcollect(suite):
    suite.runpytest("--smartcollect-report=profile.json", "--no-smartcollect")
    assert not (suite.path / "profile.json").exists()


def test_the_html_report(suite, run):
    pytest.importorskip("jinja2")
    result = run("--smartcollect-report=out/report.html", "--smartcollect-budgets=users.* calls<=9")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["-* generated smartcollect report: out/report.html -*"])
    text = (suite.path / "out/report.html").read_text("utf-8")
    for part in (
        "<title>smartcollect: This run fails for 1 reason, ",
        "over budget: users.show: calls is 19, the budget is 9",
        *(
            '<a href="#handler=users.show">users.show</a><td class=n>19<td class=n>1',
            ">over budget",
        ),
        "<dt>tests that called handlers</dt><dd>6</dd>",
        '<li id="handler=users.delete"><code>users.delete</code>',
        '<a href="#handler=index">index</a> 12 calls, ',
        "<td class=n>12<td class=n>1<td>different: get all with one call<td class=t>test_two.py::",
        "<td>ValueError<td>no such user<td class=t>test_one.py::test_refused",
    ):
        assert part in text, part
    assert "trend<" not in text


def test_the_html_report_needs_jinja(suite):
    suite.makepyfile(without_jinja="import sys\nsys.modules['jinja2'] = None\n")
    suite.syspathinsert()
    result = suite.runpytest_subprocess(
        "-p", "without_jinja", "--smartcollect-report=one.json", "--smartcollect-report=two.html"
    )
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    message = "two.html' is not accepted; No module named 'jinja2'; install smartcollect[[]html]"
    result.stderr.fnmatch_lines([f"ERROR: --smartcollect-report (command line): *{message}"])
    assert "Traceback" not in result.stderr.str()
    assert not (suite.path / "one.json").exists()


def test_handlers_and_failures_are_in_the_same_order_in_each_process(pytester, run, monkeypatch):
    names = [f"handler_{letter}" for letter in "gfedcba"]
    functions = "\n".join(f"def {name}(): ..." for name in names)
    calls = "; ".join(f"shop.{name}()" for name in names)
    pytester.makepyfile(shop=functions, test_shop=f"import shop\ndef test_it(): {calls}")
    words = ("--smartcollect-watch=shop", "--smartcollect-report=run.json")
    pytester.makeini("[pytest]\npythonpath = .\nsmartcollect_budgets = * calls<=0")
    for seed in ("1", "2"):
        monkeypatch.setenv("PYTHONHASHSEED", seed)
        lines = run(*words).stdout.lines
        report = json.loads((pytester.path / "run.json").read_text("utf-8"))
        assert [one["handler"] for one in report["handlers"]] == sorted(names)
        over = [line.split(": ")[1] for line in lines if line.startswith("over budget: ")]
        assert over == sorted(names)
