"""Lossless conversion of values and histograms to text that every database accepts.

Values are strict JSON (RFC 8259) in UTF-8, so that the JSON functions of databases can read them.
Values that JSON lacks become an object with one key that starts with ``$``:

========================================  ==================================================
``{"$float": "nan"}``                     NaN and the infinities
``{"$int": "0xfff…"}``                    an integer with more digits than Python parses
``{"$text": "\\\\ud800"}``                  text that UTF-8 cannot encode, with Python's escapes
``{"$tuple": [1, 2]}``                    a tuple
``{"$dict": [[1, "one"]]}``               a dict with keys that are not text, or start with ``$``
========================================  ==================================================
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from math import isfinite
from typing import Any

_SCALARS = frozenset({str, int, float, bool, type(None)})
_MOST_BITS = 10_000
"""The limit for integers in decimal. Python parses at most 4,300 digits, about 14,000 bits."""


def _unknown(value: object) -> str:
    return f"<{type(value).__name__}>"


def _encoder(between: str) -> Callable[[Any], str]:
    # Shared, because `json.dumps` creates an encoder for each value. Snapshots have no cycles.
    return json.JSONEncoder(
        ensure_ascii=False,
        check_circular=False,
        allow_nan=False,
        separators=(between, ":"),
        default=_unknown,
    ).encode


_NEXT = ",\n"  # never inside a value, because JSON escapes line feeds in text
_encode, _encode_lines = _encoder(","), _encoder(_NEXT)


def packed(value: Any) -> str:
    """Return the JSON of a value.

    Example:
        >>> packed((1, [float("inf")]))
        '{"$tuple":[1,[{"$float":"inf"}]]}'
    """
    return _encode(_strict(value))


def packed_each(values: Sequence[Any]) -> list[str]:
    """Return the JSON of each value. There must be at least one value.

    Example:
        >>> packed_each([1, "a", (2,)])
        ['1', '"a"', '{"$tuple":[2]}']
    """
    text = _lines(values) if _SCALARS.issuperset(map(type, values)) else None
    return [packed(value) for value in values] if text is None else text[1:-1].split(_NEXT)


def packed_arguments(calls: Sequence[tuple[Any, ...]]) -> list[str]:
    """Return the JSON array of the arguments of each call. There must be at least one call.

    Example:
        >>> packed_arguments([(1, "a"), (), ([2],)])
        ['[1,"a"]', '[]', '[[2]]']
    """
    text = None
    if _SCALARS.issuperset(map(type, chain.from_iterable(calls))):
        text = _lines(calls)
    if text is None:
        return [packed(list(args)) for args in calls]
    lines = text[2:-2].replace(f"]{_NEXT}[", "\n").replace(_NEXT, ",").split("\n")
    return [f"[{line}]" for line in lines]


def _lines(values: Sequence[Any]) -> str | None:
    """Return the JSON array of values, one per line; ``None`` if JSON lacks one of the values."""
    # Encoding all values at once takes a fifth of the time.
    try:
        text = _encode_lines(values)
        if not text.isascii():
            text.encode()
    except ValueError:  # NaN, a lone surrogate, a long number
        return None
    return text


def unpacked(text: str) -> Any:
    """Return the value that `packed` was given.

    Example:
        >>> unpacked(packed({1: (2, float("-inf"))}))
        {1: (2, -inf)}
    """
    return _decode(text) if '{"$' in text else json.loads(text)


def _strict(value: Any) -> Any:
    kind = type(value)
    if kind is str:
        try:
            value.encode()
        except UnicodeEncodeError:
            return {"$text": _escaped(value)}
    elif kind is float and not isfinite(value):
        return {"$float": repr(value)}
    elif kind is int and value.bit_length() > _MOST_BITS:
        return {"$int": hex(value)}
    elif kind is list:
        return [_strict(item) for item in value]
    elif kind is tuple:
        return {"$tuple": [_strict(item) for item in value]}
    elif kind is dict:
        pairs = [(_strict(key), _strict(item)) for key, item in value.items()]
        plain = all(type(key) is str and not key.startswith("$") for key, _ in pairs)
        return dict(pairs) if plain else {"$dict": pairs}
    return value


def _loose(read: dict[str, Any]) -> Any:
    if len(read) == 1:
        ((key, value),) = read.items()
        if key in _READERS:
            return _READERS[key](value)
    return read


def _escaped(text: str) -> str:
    return text.encode("unicode_escape").decode("ascii")


def _unescaped(text: str) -> str:
    return text.encode("ascii").decode("unicode_escape")


_READERS: dict[str, Callable[[Any], Any]] = {
    "$float": float,
    "$int": lambda text: int(text, 16),
    "$text": _unescaped,
    "$tuple": tuple,
    "$dict": dict,
}
_decode = json.JSONDecoder(object_hook=_loose).decode


def storable(text: str) -> str:
    """Return text unchanged, or in quotes with Python's escapes if a database would reject it.

    PostgreSQL rejects NUL; both databases reject lone surrogates.

    Example:
        >>> storable("plain"), storable("NUL: \\0")
        ('plain', '"NUL: \\\\x00"')
    """
    if "\0" not in text and not text.startswith('"'):
        if text.isascii():
            return text
        try:
            text.encode()
        except UnicodeEncodeError:
            pass
        else:
            return text
    return f'"{_escaped(text)}"'


def restored(text: str) -> str:
    """Return the text that `storable` was given."""
    return _unescaped(text[1:-1]) if text.startswith('"') else text


def packed_histogram(histogram: Mapping[int, int]) -> str:
    """Return a histogram as a JSON array: for each bucket, the distance to the last and the calls.

    Example:
        >>> packed_histogram({32_000: 5, 32_003: 1})
        '[32000,5,3,1]'
    """
    parts: list[int] = []
    last = 0
    for bucket in sorted(histogram):
        parts += bucket - last, histogram[bucket]
        last = bucket
    return _encode(parts)


def unpacked_histogram(text: str) -> Counter[int]:
    """Return the histogram that `packed_histogram` was given.

    Example:
        >>> unpacked_histogram("[32000,5,3,1]")
        Counter({32000: 5, 32003: 1})
    """
    numbers = iter(json.loads(text))
    histogram: Counter[int] = Counter()
    bucket = 0
    for distance, calls in zip(numbers, numbers, strict=True):
        bucket += distance
        histogram[bucket] = calls
    return histogram
