"""Parsers for values of options on a command line or in an ini file.

Each function takes the text of a value. Its ``ValueError`` says what to write instead.
"""

from __future__ import annotations

from .checks import WHOLE_NUMBER, is_whole_number
from .reports.summary import SORTED_BY, sort_field


def count(text: str) -> int:
    """Return a count.

    Example:
        >>> count("20")
        20
    """
    if not (text.strip().isdecimal() and is_whole_number(int(text))):
        raise ValueError(f"use {WHOLE_NUMBER}")
    return int(text)


def sort(text: str) -> str:
    """Return the field to sort a table of handlers by.

    Example:
        >>> sort("total")
        'total_time'
    """
    field = sort_field(text.strip())
    if field is None:
        raise ValueError(f"choose from {', '.join(SORTED_BY)}")
    return field


def pattern(text: str) -> str:
    """Return the name of a handler, or a pattern that matches several.

    Example:
        >>> pattern(" users.* ")
        'users.*'
    """
    if len(text.split()) != 1:
        raise ValueError("use the name of a handler, or a pattern such as users.*")
    return text.strip()


def pair(text: str) -> tuple[str, str]:
    """Return the patterns for a caller and for the handler it calls.

    Text without ``>`` is the pattern for the called handler; any handler may call it.

    Example:
        >>> pair("orders.history>orders.get"), pair("orders.get")
        (('orders.history', 'orders.get'), ('*', 'orders.get'))
    """
    parent, arrow, child = text.rpartition(">")
    return (pattern(parent) if arrow else "*"), pattern(child)
