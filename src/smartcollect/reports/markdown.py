"""The summary of a run as GitHub Flavored Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..text import one_line
from .summary import Section
from .tables import table

# An underscore inside a word has no meaning in Markdown.
_SPECIAL = re.compile(r"[\\`*\[\]<>|~#&$!]|(?<![^\W_])_|_(?![^\W_])")


def markdown(sections: Iterable[Section]) -> str:
    """Return the summary as Markdown, for example for a step summary in CI."""
    parts = ["## smartcollect"]
    for section in sections:
        if section.title:
            parts.append(f"### {_escaped(one_line(section.title))}")
        if section.rows:
            rows = [
                {heading: _escaped(one_line(cell)) for heading, cell in row.items()}
                for row in section.rows
            ]
            parts.append(table(rows, "github"))
        if section.lines:
            marks = {"failure": ("**", "**")}.get(section.tone, ("", ""))
            parts += [f"{marks[0]}{_escaped(one_line(line))}{marks[1]}" for line in section.lines]
    return "\n\n".join(parts) + "\n"


def _escaped(text: str) -> str:
    """Return ``text`` with the special characters of Markdown and HTML escaped."""
    return _SPECIAL.sub(r"\\\g<0>", text)
