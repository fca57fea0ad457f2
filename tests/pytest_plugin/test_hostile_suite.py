"""Suites with hostile names and values: tests, summary and reports still work."""

from __future__ import annotations

import inspect
import json
import xml.dom.minidom

import hostile
import pytest
from support import plain

from smartcollect import Profile

NAMES = (
    "escape\x1b[31m",
    "pipe|`<b>bold</b>",
    "=cmd()",
    "two\nlines",
    "lone\ud800",
    "nul\0",
    "*star*",
    "[link](http://here)",
    "\u202eoverride",
)
SUITE = f"""
import pytest
from smartswitch import Switcher

NAMES = {NAMES!r}

def dispatch(sw, selector):
    return sw[selector] if hasattr(Switcher, "get") else sw(selector)

api = Switcher("a\\x1b[0mpi|")

def handler(value, secret=None):
    if value == "fail":
        raise ValueError("says\\x1b[31m\\n| <b> \\ud800\\0 =1+1")
    return value

for name in NAMES:
    api(name)(lambda value, secret=None: handler(value))
api("idle\\x1b[31m\\n")(lambda: None)

@pytest.mark.parametrize("number", range(len(NAMES)))
def test_calls(number):
    dispatch(api, NAMES[number])("\\x1b]0;title\\x07 | ` <script>\\n", secret="hunter2")
    with pytest.raises(ValueError):
        dispatch(api, NAMES[number])("fail")

@pytest.mark.parametrize("number", range(len(NAMES)))
def test_messages_of_failures(number, collect):
    name = NAMES[number]
    dispatch(api, name)("\\x1b]0;title\\x07")
    for fails in (
        lambda: collect.assert_not_called(name),
        lambda: collect.assert_called(name, times=7),
        lambda: collect.assert_called("idle\\x1b[31m\\n"),
        lambda: collect.assert_called("idl\\x1b"),
        lambda: collect.assert_none_slower_than(0),
        lambda: collect.assert_budget("idle\\x1b[31m\\n", calls=3),
    ):
        with pytest.raises(AssertionError) as raised:
            fails()
        assert all(line.isprintable() for line in str(raised.value).splitlines())
    assert all(line.isprintable() for line in str(collect.stats()).splitlines())
    assert "<b>" not in collect.stats()._repr_html_()

@pytest.mark.collect_budget("*", calls=1)
def test_over_budget():
    for name in NAMES:
        dispatch(api, name)(1)
        dispatch(api, name)(2)
"""


def test_names_and_values_with_control_characters(pytester, run):
    pytester.path.joinpath("test_hostile.py").write_text(SUITE, "ascii", "backslashreplace")
    result = run(
        "--smartcollect",
        "-v",
        "--smartcollect-report=report.md",
        "--smartcollect-report=report.json",
        "--junitxml=junit.xml",
        "--smartcollect-junit",
    )
    result.assert_outcomes(passed=2 * len(NAMES), failed=1)
    assert all(line.isprintable() for line in result.outlines)
    assert "hunter2" not in result.stdout.str()
    text = (pytester.path / "report.md").read_text("utf-8")
    assert all(line.isprintable() for line in text.splitlines())
    assert "<b>" not in text
    assert "](http" not in text.replace("\\]", "")
    plain = json.loads((pytester.path / "report.json").read_text("utf-8"))
    profile = Profile.from_dict(plain)
    assert {stats.calls for stats in profile.called().values()} == {5}
    xml.dom.minidom.parse(str(pytester.path / "junit.xml"))


HOSTILE = """
import hostile
import pytest
from smartswitch import Switcher

api = Switcher("api")

@api
def give(value):
    return value

@api
def fail(value):
    raise ValueError(value)

@pytest.mark.parametrize(
    "name", [name for name in hostile.MADE if not name.startswith(("long", "iterator"))]
)
def test_it(name, collect):
    value = hostile.MADE[name]()
    assert give(value) is value
    with pytest.raises(ValueError):
        fail(value)
    collect.assert_called("give", times=1)
"""


def test_hostile_values(pytester, run):
    pytester.makepyfile(test_values=HOSTILE, hostile=inspect.getsource(hostile))
    warnings = ("-W", "error", "-W", "ignore:Support for class-based")  # smartswitch's own
    result = run("--smartcollect", "--smartcollect-report=report.json", *warnings)
    outcomes = result.parseoutcomes()
    assert set(outcomes) == {"passed"}
    result.stdout.no_fnmatch_line("*INTERNALERROR*")
    plain = json.loads((pytester.path / "report.json").read_text("utf-8"))
    calls = {one["handler"]: one["calls"] for one in plain["handlers"]}
    assert calls == {"give": outcomes["passed"], "fail": outcomes["passed"]}
    assert (pytester.path / "report.json").stat().st_size < 200_000


MOVED = {
    "moved": "del smartswitch.Switcher._decorate",
    "renamed": "del smartswitch.BasePlugin",
    "gone": "del smartswitch.Switcher.register_plugin",
}


@plain
@pytest.mark.parametrize("how", MOVED)
def test_an_unsupported_smartswitch(pytester, run, how):
    pytester.makeconftest(
        f"""
        import warnings
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import smartswitch
        {MOVED[how]}
        """
    )
    pytester.makepyfile("def test_it(): ...")
    result = run("--smartcollect", "-W", "error")
    result.assert_outcomes(passed=1)
    assert result.ret == 0
    result.stdout.no_fnmatch_line("*INTERNALERROR*")
    result.stdout.fnmatch_lines(["incomplete: smartcollect does not know this smartswitch: *"])
