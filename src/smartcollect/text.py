"""Helpers to keep text short, printable and on one line."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

MAX_TEXT = 500
"""The number of characters to keep of a string or ``repr``."""
CUT = "…"
"""The mark in place of text that was cut."""
JOINER = "\u200d"
"""The zero-width joiner, which combines several emoji into one."""

_PLAIN = {
    "µ": "u",
    "∞": "inf",
    "—": "-",
    CUT: "...",
    **dict.fromkeys("█▉▊▋▌", "#"),
    **dict.fromkeys("▍▎▏", ""),
}
"""Replacements for characters of smartcollect's own output that an encoding lacks."""


def encodable(text: str, encoding: str) -> str:
    """Return ``text`` with a replacement for each character that ``encoding`` lacks.

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
    except LookupError:  # Python has no such encoding
        return text
    return text


def _encodable(character: str, encoding: str) -> str:
    try:
        character.encode(encoding)
    except UnicodeEncodeError:
        return _PLAIN.get(character, "?")
    return character


def printable(text: str) -> str:
    """Return ``text`` with escapes for characters that are not printable, except emoji joiners."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() or character == JOINER else repr(character)[1:-1]
        for character in text
    )


def one_line(value: object, limit: int | None = None) -> str:
    """Return ``value`` as text on one line: control characters escaped, long text cut.

    Args:
        value: an object whose ``str`` is safe to call.
        limit: the largest number of characters in the result; no limit if left out.
    """
    text = printable(str(value))
    if limit is not None and len(text) > limit:
        return f"{text[: limit - 1]}{CUT}"
    return text


def cut(text: str, limit: int = MAX_TEXT) -> str:
    """Return ``text``, or its first characters and the number of characters left out."""
    length = str.__len__(text)
    if length <= limit:
        return text if type(text) is str else str.__getitem__(text, slice(None))
    return f"{str.__getitem__(text, slice(limit))}{CUT} ({length - limit:,} more characters)"


def plural(count: int, noun: str) -> str:
    """Return ``count`` and ``noun``, with an s unless the count is 1.

    Example:
        >>> plural(1, "call"), plural(1_200, "call")
        ('1 call', '1,200 calls')
    """
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def short_path(path: str | Path) -> str:
    """Return ``path`` relative to the working directory if it lies inside, or else unchanged."""
    with suppress(ValueError, OSError):
        return str(Path(path).relative_to(Path.cwd()))
    return str(path)
