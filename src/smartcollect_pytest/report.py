"""Report files of a run: the profile as JSON, the summary as Markdown, the report as HTML."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from smartcollect import Profile
    from smartcollect.reports.summary import Section


def refusal(path: Path) -> str | None:
    """Return why ``path`` cannot be written, in one line, or ``None`` if it can."""
    if path.suffix.lower() == ".html" and find_spec("jinja2") is None:
        from smartcollect.reports.html.report import MISSING

        return MISSING
    if path.is_dir():
        return "it is a directory; give a file name"
    folder = next(parent for parent in path.parents if parent.exists())
    if not folder.is_dir():
        return f"{str(folder)!r} is not a directory"
    if not os.access(folder, os.W_OK) or (path.exists() and not os.access(path, os.W_OK)):
        return "no permission to write it; give another file name"
    return None


def write_report(
    path: Path,
    profile: Profile,
    sections: Callable[[], Iterable[Section]],
    page: Callable[[], str],
) -> None:
    """Write a report in the format that the suffix of ``path`` selects.

    The file is written as a whole or not at all.

    Args:
        path: the file.
        profile: the profile of the run.
        sections: function that returns the sections of the summary.
        page: function that returns the HTML report.

    Raises:
        OSError: The file cannot be written.
    """
    from smartcollect.reports.markdown import markdown
    from smartcollect.reports.report_file import report
    from smartcollect.reports.writing import write

    suffix = path.suffix.lower()
    if suffix == ".html":
        text: str | Iterable[str] = page()
    elif suffix == ".md":
        text = markdown(sections())
    else:
        text = report(profile)
    path.parent.mkdir(parents=True, exist_ok=True)
    write(path, text)
