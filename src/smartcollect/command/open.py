"""``smartcollect open``: show a report in a browser."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import click

from .output import needing_html, page_of
from .program import Refused, say, warn
from .reading import REPORT, profile_in


@click.command("open")
@click.argument("file", type=REPORT)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the page to FILE, whose name ends in .html, instead of a temporary file.",
)
def open_report(file: Path, output: Path | None) -> None:
    """Show a report in a browser.

    Writes the report as an HTML page, prints the path of the page, and opens it if there is a
    browser.
    """
    from ..reports.writing import write

    # Protects the report, which would be overwritten by an --output of the same name.
    if output is not None and output.suffix.lower() not in (".html", ".htm"):
        raise Refused(f"--output: {str(output)!r} does not end in .html")
    text = needing_html(partial(page_of, profile_in(file)))
    place = output or _temporary(file)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        write(place, text)
    except OSError as error:
        raise Refused(f"{place}: the page cannot be written: {error.strerror}") from None
    say(str(place))
    if not _has_browser():
        warn("there is no browser to open the page in")
        return
    # In a separate process, as a browser may run until its window is closed.
    subprocess.Popen(
        [sys.executable, "-m", "webbrowser", place.resolve().as_uri()],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _temporary(file: Path) -> Path:
    from tempfile import mkdtemp

    return Path(mkdtemp(prefix="smartcollect-"), f"{file.stem}.html")


def _has_browser() -> bool:
    """Return whether there is a browser, and a screen to show it on."""
    import webbrowser

    has_screen = sys.platform in ("win32", "darwin") or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    )
    if os.environ.get("CI") or not has_screen:
        return False
    try:
        webbrowser.get()
    except webbrowser.Error:
        return False
    return True
