"""``smartcollect open``: an HTML page, in a browser if there is one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("jinja2", reason="comes with the extra html")


@pytest.fixture
def no_browser(monkeypatch):
    for name in ("BROWSER", "CI", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.platform", "linux")


def test_without_a_browser_the_path_is_printed(no_browser, written, smartcollect):
    written("run.json", {"get": [0.1]})
    result = smartcollect("open", "run.json")
    assert result.exit_code == 0
    page = Path(result.stdout.strip())
    assert page.name == "run.html"
    assert page.read_text("utf-8").startswith("<!DOCTYPE html>")
    assert result.stderr == "smartcollect: there is no browser to open the page in\n"
    page.unlink()
    page.parent.rmdir()


@pytest.mark.skipif(sys.platform == "win32", reason="BROWSER is a script")
def test_a_browser_opens_the_page(no_browser, written, process, tmp_path):
    written("run.json", {"get": [0.1]})
    pipe, browser = tmp_path / "pipe", tmp_path / "browser"
    os.mkfifo(pipe)
    browser.write_text(f'#!/bin/sh\necho "$1" > {pipe}\n')
    browser.chmod(0o755)
    # The browser waits until the pipe is read; the command must not wait for the browser.
    result = process("open", "run.json", "-o", "made/page.html", env={"BROWSER": str(browser)})
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == "made/page.html\n"
    assert pipe.read_text().strip() == Path("made/page.html").resolve().as_uri()
    result = process("open", "run.json", "-o", "p.html", env={"BROWSER": str(browser), "CI": "1"})
    assert "there is no browser to open the page in" in result.stderr


@pytest.mark.parametrize(
    ("words", "refusal"),
    [
        ("run.json -o run.json/page.html", "the page cannot be written"),
        ("gone.json", "'gone.json' does not exist"),
        ("run.json -o run.json", "--output: 'run.json' does not end in .html"),
    ],
)
def test_errors(words, refusal, no_browser, written, smartcollect):
    report = written("run.json", {"get": [0.1]})
    before = report.read_bytes()
    result = smartcollect("open", *words.split())
    assert result.exit_code == 2
    assert refusal in result.stderr
    assert report.read_bytes() == before


@pytest.mark.parametrize("words", [("open",), ("show", "--format", "html")])
def test_html_needs_an_extra(words, written):
    written("run.json", {"get": [0.1]})
    code = (
        "import sys; sys.modules['jinja2'] = None; from smartcollect.__main__ import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words, "run.json"], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    assert line.startswith("smartcollect: error: ")
    assert "smartcollect[html]" in line


def test_html_of_a_comparison(written, smartcollect):
    written("old.json", {"get": [0.1]})
    written("new.json", {"get": [0.1] * 2}, created=2.0)
    result = smartcollect("compare", "old.json", "new.json", "--fail", "calls:0%", "--format=html")
    assert result.exit_code == 1
    assert "regression" in result.stdout
    assert "old.json" in result.stdout
    result = smartcollect("compare", "old.json", "new.json", "--format=html")
    assert result.exit_code == 0
    why = "no budget or other limit is set"
    assert f'<h2 id="verdict-title">Nothing was judged: {why}</h2>' in result.stdout
