"""``smartcollect show`` and ``compare``: their output in each format."""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import replace
from types import MappingProxyType

import jsonschema
import pytest
from made_reports import profile_of

from smartcollect import HandlerName
from smartcollect.profiles import Raised, Repeat, SlowCall, Usage, load, schema
from smartcollect.profiles.narrowing import narrowed
from smartcollect.profiles.parts import Phase

GET, PUT = HandlerName("shop", "users.get"), HandlerName("shop", "orders.put")


def whole():
    both = MappingProxyType({GET: Usage(1, 0, 0.25), PUT: Usage(2, 0, 0.5)})
    one = Phase("passed", 1.0, MappingProxyType({PUT: Usage(1, 1, 0.25)}))
    made = profile_of({"users.get": [0.25], "orders.put": [0.25] * 3, "users.delete": []})
    return replace(
        made,
        slowest=(
            SlowCall(PUT, 0.25, "µ=1" * 20, "", "test_both" * 8),
            SlowCall(GET, 0.25, "2", "", ""),
        ),
        raised=(Raised(PUT, "KeyError", "no", 1, "test_both"),),
        repeats=(Repeat(PUT, GET, 12, 1, True), Repeat(PUT, PUT, 11, 1, True)),
        tests=MappingProxyType(
            {
                "test_both": {
                    "setup": one,
                    "call": Phase("passed", 1.0, both),
                },
                "test_put": {"call": one},
            }
        ),
    )


def test_a_report_is_narrowed_to_some_handlers():
    part = narrowed(whole(), "users.*")
    assert [name.handler for name in part.handlers] == ["users.get", "users.delete"]
    assert [call.name for call in part.slowest] == [GET]
    assert part.raised == ()
    assert part.repeats == (Repeat(PUT, GET, 12, 1, True),)
    assert part.tests == {
        "test_both": {"call": Phase("passed", 1.0, MappingProxyType({GET: Usage(1, 0, 0.25)}))}
    }
    assert part.run == whole().run


def test_a_report_as_a_table(written, smartcollect):
    written("run.json", whole())
    result = smartcollect("show", "run.json", "--sort", "calls")
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    names = [line.split()[0] for line in lines if line.startswith(("users.get ", "orders.put "))]
    assert names[:2] == ["orders.put", "users.get"]
    assert max(map(len, lines)) <= 120
    assert "never called: users.delete" in lines
    result = smartcollect("show", "run.json", "--rows", 1, "--slowest", 0)
    assert "… 1 more handler; --rows=0 shows all" in result.stdout
    assert "slowest calls" not in result.stdout
    result = smartcollect("show", "run.json", "--handler", "users.*")
    assert "orders.put    " not in result.stdout


def test_the_variable_columns_limits_the_width(written, smartcollect):
    written("run.json", whole())
    result = smartcollect("show", "run.json", env={"COLUMNS": "200"})
    wide = max(map(len, result.stdout.splitlines()))
    result = smartcollect("show", "run.json", env={"COLUMNS": "80"})
    assert max(map(len, result.stdout.splitlines())) <= 80 < wide


def test_a_report_as_json_and_markdown(written, smartcollect):
    path = written("run.json", whole())
    result = smartcollect("show", path, "--format", "json")
    assert result.stdout == path.read_text("utf-8")
    result = smartcollect("show", path, "--format", "json", "--handler", "users.get")
    part = json.loads(result.stdout)
    jsonschema.validate(part, schema())
    assert part == narrowed(load(path), "users.get").to_dict()
    result = smartcollect("show", path, "--format", "md")
    assert result.stdout.startswith("## smartcollect\n")
    assert "| users.get" in result.stdout


def test_a_comparison(written, smartcollect):
    written("old.json", {"get": [0.001] * 30, "put": [0.001], "list": [0.1]})
    written("new.json", {"get": [0.002] * 30, "put": [0.001] * 2, "find": [0.1]}, created=2.0)
    result = smartcollect("compare", "old.json", "new.json", "--fail", "calls:100%", "--fail", "9%")
    assert result.exit_code == 1
    assert "compared with old.json" in result.stdout
    assert "regression: get: p50_time went from 1.00 ms to 2.00 ms" in result.stdout
    assert smartcollect("compare", "old.json", "new.json").exit_code == 0
    words = ("compare", "old.json", "new.json", "--fail", "9%", "--min", "2ms")
    assert smartcollect(*words).exit_code == 0


def test_a_comparison_as_json(written, smartcollect):
    written("old/1.json", {"get": [0.001] * 30, "put": []})
    written("old/2.json", {"get": [0.001] * 30, "put": []}, created=2.0)
    written("new.json", {"get": [0.002] * 31, "put": [0.001]}, created=3.0)
    words = ("compare", "old", "new.json", "--fail", "calls:0%", "--format", "json")
    result = smartcollect(*words)
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert list(found) == ["changes", "drift", "judged"]
    assert found["judged"] == 1
    assert found["drift"] == {
        "computing": 1.0,
        "waiting": 1.0,
        "computers": 1,
        "waiters": 0,
        "measured_computing": 1.0,
        "measured_waiting": 1.0,
    }
    assert found["changes"] == [
        {
            "handler": "get",
            "switcher": "shop",
            "field": "calls",
            "before": 30.0,
            "after": 31.0,
            "ratio": pytest.approx(31 / 30),
            "p": None,
            "regression": True,
            "why": "+3 %, 0 % allowed",
        }
    ]


def test_a_growth_from_zero_has_no_ratio(written, smartcollect):
    written("old.json", {"get": [0.001] * 2})
    stats = profile_of({"get": [0.001] * 2}, created=2.0)
    next(iter(stats.handlers.values())).errors = 1
    written("new.json", stats)
    words = ("compare", "old.json", "new.json", "--fail", "errors:0%", "--format", "json")
    assert json.loads(smartcollect(*words).stdout)["changes"][0]["ratio"] is None


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="such file names are not allowed")
@pytest.mark.parametrize("format", ["table", "md", "json", "html"])
def test_a_file_of_any_name_can_be_compared(format, written, process):
    if format == "html":
        pytest.importorskip("jinja2", reason="comes with the extra html")
    written("run.json", {"get": [0.1]})
    odd = os.fsdecode(b"bad\xff\nname.json")
    shutil.copy("run.json", odd)
    result = process("compare", odd, "run.json", "--format", format)
    assert (result.returncode, result.stderr) == (0, "")
    assert format == "json" or "name.json" in result.stdout
    assert "bad\n" not in result.stdout
