"""Damaged, edited and made-up reports: each loads as a profile or fails with a one-line error."""

from __future__ import annotations

import copy
import json

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from smartswitch import Switcher

from smartcollect import Profile, collecting, merge
from smartcollect.profiles import Verdict, compare, load, schema
from smartcollect.profiles import parse_rule as parse
from smartcollect.profiles.budgets import budget, over
from smartcollect.reports.markdown import markdown
from smartcollect.reports.summary import Layout, sections
from smartcollect.units import moment

pytestmark = pytest.mark.once


def written():
    sw = Switcher("api")

    @sw
    def outer(number):
        for _ in range(12):
            inner(number)

    @sw
    def inner(number):
        return 1 / number

    with collecting(sw) as log:
        outer(1)
        with pytest.raises(ZeroDivisionError):
            inner(0)
    profile = log.profile().in_test("tests/test_a.py::test_a", "call", "passed", 0.5)
    return profile.to_dict()


REPORT = written()
ODD = st.sampled_from(
    [
        None,
        True,
        -1,
        -1.5,
        0,
        10**400,
        1e308,
        9e11,
        "",
        "x",
        "\ud800",
        "1",
        [],
        [1],
        {},
        {"a": 1},
        [[]],
    ]
)


def places(plain, path=()):
    yield path
    items = plain.items() if isinstance(plain, dict) else enumerate(plain)
    for key, value in items:
        yield (*path, key)
        if isinstance(value, (dict, list)):
            yield from places(value, (*path, key))


PLACES = sorted({path for path in places(REPORT) if path}, key=str)


def edited(changes):
    plain = copy.deepcopy(REPORT)
    for path, drop, value in changes:
        inside = plain
        try:
            for key in path[:-1]:
                inside = inside[key]
            if drop:
                del inside[path[-1]]
            else:
                inside[path[-1]] = value
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change removed this place
    return plain


@settings(max_examples=400)
@given(st.lists(st.tuples(st.sampled_from(PLACES), st.booleans(), ODD), min_size=1, max_size=4))
def test_an_edited_report_loads_or_is_rejected_in_one_line(changes):
    message = ""
    try:
        profile = Profile.from_dict(edited(changes))
    except ValueError as error:
        message = str(error)
    assert "\n" not in message
    assert len(message) < 300
    if message:
        return
    # A profile that loads can be merged, compared, judged and shown.
    whole = Profile.from_dict(REPORT)
    merge([profile, whole, profile])
    compare(profile, whole, [parse("avg_time:20%"), parse("calls:1%")])
    compare(whole, profile, [parse("self_time:20%")])
    over([[budget("*", {"calls": 1, "p95_time": "1s"})]], profile.handlers)
    json.dumps(profile.to_dict(), allow_nan=False)
    shown(profile)


def shown(profile):
    """Return the profile as Markdown."""
    return markdown(sections(profile, Verdict(), Layout(), whole=True))


def test_handlers_that_are_only_mentioned_are_shown():
    others = ("slowest", "raised", "repeats", "edges", "tests")
    made = Profile.from_dict({**REPORT, "handlers": []})
    assert all(getattr(made, one) for one in others)
    text = shown(made)
    assert "slowest calls" in text
    assert "api.inner" in text
    assert compare(made, made).changes == ()
    assert made.tests_of() == {}
    pytest.importorskip("jinja2", reason="comes with the extra html")
    from smartcollect.reports.html import html

    assert "api.inner" in html(made)


@pytest.mark.parametrize("field", ["created", "last_call"])
def test_a_moment_without_a_date_is_rejected(field):
    plain = copy.deepcopy(REPORT)
    run = {"command": [], "machine": {}, "versions": {}}
    plain["run"] = {**run, "created": 253_402_300_799}
    assert "9999-12-31" in moment(Profile.from_dict(plain).run.created)
    place = plain["run"] if field == "created" else plain["handlers"][0]
    place[field] = 253_402_300_800
    with pytest.raises(ValueError, match="253402300800 is after the year 9999"):
        Profile.from_dict(plain)


RUN = {
    "created": 1.0,
    "command": ["pytest"],
    "machine": {"cpu": "x"},
    "versions": {"python": "3"},
    "revision": {"commit": "c", "branch": "", "dirty": False},
}
OPTIONAL = {
    # Reports of early releases lack these.
    *("edges", "waiting", "revision", "steady_time", "steady"),
    *("steady_total", "ran_total", "read_total"),
    # Reports choose these keys.
    *("cpu", "python", "call"),
}


def test_the_schema_rejects_missing_unknown_and_wrong_parts():
    whole = {**REPORT, "run": RUN}
    validator = jsonschema.Draft202012Validator(schema())
    assert validator.is_valid(whole)
    for *above, key in filter(None, places(whole)):
        made = copy.deepcopy(whole)
        inside = made
        for step in above:
            inside = inside[step]
        value = inside[key]
        if isinstance(value, dict) and key not in ("machine", "versions"):
            value["odd"] = value.get("call")
            assert not validator.is_valid(made), (above, key, "has more")
        inside[key] = {"odd": [None]}
        assert not validator.is_valid(made), (above, key, "is wrong")
        del inside[key]
        # A list may lack an item, unless it is a pair in a histogram.
        is_item = isinstance(key, int) and not isinstance(above[-1], int)
        assert validator.is_valid(made) == (is_item or key in OPTIONAL), (above, key, "is missing")


@pytest.mark.parametrize("phase", ["setup", "call", "teardown"])
def test_the_schema_knows_the_phases_of_a_test(phase):
    made = copy.deepcopy(REPORT)
    phases = made["tests"][0]["phases"]
    phases[phase] = phases.pop("call")
    jsonschema.validate(made, schema())


@pytest.mark.parametrize("version", [0, 2, -1, None, "1", 10**400, [1]], ids=range(7))
def test_another_version_is_rejected_in_one_line(version):
    with pytest.raises(ValueError, match="cannot be read, only version 1") as raised:
        Profile.from_dict({**REPORT, "version": version})
    assert len(str(raised.value)) < 300


@settings(max_examples=60)
@given(st.integers(0, len(json.dumps(REPORT)) - 1))
def test_a_report_that_is_cut_off_is_rejected_in_one_line(tmp_path_factory, end):
    path = tmp_path_factory.mktemp("cut") / "report.json"
    path.write_text(json.dumps(REPORT)[:end], "utf-8")
    with pytest.raises(ValueError, match="not valid JSON, or is cut off") as raised:
        load(path)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 100_000, "nested too deep"),
        ('{"a":' * 100_000, "nested too deep"),
        (b"\xff\xfe", "not valid JSON"),
        ("9" * 100_000, "not valid JSON"),
        ("[" * 1_000 + "]" * 1_000, "not a smartcollect/profile|nested too deep"),
        ("NaN", "NaN is not a valid number"),
        ('"' + "x" * 100_000 + '"', "not a smartcollect/profile"),
    ],
    ids=range(7),
)
def test_files_that_are_not_reports(tmp_path, text, message):
    path = tmp_path / "report.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ValueError, match=message) as raised:
        load(path)
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 300


def test_a_report_without_read_permission(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.read_bytes", refuse)
    with pytest.raises(ValueError, match="cannot be read: Permission denied"):
        load(tmp_path / "report.json")
