"""Text that is bounded and stays on its line."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

MAX_TEXT = 500
"""Characters kept of a string or of a ``repr``."""
CUT = "…"
"""Stands for what was cut."""
JOINER = "\u200d"
"""Joins emoji to one picture."""

_PLAIN = {
    "µ": "u",
    "∞": "inf",
    "—": "-",
    CUT: "...",
    **dict.fromkeys("█▉▊▋▌", "#"),
    **dict.fromkeys("▍▎▏", ""),
}
"""What is written where an encoding lacks a character that we write ourselves."""


def encodable(text: str, encoding: str) -> str:
    """Return ``text`` with something else for each character that ``encoding`` lacks.

    Example:
        >>> encodable("12 µs, für 用户", "latin-1")
        '12 µs, für ??'
        >>> encodable("12 µs", "ascii")
        '12 us'
    """
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return "".join(_encodable(character, encoding) for character in text)
    except LookupError:  # an encoding that nobody knows
        return text
    return text


def _encodable(character: str, encoding: str) -> str:
    try:
        character.encode(encoding)
    except UnicodeEncodeError:
        return _PLAIN.get(character, "?")
    return character


def printable(text: str) -> str:
    """Return ``text`` with escapes for what a terminal or an encoding would stumble over."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() or character == JOINER else repr(character)[1:-1]
        for character in text
    )


def one_line(value: object, limit: int | None = None) -> str:
    """Return ``value`` as text for one cell: control characters escaped, long text cut.

    Args:
        value: anything whose ``str`` is safe to call.
        limit: characters to keep; all of them when left out.
    """
    text = printable(str(value))
    if limit is not None and len(text) > limit:
        return f"{text[: limit - 1]}{CUT}"
    return text


def cut(text: str, limit: int = MAX_TEXT) -> str:
    """Return ``text``, or its beginning and how many characters are missing."""
    length = str.__len__(text)
    if length <= limit:
        return text if type(text) is str else str.__getitem__(text, slice(None))
    return f"{str.__getitem__(text, slice(limit))}{CUT} ({length - limit:,} more characters)"


def plural(count: int, noun: str) -> str:
    """Return ``count`` and ``noun``, with an s unless there is one.

    Example:
        >>> plural(1, "call"), plural(1_200, "call")
        ('1 call', '1,200 calls')
    """
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def short_path(path: str | Path) -> str:
    """Return ``path`` relative to the working directory where it is below that."""
    with suppress(ValueError, OSError):
        return str(Path(path).relative_to(Path.cwd()))
    return str(path)
