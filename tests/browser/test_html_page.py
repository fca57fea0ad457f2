"""The HTML report in a browser: sorting, filtering, links, keyboard, and without JavaScript."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest
import reported
from services import missing, program

pytest.importorskip("jinja2")
pytest.importorskip("playwright")

from smartcollect.reports.html import html

HOSTILE = (
    "<script>stop()</script>",
    "\"><img src=x onerror='stop()'>",
    "</script><script>stop()</script>",
    "javascript:stop()",
    "{{ 7 * 7 }}{% x %}${stop()}",
    "a b#c%d?e&f;g/h",
    "ünï©ødé 用户",
    "%41%zz",
    "bidi \u202e and NUL \0",
)


def settled(page):
    """Wait until the page has handled all events, and has shown all rows that match."""
    page.evaluate(
        "() => new Promise(done => setTimeout(() => "
        "requestAnimationFrame(() => setTimeout(() => setTimeout(done)))))"
    )


def names(page, selector="#handlers tbody tr"):
    """Return the first cells of the visible rows."""
    settled(page)
    rows = page.locator(f"{selector}:visible")
    return [text.split("\t")[0].strip() for text in rows.all_inner_texts()]


def header(page, text, part="#handlers"):
    return page.locator(f"{part} thead th").filter(has=page.get_by_role("button", name=text))


def test_handlers_are_sorted_by_any_column(opened, report):
    page = opened(report)
    by_total = ["users.find", "orders.get", "orders.history", "orders.report"]
    assert names(page) == by_total
    calls = header(page, "calls")
    calls.get_by_role("button").click()
    assert calls.get_attribute("aria-sort") == "descending"
    assert names(page) == by_total
    calls.get_by_role("button").click()
    assert calls.get_attribute("aria-sort") == "ascending"
    assert names(page) == by_total[::-1]
    header(page, "handler").get_by_role("button").press("Enter")
    assert page.locator("#handlers [aria-sort]").count() == 1
    assert names(page) == ["orders.get", "orders.history", "orders.report", "users.find"]
    # By value, not as text: 51.3 ms < 162 ms < 1.00 s.
    header(page, "before", "#comparison").get_by_role("button").click()
    assert names(page, "#comparison tbody tr")[0] == "orders.report"


def test_times_are_sorted_by_value(opened):
    made = reported.Profile(
        handlers={
            reported.HandlerName("shop", str(time)): reported.stats(1, time)
            for time in (2e-7, 3e-5, 4e-3, 5.0, 0.0)
        }
    )
    page = opened(html(made))
    header(page, "max").get_by_role("button").click()
    assert names(page) == ["5.0", "0.004", "3e-05", "2e-07", "0.0"]


def test_the_filter_finds_handlers_tests_and_messages(opened, report):
    page = opened(report)
    search = page.get_by_role("searchbox", name="Filter")
    search.fill("orders")
    assert names(page) == ["orders.get", "orders.history", "orders.report"]
    assert page.locator("#details details:not([hidden])").count() == 3
    # The node ids of most tests do not match, but the handler that they called does.
    assert page.locator("#found").inner_text() == "3 handlers, 230 tests"
    search.fill("GET orders")
    assert names(page) == ["orders.get"]
    search.fill("failed")
    assert page.locator("#found").inner_text() == "0 handlers, 1 tests"
    assert names(page, "#test-list tbody tr") == ["tests/test_orders.py::test_report"]
    search.fill("test_users")
    assert names(page, "#test-list tbody tr") == ["tests/test_users.py::test_find[1]"]
    search.fill("nothing has this")
    assert names(page) == names(page, "#test-list tbody tr") == []
    settled(page)
    assert "no tests match" in page.locator(".pages").inner_text()
    search.press("Escape")
    assert search.input_value() == ""
    assert len(names(page)) == 4


def test_the_keyboard_is_enough(opened, report):
    page = opened(report)
    page.keyboard.press("/")
    search = page.get_by_role("searchbox", name="Filter")
    assert search.evaluate("element => element === document.activeElement")
    page.keyboard.type("find/")
    assert search.input_value() == "find/"
    page.keyboard.press("Escape")
    # Tab leads from the filter to everything else, and the focus is visible.
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.matches('#handlers thead button')"):
            break
    assert page.evaluate("document.activeElement.matches('#handlers thead button')")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    page.keyboard.press("Space")
    assert page.locator("#handlers [aria-sort]").count() == 1
    page.locator("#handlers tbody a").first.focus()
    page.keyboard.press("Enter")
    settled(page)
    assert page.locator("#details details[open]").count() == 1
    page.locator("#test-list tbody button").first.focus()
    page.keyboard.press("Enter")
    assert page.locator("#test-list .phases").is_visible()
    page.keyboard.press("Enter")
    assert page.locator("#test-list .phases").count() == 0


def test_a_link_opens_a_handler(opened, report):
    page = opened(report)
    page.locator("#handlers").get_by_role("link", name="orders.history").click()
    assert page.url.endswith("#handler=orders.history")
    assert seen(page, "handler=orders.history")
    page.go_back()
    page.go_forward()
    assert seen(page, "handler=orders.history")
    # A link to a part that the filter hides clears the filter.
    page.get_by_role("searchbox").fill("users")
    page.evaluate("location.hash = 'handler=orders.get'")
    assert seen(page, "handler=orders.get")
    text = page.locator("[id='handler=orders.get']").inner_text()
    assert "30 calls by duration" not in text  # only the title of the picture
    assert "Called by\norders.history 24 calls, 2.50 s\nother code 6 calls" in text


def test_a_link_clears_a_filter_of_many_handlers(opened):
    handlers = [f"h{number:03}" for number in range(500)]
    tests = [f"t.py::test_{number}" for number in range(300)]
    page = opened(html(reported.profile(handlers, tests)))
    search = page.get_by_role("searchbox")
    for name in ("h350", "h480", "h350"):
        search.fill("h001")
        settled(page)
        page.evaluate("name => { location.hash = `handler=${name}` }", name)
        assert seen(page, f"handler={name}")
    # The hash does not change.
    search.fill("h003")
    settled(page)
    page.evaluate(
        "document.querySelector('#slowest a').hash = 'handler=h350';"
        "document.querySelector('#slowest a').click()"
    )
    assert seen(page, "handler=h350")
    # A test that is shown again has the focus, and is in view.
    search.fill("test_299")
    settled(page)
    page.evaluate("location.hash = 'test=t.py::test_7'")
    settled(page)
    button = page.locator("#test-list [aria-expanded=true]")
    assert button.evaluate("element => element === document.activeElement")
    top = button.evaluate("element => element.getBoundingClientRect().top")
    assert 0 <= top < 900


def seen(page, id):
    """Tell whether an element is open and in view."""
    settled(page)
    return page.evaluate(
        """id => {
          const found = document.getElementById(id);
          const place = found.getBoundingClientRect();
          return found.checkVisibility() && place.top >= 0 && place.top < innerHeight;
        }""",
        id,
    )


@pytest.mark.parametrize("script", [True, False], ids=["script", "none"])
@pytest.mark.parametrize("name", HOSTILE)
def test_a_link_to_any_name_opens_it(opened, name, script):
    made = reported.profile([name, "a", "b", "c", "d"])
    shown = reported.HandlerName("", name).shown
    page = opened(html(made), f"#handler={quote(shown, safe='')}", java_script_enabled=script)
    assert page.locator("#details details[open] h3").inner_text() == shown
    assert page.locator("#details details[open] p").first.is_visible()


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_text(opened, name):
    tests = [f"{name}::test_one", f"tests/test_two.py::test_two[{name}]"]
    made = reported.profile([f"{name}{number}" for number in range(5)], tests, name)
    judged = reported.verdict(made, reported.profile([f"{name}{one}" for one in range(5)]))
    shown = reported.HandlerName("", tests[1]).shown
    text = html(
        made, judged.failing(name), expectations=reported.EXPECTATIONS, compared_with=[name]
    )
    page = opened(text, f"#test={quote(shown, safe='')}")
    assert page.locator("script").count() == 2
    assert page.locator("img, iframe, object, embed, base, form").count() == 0
    assert page.locator("a:not([href^='#'])").count() == 0
    button = page.locator("#test-list [aria-expanded='true']")
    assert button.inner_text() == shown
    assert page.locator("#test-list .phases").is_visible()
    for details in page.locator("#details summary").all():
        details.click()
    assert reported.HandlerName("", name).shown in page.locator(".failures").inner_text()


def test_tests_are_listed_page_by_page(opened, report):
    page = opened(report)
    pages = page.locator(".pages")
    assert "1 to 100 of 230" in pages.inner_text()
    assert names(page, "#test-list tbody tr")[0] == "tests/test_orders.py::test_report"
    assert pages.get_by_role("button", name="Previous").is_disabled()
    pages.get_by_role("button", name="Next").click()
    pages.get_by_role("button", name="Next").click()
    assert "201 to 230 of 230" in pages.inner_text()
    assert len(names(page, "#test-list tbody tr")) == 30
    assert pages.get_by_role("button", name="Next").is_disabled()
    duration = header(page, "duration", "#test-list")
    assert duration.get_attribute("aria-sort") == "descending"
    duration.get_by_role("button").click()
    assert "1 to 100 of 230" in pages.inner_text()
    assert names(page, "#test-list tbody tr")[0] == "tests/test_users.py::test_find[1]"


def test_a_test_with_its_phases(opened, report):
    page = opened(report, "#test=tests/test_orders.py::test_report")
    rows = page.locator(".phases tbody tr").all_inner_texts()
    assert [row.split("\t") for row in rows] == [
        ["setup", "passed", "250 ms", "orders.report", "4", "0", "200 ms"],
        ["call", "failed", "1.50 s", "orders.report", "6", "0", "1.20 s"],
        ["", "", "", "orders.history", "20", "1", "300 ms"],
    ]
    row = page.locator("#test-list tbody tr").first.inner_text().split("\t")
    assert row[1:] == ["failed", "1.75 s", "2", "30", "1", "1.70 s"]
    page.locator(".phases").get_by_role("link", name="orders.history").click()
    assert seen(page, "handler=orders.history")
    # Links to a test on another page of the list, by hash and from the list of slow calls.
    page.evaluate("location.hash = 'test=' + encodeURIComponent('tests/test_many.py::test_5')")
    settled(page)
    assert page.locator("#test-list [aria-expanded=true]").inner_text().endswith("test_5")
    assert "201 to 230" in page.locator(".pages").inner_text()
    page.locator("#slowest").get_by_role("link", name="test_report").first.click()
    settled(page)
    assert page.locator("#test-list [aria-expanded=true]").inner_text().endswith("test_report")


def test_only_tests_of_the_list_are_links(opened):
    made = reported.profile()
    gone = made.slowest[0]._replace(test="t.py::test_gone")
    page = opened(html(replace(made, slowest=(gone, *made.slowest[1:]))))
    rows = page.locator("#slowest tbody tr")
    assert "test_gone" in rows.first.inner_text()
    assert rows.first.locator("td.t a").count() == 0
    assert rows.nth(1).locator("td.t a").count() == 1


def test_the_tests_of_a_handler(opened, report):
    page = opened(report, "#handler=orders.get")
    assert (
        len(names(page, "[id='handler=orders.get'] table:has(caption:text('Tests')) tbody tr")) == 5
    )
    page.get_by_role("link", name="show all").click()
    settled(page)
    assert "1 to 100 of 229" in page.locator(".pages").inner_text()
    assert "Only tests that called orders.get" in page.locator("#only").inner_text()
    times = header(page, "time in handlers", "#test-list")
    assert times.get_attribute("aria-sort") == "descending"
    page.get_by_role("link", name="show all tests").click()
    settled(page)
    assert "1 to 100 of 230" in page.locator(".pages").inner_text()


def test_without_javascript_only_the_list_of_tests_is_missing(opened, report):
    page = opened(report, java_script_enabled=False)
    text = page.locator("main").text_content()
    for part in (
        *("This run fails for 6 reasons", "over budget: users.find", "Compared with old.json"),
        *("Repeated calls (N+1)", "Errors", "order 7", "Never called", "users.delete"),
        *("regression: ", "The list of all 230 tests needs JavaScript", "AMD EPYC"),
    ):
        assert part in text, part
    assert page.locator("button:visible, input:visible").count() == 0
    page.locator("#handlers").get_by_role("link", name="orders.history").click()
    details = page.locator("#details details[open]")
    assert "tests/test_orders.py::test_report" in details.inner_text()
    assert details.locator("svg[role=img]").count() == 2


def test_dark_and_light(opened, report):
    papers = []
    for scheme in ("light", "dark"):
        page = opened(report, color_scheme=scheme)
        papers.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert papers == ["rgb(255, 255, 255)", "rgb(20, 23, 26)"]


@pytest.mark.parametrize("script", [True, False], ids=["script", "none"])
def test_print_shows_each_handler_and_nothing_to_click(opened, report, script):
    page = opened(report, java_script_enabled=script, color_scheme="dark")
    page.emulate_media(media="print")
    assert page.locator("nav").is_hidden()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    inside = page.locator("#details details > div")
    assert inside.evaluate_all("all => all.map(one => one.checkVisibility())") == [True] * 4
    assert len(page.pdf(format="A4")) > 10_000


@pytest.mark.parametrize("width", [375, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(opened, report, scheme, width):
    npm = program("npm")
    found = subprocess.run([npm, "root", "--global"], capture_output=True, text=True, check=True)
    axe = Path(found.stdout.strip(), "axe-core/axe.min.js")
    if not axe.exists():
        missing("axe-core is not installed")
    page = opened(report, width=width, color_scheme=scheme, bypass_csp=True)
    # axe skips parts that are not rendered.
    page.add_style_tag(content="section, details { content-visibility: visible !important }")
    for summary in page.locator("details > summary").all():
        summary.click()
    page.locator("#test-list tbody button").first.click()
    page.get_by_role("searchbox").fill("o")
    page.add_script_tag(path=axe)
    result = page.evaluate("axe.run(document, {resultTypes: ['violations', 'incomplete']})")
    assert len(result["passes"]) > 20
    problems = [
        f"{one['id']}: {one['help']}: {node['html'][:200]} {node.get('failureSummary')}"
        for one in result["violations"]
        for node in one["nodes"][:3]
    ]
    assert problems == []


@pytest.mark.parametrize("width", [375, 1280])
def test_the_page_is_never_wider_than_the_window(opened, width):
    names, tests = [f"{one}{'n' * 90}" for one in "abcde"], [f"{one}::{'t' * 200}" for one in "ab"]
    made = reported.profile(names, tests, "y" * 200)
    page = opened(html(made, reported.verdict(made).failing("z" * 200)), width=width)
    for summary in page.locator("details > summary").all():
        summary.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
