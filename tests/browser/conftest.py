"""Fixtures that open reports in Debian's Chromium, driven by Playwright."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import reported
from services import program

from smartcollect.reports.html import html

WATCH = """
  window.ran = 0;
  window.stop = () => { window.ran += 1; };
  addEventListener("securitypolicyviolation", (event) => {
    console.error(`refused: ${event.violatedDirective} ${event.blockedURI}`);
  });
"""
"""A script that notes code run by hostile names, and violations of the page's policy."""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """Return a browser for a whole module; its event loop blocks others in this thread."""
    from playwright.sync_api import sync_playwright

    path = program("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def opened(chromium, tmp_path):
    """Return a function that opens a report as a page.

    The test fails if a page makes a request, logs a message or runs code from a name.
    """
    pages, wrong = [], []

    def opened(text: str, fragment: str = "", *, width: int = 1280, **context: Any) -> Any:
        path = tmp_path / f"report{len(pages)}.html"
        path.write_text(text, "utf-8")
        made = chromium.new_context(viewport={"width": width, "height": 900}, **context)
        page = made.new_page()
        pages.append(page)

        def asked(route: Any) -> None:
            if route.request.url.partition("#")[0] == path.as_uri():
                route.continue_()
            else:
                wrong.append(f"request: {route.request.url}")
                route.abort()

        page.route("**/*", asked)
        page.on("console", lambda message: wrong.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
        page.on("dialog", lambda dialog: wrong.append(f"dialog: {dialog.message}"))
        page.add_init_script(WATCH)
        page.goto(f"{path.as_uri()}{fragment}")
        if context.get("java_script_enabled", True) and '<div id="test-list"' in text:
            page.wait_for_selector("#test-list tbody tr")
        return page

    yield opened
    for page in pages:
        if page.evaluate("typeof ran") == "number":
            assert page.evaluate("ran") == 0
        page.context.close()
    assert wrong == []


@pytest.fixture(scope="module")
def report() -> str:
    """Return a report with all possible parts, of 230 tests."""
    tests = [*reported.TESTS, *(f"tests/test_many.py::test_{number}" for number in range(228))]
    made = reported.profile(tests=tests)
    judged = reported.verdict(made, reported.profile(slower=0.5))
    return html(
        made,
        judged,
        expectations=reported.EXPECTATIONS,
        trends=reported.trends(made),
        compared_with=["old.json"],
    )
