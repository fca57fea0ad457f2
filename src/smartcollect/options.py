"""Values of options, as people write them on a command line or in an ini file.

Each function takes the text, and its ``ValueError`` tells what is accepted.
"""

from __future__ import annotations

from .checks import WHOLE_NUMBER, is_whole_number
from .reports.summary import SORTED_BY, sort_field


def count(text: str) -> int:
    """Return a number of things.

    Example:
        >>> count("20")
        20
    """
    if not (text.strip().isdecimal() and is_whole_number(int(text))):
        raise ValueError(f"accepted: {WHOLE_NUMBER}")
    return int(text)


def sort(text: str) -> str:
    """Return the field that a table of handlers is sorted by.

    Example:
        >>> sort("total")
        'total_time'
    """
    field = sort_field(text.strip())
    if field is None:
        raise ValueError(f"accepted: {', '.join(SORTED_BY)}")
    return field


def pattern(text: str) -> str:
    """Return a handler's name, or a pattern of such names.

    Example:
        >>> pattern(" users.* ")
        'users.*'
    """
    if len(text.split()) != 1:
        raise ValueError("accepted: a handler, or a pattern such as users.*")
    return text.strip()


def pair(text: str) -> tuple[str, str]:
    """Return the patterns of a handler and of one that it calls; any handler if only one is given.

    Example:
        >>> pair("orders.history>orders.get"), pair("orders.get")
        (('orders.history', 'orders.get'), ('*', 'orders.get'))
    """
    parent, arrow, child = text.rpartition(">")
    return (pattern(parent) if arrow else "*"), pattern(child)
