"""The HTML report as a file: its contents, its content policy, and hostile names."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from urllib.parse import unquote

import pytest
import reported
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("jinja2")

from smartcollect import HandlerName, Profile
from smartcollect.profiles import Expectations, Verdict, judge, parse_rule
from smartcollect.reports.html import html
from smartcollect.reports.html.pictures import histogram, trend

HOSTILE = (
    "<script>stop()</script>",
    "\"><img src=x onerror='stop()'>",
    "</script></style></title>",
    "javascript:stop()",
    "{{ 7 * 7 }}{% raise %}",
    "a b#c%d?e&f;g",
    "ünï©ødé 用户",
    "NUL \0 lone \ud800 bidi \u202e end \u2028 \x1b[31m",
    "<!--<script>",
    "]]>&lt;&#x3c;",
)


class Read(HTMLParser):
    """A parsed page: its elements with their attributes, and its texts."""

    def __init__(self, page):
        super().__init__()
        self.elements, self.texts = [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_data(self, text):
        self.texts.append((self.elements[-1][0] if self.elements else "", text))

    def links(self):
        return [found["href"] for tag, found in self.elements if tag == "a"]

    def ids(self):
        return [found["id"] for _, found in self.elements if "id" in found]

    def text(self, *without):
        return " ".join(text for tag, text in self.texts if tag not in without)


def report(made, **more):
    """Return a full report of a profile, judged against a faster baseline."""
    judged = reported.verdict(made, reported.profile(slower=0.5))
    return html(made, judged, expectations=reported.EXPECTATIONS, **more)


def packed(page):
    """Return the data of the tests that the script draws."""
    text = re.search(r'<script type="text/plain" id="data">(.*?)</script>', page)[1]
    return json.loads(gzip.decompress(base64.b64decode(text)))


def test_one_file_without_any_request():
    page = Read(report(reported.profile()))
    for tag, found in page.elements:
        for name, value in found.items():
            assert name not in ("style", "src", "srcset", "action", "data", "poster"), (tag, name)
            assert not name.startswith("on"), (tag, name)
            if name in ("href", "xlink:href"):
                assert value.startswith("#") or value == "data:,", value
    assert "@import" not in page.text()
    assert "url(" not in page.text()
    assert Counter(tag for tag, _ in page.elements)["script"] == 2


def test_the_policy_allows_only_the_styles_and_the_script_of_the_page():
    page = report(reported.profile())
    (policy,) = [
        found["content"]
        for tag, found in Read(page).elements
        if tag == "meta" and found.get("http-equiv") == "Content-Security-Policy"
    ]
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    for rule, tag in (("style-src", "style"), ("script-src", "script")):
        (text,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.S)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert rules[rule] == f"'sha256-{digest}'"
    assert page.index("Content-Security-Policy") < page.index("<style>")


def test_the_contents_of_a_report():
    made = reported.profile()
    page = report(made, trends=reported.trends(made), compared_with=["old.json"])
    text = Read(page).text("script", "style")
    for shown in (
        "This run fails for 6 reasons",
        "over budget: users.find: calls is 40, the budget is 25",
        "regression: orders.report: p50_time went from 162 ms to 324 ms",
        "Compared with old.json",
        "different: get all with one call",
        "users.delete",
        "steady time in 8 runs: from 1.00 ms to 8.00 ms",
        "10 calls by duration, median 324 ms, p95 354 ms",
        "… and 2 more",
        "pytest --smartcollect",
        "c0ffeec0ffee, with uncommitted changes",
        "AMD EPYC",
    ):
        assert shown in text, shown
    ids = Read(page).ids()
    assert len(ids) == len(set(ids))
    assert {f"handler={name}" for name in reported.NAMES} <= set(ids)
    parts = {"handlers", "comparison", "budgets", "errors", "repeats", "slowest", "uncalled"}
    assert parts | {"tests", "details", "run", "verdict"} <= set(ids)


def test_empty_parts_are_left_out():
    made = replace(reported.profile(), raised=(), repeats=(), run=None, tests={})
    page = html(made)
    read = Read(page)
    assert "This run was not judged" in read.text()
    assert not {"comparison", "budgets", "errors", "repeats", "run"} & set(read.ids())
    assert ">trend<" not in page
    nothing = Read(html(Profile(), Verdict()))
    assert "No handlers were found" in nothing.text()
    assert "No handler was called" in nothing.text()
    assert set(nothing.ids()) == {"verdict", "verdict-title", "filter", "found", "data"}


@pytest.mark.parametrize(
    ("judged", "missing", "told"),
    [
        (None, (), "This run was not judged"),
        (None, ("1 worker lost",), "This run is incomplete"),
        (Verdict(), (), "This run passes"),
        (Verdict(partial="only t.py ran"), (), "Only a part of the suite ran, and it passes"),
        (Verdict(), ("1 worker lost",), "This run is incomplete, but passes so far"),
        (Verdict(("too slow",)), ("1 worker lost",), "This run fails for 1 reason"),
        (Verdict((), ("not judged, since …",)), (), "not judged, since …"),
    ],
)
def test_the_verdict_comes_first(judged, missing, told):
    made = replace(reported.profile(), incomplete=missing, tests={})
    page = html(made, judged, expectations=reported.EXPECTATIONS)
    text = Read(page).text("script", "style")
    assert told in text
    assert ("incomplete: 1 worker lost" in text) == bool(missing)
    assert page.index('<section id="verdict"') < page.index('<section id="handlers"')


@pytest.mark.parametrize(
    ("made", "judged", "kind", "told"),
    [
        (reported.profile(), Verdict(), "failed", "1 test failed"),
        (reported.profile(), None, "failed", "1 test failed"),
        (
            reported.profile(),
            Verdict(("too slow",)),
            "failed",
            "This run fails for 1 reason; 1 test failed",
        ),
        (Profile(), Verdict(), "unjudged", "No handler was called"),
    ],
)
def test_a_run_that_did_not_pass_is_not_green(made, judged, kind, told):
    page = html(made, judged, expectations=reported.EXPECTATIONS)
    assert f'<section id="verdict" class="{kind}"' in page
    assert f'<h2 id="verdict-title">{told}</h2>' in page


def test_without_an_expectation_a_run_is_not_judged():
    for expected, machine, why in (
        (Expectations(), {}, "no budget or other limit is set"),
        (
            Expectations(compare_fail=(parse_rule("25%"),)),
            {"cpu": "Z80"},
            "the baseline comes from a different machine",
        ),
    ):
        run = reported.profile()
        assert run.run is not None
        before = replace(run, run=run.run._replace(machine={**run.run.machine, **machine}))
        judged = judge(run, expected, before)
        page = html(replace(run, tests={}), judged, expectations=expected)
        assert '<section id="verdict" class="unjudged"' in page
        assert f'<h2 id="verdict-title">Nothing was judged: {why}</h2>' in page


def test_all_of_many_reasons_are_listed():
    text = Read(html(Profile(), Verdict(tuple(f"reason {one}" for one in range(30))))).text()
    assert "… and 20 more" in text
    assert all(f"reason {one}" in text for one in range(30))


def test_links_to_handlers():
    names = [*HOSTILE, "plain", "never"]
    read = Read(report(reported.profile(names)))
    ids = set(read.ids())
    links = {unquote(link[1:]) for link in read.links()}
    assert {one for one in links if one.startswith("handler=")} <= ids
    assert len([one for one in ids if one.startswith("handler=")]) == len(names)
    assert all(re.fullmatch(r"#[!-~]*", link) for link in read.links())


def test_ids_of_handlers_are_unique():
    names = [HandlerName("a", "b.c"), HandlerName("a.b", "c"), HandlerName("x", "c")]
    names += [HandlerName("x", "\\n"), HandlerName("x", "\n")]
    made = Profile(handlers={name: reported.stats(2, 0.1) for name in names})
    ids = [one for one in Read(html(made)).ids() if one.startswith("handler=")]
    assert len(ids) == len(set(ids)) == 5


def test_the_packed_tests():
    found = packed(report(reported.profile()))
    files, words, handlers = found["files"], found["words"], found["handlers"]
    (file, rest, ended, setup, call), other = found["tests"]
    assert files[file] + rest == reported.TESTS[0]
    assert words[ended] == "failed"
    when, how, took, *used = setup
    assert (words[when], words[how], took) == ("setup", "passed", 250_000)
    assert (handlers[used[0]], used[1:]) == ("orders.report", [4, 0, 200_000])
    assert len(call) == 3 + 2 * 4
    assert other[3][2:] == [1000, handlers.index("orders.get"), 1, 0, 1]


def test_hostile_names_do_not_change_the_structure_of_the_page():
    plain = Read(report(reported.profile(["a1", "b2", "c3", "d4", "e5"], ["t::1", "t::2"], "x")))
    for one in HOSTILE:
        names = [f"{one}{number}" for number in range(5)]
        page = report(reported.profile(names, [f"{one}::1", f"{one}::2"], one))
        page.encode()
        read = Read(page)
        assert shape(read) == shape(plain), one
        assert not re.search(
            "[\0-\t\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]", page
        )
        if one.isprintable():
            assert one in read.text("script", "style")


def shape(read):
    return [(tag, sorted(found)) for tag, found in read.elements]


@settings(max_examples=25)
@given(st.lists(st.text(max_size=12), min_size=5, max_size=5, unique=True), st.text())
def test_any_text_stays_text(names, text):
    page = report(reported.profile(names, [f"t::{text}1", f"t::{text}2"], text or "-"))
    page.encode()
    read = Read(page)
    assert Counter(tag for tag, _ in read.elements)["script"] == 2
    assert not any(name.startswith("on") for _, found in read.elements for name in found)
    assert len(set(read.ids())) == len(read.ids())


@pytest.mark.parametrize("times", [(1e-9,), (0.0,), (0.001,) * 5, (1e-7, 3600.0), (0.01, 0.0101)])
def test_a_histogram_stays_within_its_picture(times):
    made = reported.HandlerStats()
    made.add(times, reported.buckets_of(reported.doubles(times)), 1.0)
    drawn = histogram(made.histogram, {"median": made.percentile(0.5), "p95": max(times)})
    places = [float(x) for x in re.findall(r'(?:[MH]|\bx=)"?(-?[\d.]+)', drawn)]
    assert places
    assert all(0 <= x <= 600 for x in places), drawn
    assert len(re.findall("<text", drawn)) >= 3


def test_a_trend_has_gaps_for_runs_without_a_time():
    from smartcollect.reports.html.pictures import sparkline

    nan = float("nan")
    assert sparkline([1.0, 2.0, nan, 2.0, nan, 1.0], "t0").count("M") == 3
    assert "in 3 runs: from 1.00 s to 2.00 s" in trend([1.0, nan, 2.0], [2], ("a", "b"), "t0")
    assert 'class=step d="M556' in trend([1.0, nan, 2.0], [2], ("a", "b"), "t0")


def test_without_jinja_the_error_says_what_to_install():
    code = (
        "import sys; sys.modules['jinja2'] = None;"
        "from smartcollect import Profile; from smartcollect.reports.html import html;"
        "html(Profile())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "No module named 'jinja2'; install smartcollect[html]" in done.stderr


def test_a_report_needs_neither_pytest_nor_smartswitch():
    code = (
        "import sys; sys.modules['pytest'] = sys.modules['smartswitch'] = None;"
        "from smartcollect import Profile; from smartcollect.reports.html import html;"
        "html(Profile())"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
