"""The files of a run: the whole profile as JSON, and the summary as Markdown."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from .summary import Section

if TYPE_CHECKING:
    from smartcollect import Profile

# An underscore inside of a word is a plain one.
_SPECIAL = re.compile(r"[\\`*\[\]<>|~#&$!]|(?<![^\W_])_|_(?![^\W_])")


def refusal(path: Path) -> str | None:
    """Why no report can be written to ``path``, one line; ``None`` where nothing is in the way."""
    if path.is_dir():
        return "it is a directory; accepted: a file"
    folder = next(parent for parent in path.parents if parent.exists())
    if not folder.is_dir():
        return f"{str(folder)!r} is no directory"
    if not os.access(folder, os.W_OK) or (path.exists() and not os.access(path, os.W_OK)):
        return "it cannot be written; accepted: a file that may be written"
    return None


def write(path: Path, profile: Profile, sections: Iterable[Section]) -> None:
    """Writes one report, whole or not at all, in the format that the suffix of ``path`` names.

    Raises:
        OSError: it cannot be written.
    """
    from smartcollect import export

    if path.suffix.lower() == ".md":
        text = markdown(sections)
    else:
        text = export.document(profile.to_dict())
    path.parent.mkdir(parents=True, exist_ok=True)
    export.write(path, text)


def markdown(sections: Iterable[Section]) -> str:
    """The summary as Markdown of GitHub's kind, such as a step summary of its CI shows."""
    from smartcollect.tables import one_line, table

    parts = ["## smartcollect"]
    for section in sections:
        if section.title:
            parts.append(f"### {_plain(section.title)}")
        if section.rows:
            rows = [
                {heading: _plain(one_line(cell)) for heading, cell in row.items()}
                for row in section.rows
            ]
            parts.append(table(rows, "github"))
        if section.lines:
            marks = {"failure": ("**", "**")}.get(section.tone, ("", ""))
            parts += [f"{marks[0]}{_plain(one_line(line))}{marks[1]}" for line in section.lines]
    return "\n\n".join(parts) + "\n"


def _plain(text: str) -> str:
    """``text`` with nothing in it that Markdown or HTML would take for its own."""
    return _SPECIAL.sub(r"\\\g<0>", text)
